/// Joins.
///
/// Cached: `join::invalidate(…)`, `join::clear_cache()` and more work on what is stored.
pub fn join(text: &str, arg1: (u32, f64)) -> Result<String, Error> {
    let begun = {
        let shape = ::cachier::__shape!(Result < String, Error >);
        let arguments = ::cachier::__private::MemoryArguments((
            ::cachier::__part!(text),
            ::cachier::__part!(& arg1),
        ));
        join::__site().begin(shape, &arguments, ::cachier::__private::Option::None)
    };
    match begun {
        ::cachier::__private::Begun::Hit(value) => value,
        ::cachier::__private::Begun::Miss(start) => {
            let operation = ::cachier::__private::Operation::first(start);
            join::__dispatch(operation, text, arg1).call().value
        }
    }
}
#[doc(hidden)]
#[allow(non_camel_case_types, dead_code)]
pub enum join {}
#[doc(hidden)]
#[allow(dead_code, clippy::too_many_arguments, clippy::type_complexity, clippy::ptr_arg)]
impl join {
    ::cachier::__site! {
        fn __site() : ::cachier::__private::Site < ::cachier::__private::Memory < (< str
        as ::cachier::__private::OwnedPart < { ::cachier::__part_kind!(str) } >> ::Owned,
        < (u32, f64) as ::cachier::__private::OwnedPart < { ::cachier::__part_kind!((u32,
        f64)) } >> ::Owned,), < ::cachier::__value!(Result < String, Error >) as
        ::cachier::__private::Kept < { ::cachier::__fits_memory!(Result < String, Error
        >) } >> ::Value > > = ::cachier::__private::Site::new, | _ |
        ::core::any::type_name:: < join > (), ::cachier::__private::Options { backend :
        ::cachier::__private::BackendName::Memory, stale_after :
        ::core::option::Option::Some(::core::time::Duration::from_millis(3600000u64)), ..
        ::cachier::__private::Options::new() }
    }
    #[cold]
    #[inline(never)]
    #[allow(
        clippy::too_many_arguments,
        clippy::type_complexity,
        clippy::ptr_arg,
        clippy::used_underscore_binding
    )]
    fn __dispatch(
        operation: ::cachier::__private::Operation<
            ::cachier::__stored!(Result < String, Error >),
        >,
        text: &str,
        arg1: (u32, f64),
    ) -> ::cachier::__private::Reply<
        Result<String, Error>,
        ::cachier::__stored!(Result < String, Error >),
    > {
        let shape = ::cachier::__shape!(Result < String, Error >);
        let mut recipe = ::cachier::__private::Recipe::new(shape);
        recipe.measure = ::cachier::__measure!(shape);
        let prepared = {
            let arguments = ::cachier::__private::MemoryArguments((
                ::cachier::__part!(text),
                ::cachier::__part!(& arg1),
            ));
            Self::__site().prepare(shape, operation, &arguments)
        };
        let mut given = ::core::option::Option::Some((text, arg1));
        ::cachier::__private::dispatch(
            recipe,
            prepared,
            &mut |_| {
                let (text, arg1) = ::cachier::__private::once(&mut given);
                ::cachier::__private::Step::Now(Self::__body(text, arg1))
            },
        )
    }
    fn __body(text: &str, (times, _): (u32, f64)) -> Result<String, Error> {
        todo!()
    }
    ::cachier::__operations! {
        [pub] [] [] [] (text : & str, arg1 : (u32, f64),) [] [Result < String, Error >]
        [::cachier::__stored!(Result < String, Error >)] [Self::__site()] []
    }
}
