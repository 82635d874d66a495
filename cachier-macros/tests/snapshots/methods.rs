impl<T: Part> Lookup for Table<'_, T> {
    type Found = Page<T>;
    #[allow(dead_code)]
    async fn fetch(&self, id: u64) -> Option<Self::Found> {
        let lookup = ::cachier::__lookup!(
            [named < Self as __CachierLookup_32c366e9418eba5f < '_, T > >
            ::__cachier_fetch_name] < Self as __CachierLookup_32c366e9418eba5f < '_, T >
            > ::__cachier_fetch_site(), ::cachier::__returned:: < Option < Self::Found >
            > ().kind().in_store(), [] store((::cachier::__key(& id).in_store(),), "id"),
            ::cachier::__private::Option::None
        );
        match lookup {
            ::cachier::__private::Lookup::Hit(value) => value,
            ::cachier::__private::Lookup::Miss(start) => {
                let operation = ::cachier::__private::TypedRequest::first(start);
                <Self as __CachierLookup_32c366e9418eba5f<
                    '_,
                    T,
                >>::__cachier_fetch(self, operation, id)
                    .await
                    .value()
            }
        }
    }
}
const _: () = {
    #[allow(unused_imports)]
    use cachier as _;
};
#[doc(hidden)]
#[rust_analyzer::completions(ignore_methods)]
#[allow(
    non_camel_case_types,
    dead_code,
    clippy::too_many_arguments,
    clippy::type_complexity,
    clippy::ptr_arg,
    clippy::extra_unused_lifetimes,
    clippy::extra_unused_type_parameters
)]
trait __CachierLookup_32c366e9418eba5f<'cachier0, T: Part>: Lookup {
    fn __cachier_fetch_site() -> &'static ::cachier::__private::ErasedSite;
    fn __cachier_fetch_name() -> &'static str;
    async fn __cachier_fetch(
        &self,
        operation: ::cachier::__private::TypedRequest<Page<T>>,
        id: u64,
    ) -> ::cachier::__private::TypedResponse<Option<Page<T>>, Page<T>>;
    async fn __cachier_fetch_body(&self, id: u64) -> Option<Page<T>>;
}
#[doc(hidden)]
impl<'cachier0, T: Part> __CachierLookup_32c366e9418eba5f<'cachier0, T>
for Table<'cachier0, T> {
    ::cachier::__site! {
        fn __cachier_fetch_site() : ::cachier::__private::ErasedSite =
        ::cachier::__private::ErasedSite::new, ["app", 81985529216486895u64], | marker |
        & ::cachier::__private::identity_of_method(marker, "fetch"),
        ::cachier::__private::Options { backend :
        ::cachier::__private::BackendName::Named("file"), ..
        ::cachier::__private::Options::new() }, in_impl_of_trait
    }
    ::cachier::__dispatch! {
        [async] __cachier_fetch[] [& self,] (id : u64,) [] [Option < Page < T > >] [Page
        < T >] [named < Self as __CachierLookup_32c366e9418eba5f < '_, T > >
        ::__cachier_fetch_name] < Self as __CachierLookup_32c366e9418eba5f < '_, T > >
        ::__cachier_fetch_site(),
        ::cachier::__verifying!(::cachier::types::StoredAs::checked(::cachier::__returned::
        < Option < Page < T > > > ().kind().in_store().stored_as:: < Page < T > > ()
        .agreed())), [] store((::cachier::__key(& id).in_store(),), "id"), (self, id,) =>
        (this, id,), < Self as __CachierLookup_32c366e9418eba5f < '_, T > >
        ::__cachier_fetch_body(this, id,)
    }
    #[doc(hidden)]
    #[allow(clippy::too_many_arguments, clippy::type_complexity)]
    async fn __cachier_fetch_body(&self, mut id: u64) -> Option<Page<T>> {
        id += 1;
        self.load(id).await
    }
    #[allow(clippy::extra_unused_lifetimes, clippy::extra_unused_type_parameters)]
    fn __cachier_fetch_name() -> &'static str {
        ::cachier::__private::name_of(&<Self as Lookup>::fetch)
    }
}
#[allow(dead_code)]
impl<'cachier0, T: Part> Table<'cachier0, T> {
    #[allow(private_interfaces, private_bounds, unreachable_pub)]
    ///The operations on the cache of `fetch`.
    #[must_use]
    #[allow(dead_code, clippy::type_complexity)]
    pub fn fetch_cache<'cachier>() -> ::cachier::AsyncMethodCache<
        'cachier,
        (&'cachier Table<'cachier0, T>, u64),
        Option<Page<T>>,
        Page<T>,
        (::cachier::__private::Unmetered, ::cachier::__private::InFolder),
    > {
        ::cachier::AsyncMethodCache::new(
            <Self as __CachierLookup_32c366e9418eba5f<'_, T>>::__cachier_fetch_site(),
            <Self as __CachierLookup_32c366e9418eba5f<'_, T>>::__cachier_fetch_name(),
            |operation, (this, id)| ::cachier::__private::in_companion(async move {
                <Self as __CachierLookup_32c366e9418eba5f<
                    '_,
                    T,
                >>::__cachier_fetch(this, operation, id)
                    .await
            }),
        )
    }
}
