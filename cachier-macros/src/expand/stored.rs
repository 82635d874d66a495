//! The type of stored values, for the operations that store and read them.
//!
//! The compiler infers it through any aliases in the return type, except if it depends on a type parameter, which a
//! signature cannot express. Then it is taken from the tokens, and the compiler checks it.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote_spanned};
use syn::{GenericArgument, Ident, PathArguments, ReturnType, Type};

use super::quoting::{code, krate_at};
use super::{returned, signature};
use crate::model::{Cached, CompanionKind};
use crate::parse::has_word;

/// The type of stored values.
pub(super) fn stored(cached: &Cached) -> TokenStream {
    let (krate, returned) = (&cached.krate, cached.returned());
    match Source::of(cached) {
        Source::Compiler => {
            let allow_none = cached.allows_none().then(|| code!(; allow_none));
            code!(#krate::__stored!(#returned #allow_none))
        }
        Source::Tokens(ty) => match content(ty) {
            Some(("Option", _)) if cached.allows_none() => returned,
            Some((_, content)) => code!(#content),
            None => returned,
        },
    }
}

/// The expression of the return type's shape, where it must agree with the type that users store.
pub(super) fn agreeing_return_type(cached: &Cached) -> TokenStream {
    let return_type = returned::return_type(cached);
    match Source::of(cached) {
        Source::Compiler => return_type,
        Source::Tokens(_) => {
            let (at, stored) = (returned::span_range(cached), stored(cached));
            let krate = krate_at(cached, at.first);
            let answer = quote_spanned!(at.last=> #return_type.stored_as::<#stored>().agreed());
            let checked = quote_spanned!(at.last=> checked(#answer));
            quote_spanned!(at.first=> #krate::types::StoredAs::#checked)
        }
    }
}

/// Where the type is taken from.
enum Source<'a> {
    Compiler,
    Tokens(&'a Type),
}

impl<'a> Source<'a> {
    fn of(cached: &Cached<'a>) -> Self {
        let ReturnType::Type(_, ty) = &cached.function.signature.output else {
            return Self::Compiler;
        };
        let is_known = match cached.companion {
            // A free function has no type parameters but its own.
            CompanionKind::Enum(_) => !depends_on(ty, &own_parameters(cached)),
            _ if cached.function.within.is_some() => !depends_on(ty, &own_or_of_impl(cached)),
            _ => may_be_alias(ty) && !depends_on(ty, &own_or_of_impl(cached)),
        };
        if is_known {
            Self::Compiler
        } else {
            Self::Tokens(ty)
        }
    }
}

/// Whether a word is a type parameter of the function.
fn own_parameters(cached: &Cached) -> impl Fn(&Ident) -> bool {
    let own = signature::type_parameters(&cached.function.signature.generics);
    move |word| own.contains(&word)
}

/// Whether a word is a type parameter of a method or of its impl, or looks like one where the macro cannot see that: `Self`,
/// `T`, `K2`.
fn own_or_of_impl(cached: &Cached) -> impl Fn(&Ident) -> bool {
    let is_own = own_parameters(cached);
    let of_impl = cached
        .function
        .within
        .as_ref()
        .map(|header| header.type_parameters());
    move |word| {
        if let Some(of_impl) = &of_impl {
            return of_impl.contains(&word) || word == "Self" || is_own(word);
        }
        let name = word.to_string();
        let mut letters = name.chars();
        let is_short = letters
            .next()
            .is_some_and(|first| first.is_ascii_uppercase())
            && letters.all(|other| other.is_ascii_digit());
        is_short || name == "Self" || is_own(word)
    }
}

fn depends_on(ty: &Type, is_parameter: &impl Fn(&Ident) -> bool) -> bool {
    has_word(ty.to_token_stream(), is_parameter)
}

/// Unlikely as aliases of a `Result` or an `Option`, while they may contain type parameters of an impl under any name.
const PLAIN: [&str; 8] = [
    "Arc", "BTreeMap", "BTreeSet", "Box", "HashMap", "HashSet", "Vec", "VecDeque",
];

/// Whether a type may be an alias.
fn may_be_alias(ty: &Type) -> bool {
    match ty {
        Type::Group(group) => may_be_alias(&group.elem),
        Type::Paren(paren) => may_be_alias(&paren.elem),
        Type::Macro(_) => true,
        Type::Path(path) => {
            let last = path.path.segments.last();
            content(ty).is_none()
                && !last.is_some_and(|last| PLAIN.iter().any(|name| last.ident == name))
        }
        _ => false,
    }
}

/// The name and the first argument of a `Result` or an `Option`.
fn content(ty: &Type) -> Option<(&'static str, &Type)> {
    let path = match ty {
        Type::Group(group) => return content(&group.elem),
        Type::Paren(paren) => return content(&paren.elem),
        Type::Path(path) => path,
        _ => return None,
    };
    let last = path.path.segments.last()?;
    let name = ["Result", "Option"]
        .into_iter()
        .find(|name| last.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    let first = arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    Some((name, first?))
}
