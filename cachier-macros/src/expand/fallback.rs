//! The expansion if there are errors: the errors, the function as it is, and a stub companion that avoids follow-up
//! errors.

use proc_macro2::TokenStream;
use quote::format_ident;
use syn::{Ident, Signature};

use super::attributes;
use super::expanded::{Expanded, Outside, OutsideCompanion};
use super::quoting::code;
use crate::model::{Cached, CompanionError, CompanionKind};
use crate::parse::{Function, is_cachier};

/// The errors, the function as it is, and items that other code may refer to.
pub(crate) fn fallback(cached: &Cached, errors: TokenStream) -> Expanded {
    let item = item(cached);
    let (mut sibling, mut outside) = (None, None);
    match &cached.companion {
        _ if !has_room(cached) => {}
        CompanionKind::Enum(name) => sibling = Some(companion(cached, name)),
        // The name itself may be the error.
        CompanionKind::Function(name) if *name == cached.function.signature.ident => {}
        CompanionKind::Function(name) => match cached.in_impl_of_trait() {
            Some(_) => outside = Some(stub(cached, name)),
            None => sibling = Some(of_method(cached, name)),
        },
        CompanionKind::None => {}
    }
    Expanded {
        item: code!(#errors #item #sibling),
        outside,
    }
}

/// Whether a stub companion makes no errors of its own.
fn has_room(cached: &Cached) -> bool {
    let is_alone = cached.function.surroundings.repetition.is_none();
    is_alone
        && matches!(
            CompanionError::of(cached.arguments, cached.function),
            None | Some(CompanionError::Undeclared | CompanionError::AsyncInTrait)
        )
}

/// The stub companion of a free function.
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

/// The stub companion of a method.
fn of_method(cached: &Cached, name: &Ident) -> TokenStream {
    let (visibility, ty) = (&cached.function.visibility, stub_type(cached));
    let attributes = attributes::of_companion(cached);
    code! {
        #attributes
        #[doc(hidden)]
        #[allow(dead_code)]
        #visibility fn #name() -> #ty {
            ::core::unreachable!()
        }
    }
}

/// The stub companion of a method of a trait's impl.
fn stub(cached: &Cached, name: &Ident) -> Outside {
    Outside {
        attributes: attributes::of_companion(cached),
        declarations: TokenStream::new(),
        definitions: TokenStream::new(),
        companion: OutsideCompanion::Stub(name.clone(), stub_type(cached)),
    }
}

fn stub_type(cached: &Cached) -> TokenStream {
    let krate = &cached.krate;
    let arguments = cached.parameters.len() + usize::from(cached.receiver.is_some());
    let ty = match cached.is_async() {
        true => code!(NoAsyncMethodCache),
        false => code!(NoMethodCache),
    };
    code!(#krate::__private::#ty<#arguments>)
}

/// The function without a second `#[cachier]`, which would add another companion, and without what the compiler
/// refuses in its turn: a variadic function keeps its fixed arguments alone.
fn item(cached: &Cached) -> TokenStream {
    let Function {
        attributes,
        visibility,
        signature,
        body,
        ..
    } = cached.function;
    let attributes = attributes.iter().filter(|attribute| !is_cachier(attribute));
    if signature.variadic.is_some() {
        let fixed = Signature {
            variadic: None,
            ..signature.clone()
        };
        return code!(#(#attributes)* #[allow(unused)] #visibility #fixed { ::core::unreachable!() });
    }
    code!(#(#attributes)* #visibility #signature #body)
}
