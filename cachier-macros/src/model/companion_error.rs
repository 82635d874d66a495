//! Companions that cannot stand in their place.

use syn::ext::IdentExt as _;

use super::arguments::Arguments;
use super::cached::CompanionKind;
use super::placement::Placement;
use crate::parse::Function;
use crate::surroundings::{Container, Contents, Shown};

/// Why a companion cannot stand where it would.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CompanionError {
    /// The function is in an impl or a trait, and nothing in it says so.
    Undeclared,
    /// The impl of a trait holds nothing but the trait's own.
    TraitImpl,
    /// The futures of a trait's own `async` functions cannot be sent to other threads.
    AsyncInTrait,
    /// It would hide a primitive type of its name.
    Primitive,
    /// There is a type or a module of its name, defined by this keyword.
    Taken(&'static str),
    /// A `use` brings in a module or a type of its name.
    Imported,
    /// It would hide a crate or a module of its name.
    Hiding,
    /// Its module has its name, and the function is imported next to that.
    Reexported,
}

impl CompanionError {
    /// The first error, as far as tokens and file show it.
    pub(crate) fn of(arguments: &Arguments, function: &Function) -> Option<Self> {
        let container = function.surroundings.block.container;
        match CompanionKind::of(arguments, function) {
            CompanionKind::None => None,
            _ if container == Container::TraitImpl => Some(Self::TraitImpl),
            CompanionKind::Function(_) => {
                match Placement::of(arguments, function) == Placement::Undeclared {
                    true => Some(Self::Undeclared),
                    false => (container == Container::Trait
                        && function.signature.asyncness.is_some())
                    .then_some(Self::AsyncInTrait),
                }
            }
            CompanionKind::Enum(name) => {
                let is_own_name = name == function.signature.ident;
                let name = name.unraw().to_string();
                if is_own_name && function.surroundings.is_reexported {
                    return Some(Self::Reexported);
                }
                Self::of_name(&name, &function.surroundings.block)
            }
        }
    }

    /// The error of a type of this name in a block.
    fn of_name(name: &str, block: &Contents) -> Option<Self> {
        let shown = block.paths.get(name).copied();
        if PRIMITIVES.contains(&name) {
            Some(Self::Primitive)
        } else if let Some(keyword) = block.types.get(name) {
            Some(Self::Taken(keyword))
        } else if shown.is_some() && block.imports.contains_key(name) {
            Some(Self::Imported)
        } else {
            (shown == Some(Shown::Other)).then_some(Self::Hiding)
        }
    }
}

/// The types that every module knows without a `use`.
const PRIMITIVES: [&str; 17] = [
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u8", "u16",
    "u32", "u64", "u128", "usize",
];
