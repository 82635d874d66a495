//! Functions with the names of their modules, in files of their own, which are brought in beside these.

mod shop;

fn main() {
    let _ = shop::user(shop::price(shop::other(1)));
}
