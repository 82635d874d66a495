fn parsed<T: FromStr, const N: usize>(text: &str) -> Option<[T; N]>
where
    T: Part,
{
    let begun = {
        let shape = ::cachier::__shape!(Option < [T; N] >);
        let arguments = ::cachier::__private::NearArguments(
            (::cachier::__part!(text),),
            (::cachier::__stored_part!(text),),
        );
        parsed::__site()
            .resolve(&|| (), shape, &arguments)
            .begin(shape, &arguments, ::cachier::__private::Option::None)
    };
    match begun {
        ::cachier::__private::Begun::Hit(value) => value,
        ::cachier::__private::Begun::Miss(start) => {
            let operation = ::cachier::__private::Operation::first(start);
            parsed::__dispatch::<T, N>(operation, text).call().value
        }
    }
}
#[doc(hidden)]
#[allow(non_camel_case_types, dead_code)]
enum parsed {}
#[doc(hidden)]
#[allow(dead_code, clippy::too_many_arguments, clippy::type_complexity, clippy::ptr_arg)]
impl parsed {
    ::cachier::__site! {
        fn __site() : ::cachier::__private::ErasedSite =
        ::cachier::__private::ErasedSite::new, | marker |
        ::cachier::__private::identity_of_function(::core::any::type_name:: < parsed >
        (), marker), ::cachier::__private::Options { backend :
        ::cachier::__private::BackendName::Named("file"), version :
        ::cachier::__private::Version::Code(8966658991693154504u64), near_cache :
        ::core::option::Option::Some(10000u64), .. ::cachier::__private::Options::new() }
    }
    #[cold]
    #[inline(never)]
    #[allow(
        clippy::too_many_arguments,
        clippy::type_complexity,
        clippy::ptr_arg,
        clippy::used_underscore_binding
    )]
    fn __dispatch<T: FromStr, const N: usize>(
        operation: ::cachier::__private::Operation<[T; N]>,
        text: &str,
    ) -> ::cachier::__private::Reply<Option<[T; N]>, [T; N]>
    where
        T: Part,
    {
        let shape = ::cachier::__private::StoredAs::<
            [T; N],
        >::agreed(::cachier::__shape!(Option < [T; N] >));
        let recipe = ::cachier::__private::Recipe::new(shape);
        let prepared = {
            let arguments = ::cachier::__private::NearArguments(
                (::cachier::__part!(text),),
                (::cachier::__stored_part!(text),),
            );
            Self::__site()
                .resolve(&|| (), shape, &arguments)
                .prepare(shape, operation, &arguments)
        };
        let mut given = ::core::option::Option::Some((text,));
        ::cachier::__private::dispatch(
            recipe,
            prepared,
            &mut |_| {
                let (text,) = ::cachier::__private::once(&mut given);
                ::cachier::__private::Step::Now(Self::__body::<T, N>(text))
            },
        )
    }
    fn __body<T: FromStr, const N: usize>(text: &str) -> Option<[T; N]>
    where
        T: Part,
    {
        todo!()
    }
    ::cachier::__operations! {
        [] [] [< T : FromStr, const N : usize >] [:: < T, N, >] (text : & str,) [where T
        : Part] [Option < [T; N] >] [[T; N]] [Self::__site()] [""]
    }
    #[must_use]
    fn cache_dir() -> ::std::path::PathBuf {
        Self::__site().cache_dir("")
    }
}
