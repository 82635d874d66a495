//! `key = |..| ..`: which argument of the function each parameter of the closure stands for.

use proc_macro2::Span;
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Error, Expr, FnArg, Ident, Pat, PatIdent, Result, Stmt};

use super::values::KeyClosure;
use crate::diagnostics::did_you_mean;
use crate::parse::Function;

/// A parameter of the closure.
pub(crate) struct KeyParameter<'a> {
    /// The closure's pattern.
    pub(crate) pattern: &'a Pat,
    pub(crate) stands_for: StandsFor,
}

/// The meaning of a closure's parameter; places do not count the receiver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum StandsFor {
    /// `self`, which is in scope anyway.
    Receiver,
    /// `_`.
    Nothing,
    /// The argument at this place.
    Argument(usize),
    /// The name that a pattern at this place binds.
    Binding(usize, Ident),
}

impl KeyClosure {
    /// The parameters, or why they stand for nothing: a name stands for the argument of that name, a pattern for the one
    /// at its place.
    pub(crate) fn parameters(&self, function: &Function) -> Vec<Result<KeyParameter<'_>>> {
        let (mut seen, mut bound) = (Vec::new(), Vec::new());
        let arguments = KeyArguments::of(self, function);
        let inputs = self.0.inputs.iter().enumerate();
        inputs
            .map(|(place, pattern)| {
                let stands_for = arguments.meant(place, pattern)?;
                if stands_for != StandsFor::Nothing && seen.contains(&stands_for) {
                    return Err(Error::new(pattern.span(), repeated(pattern)));
                }
                let names = bound_names(pattern);
                if let Some(name) = names.iter().find(|name| bound.contains(*name)) {
                    return Err(Error::new(name.span(), format!("`{name}` is named twice")));
                }
                seen.push(stands_for.clone());
                bound.extend(names);
                Ok(KeyParameter {
                    pattern,
                    stands_for,
                })
            })
            .collect()
    }

    /// The number of members if the closure returns a tuple, judging by its tokens.
    pub(crate) fn tuple_members(&self) -> Option<usize> {
        members(&self.0.body)
    }
}

fn members(returned: &Expr) -> Option<usize> {
    match returned {
        Expr::Tuple(tuple) => Some(tuple.elems.len()),
        Expr::Paren(paren) => members(&paren.expr),
        Expr::Group(group) => members(&group.expr),
        Expr::Block(block) => match block.block.stmts.last() {
            Some(Stmt::Expr(last, None)) => members(last),
            _ => None,
        },
        _ => None,
    }
}

fn repeated(pattern: &Pat) -> String {
    match name_of(pattern) {
        Some(name) => format!("`{name}` is named twice"),
        None => "another parameter of `key` stands for the argument at this place".to_owned(),
    }
}

/// The function's arguments, as the closure refers to them.
struct KeyArguments<'a> {
    has_receiver: bool,
    patterns: Vec<&'a Pat>,
    /// The place of the first argument in the closure, if that has a parameter for each argument.
    first: Option<usize>,
}

impl<'a> KeyArguments<'a> {
    fn of(closure: &KeyClosure, function: &'a Function) -> Self {
        let inputs = &function.signature.inputs;
        let patterns: Vec<_> = inputs
            .iter()
            .filter_map(|input| match input {
                FnArg::Typed(argument) => Some(&*argument.pat),
                FnArg::Receiver(_) => None,
            })
            .collect();
        let parameters = &closure.0.inputs;
        let names_self = |first| name_of(first).is_some_and(|name| name == "self");
        let first = usize::from(parameters.first().is_some_and(names_self));
        let is_complete = parameters.len() == first + patterns.len();
        Self {
            has_receiver: patterns.len() < inputs.len(),
            patterns,
            first: is_complete.then_some(first),
        }
    }

    /// The meaning of a parameter.
    fn meant(&self, place: usize, pattern: &Pat) -> Result<StandsFor> {
        match pattern {
            Pat::Wild(_) => return Ok(StandsFor::Nothing),
            Pat::Rest(_) => return Err(Error::new(pattern.span(), REST)),
            _ => {}
        }
        let named = name_of(pattern).map(|name| self.named(name));
        let same = || self.patterns.iter().position(|own| is_same(own, pattern));
        match named {
            Some(Some(stands_for)) => Ok(stands_for),
            Some(None) => self
                .at(place)
                .filter(|place| name_of(self.patterns[*place]).is_none())
                .map(StandsFor::Argument)
                .ok_or_else(|| self.unknown(pattern)),
            None => same()
                .or_else(|| self.at(place))
                .map(StandsFor::Argument)
                .ok_or_else(|| Error::new(pattern.span(), OUT_OF_PLACE)),
        }
    }

    /// The argument, or the part of one, of this name.
    fn named(&self, name: &Ident) -> Option<StandsFor> {
        if name == "self" {
            return self.has_receiver.then_some(StandsFor::Receiver);
        }
        let whole = |own: &&Pat| matches!(own, Pat::Ident(own) if own.ident == *name);
        let part = |own: &&Pat| bound_names(own).contains(name);
        let place = |is_meant: &dyn Fn(&&Pat) -> bool| self.patterns.iter().position(is_meant);
        place(&whole)
            .map(StandsFor::Argument)
            .or_else(|| place(&part).map(|place| StandsFor::Binding(place, name.clone())))
    }

    /// The place of the argument that a parameter stands for by its own place.
    fn at(&self, place: usize) -> Option<usize> {
        let place = place.checked_sub(self.first?)?;
        (place < self.patterns.len()).then_some(place)
    }

    fn unknown(&self, pattern: &Pat) -> Error {
        let name = name_of(pattern)
            .map(ToString::to_string)
            .unwrap_or_default();
        let own = self.patterns.iter().flat_map(|own| bound_names(own));
        let mut known: Vec<_> = own.map(|name| name.to_string()).collect();
        known.extend(self.has_receiver.then(|| "self".to_owned()));
        let hint = did_you_mean(&name, known.iter().map(String::as_str)).unwrap_or_default();
        let message = format!("the function has no argument `{name}`{hint}");
        Error::new(name_span(pattern), message)
    }
}

const REST: &str = "leave `..` out: what `key` does not name is not part of the key anyway";

const OUT_OF_PLACE: &str = "a pattern in `key` stands for the argument at its place, so `key` needs a parameter for each \
                            argument, such as `_`; or put the argument's name before it: `name @ pattern`";

/// The name of a parameter: `name`, `mut name`, `name: Type`, `&name`, `name @ pattern`.
fn name_of(pattern: &Pat) -> Option<&Ident> {
    match pattern {
        Pat::Ident(name) => Some(&name.ident),
        Pat::Type(typed) => name_of(&typed.pat),
        Pat::Reference(reference) => name_of(&reference.pat),
        Pat::Paren(paren) => name_of(&paren.pat),
        _ => None,
    }
}

fn name_span(pattern: &Pat) -> Span {
    name_of(pattern).map_or_else(|| pattern.span(), Ident::span)
}

/// All names that a pattern binds. A constant cannot be told from a name.
pub(crate) fn bound_names(pattern: &Pat) -> Vec<Ident> {
    struct Names(Vec<Ident>);
    impl<'ast> Visit<'ast> for Names {
        fn visit_pat_ident(&mut self, name: &'ast PatIdent) {
            self.0.push(name.ident.clone());
            visit::visit_pat_ident(self, name);
        }
    }
    let mut names = Names(Vec::new());
    names.visit_pat(pattern);
    names.0
}

fn is_same(own: &Pat, other: &Pat) -> bool {
    own.to_token_stream().to_string() == other.to_token_stream().to_string()
}
