//! Backends with one instance per process.

/// Implements [`Backend`](crate::Backend) by delegation to the current process's instance: the field `instance`, a
/// [`PerProcess`](crate::process::PerProcess).
macro_rules! backend_by_instance {
    ($backend:ty) => {
        impl $crate::backend::Backend for $backend {
            fn kind(&self) -> &str {
                self.instance.kind()
            }

            fn store_name(&self) -> String {
                self.instance.store_name()
            }

            fn capabilities(&self) -> $crate::Capabilities {
                self.instance.capabilities()
            }

            fn load<'a>(
                &'a self,
                key: &'a $crate::Key,
            ) -> $crate::BoxFuture<'a, Option<$crate::Loaded>> {
                self.instance.load(key)
            }

            fn store<'a>(
                &'a self,
                key: &'a $crate::Key,
                request: $crate::StoreRequest<'a>,
            ) -> $crate::BoxFuture<'a, $crate::StoreReply> {
                self.instance.store(key, request)
            }

            fn remove<'a>(&'a self, key: &'a $crate::Key) -> $crate::BoxFuture<'a, bool> {
                self.instance.remove(key)
            }

            fn clear<'a>(
                &'a self,
                scope: &'a ::std::sync::Arc<$crate::Scope>,
            ) -> $crate::BoxFuture<'a, Option<u64>> {
                self.instance.clear(scope)
            }

            fn lease<'a>(
                &'a self,
                key: &'a $crate::Key,
                seen: Option<&'a $crate::EntryVersion>,
                period: ::std::time::Duration,
            ) -> $crate::BoxFuture<'a, $crate::LeaseReply> {
                self.instance.lease(key, seen, period)
            }

            fn renew<'a>(
                &'a self,
                lease: &'a $crate::Lease,
            ) -> $crate::BoxFuture<'a, $crate::Renewal> {
                self.instance.renew(lease)
            }

            fn release(&self, lease: $crate::Lease) -> $crate::BoxFuture<'_, ()> {
                self.instance.release(lease)
            }

            fn take_over<'a>(
                &'a self,
                key: &'a $crate::Key,
                period: ::std::time::Duration,
            ) -> $crate::BoxFuture<'a, $crate::Lease> {
                self.instance.take_over(key, period)
            }

            fn vacate(&self, lease: $crate::Lease) -> $crate::BoxFuture<'_, $crate::Vacated> {
                self.instance.vacate(lease)
            }

            fn wait<'a>(
                &'a self,
                key: &'a $crate::Key,
                seen: Option<&'a $crate::EntryVersion>,
            ) -> Option<$crate::BoxFuture<'a, ()>> {
                self.instance.wait(key, seen)
            }

            fn watch(
                &self,
                scope: &::std::sync::Arc<$crate::Scope>,
                watcher: ::std::sync::Arc<$crate::Watcher>,
            ) -> Option<$crate::Watch> {
                self.instance.watch(scope, watcher)
            }

            fn clear_leases<'a>(
                &'a self,
                scope: &'a ::std::sync::Arc<$crate::Scope>,
            ) -> $crate::BoxFuture<'a, ()> {
                self.instance.clear_leases(scope)
            }

            fn cleanup<'a>(
                &'a self,
                scope: &'a ::std::sync::Arc<$crate::Scope>,
                created_before: ::std::time::SystemTime,
            ) -> $crate::BoxFuture<'a, Option<u64>> {
                self.instance.cleanup(scope, created_before)
            }

            fn usage<'a>(
                &'a self,
                scope: &'a ::std::sync::Arc<$crate::Scope>,
            ) -> $crate::BoxFuture<'a, $crate::Usage> {
                self.instance.usage(scope)
            }

            fn idle(&self) -> $crate::BoxFuture<'_, ()> {
                self.instance.idle()
            }

            fn figures(&self) -> $crate::Figures {
                self.instance.figures()
            }

            fn observe_waits(&self, observer: ::std::sync::Arc<$crate::WaitObserver>) {
                self.instance.observe_waits(observer);
            }

            fn check(&self) -> $crate::BoxFuture<'_, ()> {
                self.instance.check()
            }
        }
    };
}
pub(crate) use backend_by_instance;

/// A backend that can be reopened in a child process.
pub(crate) trait Reopen {
    /// The same store, with its own connections, subscriptions, tokens and counts.
    fn reopen(&self) -> Self;
}

/// A backend that child processes reopen.
pub(crate) type Instance<B> = crate::process::PerProcess<B>;

/// An instance for this process, reopened in its children.
pub(crate) fn instance<B: Reopen>(of_this_process: B) -> Instance<B> {
    Instance::with(of_this_process, |before| {
        before.expect("the first process has one").reopen()
    })
}
