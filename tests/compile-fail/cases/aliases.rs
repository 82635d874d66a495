//! Beside a type parameter, an alias of a `Result` cannot be seen through.

use cachier::cachier;

type Fallible<T> = Result<T, std::fmt::Error>;

#[cachier(backend = "memory")]
fn generic<T: From<u64> + Clone + Send + Sync + 'static>(n: u64) -> Fallible<T> {
    Ok(n.into())
}

struct Pair<T>(T, T);

impl<T: Clone + Send + Sync + 'static> Pair<T> {
    #[cachier(backend = "memory", skip(self))]
    fn first(&self) -> Fallible<T> {
        Ok(self.0.clone())
    }
}

impl<Item: Clone + Send + Sync + 'static> Pair<(Item, Item)> {
    #[cachier(backend = "memory", skip(self))]
    fn second(&self) -> Fallible<Item> {
        Ok(self.1.0.clone())
    }
}

fn main() {}
