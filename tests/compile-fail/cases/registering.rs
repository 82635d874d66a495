//! What is registered as a backend is one.

use cachier::{Error, FileBackend, register_backend};

fn connect() -> Result<FileBackend, Error> {
    Ok(FileBackend::new("/var/cache/app"))
}

fn main() -> Result<(), Error> {
    register_backend("redis", "redis://127.0.0.1:6379")?;
    register_backend("file", connect())
}
