//! One file for each entry, shared by the processes of a machine.
//!
//! ```text
//! {dir}/cachier@2/{namespace}/{function}/.ledger                        the shard table: what the function's entries take
//! {dir}/cachier@2/{namespace}/{function}/{version}/{2 hex}/{hash}       an entry
//! {dir}/cachier@2/{namespace}/{function}/{version}/{2 hex}/{hash}.lease held while it is computed
//! {dir}/cachier@2/{namespace}/{function}/{version}/{2 hex}/.{…}.tmp     an entry being written
//! ```
//!
//! The folder `cachier@2` carries the format's number, as every key does: data of other formats next to it, such as
//! `{dir}/{namespace}` of the first one, is never touched.
//!
//! - An entry is written to a temporary file and moved into place, so that readers see the old one or the new one. It
//!   is not synced to disk: a machine crash may tear it, which its checksum reveals, and it is computed again.
//! - A lease is an operating system lock on its file, which ends with its owner, however that ends. A stopped owner
//!   keeps it. Children that the owner has forked do not: on Linux, the file tells whose it is.
//! - The shard table's lock is held while an entry is moved into place or files are removed, so that nothing happens between
//!   the check of a lease and the move. It is taken from an inactive holder, along with its temporary files.
//! - Folders have mode 0700 and files 0600, where supported. A cache folder that belongs to another user (except root),
//!   or is writable for others, is not used: each operation is [`Denied`](crate::ErrorKind::Denied). This is checked
//!   once. With [`shared_with_group`](FileBackend::shared_with_group) they have 2770 and 0660: what is made in a folder
//!   that its group may write to is for the group, too.
//! - The cache folder may be a link, but nothing inside: only regular files with a single name are opened. Anything
//!   else is replaced at the path of an entry or a lease; at that of the shard table or a folder it is an error that says
//!   what to remove.
//! - Locks need a local file system.

mod backend;
mod counts;
mod entry_file;
mod error;
mod files;
mod layout;
mod lease;
mod lock;
mod lock_queue;
mod owner;
mod removal;
mod scan;
mod shard_row;
mod shard_table;
mod store;

pub use backend::FileBackend;
