//! Whether the types of a function can be cached: demanded once for each argument and for the result, and nowhere else.
//!
//! An unfit type gets a stand-in, with which the rest of the expansion compiles. So a mistake is one error, at the type. Its
//! message names the marks and demands below, which are therefore public.

use std::marker::PhantomData;

/// The answer for a type: whether it fits, and its stand-in.
pub struct Answer<T: ?Sized, F, P> {
    answer: P,
    of: PhantomData<Question<T, F>>,
}

/// A type of any size, and what it was found to be.
type Question<T, F> = (fn(*const T), F);

/// The mark of a type that can be cached.
///
/// ```
/// fn asks<Mark: cachier::types::KeyInMemory<u64>>() {}
///
/// asks::<cachier::types::Fit>();
/// ```
pub struct Fit;

/// The mark of a type that cannot.
///
/// ```
/// # use cachier::cachier;
/// use cachier::types::Unfit;
///
/// struct Pool;
///
/// // Without `skip`, the compiler would find `Unfit` in the place of this pool.
/// #[cachier(backend = "memory", skip(pool))]
/// fn price(pool: &Pool, item: u64) -> u64 {
/// #   let Pool = pool;
///     item * 10
/// }
/// # price(&Pool, std::mem::size_of::<Unfit>() as u64);
/// ```
pub struct Unfit;

impl<T: ?Sized, F, P> Answer<T, F, P> {
    #[inline]
    pub(super) fn new(answer: P) -> Self {
        Self {
            answer,
            of: PhantomData,
        }
    }

    /// The stand-in, where another place demands that the type fits.
    #[inline]
    pub fn unchecked(self) -> P {
        self.answer
    }

    #[cfg(feature = "memory")]
    #[inline]
    pub(super) fn map<Q>(self, map: impl FnOnce(P) -> Q) -> Answer<T, F, Q> {
        Answer::new(map(self.answer))
    }
}

