//! The store's synchronisation primitives, replaceable by a model checker.

#[cfg(not(shuttle))]
pub(super) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, fence},
};

#[cfg(not(shuttle))]
pub(super) use sdd::{AtomicShared, Guard, Shared, Tag};

#[cfg(shuttle)]
pub(super) use shuttle::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, fence},
};

#[cfg(shuttle)]
pub(super) use modelled::{AtomicShared, Guard, Shared, Tag};

/// The used part of sdd for the model checker, which switches threads at every access. Nothing that a reader has loaded
/// is freed.
#[cfg(shuttle)]
mod modelled {
    use std::sync::atomic::Ordering;

    use shuttle::sync::{Arc, Mutex};

    pub(crate) struct Guard;

    pub(crate) struct AtomicShared<T>(Mutex<Option<Shared<T>>>);

    pub(crate) struct Shared<T>(Arc<T>);

    pub(crate) struct Ptr<'g, T>(Option<&'g T>);

    pub(crate) enum Tag {
        None,
    }

    impl Guard {
        pub(crate) fn new() -> Self {
            Self
        }

        pub(crate) fn has_garbage(&self) -> bool {
            false
        }

        pub(crate) fn accelerate(&self) {}
    }

    impl<T: 'static> Shared<T> {
        pub(crate) fn new(item: T) -> Self {
            Self(Arc::new(item))
        }
    }

    impl<T> std::ops::Deref for Shared<T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.0
        }
    }

    impl<T> AtomicShared<T> {
        pub(crate) const fn null() -> Self {
            Self(Mutex::new(None))
        }
    }

    impl<T: 'static> AtomicShared<T> {
        pub(crate) fn new(item: T) -> Self {
            Self(Mutex::new(Some(Shared::new(item))))
        }

        pub(crate) fn load<'g>(&self, _: Ordering, _: &'g Guard) -> Ptr<'g, T> {
            let shared = self.get_shared(Ordering::Acquire, &Guard);
            Ptr(shared.map(|shared| &**Box::leak(Box::new(shared.0))))
        }

        pub(crate) fn get_shared(&self, _: Ordering, _: &Guard) -> Option<Shared<T>> {
            let slot = self.0.lock().expect("no panic under the lock");
            slot.as_ref().map(|shared| Shared(shared.0.clone()))
        }

        pub(crate) fn swap(
            &self,
            (new, tag): (Option<Shared<T>>, Tag),
            _: Ordering,
        ) -> (Option<Shared<T>>, Tag) {
            let mut slot = self.0.lock().expect("no panic under the lock");
            (std::mem::replace(&mut *slot, new), tag)
        }
    }

    impl<'g, T> Ptr<'g, T> {
        pub(crate) fn as_ref(&self) -> Option<&'g T> {
            self.0
        }
    }
}
