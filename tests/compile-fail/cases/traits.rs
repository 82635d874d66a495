//! Functions in the definition of a trait.

use cachier::cachier;

trait Lookup: Sync {
    #[cachier(backend = "memory")]
    fn associated(id: u64) -> u64 {
        id
    }

    #[cachier(backend = "memory", skip(self))]
    async fn future(&self, id: u64) -> u64 {
        id
    }

    #[cachier(backend = "memory", skip(self))]
    fn without_a_body(&self, id: u64) -> u64;

    #[cachier(backend = "memory")]
    fn undecided(&self, id: u64) -> u64 {
        id
    }
}

trait Fits: Sync {
    #[cachier(backend = "memory", in_impl)]
    fn associated(id: u64) -> u64 {
        id
    }

    #[cachier(backend = "memory", skip(self), companion = false)]
    async fn future(&self, id: u64) -> u64 {
        id
    }

    #[cachier(backend = "memory", skip(self))]
    fn method(&self, id: u64) -> u64 {
        id
    }
}

struct Service;

trait Boxed {
    fn get<'life0, 'async_trait>(&'life0 self, id: u64) -> Boxes<'async_trait>
    where
        'life0: 'async_trait;
    fn other<'life0, 'async_trait>(&'life0 self, id: u64) -> Boxes<'async_trait>
    where
        'life0: 'async_trait;
}

type Boxes<'a> = std::pin::Pin<Box<dyn Future<Output = u64> + Send + 'a>>;

/// As `#[async_trait]` leaves it.
impl Boxed for Service {
    #[cachier(backend = "memory", skip(self))]
    fn get<'life0, 'async_trait>(&'life0 self, id: u64) -> Boxes<'async_trait>
    where
        'life0: 'async_trait,
    {
        Box::pin(async move { id })
    }

    #[cachier(backend = "memory", skip(self), companion = false)]
    fn other<'life0, 'async_trait>(&'life0 self, id: u64) -> Boxes<'async_trait>
    where
        'life0: 'async_trait,
    {
        Box::pin(async move { id })
    }
}

fn main() {}
