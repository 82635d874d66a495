//! The surroundings of a function, as its source file shows them.
//!
//! A macro is given the function alone. If that would not compile in its place, the compiler's errors speak of
//! code that nobody has written; so the file is looked at, for errors only. Anything else is left to the
//! compiler, as in editors, which hand no files to macros.

mod lexer;
mod lookup;
mod outline;
mod paths;
#[cfg(test)]
mod tests;
mod uses;

pub(crate) use lookup::{Surroundings, of};
#[cfg(test)]
pub(crate) use outline::Import;
pub(crate) use outline::{Container, Contents};
pub(crate) use paths::Shown;
