//! Looks a function up in its file.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use proc_macro2::Span;

use super::outline::{Contents, Outline};

/// The code around a function, as far as it is known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Surroundings {
    /// The block in which the function stands.
    pub(crate) block: Arc<Contents>,
    /// Whether the function has the name of its module, and is imported next to that: `mod user; pub use user::user;`.
    pub(crate) is_reexported: bool,
    /// Its place among the functions of its name in the block, if there are several.
    pub(crate) repetition: Option<usize>,
}

/// The surroundings of a function of this name with this token, if its file can be read.
pub(crate) fn of(name: &str, token: Span) -> Surroundings {
    if !proc_macro::is_available() {
        return Surroundings::default();
    }
    let place = token.unwrap().start();
    let (line, column) = (place.line(), place.column());
    let text = token.source_text().unwrap_or_default();
    let found = place.local_file().and_then(|file| {
        let outline = outline_of(&file)?;
        let position = outline.at(line, column, &text)?;
        Some(Surroundings {
            block: Arc::clone(position.contents()),
            repetition: position.repetition(name),
            is_reexported: match position.is_in_no_block() {
                true => is_reexported(name, &file),
                false => position.is_reexported(name),
            },
        })
    });
    found.unwrap_or_default()
}

/// Whether a file is a module of this name, and the file of the module around it brings in what has the name in it.
fn is_reexported(name: &str, file: &Path) -> bool {
    let (Some(folder), Some(stem)) = (file.parent(), file.file_stem()) else {
        return false;
    };
    let (module, folder) = match stem == "mod" {
        true => (folder.file_name(), folder.parent()),
        false => (Some(stem), Some(folder)),
    };
    let (Some(module), Some(folder)) = (module, folder) else {
        return false;
    };
    let around = ["mod.rs", "lib.rs", "main.rs"].map(|file| folder.join(file));
    let around = around.into_iter().chain([folder.with_extension("rs")]);
    module == name
        && around
            .filter_map(|file| outline_of(&file))
            .any(|outline| outline.reexports(name))
}

/// Files that have been read in this run of the compiler.
static OUTLINES: Mutex<Option<Outlines>> = Mutex::new(None);

/// By file, as it was when it was read.
type Outlines = HashMap<PathBuf, (SystemTime, Arc<Outline>)>;

/// The outline of a file of Rust. Examples in a document are programs of their own, which share its file alone.
fn outline_of(file: &Path) -> Option<Arc<Outline>> {
    if file.extension() != Some("rs".as_ref()) {
        return None;
    }
    let modified = fs::metadata(file).and_then(|data| data.modified()).ok()?;
    let mut outlines = OUTLINES.lock().unwrap_or_else(PoisonError::into_inner);
    let outlines = outlines.get_or_insert_default();
    if let Some((read, outline)) = outlines.get(file)
        && *read == modified
    {
        return Some(Arc::clone(outline));
    }
    let outline = Arc::new(Outline::of(&fs::read_to_string(file).ok()?));
    outlines.insert(file.to_owned(), (modified, Arc::clone(&outline)));
    Some(outline)
}
