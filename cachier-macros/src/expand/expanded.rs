//! The expansion of a cached function.

use proc_macro2::TokenStream;
use syn::Ident;

use super::accessor::Accessor;

/// The code of a cached function.
pub(crate) struct Expanded {
    /// Takes the place of the function, in a trait's impl without anything that the trait does not have.
    pub(crate) item: TokenStream,
    /// The items outside of a trait's impl.
    pub(crate) outside: Option<Outside>,
}

/// The items of a method that stand outside of its trait's impl.
pub(crate) struct Outside {
    /// The attributes of each.
    pub(super) attributes: TokenStream,
    /// The hidden functions: their declarations and definitions.
    pub(super) declarations: TokenStream,
    pub(super) definitions: TokenStream,
    pub(super) companion: OutsideCompanion,
}

/// The companion of a method of a trait's impl.
pub(super) enum OutsideCompanion {
    Accessor(Accessor),
    /// The stub of a method with errors, under this name and of this type.
    Stub(Ident, TokenStream),
}
