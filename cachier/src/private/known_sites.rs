//! The sites of one generic function: found without a lock, as fast however many there are.

use std::any::{Any, TypeId};
use std::hash::{Hash, Hasher};
use std::iter::successors;

use once_cell::race::OnceBox;

/// Sites by marker: a hash trie that only grows. As a rule, one of a few thousand sites is in the first place that a lookup
/// comes to, whose address the compiler knows up to one page.
pub(super) struct KnownSites {
    pages: [OnceBox<Page>; FANOUT],
}

/// A marker and its site.
#[derive(Clone, Copy)]
pub(super) struct KnownSite {
    /// The marker's type, lifetimes aside. Different types may share a name.
    pub(super) id: TypeId,
    pub(super) marker: &'static str,
    pub(super) site: &'static (dyn Any + Send + Sync),
}

struct Page {
    places: [SiteSlot; FANOUT],
}

/// A site, and the page of those that came later and would be in the same place.
#[derive(Default)]
struct SiteSlot {
    known: OnceBox<KnownSite>,
    later: OnceBox<Page>,
}

const FANOUT: usize = 1 << BITS_OF_LEVEL;
const BITS_OF_LEVEL: u32 = 6;

impl KnownSites {
    pub(super) const fn new() -> Self {
        Self {
            pages: [const { OnceBox::new() }; FANOUT],
        }
    }

    /// The site of this type under the marker.
    #[inline]
    pub(super) fn get<S: Any>(&self, marker: TypeId) -> Option<&'static S> {
        let hash = hash_of(marker);
        let first = self.pages[hash.index(0)].get()?.place(hash, 1);
        match first.site_of(marker) {
            Some(site) => Some(site),
            None => first.search_later(marker),
        }
    }

    /// Adds a site. By one thread at a time.
    pub(super) fn add(&self, known: KnownSite) {
        let (hash, known) = (hash_of(known.id), Box::new(known));
        let mut page = &self.pages[hash.index(0)];
        for level in 1.. {
            let place = page.get_or_init(Box::default).place(hash, level);
            if place.known.get().is_none() {
                place.known.get_or_init(|| known);
                return;
            }
            page = &place.later;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &KnownSite> {
        let mut known = Vec::new();
        let pages = self.pages.iter().filter_map(OnceBox::get);
        pages.for_each(|page| page.collect(&mut known));
        known.into_iter()
    }
}

impl Page {
    /// The place at a level of the trie; the pages at the top are level 0.
    #[inline]
    fn place(&self, hash: TypeHash, level: u32) -> &SiteSlot {
        &self.places[hash.index(level)]
    }

    fn collect<'a>(&'a self, known: &mut Vec<&'a KnownSite>) {
        for place in &self.places {
            known.extend(place.known.get());
            if let Some(later) = place.later.get() {
                later.collect(known);
            }
        }
    }
}

impl Default for Page {
    fn default() -> Self {
        Self {
            places: std::array::from_fn(|_| SiteSlot::default()),
        }
    }
}

impl SiteSlot {
    #[inline]
    fn site_of<S: Any>(&self, marker: TypeId) -> Option<&'static S> {
        let known = self.known.get()?;
        match known.id == marker {
            true => known.site.downcast_ref(),
            false => None,
        }
    }

    /// The site among those that came later, from level 2 on.
    #[cold]
    #[inline(never)]
    fn search_later<S: Any>(&self, marker: TypeId) -> Option<&'static S> {
        let mut later = self.later_of(marker).skip(1);
        later.find_map(|place| place.site_of(marker))
    }

    /// This place, and those of the marker that came later, if this is one of level 1.
    fn later_of(&self, marker: TypeId) -> impl Iterator<Item = &Self> {
        let mut level = 1;
        successors(Some(self), move |place| {
            level += 1;
            Some(place.later.get()?.place(hash_of(marker), level))
        })
    }
}

/// The bits of a type's id, which are random.
#[derive(Clone, Copy)]
struct TypeHash(u64);

impl TypeHash {
    #[inline]
    fn index(self, level: u32) -> usize {
        self.0.rotate_right(BITS_OF_LEVEL * level) as usize % FANOUT
    }
}

#[inline]
fn hash_of(id: TypeId) -> TypeHash {
    struct Bits(u64);
    impl Hasher for Bits {
        #[inline]
        fn write_u64(&mut self, number: u64) {
            self.0 = number;
        }

        fn write(&mut self, bytes: &[u8]) {
            let byte = |bits: u64, byte: &u8| bits.rotate_left(8) ^ u64::from(*byte);
            self.0 = bytes.iter().fold(self.0, byte);
        }

        #[inline]
        fn finish(&self) -> u64 {
            self.0
        }
    }
    let mut bits = Bits(0);
    id.hash(&mut bits);
    TypeHash(bits.finish())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Marker<const N: usize>;

    /// The ids of a thousand types.
    fn markers() -> Vec<TypeId> {
        macro_rules! ids {
            ($($digit:literal)*) => {[$(ids!($digit; 0 1 2 3 4 5 6 7 8 9)),*].concat()};
            ($hundreds:literal; $($digit:literal)*) => {
                [$(ids!($hundreds, $digit; 0 1 2 3 4 5 6 7 8 9)),*].concat()
            };
            ($hundreds:literal, $tens:literal; $($digit:literal)*) => {
                [$(TypeId::of::<Marker<{ 100 * $hundreds + 10 * $tens + $digit }>>()),*]
            };
        }
        ids!(0 1 2 3 4 5 6 7 8 9)
    }

    fn known(id: TypeId, site: &'static (dyn Any + Send + Sync)) -> KnownSite {
        KnownSite {
            id,
            marker: "marker",
            site,
        }
    }

    #[test]
    fn each_of_a_thousand_is_found_at_once() {
        let (sites, markers) = (KnownSites::new(), markers());
        for (number, id) in markers.iter().enumerate() {
            assert!(sites.get::<usize>(*id).is_none());
            sites.add(known(*id, Box::leak(Box::new(number))));
        }
        let looked_at = |id: &TypeId| {
            let hash = hash_of(*id);
            let first = sites.pages[hash.index(0)].get().unwrap().place(hash, 1);
            let mut places = first.later_of(*id);
            places
                .position(|place| place.known.get().unwrap().id == *id)
                .unwrap()
                + 1
        };
        let total: usize = markers.iter().map(looked_at).sum();
        assert!(
            2 * total < 3 * markers.len(),
            "{total} places were looked at"
        );
        for (number, id) in markers.iter().enumerate() {
            assert_eq!(sites.get(*id), Some(&number));
        }
        assert_eq!(sites.iter().count(), markers.len());
    }

    #[test]
    fn types_of_one_id_are_told_apart() {
        let (sites, id) = (KnownSites::new(), TypeId::of::<Marker<0>>());
        sites.add(known(id, &1_u8));
        assert_eq!(sites.get::<u16>(id), None);
        sites.add(known(id, &2_u16));
        assert_eq!((sites.get(id), sites.get(id)), (Some(&1_u8), Some(&2_u16)));
    }
}
