//! The entries of a bounded store, in the order in which they would be evicted.

use sdd::Shared;

use super::policy::{Policy, Segment};

/// Items by the ids that the policy gives them.
pub(super) struct Residents<T> {
    policy: Policy,
    items: Vec<Option<Shared<T>>>,
}

impl<T> Residents<T> {
    pub(super) fn new() -> Self {
        Self {
            policy: Policy::default(),
            items: Vec::new(),
        }
    }

    /// Takes up the item that `make` builds around its new id. Who succeeds an item of the same key
    /// inherits its segment.
    pub(super) fn admit(
        &mut self,
        hash: u64,
        inherited: Option<Segment>,
        make: impl FnOnce(u32) -> Shared<T>,
    ) -> Shared<T> {
        let id = match inherited {
            Some(segment) => self.policy.admit_to(segment, hash),
            None => self.policy.admit(hash),
        };
        let item = make(id);
        let place = id as usize;
        if place >= self.items.len() {
            self.items.resize_with(place + 1, || None);
        }
        self.items[place] = Some(item.clone());
        item
    }

    /// Lets go of an item that leaves for another reason than lack of room.
    pub(super) fn remove(&mut self, id: u32) -> Segment {
        self.items[id as usize] = None;
        self.policy.remove(id)
    }

    /// Lets go of the item that can best be spared.
    pub(super) fn evict(&mut self, take_used: impl Fn(&T) -> bool) -> Option<Shared<T>> {
        let items = &self.items;
        let id = self.policy.evict(&mut |id| {
            let item = items[id as usize].as_deref();
            item.is_some_and(&take_used)
        })?;
        self.items[id as usize].take()
    }
}
