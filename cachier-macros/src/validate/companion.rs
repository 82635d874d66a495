//! Companions that cannot stand where they would, and names that must not collide.

use syn::Ident;

use super::returned::is_rewritten;
use crate::diagnostics::Errors;
use crate::model::{Arguments, Companion, CompanionError, CompanionKind};
use crate::parse::Function;

pub(super) fn check(arguments: &Arguments, function: &Function, errors: &mut Errors) {
    let own = &function.signature.ident;
    let companion = CompanionKind::of(arguments, function);
    // A rewritten method is an error already, whose cure covers both.
    let is_told = is_rewritten(&function.signature);
    if let Some(error) = CompanionError::of(arguments, function).filter(|_| !is_told) {
        let (place, name) = match &companion {
            CompanionKind::Enum(name) => (name.span(), name),
            _ => (own.span(), own),
        };
        errors.at(place, message(error, name));
    }
    if let (CompanionKind::Function(name), true) = (&companion, is_named(arguments))
        // A method's companion is a function in the same namespace.
        && name == own
    {
        errors.at(
            name.span(),
            format!("the companion of a method needs a name of its own, such as `{name}_cache`"),
        );
    }
}

fn is_named(arguments: &Arguments) -> bool {
    let companion = arguments.companion.as_ref();
    companion.is_some_and(|argument| matches!(argument.value, Companion::Named(_)))
}

fn message(error: CompanionError, name: &Ident) -> String {
    let why = match error {
        CompanionError::Undeclared => return UNDECLARED.to_owned(),
        CompanionError::TraitImpl => return IN_TRAIT_IMPL.to_owned(),
        CompanionError::AsyncInTrait => return ASYNC_IN_TRAIT.to_owned(),
        CompanionError::Primitive => format!("would hide the primitive type `{name}`"),
        CompanionError::Hiding => {
            format!("would hide the crate or module `{name}`, which is used here")
        }
        CompanionError::Imported => return taken("`use` of another", name),
        CompanionError::Reexported => {
            return format!(
                "the companion is a type, and `use {name}::{name}` brings it in beside the module `{name}`, with which it clashes; give it another name: `companion = {name}_cache`"
            );
        }
        CompanionError::Taken("mod") => return taken("module", name),
        CompanionError::Taken("type") => return taken("type alias", name),
        CompanionError::Taken(keyword) => return taken(keyword, name),
    };
    format!("the companion is a type and {why}; give it another name: `companion = {name}_cache`")
}

fn taken(kind: &str, name: &Ident) -> String {
    let article = if kind == "enum" { "an" } else { "a" };
    format!(
        "the companion is a type, and there is {article} {kind} `{name}` beside it already; give it another name: `companion = {name}_cache`"
    )
}

const UNDECLARED: &str = "without `self` and `Self`, nothing tells the attribute that this function stands in an impl or a trait; \
                          write `in_impl` among its arguments";

const IN_TRAIT_IMPL: &str = "the companion of a method stands beside it, but the impl of a trait holds nothing but the trait's own; \
                             write `#[cachier::methods]` on the impl, which has a place for it, or `companion = false`, and a \
                             `name` by which `cachier::function(\"..\")` finds the cache";

const ASYNC_IN_TRAIT: &str = "the operations of a companion go to other threads, but the future of a trait's own `async fn` is not `Send`; \
                              write `companion = false`, and a `name` by which `cachier::function(\"..\")` finds the cache";
