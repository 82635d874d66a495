//! Lifetimes that cannot be what they say.

use super::support::{fine, refused};

#[test]
fn stores_hold_no_static_references() {
    let message = "a store gives back values of its own, to which no reference is `'static`";
    for returned in [
        "&'static str",
        "Option<&'static str>",
        "(u8, Vec<&'static str>)",
        "Result<Box<&'static str>, E>",
        "[&'static str; 3]",
        "HashMap<u8, &'static str>",
    ] {
        let function = format!("fn f() -> {returned} {{ x }}");
        refused("", &function, message, "&'static str");
        refused("near_cache = 3", &function, message, "&'static str");
        fine("backend = \"memory\"", &function);
    }
    refused(
        "",
        "fn f() -> &'static [u8] { x }",
        message,
        "&'static [u8]",
    );
    for returned in [
        "Result<u8, &'static str>",
        // It may have a `Deserialize` of its own.
        "&'static Country",
        "Cow<'static, str>",
        "PhantomData<&'static str>",
        "fn(&'static str)",
    ] {
        fine("", &format!("fn f() -> {returned} {{ x }}"));
    }
}

#[test]
fn undeclared_lifetimes_are_left_to_the_compiler() {
    let undeclared = |function: &str| {
        let function = crate::parse::function(function.parse().unwrap()).unwrap();
        crate::validate::are_undeclared(&function)
    };
    assert!(undeclared("fn f(a: &'a str) {}"));
    assert!(undeclared("fn f<'a>(a: Cow<'b, &'a str>) -> u8 { 3 }"));
    for declared in [
        "fn f<'a, T: 'a>(a: &'a T, b: &'static str, c: Cow<'_, str>) {}",
        "fn f(a: for<'a> fn(&'a str) -> &'a str, b: &dyn for<'b> Fn(&'b str)) {}",
        // The impl may declare it.
        "fn f(&self, a: &'a str) {}",
    ] {
        assert!(!undeclared(declared), "{declared}");
    }
}