/// Demands that a type fits, with a message of its own for each use of a type.
macro_rules! demands {
    ($($(#[$attribute:meta])* $demand:ident;)*) => {$(
        $(#[$attribute])*
        pub trait $demand<T: ?Sized>: Sized {
            /// The stand-in for the type.
            #[doc(hidden)]
            #[inline]
            fn checked<P>(answer: Answer<T, Self, P>) -> P {
                answer.answer
            }
        }

        #[diagnostic::do_not_recommend]
        impl<T: ?Sized> $demand<T> for Fit {}
    )*};
}

demands! {
    /// Arguments of functions that keep values in memory are `Hash + Eq + Clone + Send + Sync + 'static` (behind a `&`,
    /// [`ToOwned`] in place of `Clone`), or made of floats, or `serde::Serialize`.
    ///
    /// ```
    /// # use cachier::cachier;
    /// #[derive(Clone, PartialEq, Eq, Hash)]
    /// struct Page(u64);
    ///
    /// #[cachier(backend = "memory")]
    /// fn rows(page: &Page) -> u64 {
    ///     page.0 * 50
    /// }
    /// # rows(&Page(1));
    /// ```
    #[diagnostic::on_unimplemented(
        message = "`{T}` cannot be part of a key in memory",
        label = "neither `Hash + Eq + Clone + Send + Sync + 'static` nor `serde::Serialize`",
        note = "derive what is missing, or `serde::Serialize` in place of all of it, as for a struct of floats; a type parameter has it among its bounds, such as `T: Hash + Eq + Clone + Send + Sync + 'static`",
        note = "or leave the argument out with `skip(..)`, or write `key = |..| ..` with what tells calls apart"
    )]
    KeyInMemory;

    /// Arguments of functions that store values are `serde::Serialize`.
    ///
    /// ```
    /// # use cachier::cachier;
    /// #[derive(serde::Serialize)]
    /// struct Page(u64);
    ///
    /// #[cachier(backend = "file")]
    /// fn rows(page: &Page) -> u64 {
    ///     page.0 * 50
    /// }
    /// ```
    #[diagnostic::on_unimplemented(
        message = "`{T}` cannot be part of a stored key",
        label = "not `serde::Serialize`",
        note = "derive `serde::Serialize`; a type of another crate may have it with a feature of that, often named `serde`, and a type parameter has it among its bounds",
        note = "or leave the argument out with `skip(..)`, or write `key = |..| ..` with what tells calls apart"
    )]
    KeyInStore;

    /// Arguments by value of functions with `next_time` or `refresh_after` are `Send + 'static`.
    ///
    /// ```
    /// # use cachier::cachier;
    /// use std::sync::Arc;
    ///
    /// #[cachier(backend = "memory", stale_after = "1m", next_time, skip(shop))]
    /// fn price(shop: Arc<str>, item: u64) -> u64 {
    ///     shop.len() as u64 * item
    /// }
    /// # price("tea".into(), 1);
    /// ```
    #[diagnostic::on_unimplemented(
        message = "`{T}` cannot be taken to the background, where `next_time` and `refresh_after` recompute",
        label = "not `Send + 'static`",
        note = "take an `Arc` in place of an `Rc`, a `Box<dyn Trait + Send>` in place of a `Box<dyn Trait>`; write bounds such as `T: Send + 'static` or `impl Trait + Send + 'static`",
        note = "or leave those out, so that who finds a stale value waits for a new one"
    )]
    ArgumentInBackground;

    /// Arguments behind a `&` of functions with `next_time` or `refresh_after` are `Clone` (or [`ToOwned`]), `Send` and `'static`,
    /// of async ones also `Sync`.
    ///
    /// ```
    /// # use cachier::cachier;
    /// #[derive(Clone)]
    /// struct Pool;
    ///
    /// #[cachier(backend = "memory", stale_after = "1m", next_time, skip(pool))]
    /// fn price(pool: &Pool, item: u64) -> u64 {
    /// #   let Pool = pool;
    ///     item * 10
    /// }
    /// # price(&Pool, 1);
    /// ```
    #[diagnostic::on_unimplemented(
        message = "`{T}` cannot be taken to the background, where `next_time` and `refresh_after` recompute",
        label = "not `Clone + Send + 'static`, or not `Sync`, which an `async fn` also needs",
        note = "derive `Clone`, or take it in an `Arc`; a type parameter has bounds such as `T: Clone + Send + Sync + 'static`",
        note = "what is not `Send + Sync` is replaced first: an `Rc` by an `Arc`, a `Cell` or `RefCell` by an atomic or a `Mutex`, a `dyn Trait` by `dyn Trait + Send + Sync`",
        note = "or leave those out, so that who finds a stale value waits for a new one"
    )]
    ReferenceInBackground;

    /// Values in memory are `Clone + Send + Sync + 'static`.
    ///
    /// ```
    /// # use cachier::cachier;
    /// #[derive(Clone)]
    /// struct Page(Vec<u64>);
    ///
    /// #[cachier(backend = "memory")]
    /// fn page(number: u64) -> Page {
    ///     Page(vec![number])
    /// }
    /// # assert_eq!(page(1).0, [1]);
    /// ```
    #[diagnostic::on_unimplemented(
        message = "`{T}` cannot be kept in memory",
        label = "not `Clone + Send + Sync + 'static`",
        note = "derive `Clone`, or return it in an `Arc`; a type parameter has bounds such as `T: Clone + Send + Sync + 'static`",
        note = "what is not `Send + Sync` is replaced first: an `Rc` by an `Arc`, a `Cell` or `RefCell` by a `Mutex`, a `dyn Trait` by `dyn Trait + Send + Sync`",
        note = "or use a persistent backend, which asks for `serde::Serialize + serde::de::DeserializeOwned` instead"
    )]
    ValueInMemory;

    /// Values in memory that is bounded by `capacity_bytes` or `entry_size_limit` are also `serde::Serialize`.
    ///
    /// ```
    /// # use cachier::cachier;
    /// #[derive(Clone, serde::Serialize)]
    /// struct Page(Vec<u64>);
    ///
    /// #[cachier(backend = "memory", capacity_bytes = "10MB")]
    /// fn page(number: u64) -> Page {
    ///     Page(vec![number])
    /// }
    /// # assert_eq!(page(1).0, [1]);
    /// ```
    #[diagnostic::on_unimplemented(
        message = "`{T}` cannot be kept in memory that is bounded in bytes",
        label = "not `serde::Serialize + Clone + Send + Sync + 'static`",
        note = "derive what is missing, among it `serde::Serialize`, by which values are measured; an `Arc` is `Clone` by itself",
        note = "what is not `Send + Sync` is replaced first: an `Rc` by an `Arc`, a `Cell` or `RefCell` by a `Mutex`, a `dyn Trait` by `dyn Trait + Send + Sync`",
        note = "or bound the entries with `capacity`, which asks for `Clone + Send + Sync + 'static` alone"
    )]
    ValueInBoundedMemory;

    /// Stored values are `serde::Serialize + serde::de::DeserializeOwned`.
    ///
    /// ```
    /// # use cachier::cachier;
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Page(Vec<u64>);
    ///
    /// #[cachier(backend = "file")]
    /// fn page(number: u64) -> Page {
    ///     Page(vec![number])
    /// }
    /// ```
    #[diagnostic::on_unimplemented(
        message = "`{T}` cannot be stored",
        label = "not `serde::Serialize + serde::de::DeserializeOwned`",
        note = "derive `serde::Serialize` and `serde::Deserialize`; a type of another crate may have them with a feature of that, often named `serde`, and a type parameter has both among its bounds",
        note = "or keep values in the process with `backend = \"memory\"`"
    )]
    ValueInStore;

    /// Stored values of which a near tier keeps some are all that is asked of either.
    ///
    /// ```
    /// # use cachier::cachier;
    /// #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// struct Page(Vec<u64>);
    ///
    /// #[cachier(backend = "file", near_cache = 1_000)]
    /// fn page(number: u64) -> Page {
    ///     Page(vec![number])
    /// }
    /// ```
    #[diagnostic::on_unimplemented(
        message = "`{T}` cannot be stored and kept in a near tier",
        label = "not `serde::Serialize + serde::de::DeserializeOwned + Clone + Send + Sync + 'static`",
        note = "derive what is missing; a type of another crate may have it with a feature of that, often named `serde`",
        note = "what is not `Send + Sync` is replaced first: an `Rc` by an `Arc`, a `Cell` or `RefCell` by a `Mutex`, a `dyn Trait` by `dyn Trait + Send + Sync`",
        note = "or leave out `near_cache`, or keep values in the process with `backend = \"memory\"`"
    )]
    ValueInBoth;

    /// The return type of a function whose result depends on a type parameter is written as what it is: `Result<..>` or
    /// `Option<..>`, no alias of these.
    ///
    /// ```
    /// # use cachier::cachier;
    /// #[cachier(backend = "memory")]
    /// fn parsed<T: std::str::FromStr + Clone + Send + Sync + 'static>(text: &str) -> Option<T> {
    ///     text.parse().ok()
    /// }
    /// # assert_eq!(parsed::<u8>("7"), Some(7));
    /// ```
    #[diagnostic::on_unimplemented(
        message = "write `Result<..>` or `Option<..>` here, not an alias of it",
        label = "an alias of a `Result` or an `Option`",
        note = "beside a type parameter, an alias cannot be seen through"
    )]
    StoredAs;
}
