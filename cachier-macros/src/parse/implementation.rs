//! An annotated `impl`: its header as syntax, its cached methods, and all else as tokens.

use std::rc::Rc;

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::parse::{ParseStream, Parser as _};
use syn::{
    Attribute, Error, Ident, ImplItemType, ItemImpl, Path, Result, Signature, Token, Type,
    Visibility,
};

use super::conditional::{one_by_one, unconditional};
use super::function::{Function, is_cachier, starts_function};
use super::header::Header;

/// An `impl` with cached methods.
pub(crate) struct Implementation {
    pub(crate) header: Rc<Header>,
    /// The tokens of the header.
    pub(crate) written: TokenStream,
    pub(crate) members: Vec<Member>,
    /// The paths by which methods name their attribute, each once.
    pub(crate) attributes: Vec<Path>,
    pub(crate) braces: Span,
}

/// A part of an `impl`.
pub(crate) enum Member {
    /// A function with `#[cachier]`.
    Cached {
        attribute: Box<Attribute>,
        /// How many of the function's other attributes stand above it.
        above: usize,
        function: Box<Function>,
    },
    /// Anything else; a function has its name.
    Other {
        function: Option<Ident>,
        tokens: TokenStream,
    },
}

/// Parses the annotated item.
///
/// # Errors
/// If it is not an `impl`.
pub(crate) fn implementation(item: TokenStream) -> Result<Implementation> {
    let mut written: Vec<TokenTree> = item.into_iter().collect();
    let body = match written.pop() {
        Some(TokenTree::Group(body)) if body.delimiter() == Delimiter::Brace => body,
        other => return Err(not_an_impl(written.into_iter().chain(other).collect())),
    };
    let written: TokenStream = written.into_iter().collect();
    let parsed: ItemImpl = match is_impl(written.clone()) {
        true => syn::parse2(with_empty_body(written.clone()))?,
        false => return Err(not_an_impl(written)),
    };
    let members = members.parse2(body.stream())?;
    let types = members.iter().filter_map(associated_type).collect();
    let header = Rc::new(Header::new(parsed, types));
    let attributes = attribute_paths(&members);
    let members = members
        .into_iter()
        .map(|member| member.within(&header))
        .collect();
    Ok(Implementation {
        header,
        written,
        members,
        attributes,
        braces: body.span(),
    })
}

fn with_empty_body(header: TokenStream) -> TokenStream {
    let body = TokenTree::from(Group::new(Delimiter::Brace, TokenStream::new()));
    header.into_iter().chain([body]).collect()
}

fn is_impl(header: TokenStream) -> bool {
    let starts_impl = |input: ParseStream| {
        input.call(Attribute::parse_outer)?;
        input.parse::<Option<Token![unsafe]>>()?;
        let is_impl = input.peek(Token![impl]);
        // The rest is of no interest.
        input.parse::<TokenStream>().map(|_| is_impl)
    };
    starts_impl.parse2(header).unwrap_or(false)
}

fn not_an_impl(item: TokenStream) -> Error {
    let start = |input: ParseStream| {
        input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        let message = match (starts_function(input), input.peek(Token![trait])) {
            (true, _) => "`#[cachier::methods]` goes on an impl; a function takes `#[cachier]`",
            (_, true) => "`#[cachier::methods]` goes on an impl: annotate those of the trait",
            _ => "`#[cachier::methods]` goes on an impl",
        };
        let error = Error::new(input.span(), message);
        input.parse::<TokenStream>().map(|_| error)
    };
    start.parse2(item).unwrap_or_else(|error| error)
}

/// The members of a body. Bodies of methods are not parsed: incomplete code must expand, for editors.
fn members(input: ParseStream) -> Result<Vec<Member>> {
    let mut members = Vec::new();
    let inner = input.call(Attribute::parse_inner)?;
    if !inner.is_empty() {
        members.push(Member::Other {
            function: None,
            tokens: quote!(#(#inner)*),
        });
    }
    while !input.is_empty() {
        members.push(member(input)?);
    }
    Ok(members)
}

fn member(input: ParseStream) -> Result<Member> {
    let ahead = input.fork();
    let attributes = ahead.call(Attribute::parse_outer)?;
    ahead.parse::<Visibility>()?;
    if !starts_function(&ahead) {
        let tokens = other(input)?;
        return Ok(Member::Other {
            function: None,
            tokens,
        });
    }
    if !attributes.iter().any(is_cachier) {
        return uncached(input);
    }
    let mut function = Function::parse(input)?;
    function.attributes = one_by_one(function.attributes);
    let above = function.attributes.iter().position(is_cachier);
    let above = above.unwrap_or_default();
    Ok(Member::Cached {
        attribute: Box::new(function.attributes.remove(above)),
        above,
        function: Box::new(function),
    })
}

/// A function without `#[cachier]`.
fn uncached(input: ParseStream) -> Result<Member> {
    let attributes = input.call(Attribute::parse_outer)?;
    let visibility: Visibility = input.parse()?;
    let signature: Signature = input.parse()?;
    let body_or_end: TokenTree = input.parse()?;
    Ok(Member::Other {
        tokens: quote!(#(#attributes)* #visibility #signature #body_or_end),
        function: Some(signature.ident),
    })
}

/// The tokens of an item that is no function: up to its `;`, or the braces of a macro.
fn other(input: ParseStream) -> Result<TokenStream> {
    let mut tokens = TokenStream::new();
    let mut follows_bang = false;
    while !input.is_empty() {
        let token: TokenTree = input.parse()?;
        let is_end = match &token {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Group(group) => follows_bang && group.delimiter() == Delimiter::Brace,
            _ => false,
        };
        follows_bang = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '!');
        tokens.extend([token]);
        if is_end {
            break;
        }
    }
    Ok(tokens)
}

fn attribute_paths(members: &[Member]) -> Vec<Path> {
    let mut paths: Vec<Path> = Vec::new();
    for member in members {
        if let Member::Cached { attribute, .. } = member
            && !paths.iter().any(|known| is_same(known, attribute.path()))
        {
            paths.push(attribute.path().clone());
        }
    }
    paths
}

fn is_same(one: &Path, other: &Path) -> bool {
    one.to_token_stream().to_string() == other.to_token_stream().to_string()
}

/// Name and value of an associated type.
fn associated_type(member: &Member) -> Option<(Ident, Option<Type>)> {
    let Member::Other {
        function: None,
        tokens,
    } = member
    else {
        return None;
    };
    let item: ImplItemType = syn::parse2(tokens.clone()).ok()?;
    let is_plain = item.generics.params.is_empty()
        && item
            .attrs
            .iter()
            .all(|attribute| !unconditional(&attribute.meta).path().is_ident("cfg"));
    Some((item.ident, is_plain.then_some(item.ty)))
}

impl Member {
    fn within(self, header: &Rc<Header>) -> Self {
        match self {
            Self::Cached {
                attribute,
                above,
                mut function,
            } => {
                function.within = Some(Rc::clone(header));
                Self::Cached {
                    attribute,
                    above,
                    function,
                }
            }
            other => other,
        }
    }
}
