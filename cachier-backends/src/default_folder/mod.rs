//! Default folders, in the user's cache folder:
//!
//! ```text
//! cachier/shared                             shared by all programs of the user
//! cachier/packages/{package}-{16 hex}        of one package, as built in one place
//! cachier/packages/{package}-{16 hex}/.used  when that was last used
//! cachier/packages/.cleaned                  when unused folders were last looked for
//! ```

mod folder;
mod last_use;
mod name;
#[cfg(test)]
mod tests;
mod unused;
mod user;

pub use self::folder::DefaultFolder;
pub(crate) use self::last_use::LastUse;
