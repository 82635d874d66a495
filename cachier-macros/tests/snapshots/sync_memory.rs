/// Joins.
///
/// Cached: `join::invalidate(…)`, `join::clear_cache()` and more work on what is stored.
#[allow(dead_code)]
pub fn join(text: &str, arg1: (u32, f64)) -> Result<String, Error> {
    let lookup = ::cachier::__lookup!(
        [typed] join::__site(), ::cachier::__returned:: < Result < String, Error > > ()
        .kind().in_memory(), [] memory((::cachier::__key(text).in_memory(),
        ::cachier::__key(& arg1).in_memory(),)), ::cachier::__private::Option::None
    );
    match lookup {
        ::cachier::__private::Lookup::Hit(value) => value,
        ::cachier::__private::Lookup::Miss(start) => {
            let operation = ::cachier::__private::TypedRequest::first(start);
            join::__dispatch(operation, text, arg1).value()
        }
    }
}
#[doc(hidden)]
///The operations on the cache of `join`.
#[allow(non_camel_case_types, dead_code)]
pub enum join {}
#[doc(hidden)]
#[allow(dead_code, clippy::too_many_arguments, clippy::type_complexity)]
impl join {
    ::cachier::__site! {
        fn __site() : ::cachier::__private::Site < ::cachier::__private::Memory <
        (::cachier::__owned_part!(str), ::cachier::__owned_part!((u32, f64)),),
        ::cachier::__memory_value!(Result < String, Error >) > > =
        ::cachier::__private::Site::new, ["app"], | _ | ::core::any::type_name:: < join >
        (), ::cachier::__private::Options { backend :
        ::cachier::__private::BackendName::Memory, stale_after :
        ::core::option::Option::Some(::core::time::Duration::from_millis(3600000u64)), ..
        ::cachier::__private::Options::new() }
    }
    ::cachier::__dispatch! {
        #[cold] #[inline(never)] [] __dispatch[] [] (text : & str, arg1 : (u32, f64),) []
        [Result < String, Error >] [::cachier::__stored!(Result < String, Error >)]
        [typed] Self::__site(), ::cachier::__measuring!(::cachier::__returned:: < Result
        < String, Error > > ().kind().in_memory()), [] memory((::cachier::__key(text)
        .in_memory(), ::cachier::__key(& arg1).in_memory(),)), (text, arg1,) => (text,
        arg1,), Self::__body(text, arg1,)
    }
    #[allow(clippy::box_collection, clippy::redundant_allocation, clippy::vec_box)]
    #[allow(clippy::extra_unused_type_parameters, clippy::unnecessary_wraps)]
    #[allow(clippy::large_types_passed_by_value, clippy::option_option)]
    #[allow(clippy::trivially_copy_pass_by_ref, clippy::unused_self)]
    fn __body(text: &str, (times, _): (u32, f64)) -> Result<String, Error> {
        todo!()
    }
    ::cachier::__operations! {
        [pub] [] [] [] (text : & str, arg1 : (u32, f64),) [] [Result < String, Error >]
        [::cachier::__stored!(Result < String, Error >)] [Self::__site()] [] [metrics
        cache_dir]
    }
}
