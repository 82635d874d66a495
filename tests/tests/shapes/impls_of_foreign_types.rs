//! `#[cachier::methods]` on impls for types of other crates, with lifetimes, and far from their traits.

use cachier::cachier;
use cachier_tests::sandbox::in_folder;

trait Size {
    fn size(&self) -> u64;
}

#[cachier::methods(trait Sizes)]
impl<T: Into<u64> + Clone> Size for T {
    #[cachier(backend = "memory", enable_metrics, key = |self| (self.clone().into(), std::mem::size_of::<T>()))]
    fn size(&self) -> u64 {
        self.clone().into() * std::mem::size_of::<T>() as u64
    }
}

#[test]
fn a_blanket_impl_has_an_extension_trait() {
    in_folder(|_| {
        assert_eq!((2_u8.size(), 2_u8.size(), 2_u32.size()), (2, 2, 8));
        assert_eq!(u8::size_cache().peek(&2).unwrap(), Some(2));
        assert_eq!(<u32 as Sizes<u32>>::size_cache().peek(&2).unwrap(), Some(8));
        let name = "<_ as shapes::impls_of_foreign_types::Size>::size";
        assert_eq!(u8::size_cache().metrics().name(), name);
        assert_eq!(u8::size_cache().metrics().stats().hits, 1);
        assert_eq!(u8::size_cache().clear_cache().unwrap(), Some(2));
    });
}

mod foreign {
    use std::time::Duration;

    use cachier::cachier;

    pub(super) trait Greet {
        fn greet(&self, times: usize) -> String;
        fn hail(self) -> usize;
    }

    #[cachier::methods(pub(super) trait DurationCaches)]
    impl Greet for Duration {
        #[cachier(backend = "memory", key = |self, times| (*self, times))]
        fn greet(&self, times: usize) -> String {
            format!("{self:?}").repeat(times)
        }

        #[cachier(backend = "memory", key = |self| self)]
        fn hail(self) -> usize {
            self.as_secs() as usize
        }
    }

    #[cachier::methods]
    impl Greet for &str {
        #[cachier(backend = "memory", key = |self, times| (self.to_string(), times))]
        fn greet(&self, times: usize) -> String {
            self.repeat(times)
        }

        #[cachier(backend = "memory", key = |self| self.to_owned())]
        fn hail(self) -> usize {
            self.len()
        }
    }

    #[test]
    fn companions_are_in_scope_where_the_impl_is() {
        cachier_tests::sandbox::in_folder(|_| {
            assert_eq!("ab".greet(2), "abab");
            assert_eq!("ab".hail(), 2);
            assert_eq!(
                <&str>::greet_cache().peek(&"ab", 2).unwrap().as_deref(),
                Some("abab")
            );
            assert_eq!(<&str>::hail_cache().peek("ab").unwrap(), Some(2));
        });
    }
}

#[test]
fn foreign_types_have_an_extension_trait() {
    use std::time::Duration;

    use foreign::{DurationCaches as _, Greet as _};

    in_folder(|_| {
        let second = Duration::from_secs(1);
        assert_eq!((second.greet(2), second.hail()), ("1s1s".to_owned(), 1));
        assert_eq!(
            Duration::greet_cache().peek(&second, 2).unwrap().as_deref(),
            Some("1s1s")
        );
        assert_eq!(Duration::hail_cache().peek(second).unwrap(), Some(1));
        assert!(Duration::greet_cache().invalidate(&second, 2).unwrap());
    });
}

struct Ticket<'a>(&'a str);

trait Read<'t> {
    fn read(&self, more: &'t str) -> usize;
    fn both(self, other: Self) -> usize;
}

#[cachier::methods]
impl<'t> Read<'t> for Ticket<'_> {
    #[cachier(backend = "memory", key = |self, more| (self.0.to_owned(), more.to_owned()))]
    fn read(&self, more: &'t str) -> usize {
        self.0.len() + more.len()
    }

    #[cachier(backend = "memory", key = |self, other| (self.0.to_owned(), other.0.to_owned()))]
    fn both(self, other: Self) -> usize {
        self.0.len() + other.0.len()
    }
}

#[test]
fn types_and_traits_with_lifetimes() {
    in_folder(|_| {
        let text = "ab".to_owned();
        assert_eq!(Ticket(&text).read(&text), 4);
        assert_eq!(
            Ticket::read_cache().peek(&Ticket("ab"), "ab").unwrap(),
            Some(4)
        );
        assert_eq!(Ticket(&text).both(Ticket("c")), 3);
        assert_eq!(
            Ticket::both_cache()
                .peek(Ticket("ab"), Ticket("c"))
                .unwrap(),
            Some(3)
        );
    });
}

mod elsewhere {
    pub(super) struct Cart;

    pub(super) trait Weigh {
        fn weight(&self, id: u64) -> u64;
        fn gone(&self) -> u64;
    }

    mod service {
        use cachier::cachier;

        use super::{Cart, Weigh};

        #[cachier::methods(pub(in super::super))]
        impl Weigh for Cart {
            #[cachier(backend = "memory", skip(self), enable_metrics)]
            #[cfg(not(any()))]
            fn weight(&self, id: u64) -> u64 {
                id
            }

            #[cachier(backend = "memory", skip(self))]
            #[cfg(any())]
            fn weight(&self, id: u64) -> Missing {
                id
            }

            #[cachier(backend = "memory", skip(self), companion = false)]
            fn gone(&self) -> u64 {
                1
            }
        }

        #[cachier::methods]
        #[cfg(any())]
        impl Missing for Cart {
            #[cachier]
            fn absent() {}
        }
    }
}

#[test]
fn an_impl_far_from_its_trait() {
    use elsewhere::{Cart, Weigh as _};

    in_folder(|_| {
        assert_eq!((Cart.weight(3), Cart.gone()), (3, 1));
        let name = "<shapes::impls_of_foreign_types::elsewhere::Cart as shapes::impls_of_foreign_types::elsewhere::Weigh>::weight";
        assert_eq!(Cart::weight_cache().metrics().name(), name);
        assert_eq!(Cart::weight_cache().peek(&Cart, 3).unwrap(), Some(3));
    });
}
