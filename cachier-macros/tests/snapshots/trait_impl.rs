async fn fetch(&self, id: u64) -> Result<Page, Error> {
    #[allow(clippy::redundant_closure, clippy::redundant_closure_for_method_calls)]
    let spec = ::cachier::__verifying!(
        ::cachier::__returned:: < Result < Page, Error > > ().kind().in_store()
    );
    let prepared = {
        ::cachier::__site! {
            static SITE : ::cachier::__private::ErasedSite =
            ::cachier::__private::ErasedSite::new, ["app", 81985529216486895u64], |
            marker | & ::cachier::__private::identity_of_method(marker, "fetch"),
            ::cachier::__private::Options { .. ::cachier::__private::Options::new() }
        }
        let (return_type, arguments) = ::cachier::__checked!(
            ::cachier::__returned:: < Result < Page, Error > > ().kind().in_store(),
            store((::cachier::__key(& id).in_store(),), "id")
        );
        let site = SITE.resolve(&|| (), return_type, &arguments);
        match site.lookup(return_type, &arguments, ::cachier::__private::Option::None) {
            ::cachier::__private::Lookup::Hit(value) => ::core::result::Result::Ok(value),
            ::cachier::__private::Lookup::Miss(start) => {
                let operation = ::cachier::__private::TypedRequest::first(start);
                ::core::result::Result::Err(site.prepare(spec, operation, &arguments))
            }
        }
    };
    match prepared {
        ::core::result::Result::Ok(value) => value,
        ::core::result::Result::Err(prepared) => {
            let body = async move {
                ::cachier::__returns!(Result < Page, Error >);
                #[allow(clippy::shadow_reuse, clippy::shadow_same)]
                let mut id = id;
                id += 1;
                self.load(id).await
            };
            let reply = ::cachier::__run!([async] spec, prepared, body => body, body);
            reply.value()
        }
    }
}
