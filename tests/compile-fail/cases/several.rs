//! All faults are reported together, and hide none of the compiler's own: the function and its companion still exist.

use cachier::{CallOptions, cachier};

#[cachier(stale_affter = "10m", backend = "rediss", capacity = "x")]
pub fn user(id: &str) -> &str {
    id
}

struct Service;

impl Service {
    #[cachier(stale_affter = "10m", skip(self))]
    pub fn user(&self, id: &str) -> usize {
        id.len()
    }

    #[cachier(colour, in_impl)]
    pub async fn count(ids: &[u64]) -> usize {
        ids.len()
    }
}

async fn asynchronous() -> Result<(), cachier::Error> {
    Service::count_cache().clear_cache().await?;
    let _: usize = Service::count_cache().call_with(CallOptions::new(), &[1]).await;
    Ok(())
}

fn main() {
    let _ = Service.user("3");
    let _ = Service::user_cache().invalidate(&Service, "3");
    let _ = Service::user_cache().precache_value(&Service, "3", 3);
    assert_eq!(Service::user_cache().peek(&Service, "3").unwrap(), Some(1));
    let _ = Service::user_cache().metrics().stats();
    let _ = asynchronous();
    let _ = user("3");
    let _ = user::invalidate("3");
    let _ = user::clear_cache();
}
