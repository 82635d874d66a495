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

fn main() {}
