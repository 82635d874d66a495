//! Arguments that go to the background.

use super::support::{fine, refused};

#[test]
fn what_borrows_does_not_go_to_the_background() {
    for ty in [
        "&[&str]",
        "Vec<&str>",
        "Guard<'_>",
        "Option<&&str>",
        "Cow<'_, str>",
    ] {
        let function = format!("fn f(a: {ty}) {{}}");
        let message = "`next_time` recomputes in the background, after the call";
        refused("next_time", &function, message, ty);
        refused("skip(a), next_time = auto", &function, message, ty);
        let message = "`refresh_after` recomputes in the background, after the call";
        refused("refresh_after = early", &function, message, ty);
        refused("skip(a), refresh_after = auto", &function, message, ty);
        fine("next_time = false, refresh_after = false", &function);
        fine("", &function);
    }
    fine(
        "next_time",
        "fn f(a: &str, b: Option<&[u8]>, c: &'static [&'static str]) {}",
    );
    for (parameter, place) in [("T: Send", "T"), ("T: Clone + Send + Sync", "T")] {
        let function = format!("fn f<{parameter}>(a: &T) {{}}");
        let message = "`T` may borrow from what is gone after the call, and `next_time` computes with it later";
        refused("skip(a), next_time", &function, message, place);
        fine("skip(a)", &function);
        let owned = format!("fn f<{parameter} + 'static>(a: &T) {{}}");
        fine("skip(a), next_time", &owned);
    }
    let stored = "fn f<T: Serialize + DeserializeOwned>(a: u8) -> Vec<T> { a }";
    refused("next_time", stored, "`T` may borrow", "T");
    fine("", stored);
}

#[test]
fn background_receivers_need_a_companion() {
    let method = "fn f(&self) {}";
    refused(
        "skip(self), companion = false, next_time",
        method,
        "`next_time` takes `self` to the background, which needs the companion",
        "self",
    );
    fine("skip(self), next_time", method);
    refused(
        "skip(self), companion = false, refresh_after = \"80%\"",
        method,
        "`refresh_after` takes `self` to the background, which needs the companion",
        "self",
    );
}
