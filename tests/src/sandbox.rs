//! A context and a folder for one test, so that no other sees what it stores.

use std::fs;
use std::path::{Path, PathBuf};

use cachier::testing::{isolated, isolated_async};
use cachier::{global_params, set_global_params};

/// Runs a test in a context of its own, whose file backend has the folder that it is given.
///
/// # Panics
/// When no temporary folder can be created.
pub fn in_folder<R>(test: impl FnOnce(&Path) -> R) -> R {
    let folder = tempfile::tempdir().expect("a folder");
    isolated(|| {
        set_global_params(global_params().cache_dir(folder.path()));
        test(folder.path())
    })
}

/// Like [`in_folder`], for a future.
///
/// # Panics
/// When no temporary folder can be created.
pub async fn in_folder_async<R>(test: impl AsyncFnOnce(&Path) -> R) -> R {
    let folder = tempfile::tempdir().expect("a folder");
    isolated_async(async {
        set_global_params(global_params().cache_dir(folder.path()));
        test(folder.path()).await
    })
    .await
}

/// Runs something as another process would that shares folder and namespace: in a context of its own, with its own clock.
pub fn in_another_process<R>(run: impl FnOnce() -> R) -> R {
    let params = global_params();
    isolated(|| {
        set_global_params(params);
        run()
    })
}

/// All files in a folder, recursively, sorted.
#[must_use]
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(folder).into_iter().flatten().flatten() {
            match item.path() {
                path if path.is_dir() => folders.push(path),
                path => files.push(path),
            }
        }
    }
    files.sort();
    files
}

/// All entries in a folder, recursively, sorted: files named by a hash.
#[must_use]
pub fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut files = files(folder);
    files.retain(|path| path.file_name().is_some_and(|name| name.len() == 64));
    files
}
