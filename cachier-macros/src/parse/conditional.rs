//! Attributes under a condition: `cfg_attr(condition, attribute)`. The compiler resolves those of an item before the attribute
//! on it, but not those of the methods in an annotated impl.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::{Attribute, Meta, MetaList};

/// The same attributes, each `cfg_attr` with one attribute alone.
pub(super) fn one_by_one(attributes: Vec<Attribute>) -> Vec<Attribute> {
    let one_by_one = |attribute: Attribute| {
        let metas = split(attribute.meta.clone());
        metas.into_iter().map(move |meta| Attribute {
            meta,
            ..attribute.clone()
        })
    };
    attributes.into_iter().flat_map(one_by_one).collect()
}

fn split(meta: Meta) -> Vec<Meta> {
    let Some(Conditional {
        written,
        condition,
        metas,
    }) = Conditional::of(&meta)
    else {
        return vec![meta];
    };
    let metas = metas.into_iter().flat_map(split);
    let alone = metas.map(|meta| {
        Meta::List(MetaList {
            tokens: quote!(#condition, #meta),
            ..written.clone()
        })
    });
    alone.collect()
}

/// What an attribute is where its condition holds.
pub(crate) fn unconditional(meta: &Meta) -> Meta {
    match Conditional::of(meta) {
        Some(Conditional { metas, .. }) if metas.len() == 1 => unconditional(&metas[0]),
        _ => meta.clone(),
    }
}

/// Something else under the condition of an attribute, if it has one.
pub(crate) fn under_condition_of(meta: &Meta, other: TokenStream) -> TokenStream {
    match Conditional::of(meta) {
        Some(Conditional {
            condition, metas, ..
        }) if metas.len() == 1 => {
            let inner = under_condition_of(&metas[0], other);
            quote!(cfg_attr(#condition, #inner))
        }
        _ => other,
    }
}

/// A `cfg_attr` with at least one attribute.
struct Conditional<'a> {
    written: &'a MetaList,
    condition: TokenStream,
    metas: Vec<Meta>,
}

impl<'a> Conditional<'a> {
    fn of(meta: &'a Meta) -> Option<Self> {
        let written = match meta {
            Meta::List(list) if list.path.is_ident("cfg_attr") => list,
            _ => return None,
        };
        let tokens: Vec<TokenTree> = written.tokens.clone().into_iter().collect();
        let is_comma =
            |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
        let mut parts = tokens.split(is_comma).map(|part| {
            part.iter()
                .map(TokenTree::to_token_stream)
                .collect::<TokenStream>()
        });
        let condition = parts.next()?;
        let metas = parts.filter(|part| !part.is_empty());
        let metas: Vec<Meta> = metas.map(syn::parse2).collect::<Result<_, _>>().ok()?;
        (!metas.is_empty()).then_some(Self {
            written,
            condition,
            metas,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use syn::parse::Parser as _;

    use super::*;

    fn shown(attribute: &str) -> Vec<String> {
        let attributes = Attribute::parse_outer.parse_str(attribute).unwrap();
        let attributes = one_by_one(attributes).into_iter();
        attributes
            .map(|attribute| attribute.meta.to_token_stream().to_string())
            .collect()
    }

    #[test]
    fn each_attribute_has_its_condition() {
        assert_eq!(
            shown("#[cfg_attr(all(a, b), inline, doc = \"D\",)] #[cold]"),
            [
                "cfg_attr (all (a , b) , inline)",
                "cfg_attr (all (a , b) , doc = \"D\")",
                "cold"
            ]
        );
        assert_eq!(
            shown("#[cfg_attr(a, cfg_attr(true, x::y(z), unsafe(no_mangle)))]"),
            [
                "cfg_attr (a , cfg_attr (true , x :: y (z)))",
                "cfg_attr (a , cfg_attr (true , unsafe (no_mangle)))"
            ]
        );
        for whole in ["cfg_attr (a ,)", "cfg_attr (a , 3)", "cfg_attr"] {
            assert_eq!(shown(&format!("#[{whole}]")), [whole]);
        }
    }

    #[test]
    fn conditions_can_be_seen_through() {
        let meta: Meta = syn::parse_str("cfg_attr(a, cfg_attr(b, expect(c)))").unwrap();
        let inner = unconditional(&meta).to_token_stream().to_string();
        assert_eq!(inner, "expect (c)");
        let other = under_condition_of(&meta, quote!(allow(c))).to_string();
        assert_eq!(other, "cfg_attr (a , cfg_attr (b , allow (c)))");
        let plain: Meta = syn::parse_str("inline").unwrap();
        assert_eq!(under_condition_of(&plain, quote!(cold)).to_string(), "cold");
    }
}
