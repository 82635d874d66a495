//! What becomes of a function whose attribute is wrong: the errors, the function as it is, and a companion in name only, so
//! that no second error hides the first.

use proc_macro2::TokenStream;
use quote::format_ident;
use syn::Ident;

use super::{attributes, code};
use crate::model::{Cached, CompanionKind};
use crate::parse::{Function, is_cachier};

/// The errors, the function as it is, and what others may refer to.
pub(crate) fn fallback(cached: &Cached, errors: TokenStream) -> TokenStream {
    let item = item(cached);
    let companion = match &cached.companion {
        CompanionKind::Enum(name) => companion(cached, name),
        // Its name may be what is wrong.
        CompanionKind::Function(name) if *name != cached.function.signature.ident => {
            sibling(cached, name)
        }
        CompanionKind::Function(_) | CompanionKind::None => TokenStream::new(),
    };
    code!(#errors #item #companion)
}

/// The companion of a free function.
fn companion(cached: &Cached, name: &Ident) -> TokenStream {
    let (krate, visibility) = (&cached.krate, &cached.function.visibility);
    let asyncness = &cached.function.signature.asyncness;
    let attributes = attributes::of_companion(cached);
    let types = (0..cached.parameters.len()).map(|index| format_ident!("T{index}"));
    code! {
        #attributes
        #[doc(hidden)]
        #[allow(non_camel_case_types, dead_code)]
        #visibility enum #name {}
        #attributes
        #[allow(dead_code)]
        impl #name {
            #krate::__no_operations! { [#visibility] [#asyncness] [] #(#types)* }
        }
    }
}

/// The companion of a method.
fn sibling(cached: &Cached, name: &Ident) -> TokenStream {
    let (krate, visibility) = (&cached.krate, &cached.function.visibility);
    let attributes = attributes::of_companion(cached);
    let arguments = cached.parameters.len() + usize::from(cached.receiver.is_some());
    let ty = match cached.is_async() {
        true => code!(NoAsyncMethodCache),
        false => code!(NoMethodCache),
    };
    code! {
        #attributes
        #[doc(hidden)]
        #[allow(dead_code)]
        #visibility fn #name() -> #krate::__private::#ty<#arguments> {
            ::core::unreachable!()
        }
    }
}

/// The function without a second `#[cachier]`, which would add a companion of its own.
fn item(cached: &Cached) -> TokenStream {
    let Function {
        attributes,
        visibility,
        signature,
        body,
    } = cached.function;
    let attributes = attributes.iter().filter(|attribute| !is_cachier(attribute));
    code!(#(#attributes)* #visibility #signature #body)
}
