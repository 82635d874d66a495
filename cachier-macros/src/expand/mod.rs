//! Phase four: generates a cached function's code, which is thin, as all logic is in the runtime.
//!
//! The macro's own identifiers have `mixed_site` hygiene, so they cannot collide with the user's.

mod accessor;
mod arguments;
mod attributes;
mod background;
mod cached;
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

pub(crate) use self::cached::expand;
pub(crate) use self::expanded::Expanded;
pub(crate) use self::fallback::fallback;
pub(crate) use self::implementation::implementation;
