//! A module of the function's name that comes from elsewhere: `companion = other` gives the companion another name. The compiler
//! finds this when it resolves names, so that the words are its own.

mod user {
    #[cachier::cachier]
    pub fn user(id: u64) -> u64 {
        id
    }
}

pub use user::user;

fn main() {}
