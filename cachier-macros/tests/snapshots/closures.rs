#[allow(dead_code)]
async fn page(site: &str, number: u64) -> Page {
    let lookup = ::cachier::__lookup!(
        [typed] page::__site(), ::cachier::__returned:: < Page > ().kind().in_store(), []
        store((::cachier::__key(site).in_store(), ::cachier::__key(& number)
        .in_store(),), "site, number"), ::cachier::__private::Option::None
    );
    match lookup {
        ::cachier::__private::Lookup::Hit(value) => value,
        ::cachier::__private::Lookup::Miss(start) => {
            let operation = ::cachier::__private::TypedRequest::first(start);
            page::__dispatch(operation, site, number).await.value()
        }
    }
}
#[doc(hidden)]
///The operations on the cache of `page`.
#[allow(non_camel_case_types, dead_code)]
enum page {}
#[doc(hidden)]
#[allow(dead_code, clippy::too_many_arguments, clippy::type_complexity)]
impl page {
    ::cachier::__site! {
        fn __site() : ::cachier::__private::Site < ::cachier::__private::Persistent > =
        ::cachier::__private::Site::new, ["app", 81985529216486895u64], | _ |
        ::core::any::type_name:: < page > (), ::cachier::__private::Options { version :
        ::cachier::__private::Version::Code(13888927339684787598u64), age_limits :
        ::cachier::__private::AgeLimits::OfValues, jitter :
        ::core::option::Option::Some(::cachier::__private::Share::of_millionths(100000u32)),
        .. ::cachier::__private::Options::new() }
    }
    ::cachier::__dispatch! {
        [async] __dispatch[] [] (site : & str, number : u64,) [] [Page]
        [::cachier::__stored!(Page)] [typed] Self::__site(),
        ::cachier::__verifying!(::cachier::__returned:: < Page > ().kind().in_store())
        .cache_if(| page | page.is_complete()).stale_after(| value |
        ::cachier::__private::own_limit(value, | page | page.valid_for)), []
        store((::cachier::__key(site).in_store(), ::cachier::__key(& number)
        .in_store(),), "site, number"), (site, number,) => (site, number,),
        Self::__body(site, number,)
    }
    async fn __body(site: &str, number: u64) -> Page {
        todo!()
    }
    ::cachier::__operations! {
        [] [async] [] [] (site : & str, number : u64,) [] [Page]
        [::cachier::__stored!(Page)] [Self::__site()] [] [metrics]
    }
    ::cachier::__cache_dir! {
        [] Self::__site(),
    }
}
