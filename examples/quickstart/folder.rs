//! Finds the text files of a folder.

use std::fs;
use std::io;
use std::path::Path;

/// A text file.
pub(crate) struct Text {
    /// Its path below the folder.
    pub(crate) name: String,
    pub(crate) content: String,
}

/// Larger files are not meant for reading.
const MAX_FILE_BYTES: u64 = 512 * 1024;

/// Folders of build results and downloads.
const SKIPPED_FOLDERS: [&str; 2] = ["target", "node_modules"];

/// The text files below a folder, by name. Hidden files, links and unreadable files are left out.
///
/// # Errors
/// If the folder itself cannot be read.
pub(crate) fn texts(folder: &Path) -> Result<Vec<Text>, String> {
    let mut texts = Vec::new();
    collect(folder, "", &mut texts)
        .map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    texts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(texts)
}

fn collect(folder: &Path, prefix: &str, texts: &mut Vec<Text>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let Ok(entry) = entry else { continue };
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || SKIPPED_FOLDERS.contains(&name.as_str()) {
            continue;
        }
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        let name = format!("{prefix}{name}");
        if metadata.is_dir() {
            // An unreadable folder does not affect the others.
            let _ = collect(&entry.path(), &format!("{name}/"), texts);
        } else if metadata.is_file() && metadata.len() <= MAX_FILE_BYTES {
            texts.extend(text(&entry.path()).map(|content| Text { name, content }));
        }
    }
    Ok(())
}

/// The content of a file, if it is text.
fn text(path: &Path) -> Option<String> {
    let content = fs::read_to_string(path).ok()?;
    (!content.is_empty() && !content.contains('\0')).then_some(content)
}
