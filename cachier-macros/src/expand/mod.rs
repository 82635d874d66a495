//! Phase four: generates a cached function's code, which is thin, as all logic is in the runtime.
//!
//! The macro's own identifiers have `mixed_site` hygiene, so they cannot collide with the user's.

mod accessor;
mod arguments;
mod attributes;
mod call;
mod companion_enum;
mod companion_function;
mod dispatch;
mod expanded;
mod fallback;
mod hidden_names;
mod hidden_trait;
mod implementation;
mod options;
mod own_key;
mod quoting;
mod returned;
mod signature;
mod site;
mod stored;
#[cfg(test)]
mod tests;
mod without_companion;

pub(crate) use self::expanded::Expanded;
pub(crate) use self::fallback::fallback;
pub(crate) use self::implementation::implementation;
use self::quoting::{Place, code, krate_at};
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
