//! What a cached function becomes.

use proc_macro2::TokenStream;
use syn::Ident;

use super::accessor::Accessor;

/// The code of a cached function.
pub(crate) struct Expanded {
    /// Takes the place of the function, in a trait's impl without anything that the trait does not have.
    pub(crate) item: TokenStream,
    /// What a method of a trait's impl has outside of that.
    pub(crate) outside: Option<Outside>,
}

/// What a method of a trait's impl has outside of that.
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
    /// Of a method with errors, under this name and of this type.
    Stub(Ident, TokenStream),
}
