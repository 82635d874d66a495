async fn user(id: u64, locale: &str) -> Result<User, DbError> {
    let begun = {
        let shape = ::cachier::__shape!(Result < User, DbError >);
        let arguments = ::cachier::__private::StoredArguments((
            ::cachier::__stored_part!(& id),
            ::cachier::__stored_part!(locale),
        ));
        user::__site().begin(shape, &arguments, ::cachier::__slot!())
    };
    match begun {
        ::cachier::__private::Begun::Hit(value) => value,
        ::cachier::__private::Begun::Miss(start) => {
            let operation = ::cachier::__private::Operation::first(start);
            user::__dispatch(operation, id, locale).await.call().value
        }
    }
}
#[doc(hidden)]
#[allow(non_camel_case_types, dead_code)]
enum user {}
#[doc(hidden)]
#[allow(dead_code, clippy::too_many_arguments, clippy::type_complexity, clippy::ptr_arg)]
impl user {
    ::cachier::__site! {
        fn __site() : ::cachier::__private::Site < ::cachier::__private::Persistent > =
        ::cachier::__private::Site::new, | _ | ::core::any::type_name:: < user > (),
        ::cachier::__private::Options { backend :
        ::cachier::__private::BackendName::Named("redis"), version :
        ::cachier::__private::Version::Code(2994340566025453904u64), stale_after :
        ::core::option::Option::Some(::core::time::Duration::from_millis(600000u64)),
        next_time : true, metrics : ::core::option::Option::Some(const {
        ::cachier::__private::SamplingRate::new(0.1f64) }), ..
        ::cachier::__private::Options::new() }
    }
    #[allow(
        clippy::too_many_arguments,
        clippy::type_complexity,
        clippy::ptr_arg,
        clippy::used_underscore_binding
    )]
    async fn __dispatch(
        operation: ::cachier::__private::Operation<
            ::cachier::__stored!(Result < User, DbError >),
        >,
        id: u64,
        locale: &str,
    ) -> ::cachier::__private::Reply<
        Result<User, DbError>,
        ::cachier::__stored!(Result < User, DbError >),
    > {
        let shape = ::cachier::__shape!(Result < User, DbError >);
        let recipe = ::cachier::__private::Recipe::new(shape);
        let prepared = {
            let arguments = ::cachier::__private::StoredArguments((
                ::cachier::__stored_part!(& id),
                ::cachier::__stored_part!(locale),
            ));
            Self::__site().prepare(shape, operation, &arguments)
        };
        ::std::boxed::Box::pin(
                ::cachier::__private::dispatch_async(
                    recipe,
                    prepared,
                    move |mode| match mode {
                        ::cachier::__private::Mode::Now => {
                            ::cachier::__private::Step::Now(Self::__body(id, locale))
                        }
                        ::cachier::__private::Mode::Later => {
                            let locale = ::std::borrow::ToOwned::to_owned(locale);
                            ::cachier::__private::Step::Later(
                                recipe
                                    .in_task(async move { Self::__body(id, &locale).await }),
                            )
                        }
                    },
                ),
            )
            .await
    }
    async fn __body(id: u64, locale: &str) -> Result<User, DbError> {
        todo!()
    }
    #[must_use]
    fn metrics() -> &'static ::cachier::CacheMetrics {
        Self::__site().metrics()
    }
    ::cachier::__operations! {
        [] [async] [] [] (id : u64, locale : & str,) [] [Result < User, DbError >]
        [::cachier::__stored!(Result < User, DbError >)] [Self::__site()] []
    }
}
