//! The code of a function that can be cached.

use super::expanded::Expanded;
use super::quoting::code;
use super::{
    call, companion_enum, companion_function, hidden_names, hidden_trait, without_companion,
};
use crate::model::{Cached, CompanionKind};

/// The wrapper, with all other generated items.
pub(crate) fn expand(cached: &Cached) -> Expanded {
    let item = match &cached.companion {
        CompanionKind::Enum(companion) => {
            let dispatch = code!(#companion::__dispatch);
            let wrapper = call::wrapper(cached, &code!(#companion::__site()), &dispatch);
            let companion = companion_enum::companion(cached, companion);
            code!(#wrapper #companion)
        }
        CompanionKind::Function(companion) => {
            if let Some(header) = cached.in_impl_of_trait() {
                return hidden_trait::method(cached, header, companion);
            }
            let names = hidden_names::Names::of(cached);
            let wrapper = call::wrapper(cached, &names.site(), &names.dispatch());
            let siblings = companion_function::siblings(cached, &names, companion);
            code!(#wrapper #siblings)
        }
        CompanionKind::None => without_companion::whole(cached),
    };
    Expanded {
        item,
        outside: None,
    }
}
