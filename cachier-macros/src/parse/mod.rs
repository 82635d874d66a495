//! Phase one: tokens become syntax. Only what cannot be parsed is an error here.

mod arguments;
mod companions;
mod conditional;
mod duration;
mod function;
mod header;
mod implementation;
mod percentage;
mod size;
mod words;

pub(crate) use arguments::{ParsedArgument, Value, arguments};
pub(crate) use companions::{Companions, companions};
pub(crate) use conditional::{unconditional, under_condition_of};
pub(crate) use duration::duration;
pub(crate) use function::{Function, function, is_cachier};
pub(crate) use header::Header;
pub(crate) use implementation::{Implementation, Member, implementation};
pub(crate) use percentage::{MAX_SHARE, percentage};
pub(crate) use size::size;
pub(crate) use words::has_word;
