#[allow(dead_code)]
fn parsed<T: FromStr, const N: usize>(text: &str) -> Option<[T; N]>
where
    T: Part,
{
    let lookup = ::cachier::__lookup!(
        [erased] parsed::__site(), ::cachier::__returned:: < Option < [T; N] > > ()
        .kind().in_both(), [] both((::cachier::__key(text).in_memory(),),
        (::cachier::__key(text).in_store(),), "text"), ::cachier::__private::Option::None
    );
    match lookup {
        ::cachier::__private::Lookup::Hit(value) => value,
        ::cachier::__private::Lookup::Miss(start) => {
            let operation = ::cachier::__private::TypedRequest::first(start);
            parsed::__dispatch::<T, N>(operation, text).value()
        }
    }
}
#[doc(hidden)]
///The operations on the cache of `parsed`.
#[allow(non_camel_case_types, dead_code)]
enum parsed {}
#[doc(hidden)]
#[allow(dead_code, clippy::too_many_arguments, clippy::type_complexity)]
impl parsed {
    ::cachier::__site! {
        fn __site() : ::cachier::__private::ErasedSite =
        ::cachier::__private::ErasedSite::new, ["app", 81985529216486895u64], | marker |
        ::cachier::__private::identity_of_function(::core::any::type_name:: < parsed >
        (), marker), ::cachier::__private::Options { backend :
        ::cachier::__private::BackendName::Named("file"), version :
        ::cachier::__private::Version::Code(8966658991693154504u64), near_cache :
        ::core::option::Option::Some(10000u64), .. ::cachier::__private::Options::new() }
    }
    ::cachier::__dispatch! {
        #[cold] #[inline(never)] [] __dispatch[< T : FromStr, const N : usize >] [] (text
        : & str,) [where T : Part] [Option < [T; N] >] [[T; N]] [erased] Self::__site(),
        ::cachier::__verifying!(::cachier::types::StoredAs::checked(::cachier::__returned::
        < Option < [T; N] > > ().kind().in_both().stored_as:: < [T; N] > ().agreed())),
        [] both((::cachier::__key(text).in_memory(),), (::cachier::__key(text)
        .in_store(),), "text"), (text,) => (text,), Self::__body:: < T, N, > (text,)
    }
    fn __body<T: FromStr, const N: usize>(text: &str) -> Option<[T; N]>
    where
        T: Part,
    {
        todo!()
    }
    ::cachier::__operations! {
        [] [] [< T : FromStr, const N : usize >] [:: < T, N, >] (text : & str,) [where T
        : Part] [Option < [T; N] >] [[T; N]] [Self::__site()] ["<_>"] [metrics]
    }
    ::cachier::__cache_dir! {
        [] Self::__site(), "<_>"
    }
}
