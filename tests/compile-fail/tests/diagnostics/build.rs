//! Builds all cases at once.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use cachier_compile_fail::Package;

use crate::Cases;

/// The compiler's messages for each case in a folder, built with these features of cachier.
pub(crate) fn errors(folder: &Path, features: &[&str]) -> Cases {
    let mut cases = Cases::new();
    let mut targets = String::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            write!(targets, "\n[[bin]]\nname = {stem:?}\npath = {path:?}\n").unwrap();
            cases.insert(format!("{stem}.rs"), Vec::new());
        }
    }
    let name = folder.file_name().unwrap().to_str().unwrap();
    let said = Package::new(name, features, &targets).cargo(&["check", "--bins"]);
    for (target, message) in said.messages {
        if message["level"] == "error"
            && let Some(messages) = cases.get_mut(&format!("{target}.rs"))
        {
            messages.push(message);
        }
    }
    let silent: Vec<_> = cases
        .iter()
        .filter(|(_, errors)| errors.is_empty())
        .collect();
    assert!(silent.is_empty(), "no errors in {silent:?}:\n{}", said.rest);
    cases
}
