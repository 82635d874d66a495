//! One server for all tests of a program.

use std::sync::{OnceLock, mpsc};
use std::thread;

/// The URL of a server that ends with this program; `None` if there is none.
///
/// Its thread lives as long as the program, and the server as long as the thread.
pub fn url<S: Send + 'static>(
    start: impl FnOnce() -> Option<S> + Send + 'static,
    url: impl FnOnce(&S) -> String + Send + 'static,
) -> Option<String> {
    static URL: OnceLock<Option<String>> = OnceLock::new();
    let started = || {
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let server = start();
            let _ = tell.send(server.as_ref().map(url));
            loop {
                thread::park();
            }
        });
        told.recv().expect("the server starts")
    };
    URL.get_or_init(started).clone()
}
