//! What the source file shows of the place where a function stands.
//!
//! A macro is given the function alone. Where that would not compile beside what surrounds it, the compiler's errors speak of
//! code that nobody has written; so the file is looked at, for errors only. What cannot be found out is left to the
//! compiler, as in editors, which hand no files to macros.

mod lexer;
mod outline;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use proc_macro2::Span;

use outline::Outline;
pub(crate) use outline::{Container, Surroundings};

/// The surroundings of a token, if its file can be read.
pub(crate) fn of(token: Span) -> Surroundings {
    if !proc_macro::is_available() {
        return Surroundings::default();
    }
    let place = token.unwrap().start();
    let (line, column) = (place.line(), place.column());
    let outline = place.local_file().and_then(outline_of);
    outline
        .and_then(|outline| outline.at(line, column))
        .unwrap_or_default()
}

/// Files that have been read in this run of the compiler.
static OUTLINES: Mutex<Option<Outlines>> = Mutex::new(None);

/// By file, as it was when it was read.
type Outlines = HashMap<PathBuf, (SystemTime, Arc<Outline>)>;

fn outline_of(file: PathBuf) -> Option<Arc<Outline>> {
    let modified = fs::metadata(&file).and_then(|data| data.modified()).ok()?;
    let mut outlines = OUTLINES.lock().unwrap_or_else(PoisonError::into_inner);
    let outlines = outlines.get_or_insert_default();
    if let Some((read, outline)) = outlines.get(&file)
        && *read == modified
    {
        return Some(Arc::clone(outline));
    }
    let outline = Arc::new(Outline::of(&fs::read_to_string(&file).ok()?));
    outlines.insert(file, (modified, Arc::clone(&outline)));
    Some(outline)
}
