//! The function's static, and how a call finds it.

use proc_macro2::TokenStream;

use syn::ext::IdentExt as _;

use super::hidden_names::{Names, trait_path};
use super::quoting::code;
use super::{arguments, options};
use crate::model::{Cached, CompanionKind, Store, Typing};

/// The static, with the function's options; `place` is `static NAME`, or a function that returns it.
pub(super) fn item(cached: &Cached, span: &TokenStream) -> TokenStream {
    let krate = &cached.krate;
    let (ty, options) = (ty(cached), options::options(cached));
    let (marker, identity) = match cached.typing {
        Typing::Typed => (code!(_), own_identity(cached)),
        Typing::Erased => (code!(marker), identity_of_marker(cached)),
    };
    let new = match cached.typing {
        Typing::Typed => code!(#krate::__private::Site::new),
        Typing::Erased => code!(#krate::__private::ErasedSite::new),
    };
    let package = package(cached);
    let finish = cached.in_impl_of_trait().map(|_| code!(, in_impl_of_trait));
    code!(#krate::__site! { #span: #ty = #new, #package, |#marker| #identity, #options #finish })
}

/// The function's package and the hash of its folder, for backends that outlive the process.
fn package(cached: &Cached) -> TokenStream {
    let krate = &cached.krate;
    let name = match &cached.package.name {
        Some(name) => code!(#name),
        None => code!(#krate::__private::crate_of(::core::module_path!())),
    };
    match cached.package.folder {
        Some(folder) if cached.store != Store::Memory => code!([#name, #folder]),
        _ => code!([#name]),
    }
}

/// Whether the site's types are known, for the runtime's macros.
pub(super) fn typing(cached: &Cached) -> TokenStream {
    if let Some(header) = cached.in_impl_of_trait() {
        let marker = Names::at(cached, trait_path(header)).marker(cached);
        return code!([named #marker]);
    }
    match cached.typing {
        Typing::Typed => code!([typed]),
        Typing::Erased => code!([erased]),
    }
}

/// The thread's counters for the function, if it has metrics.
pub(super) fn slot(cached: &Cached) -> TokenStream {
    let krate = &cached.krate;
    match cached.has_metrics() {
        true => code!(#krate::__slot!()),
        false => code!(#krate::__private::Option::None),
    }
}

fn ty(cached: &Cached) -> TokenStream {
    let krate = &cached.krate;
    match cached.typing {
        Typing::Typed => {
            let storage = arguments::storage(cached);
            code!(#krate::__private::Site<#storage>)
        }
        Typing::Erased => code!(#krate::__private::ErasedSite),
    }
}

/// The path of a free function: its companion's, except for the last name.
fn own_identity(cached: &Cached) -> TokenStream {
    let (krate, function) = (&cached.krate, &cached.function.signature.ident);
    let CompanionKind::Enum(companion) = &cached.companion else {
        return TokenStream::new();
    };
    let path = code!(::core::any::type_name::<#companion>());
    if companion == function {
        return path;
    }
    let name = function.unraw().to_string();
    code!(&#krate::__private::identity_of_method(#path, #name))
}

fn identity_of_marker(cached: &Cached) -> TokenStream {
    let krate = &cached.krate;
    if let CompanionKind::Enum(_) = &cached.companion {
        let own = own_identity(cached);
        return code!(#krate::__private::identity_of_function(#own, marker));
    }
    let name = cached.function.signature.ident.unraw().to_string();
    code!(&#krate::__private::identity_of_method(marker, #name))
}
