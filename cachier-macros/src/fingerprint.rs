//! A hash of a function's code, for `version = auto`.
//!
//! It must be the same for code that only looks different, and for all platforms and compiler versions: it covers
//! tokens, not text, and the hash function is implemented here.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The hash of code. Whitespace, comments, documentation and trailing commas do not count.
pub(crate) fn fingerprint(code: TokenStream) -> u64 {
    let mut hash = Fnv::new();
    add_stream(&mut hash, code, Delimiter::None);
    hash.0
}

/// The hash of some bytes.
pub(crate) fn fingerprint_of_bytes(bytes: &[u8]) -> u64 {
    let mut hash = Fnv::new();
    hash.add(bytes);
    hash.0
}

fn add_stream(hash: &mut Fnv, stream: TokenStream, within: Delimiter) {
    let tokens = without_docs(visible(stream));
    let kept = match tokens.split_last() {
        Some((last, rest)) if is_comma(last) && is_layout(rest, within) => rest,
        _ => &tokens,
    };
    for token in kept {
        add_token(hash, token);
    }
}

/// Flattens invisible groups, which depend on the compiler's version and on surrounding macros.
fn visible(stream: TokenStream) -> Vec<TokenTree> {
    let mut tokens = Vec::new();
    for token in stream {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                tokens.extend(visible(group.stream()));
            }
            token => tokens.push(token),
        }
    }
    tokens
}

fn add_token(hash: &mut Fnv, token: &TokenTree) {
    match token {
        // Spacing is ignored: `a+-b` and `a + -b` are the same code.
        TokenTree::Punct(punct) => hash.word('p', &punct.as_char().to_string()),
        TokenTree::Ident(ident) => hash.word('i', &ident.to_string()),
        TokenTree::Literal(literal) => hash.word('l', &literal.to_string()),
        TokenTree::Group(group) => {
            let (open, close) = match group.delimiter() {
                Delimiter::Parenthesis => ("(", ")"),
                Delimiter::Brace => ("{", "}"),
                Delimiter::Bracket => ("[", "]"),
                Delimiter::None => unreachable!("invisible groups have been opened"),
            };
            hash.word('g', open);
            add_stream(hash, group.stream(), group.delimiter());
            hash.word('g', close);
        }
    }
}

/// Whether a trailing comma is mere layout; in `(x,)` it makes a tuple.
fn is_layout(before: &[TokenTree], within: Delimiter) -> bool {
    match within {
        Delimiter::Brace | Delimiter::Bracket => true,
        Delimiter::Parenthesis => before.iter().any(is_comma),
        Delimiter::None => false,
    }
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')
}

/// Removes `#[doc ...]` and `#![doc ...]`, which macros see instead of doc comments.
fn without_docs(tokens: Vec<TokenTree>) -> Vec<TokenTree> {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    while let Some((first, tail)) = rest.split_first() {
        if let Some(after) = after_doc(rest) {
            rest = after;
        } else {
            kept.push(first.clone());
            rest = tail;
        }
    }
    kept
}

fn after_doc(tokens: &[TokenTree]) -> Option<&[TokenTree]> {
    let is = |token: &TokenTree, char| matches!(token, TokenTree::Punct(punct) if punct.as_char() == char);
    let (hash, rest) = tokens.split_first()?;
    if !is(hash, '#') {
        return None;
    }
    let rest = if is(rest.first()?, '!') {
        &rest[1..]
    } else {
        rest
    };
    let (group, rest) = rest.split_first()?;
    let TokenTree::Group(group) = group else {
        return None;
    };
    let first = group.stream().into_iter().next()?;
    let doc = group.delimiter() == Delimiter::Bracket && first.to_string() == "doc";
    doc.then_some(rest)
}

/// 64-bit FNV-1a (offset basis and prime as published by Fowler, Noll and Vo).
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds a word and its kind, with a terminator so that neighbours cannot merge.
    fn word(&mut self, kind: char, text: &str) {
        self.add(&[kind as u8]);
        self.add(text.as_bytes());
        self.add(&[0]);
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proc_macro2::Group;
    use quote::quote;

    use super::*;

    fn of(code: &str) -> u64 {
        fingerprint(code.parse().unwrap())
    }

    #[test]
    fn looks_do_not_count() {
        let plain = of("fn f(a: u8, b: u8) -> Vec<u8> { vec![a + -b, 1] }");
        assert_eq!(
            plain,
            of("fn f(\n  a: u8,\n  b: u8,\n) -> Vec<u8> {\n  // why\n  vec![a+-b, 1,]\n}")
        );
        assert_eq!(
            plain,
            of("fn f(a: u8, b: u8) -> Vec<u8> { /// doc\n vec![a + -b, 1] }")
        );
        assert_eq!(
            plain,
            of("fn f(a: u8, b: u8) -> Vec<u8> { //! doc\n vec![a + -b, 1] }")
        );
    }

    #[test]
    fn invisible_groups_do_not_count() {
        let group = |code: &str| -> TokenStream {
            let stream = code.parse().unwrap();
            TokenTree::from(Group::new(Delimiter::None, stream)).into()
        };
        let (ty, body) = (group("Vec<u8>"), group("1 + 2"));
        let twice = TokenStream::from(TokenTree::from(Group::new(Delimiter::None, body)));
        let grouped = quote!(fn f(a: #ty) -> u8 { #twice });
        assert_eq!(fingerprint(grouped), of("fn f(a: Vec<u8>) -> u8 { 1 + 2 }"));
        let (doc, list) = (group("/// doc"), group("1, 2,"));
        assert_eq!(
            fingerprint(quote!(#doc fn f() { [#list] })),
            of("fn f() { [1, 2] }")
        );
    }

    #[test]
    fn code_counts() {
        let plain = of("fn f(a: u8) -> u8 { a + 1 }");
        for other in [
            "fn g(a: u8) -> u8 { a + 1 }",
            "fn f(a: u16) -> u8 { a + 1 }",
            "fn f(a: u8) -> u8 { a + 2 }",
            "fn f(a: u8) -> u8 { a - 1 }",
            "fn f(a: u8) -> u8 { (a + 1) }",
            "fn f(a: u8) -> u8 { a + 1; }",
            "fn f(a: u8) -> u8 { #[inline] a + 1 }",
        ] {
            assert_ne!(plain, of(other), "{other}");
        }
        assert_ne!(of("(x,)"), of("(x)"));
        assert_ne!(of("ab c"), of("a bc"));
        assert_ne!(of("\"a\""), of("a"));
    }

    /// Stored caches depend on these values: a change makes every program recompute.
    #[test]
    fn the_hash_never_changes() {
        assert_eq!(of(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(of("a"), 3138715478781215757);
        let code = "async fn user<'a>(id: &'a str, (n, _): (u32, f64)) -> Result<r#type, E> \
                    { let x = b\"\\x00\"; if n >= 0x1F { return Err(\"é\".into()) } call!(x..=1.5e3).await? }";
        assert_eq!(of(code), 11385428385905588823);
    }
}
