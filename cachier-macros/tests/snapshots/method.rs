#[allow(dead_code, clippy::shadow_reuse, clippy::shadow_unrelated)]
fn name(&self, id: u64) -> Option<String> {
    let lookup = ::cachier::__lookup!(
        [erased] Self::__cachier_name_site(), ::cachier::__returned:: < Option < String >
        > ().kind().in_memory(), [let key = (|| { let given0 =
        ::cachier::__key_argument!(& id); let id = given0; (self.tenant, id) }) ();]
        memory((::cachier::__key(::cachier::__key_member!(& key.0)).in_memory(),
        ::cachier::__key(::cachier::__key_member!(& key.1)).in_memory(),)),
        ::cachier::__private::Option::None
    );
    match lookup {
        ::cachier::__private::Lookup::Hit(value) => value,
        ::cachier::__private::Lookup::Miss(start) => {
            let operation = ::cachier::__private::TypedRequest::first(start);
            Self::__cachier_name(self, operation, id).value()
        }
    }
}
::cachier::__site! {
    fn __cachier_name_site() : ::cachier::__private::ErasedSite =
    ::cachier::__private::ErasedSite::new, ["app"], | marker | &
    ::cachier::__private::identity_of_method(marker, "name"),
    ::cachier::__private::Options { backend : ::cachier::__private::BackendName::Memory,
    .. ::cachier::__private::Options::new() }
}
::cachier::__dispatch! {
    #[cold] #[inline(never)] [] __cachier_name[] [& self,] (id : u64,) [] [Option <
    String >] [String] [erased] Self::__cachier_name_site(),
    ::cachier::__measuring!(::cachier::types::StoredAs::checked(::cachier::__returned:: <
    Option < String > > ().kind().in_memory().stored_as:: < String > ().agreed())), [let
    key = (|| { let given0 = ::cachier::__key_argument!(& id); let id = given0; (self
    .tenant, id) }) ();] memory((::cachier::__key(::cachier::__key_member!(& key.0))
    .in_memory(), ::cachier::__key(::cachier::__key_member!(& key.1)).in_memory(),)),
    (self, id,) => (this, id,), Self::__cachier_name_body(this, id,)
}
#[doc(hidden)]
#[allow(clippy::too_many_arguments, clippy::type_complexity)]
fn __cachier_name_body(&self, id: u64) -> Option<String> {
    self.names.get(&id).cloned()
}
///The operations on the cache of `name`.
#[must_use]
#[allow(dead_code, clippy::type_complexity)]
fn name_cache<'cachier>() -> ::cachier::MethodCache<
    (&'cachier Self, u64),
    Option<String>,
    String,
    (::cachier::__private::Unmetered, ::cachier::__private::InNoFolder),
> {
    ::cachier::MethodCache::new(
        Self::__cachier_name_site(),
        ::cachier::__private::name_of(&|| ()),
        |operation, (this, id)| Self::__cachier_name(this, operation, id),
    )
}
