//! The number of arguments, and receivers that cannot go to the background.

use crate::diagnostics::Errors;
use crate::model::{Arguments, CompanionKind, MAX_KEY_ARGUMENTS, Parameter, Role};
use crate::parse::Function;

pub(super) fn check(arguments: &Arguments, function: &Function, errors: &mut Errors) {
    let parameters = Parameter::all(arguments, function);
    let companion = CompanionKind::of(arguments, function);
    if arguments.key.is_none() {
        check_keyed(&parameters, errors);
    }
    if let (CompanionKind::Function(_), Some(extra)) =
        (&companion, parameters.get(MAX_KEY_ARGUMENTS))
    {
        errors.over(
            &extra.ty,
            format!("the companion of a method holds at most {MAX_KEY_ARGUMENTS} arguments; take several as one struct, or write `companion = false`"),
        );
    }
    if let (CompanionKind::None, Some(receiver), Some(name)) = (
        &companion,
        function.signature.receiver(),
        arguments.recomputes_by(),
    ) {
        errors.at(
            receiver.self_token.span,
            format!(
                "`{name}` takes `self` to the background, which needs the companion; leave `companion = false` out (the impl of \
                 a trait then needs `#[cachier::methods]`), or move the body into an inherent method, and cache that"
            ),
        );
    }
}

fn check_keyed(parameters: &[Parameter], errors: &mut Errors) {
    let keyed: Vec<_> = parameters
        .iter()
        .filter(|parameter| parameter.role == Role::Keyed)
        .collect();
    if let Some(extra) = keyed.get(MAX_KEY_ARGUMENTS) {
        errors.over(
            &extra.ty,
            format!("a key holds at most {MAX_KEY_ARGUMENTS} arguments; write `key = |..| ..` with what tells calls apart, or `skip(..)` the others"),
        );
    }
}
