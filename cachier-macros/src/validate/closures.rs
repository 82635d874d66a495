//! Closures over the value, which see nothing else of the call.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};
use syn::{ExprClosure, ExprPath, FnArg, Ident, PatIdent};

use crate::diagnostics::Errors;
use crate::model::{Age, Arguments, bound_names};
use crate::parse::Function;

pub(super) fn check(arguments: &Arguments, function: &Function, errors: &mut Errors) {
    let own_limit = arguments.stale_after.as_ref().and_then(|argument| {
        let closure = match &argument.value {
            Age::OfEach(closure) => &**closure,
            Age::OfAll(_) => return None,
        };
        Some((&argument.name, closure))
    });
    let cache_if = arguments.cache_if.as_ref();
    let cache_if = cache_if.map(|argument| (&argument.name, &argument.value.0));
    let of_function = argument_names(function);
    for (name, closure) in [own_limit, cache_if].into_iter().flatten() {
        if let Some(argument) = outer_name(closure, &of_function) {
            let what = match argument == "self" {
                true => "`self`".to_owned(),
                false => format!("the argument `{argument}`"),
            };
            errors.at(
                argument.span(),
                format!(
                    "`{name}` sees the value alone, not {what}; put what it needs into the value"
                ),
            );
        }
    }
}

/// All names that the function's arguments have.
fn argument_names(function: &Function) -> BTreeSet<Ident> {
    let inputs = function.signature.inputs.iter();
    let names = inputs.flat_map(|input| match input {
        FnArg::Receiver(receiver) => vec![Ident::from(receiver.self_token)],
        FnArg::Typed(argument) => bound_names(&argument.pat),
    });
    names.collect()
}

/// The first of these names that a closure uses and does not bind, as far as it is syntax: macros within are not looked into.
fn outer_name(closure: &ExprClosure, names: &BTreeSet<Ident>) -> Option<Ident> {
    let mut words = Words::default();
    words.visit_expr_closure(closure);
    let mut used = words.used.into_iter();
    used.find(|word| names.contains(word) && !words.bound.contains(word))
}

/// The names that code binds and uses.
#[derive(Default)]
struct Words {
    bound: BTreeSet<Ident>,
    used: Vec<Ident>,
}

impl<'ast> Visit<'ast> for Words {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.bound.insert(pattern.ident.clone());
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        self.used.extend(path.path.get_ident().cloned());
    }
}
