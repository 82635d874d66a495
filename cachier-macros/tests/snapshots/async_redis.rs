#[allow(dead_code)]
async fn user(id: u64, locale: &str) -> Result<User, DbError> {
    let lookup = ::cachier::__lookup!(
        [typed] user::__site(), ::cachier::__returned:: < Result < User, DbError > > ()
        .kind().in_store(), [] store((::cachier::__key(& id).in_store(),
        ::cachier::__key(locale).in_store(),), "id, locale"), ::cachier::__slot!()
    );
    match lookup {
        ::cachier::__private::Lookup::Hit(value) => value,
        ::cachier::__private::Lookup::Miss(start) => {
            let operation = ::cachier::__private::TypedRequest::first(start);
            user::__dispatch(operation, id, locale).await.value()
        }
    }
}
#[doc(hidden)]
///The operations on the cache of `user`.
#[allow(non_camel_case_types, dead_code)]
enum user {}
#[doc(hidden)]
#[allow(dead_code, clippy::too_many_arguments, clippy::type_complexity)]
impl user {
    ::cachier::__site! {
        fn __site() : ::cachier::__private::Site < ::cachier::__private::Persistent > =
        ::cachier::__private::Site::new, ["app", 81985529216486895u64], | _ |
        ::core::any::type_name:: < user > (), ::cachier::__private::Options { backend :
        ::cachier::__private::BackendName::Named("redis"), version :
        ::cachier::__private::Version::Code(2994340566025453904u64), stale_after :
        ::core::option::Option::Some(::core::time::Duration::from_millis(600000u64)),
        next_time : ::cachier::__private::Switch::On, metrics :
        ::core::option::Option::Some(const {
        ::cachier::__private::SamplingRate::new(0.1f64) }), ..
        ::cachier::__private::Options::new() }
    }
    ::cachier::__dispatch! {
        [async] __dispatch[] [] (id : u64, locale : & str,) [] [Result < User, DbError >]
        [::cachier::__stored!(Result < User, DbError >)] [typed] Self::__site(),
        ::cachier::__verifying!(::cachier::__returned:: < Result < User, DbError > > ()
        .kind().in_store()), [] store((::cachier::__key(& id).in_store(),
        ::cachier::__key(locale).in_store(),), "id, locale"), (id, locale,) => (id,
        locale,), Self::__body(id, locale,), later[value id(::cachier::__value(& id)
        .in_task()), reference locale(::cachier::__reference(locale).in_task()),]
        ::cachier::__private::in_background(async move { Self::__body(id.give(), locale
        .lend(),). await })
    }
    async fn __body(id: u64, locale: &str) -> Result<User, DbError> {
        todo!()
    }
    ::cachier::__metrics! {
        [] Self::__site(),
    }
    ::cachier::__operations! {
        [] [async] [] [] (id : u64, locale : & str,) [] [Result < User, DbError >]
        [::cachier::__stored!(Result < User, DbError >)] [Self::__site()] [] [cache_dir]
    }
}
