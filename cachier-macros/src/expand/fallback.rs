//! What becomes of a function whose attribute is wrong: the errors, the function as it is, and a companion in name only, so
//! that no second error hides the first.

use proc_macro2::TokenStream;
use quote::format_ident;

use super::{attributes, code};
use crate::model::{Beside, Cached};
use crate::parse::{Function, is_cachier};

/// The errors, the function as it is, and what others may refer to.
pub(crate) fn fallback(cached: &Cached, errors: TokenStream) -> TokenStream {
    let item = item(cached);
    let Beside::Enum(name) = &cached.beside else {
        return code!(#errors #item);
    };
    let (krate, visibility) = (&cached.krate, &cached.function.visibility);
    let asyncness = &cached.function.signature.asyncness;
    let attributes = attributes::of_companion(cached);
    let types = (0..cached.parameters.len()).map(|index| format_ident!("T{index}"));
    code! {
        #errors
        #item
        #attributes
        #[doc(hidden)]
        #[allow(non_camel_case_types, dead_code)]
        #visibility enum #name {}
        #attributes
        #[allow(dead_code)]
        impl #name {
            #krate::__no_operations! { [#visibility] [#asyncness] #(#types)* }
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
