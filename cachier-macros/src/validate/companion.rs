//! Companions that cannot stand where they would, and names that must not collide.

use syn::Ident;

use crate::diagnostics::Errors;
use crate::model::{Arguments, Companion, CompanionKind, Obstacle};
use crate::parse::Function;

pub(super) fn check(arguments: &Arguments, function: &Function, errors: &mut Errors) {
    let own = &function.signature.ident;
    let companion = CompanionKind::of(arguments, function);
    if let Some(obstacle) = Obstacle::of(arguments, function) {
        let (place, name) = match &companion {
            CompanionKind::Enum(name) => (name.span(), name),
            _ => (own.span(), own),
        };
        errors.at(place, message(obstacle, name));
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

fn message(obstacle: Obstacle, name: &Ident) -> String {
    match obstacle {
        Obstacle::Undeclared => UNDECLARED.to_owned(),
        Obstacle::TraitImpl => IN_TRAIT_IMPL.to_owned(),
        Obstacle::Primitive => format!(
            "the companion is a type and would hide the primitive type `{name}`; give it another name: `companion = {name}_cache`"
        ),
        Obstacle::Taken(keyword) => {
            let kind = match keyword {
                "mod" => "module",
                "type" => "type alias",
                other => other,
            };
            format!(
                "the companion is a type, and there is a {kind} `{name}` beside it already; give it another name: `companion = {name}_cache`"
            )
        }
    }
}

const UNDECLARED: &str = "without `self` and `Self`, nothing tells the attribute that this function stands in an impl; write \
                          `in_impl` among its arguments";

const IN_TRAIT_IMPL: &str = "the companion of a method stands beside it, but the impl of a trait holds nothing but the trait's own; \
                             write `companion = false`, and a `name` by which `cachier::function(\"..\")` finds the cache";
