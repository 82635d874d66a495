//! A list that only grows, and is read without a lock: a forked child has all of it, whatever its parent was doing.

use once_cell::race::OnceBox;

/// A short list.
#[derive(Debug)]
pub(crate) struct AppendList<T> {
    first: OnceBox<Node<T>>,
}

#[derive(Debug)]
struct Node<T> {
    value: T,
    next: OnceBox<Node<T>>,
}

impl<T> AppendList<T> {
    pub(crate) const fn new() -> Self {
        Self {
            first: OnceBox::new(),
        }
    }

    /// Adds a value at the end, unless one that is the `same` is there. Returns whether it has been added.
    pub(crate) fn add(&self, value: T, same: impl Fn(&T, &T) -> bool) -> bool {
        let mut place = &self.first;
        let mut pending = Some(Box::new(Node {
            value,
            next: OnceBox::new(),
        }));
        while let Some(new) = pending.take() {
            pending = match place.get() {
                Some(node) if same(&node.value, &new.value) => return false,
                Some(node) => {
                    place = &node.next;
                    Some(new)
                }
                // Another thread may have been first.
                None => place.set(new).err(),
            };
        }
        true
    }

    #[cfg(feature = "prometheus")]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.get().is_none()
    }

    /// The one added last.
    #[cfg(feature = "prometheus")]
    pub(crate) fn last(&self) -> Option<&T> {
        self.iter().last()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        let first = self.first.get();
        let nodes = std::iter::successors(first, |node| node.next.get());
        nodes.map(|node| &node.value)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn values_are_listed_once_in_insertion_order() {
        let list = AppendList::new();
        let added = [3, 1, 3, 2, 1].map(|value| list.add(value, i32::eq));
        assert_eq!(added, [true, true, false, true, false]);
        assert_eq!(list.iter().collect::<Vec<_>>(), [&3, &1, &2]);
    }
}
