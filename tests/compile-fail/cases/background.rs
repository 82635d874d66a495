//! Futures that stay in their thread, where they are to go to others: with a companion, or with `spawn`.

use std::rc::Rc;

use cachier::cachier;

struct Service;

impl Service {
    #[cachier(backend = "memory", skip(self))]
    async fn method(&self, id: u64) -> u64 {
        let id = Rc::new(id);
        std::future::ready(()).await;
        *id
    }

    #[cachier(backend = "memory", skip(self), companion = false)]
    async fn alone(&self, id: u64) -> u64 {
        let id = Rc::new(id);
        std::future::ready(()).await;
        *id
    }
}

#[cachier(backend = "memory")]
async fn function(id: u64) -> Result<u64, Box<dyn std::error::Error>> {
    Ok(id)
}

fn spawn(_: impl Future + Send) {}

fn spawns() {
    spawn(function(1));
}

fn main() {}
