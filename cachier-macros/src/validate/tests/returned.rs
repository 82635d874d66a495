//! Return types.

use super::support::{fine, refused};

#[test]
fn borrowing_return_types_are_rejected_in_place() {
    let borrowed = "a cached value outlives the call";
    refused("", "fn f(a: &str) -> &str { a }", borrowed, "&str");
    refused(
        "",
        "fn f<'a>(a: &'a str) -> Result<Cow<'a, str>, E> { a }",
        borrowed,
        "'a",
    );
    refused(
        "",
        "fn f(a: &str) -> Vec<(u8, &[u8])> { a }",
        borrowed,
        "&[u8]",
    );
    refused(
        "",
        "fn f(a: &str) -> Box<dyn Any + '_> { a }",
        borrowed,
        "'_",
    );
    refused("", "fn f() -> &'static [&u8] { a }", borrowed, "&u8");
    fine("backend = \"memory\"", "fn f() -> &'static str { \"\" }");
    fine("", "fn f() -> Cow<'static, str> { x }");
    fine("", "fn f() -> Arc<dyn Fn(&str) -> &str + Send> { x }");
    fine("", "fn f() -> fn(&str) -> &str { x }");
    fine("", "fn f() -> Arc<dyn for<'a> Visitor<'a>> { x }");
}

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
        "BTreeMap<&'static str, BTreeSet<u8>>",
        "BTreeSet<&'static str>",
        "VecDeque<&'static str>",
        "LinkedList<&'static str>",
        "BinaryHeap<&'static str>",
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
fn a_value_without_a_name_is_refused() {
    let unnamed = "a cached value needs a type that can be named";
    refused(
        "",
        "fn f() -> impl Iterator<Item = u8> { x }",
        unnamed,
        "impl Iterator<Item = u8>",
    );
    refused(
        "",
        "fn f() -> Option<impl Display> { x }",
        unnamed,
        "impl Display",
    );
    refused(
        "",
        "fn f() -> ! { x }",
        "a function that never returns",
        "!",
    );
}

#[test]
fn futures_are_no_values() {
    let future = "a future cannot be kept, only what it gives";
    for (returned, place) in [
        ("impl Future<Output = u8>", "impl Future<Output = u8>"),
        (
            "Pin<Box<dyn Future<Output = u8> + Send>>",
            "dyn Future<Output = u8> + Send",
        ),
        ("BoxFuture<'static, u8>", "BoxFuture<'static, u8>"),
    ] {
        refused("", &format!("fn f() -> {returned} {{ x }}"), future, place);
    }
}
