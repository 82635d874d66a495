//! What keeps a companion from standing where it would.

use syn::ext::IdentExt as _;

use super::{Arguments, CompanionKind, Placement};
use crate::parse::Function;
use crate::surroundings::Container;

/// Why a companion cannot stand where it would.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Obstacle {
    /// The function is in an impl, and nothing in it says so.
    Undeclared,
    /// The impl of a trait holds nothing but the trait's own.
    TraitImpl,
    /// It would hide a primitive type of its name.
    Primitive,
    /// There is a type or a module of its name, defined by this keyword.
    Taken(&'static str),
}

impl Obstacle {
    /// The first obstacle, as far as tokens and file show it.
    pub(crate) fn of(arguments: &Arguments, function: &Function) -> Option<Self> {
        let surroundings = &function.surroundings;
        let is_in_trait_impl = surroundings.container == Container::TraitImpl;
        match CompanionKind::of(arguments, function) {
            CompanionKind::None => None,
            _ if is_in_trait_impl => Some(Self::TraitImpl),
            CompanionKind::Function(_) => (Placement::of(arguments, function)
                == Placement::Undeclared)
                .then_some(Self::Undeclared),
            CompanionKind::Enum(name) => {
                let name = name.unraw().to_string();
                let taken = surroundings.types.get(&name);
                match PRIMITIVES.contains(&name.as_str()) {
                    true => Some(Self::Primitive),
                    false => taken.copied().map(Self::Taken),
                }
            }
        }
    }
}

/// The types that every module knows without a `use`.
const PRIMITIVES: [&str; 17] = [
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u8", "u16",
    "u32", "u64", "u128", "usize",
];
