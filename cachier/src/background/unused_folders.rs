//! Removes folders of packages that are no longer used.

#[cfg(feature = "_folders")]
use std::time::SystemTime;

#[cfg(feature = "_folders")]
use super::pool::{WorkerPool, run_on_thread_if_any};
use crate::context::Context;
use crate::folder::Folder;
#[cfg(feature = "_folders")]
use crate::trace;

/// Removes unused folders next to this one in the background, if it is the default folder of a package.
#[cfg(feature = "_folders")]
pub(crate) fn remove_unused_folders(context: &'static Context, folder: &Folder) {
    let Some(folder) = folder.of_package() else {
        return;
    };
    // Without a thread, another program does it.
    let _ = run_on_thread_if_any(context, WorkerPool::Storage, move || {
        if let Err(error) = folder.remove_unused(SystemTime::now()) {
            trace::unused_folders_stay(&error);
        }
    });
}

/// Nothing is kept in folders.
#[cfg(not(feature = "_folders"))]
pub(crate) fn remove_unused_folders(_: &'static Context, _: &Folder) {}
