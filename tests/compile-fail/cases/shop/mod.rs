//! A module in a folder.

mod other;
mod price;
mod user;

pub use other::*;
pub use price::price;
pub use user::user;
