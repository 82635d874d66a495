//! The function, and arguments that do not suit it.

use std::sync::Arc;

use super::support::{F, faults, fine, refused};
use crate::diagnostics::Errors;
use crate::model::Arguments;
use crate::surroundings::{Container, Contents, Surroundings};

#[test]
fn names_must_be_arguments_of_the_function() {
    fine("skip(b)", F);
    fine("key = |b, a: &u8| (a, b.len())", F);
    fine("skip(x)", "fn f(mut x: u8) {}");
    refused(
        "skip(connection)",
        F,
        "the function has no argument `connection`",
        "connection",
    );
    refused(
        "skip(bb)",
        F,
        "the function has no argument `bb`, did you mean `b`?",
        "bb",
    );
    refused(
        "skip(self)",
        F,
        "the function has no argument `self`",
        "self",
    );
    refused("skip(a, a)", F, "`a` is named twice", "a");
    refused("key = |c| c", F, "the function has no argument `c`", "c");
    refused(
        "key = |(a, b)| 3",
        F,
        "a pattern in `key` stands for the argument at its place",
        "(a, b)",
    );
    refused("key = |a, ..| a", F, "leave `..` out", "..");
    refused(
        "key = |aa| 3",
        F,
        "the function has no argument `aa`, did you mean `a`?",
        "aa",
    );
    refused(
        "key = |b, (c, d)| 3",
        F,
        "another parameter of `key`",
        "(c, d)",
    );
    refused("key = |a, a| 3", F, "`a` is named twice", "a");
    refused(
        "skip(x)",
        "fn f((x, y): (u8, u8)) {}",
        "`x` is a part of an argument, and `skip` takes whole ones",
        "x",
    );
}

#[test]
fn key_takes_names_and_patterns() {
    let pair = "fn f(&self, (x, mut y): (u8, u8), b: &str) -> u8 { 0 }";
    for key in [
        "|b|",
        "|b, y|",
        "|self, y|",
        "|(x, mut y)|",
        "|(p, q), _|",
        "|pair, b|",
        "|self, Pair { x, .. }, b|",
        "|_, &b|",
        "|b @ (c, d)|",
        "|mut b: &str|",
        "||",
        "|(Pair { x, .. } | Other { x, .. }), b|",
    ] {
        fine(&format!("key = {key} 3"), pair);
    }
    refused(
        "key = |pair| 3",
        pair,
        "the function has no argument `pair`",
        "pair",
    );
    refused(
        "key = |self, (p, q)| 3",
        pair,
        "a pattern in `key`",
        "(p, q)",
    );
    refused(
        "key = |self| 3",
        F,
        "the function has no argument `self`",
        "self",
    );
    fine("key = |self, b| -> usize { b.len() }", pair);
    for twice in ["|(b, c), b|", "|(p, q), b @ q|", "|x, b @ x|"] {
        let key = format!("key = {twice} 3");
        let faults = faults(&key, pair);
        assert_eq!(faults.len(), 1, "{twice}: {faults:?}");
        assert!(
            faults[0].0.ends_with("` is named twice"),
            "{twice}: {faults:?}"
        );
    }
}

#[test]
fn self_needs_a_decision() {
    refused(
        "",
        "fn f(&self) -> u8 { 0 }",
        "say what `self` means for the key",
        "self",
    );
    refused(
        "next_time",
        "fn f(&mut self) -> u8 { 0 }",
        "say what `self` means for the key",
        "self",
    );
    fine("skip(self)", "fn f(&self) -> u8 { 0 }");
    fine("key = |id| id", "fn f(self: Arc<Self>, id: u8) -> u8 { 0 }");
    fine("skip(self)", "fn f(&mut self) -> u8 { 0 }");
}

#[test]
fn mutable_arguments_are_rejected() {
    refused(
        "",
        "fn f(a: &mut Vec<u8>) -> u8 { 0 }",
        "what is written through `&mut` would be missing",
        "&mut Vec<u8>",
    );
    fine("skip(a)", "fn f(a: &mut Vec<u8>) -> u8 { 0 }");
    for nested in ["Option<&mut u8>", "(u8, &'static mut u8)", "&[&mut u8]"] {
        refused(
            "",
            &format!("fn f(a: {nested}) {{}}"),
            "what is written through `&mut` would be missing on a hit; leave it out of the key with `skip(a)`",
            nested,
        );
        fine("skip(a)", &format!("fn f(a: {nested}) {{}}"));
    }
    fine("skip(a)", "fn f(a: fn(&mut u8), b: u8) {}");
    fine(
        "backend = \"file\"",
        "fn f(a: fn(&mut u8), b: Box<dyn Fn(&mut u8)>) {}",
    );
    refused(
        "skip(a), next_time",
        "fn f(a: &mut u8) {}",
        "`next_time` recomputes in the background",
        "&mut u8",
    );
    refused(
        "skip(a), next_time = auto",
        "fn f(a: &mut u8) {}",
        "`next_time` recomputes in the background",
        "&mut u8",
    );
    refused(
        "skip(self), next_time",
        "fn f(&mut self) {}",
        "`next_time` recomputes in the background",
        "self",
    );
    refused(
        "skip(self), next_time",
        "fn f(self: &mut Self) {}",
        "`next_time` recomputes in the background",
        "self",
    );
}

#[test]
fn a_method_that_async_trait_has_rewritten() {
    refused(
        "companion = false, skip(self)",
        "fn f<'life0, 'async_trait>(&'life0 self, id: u64) \
         -> ::core::pin::Pin<Box<dyn ::core::future::Future<Output = u64> + ::core::marker::Send + 'async_trait>> \
         where 'life0: 'async_trait, Self: 'async_trait { Box::pin(async move { id }) }",
        "`#[async_trait]` has made a boxed future of this method, which cannot be cached; write \
         `#[cachier::methods]` on the impl, above `#[async_trait]`",
        "f",
    );
}

#[test]
fn undeclared_lifetimes_are_left_to_the_compiler() {
    assert!(is_undeclared(unknown(), "", "fn f(a: &'a str) {}"));
    let two = "fn f<'a>(a: Cow<'b, &'a str>) -> u8 { 3 }";
    assert!(is_undeclared(unknown(), "", two));
    for declared in [
        "fn f<'a, T: 'a>(a: &'a T, b: &'static str, c: Cow<'_, str>) {}",
        "fn f(a: for<'a> fn(&'a str) -> &'a str, b: &dyn for<'b> Fn(&'b str)) {}",
    ] {
        assert!(!is_undeclared(unknown(), "", declared), "{declared}");
    }
}

#[test]
fn an_unknown_impl_may_declare_lifetimes() {
    for (arguments, function) in [
        ("in_impl", "fn f(a: &'a str) {}"),
        ("companion = false", "fn f(a: &'a str) {}"),
        ("", "fn f(a: &'a str) -> Self { todo!() }"),
        ("", "fn f(a: &'a str) { Self::g(a) }"),
        ("skip(self)", "fn f(&self, a: &'a str) {}"),
    ] {
        for surroundings in [unknown(), in_impl("impl<'a> $name<'a>")] {
            assert!(
                !is_undeclared(surroundings, arguments, function),
                "{arguments}: {function}"
            );
        }
    }
}

#[test]
fn a_known_impl_declares_its_lifetimes() {
    for (arguments, function) in [
        ("in_impl", "fn f(a: &'a str) {}"),
        ("companion = false", "fn f(a: &'a str) {}"),
        ("skip(self)", "fn f(&self, a: &'a str) {}"),
    ] {
        let declared = in_impl("impl<'a> R<'a>");
        assert!(!is_undeclared(declared, arguments, function), "{function}");
        assert!(
            is_undeclared(in_impl("impl R"), arguments, function),
            "{function}"
        );
    }
}

fn is_undeclared(surroundings: Surroundings, arguments: &str, function: &str) -> bool {
    let mut errors = Errors::default();
    let written = crate::parse::arguments(arguments.parse().unwrap(), &mut errors);
    let arguments = Arguments::new(&written, &mut errors);
    let mut function = crate::parse::function(function.parse().unwrap()).unwrap();
    function.surroundings = surroundings;
    crate::validate::are_undeclared(&arguments, &function)
}

/// As in an editor, in a doctest, and in the macro of another crate.
fn unknown() -> Surroundings {
    Surroundings::default()
}

fn in_impl(head: &str) -> Surroundings {
    Surroundings {
        block: Arc::new(Contents {
            container: Container::Impl,
            head: head.to_owned(),
            ..Contents::default()
        }),
        ..Surroundings::default()
    }
}

#[test]
fn elided_lifetimes_in_methods_are_rejected() {
    let message = "the companion of a method names the types of its arguments, with their lifetimes: write `Cow<'_, ..>`";
    let hidden = "fn f(&self, a: Option<std::borrow::Cow<str>>) -> u8 { 0 }";
    refused("skip(self)", hidden, message, "Cow<str>");
    fine("skip(self), companion = false", hidden);
    fine(
        "skip(self)",
        "fn f(&self, a: Cow<'_, str>, b: fn(Cow<str>), c: Cow) {}",
    );
    fine("", "fn f(a: Cow<str>) {}");
}

#[test]
fn qualifiers_that_cannot_be_kept() {
    refused(
        "",
        "const fn f() -> u8 { 0 }",
        "a `const fn` cannot be cached",
        "const",
    );
    refused(
        "",
        "unsafe fn f() -> u8 { 0 }",
        "an `unsafe fn` cannot be cached",
        "unsafe",
    );
    refused(
        "",
        "extern \"C\" fn f() -> u8 { 0 }",
        "an `extern` function cannot be cached",
        "extern \"C\"",
    );
    refused(
        "",
        "fn f(a: u8, ...) -> u8 { 0 }",
        "a variadic function cannot be cached",
        "...",
    );
    let both = faults("", "const unsafe fn f() -> u8 { 0 }");
    assert_eq!(both.len(), 2, "{both:?}");
}

#[test]
fn an_argument_under_cfg_is_refused() {
    refused(
        "",
        "fn f(#[cfg(unix)] a: u8) {}",
        "`#[cfg]` on an argument",
        "#[cfg(unix)]",
    );
    fine("", "fn f(#[allow(unused)] a: u8) {}");
}

#[test]
fn a_second_attribute_is_refused() {
    refused(
        "",
        "#[inline] #[cachier::cachier(next_time)] fn f() {}",
        "the function has two",
        "#[cachier::cachier(next_time)]",
    );
}

#[test]
fn a_methods_companion_needs_another_name() {
    refused(
        "skip(self), companion = f",
        "fn f(&self) {}",
        "the companion of a method needs a name of its own",
        "f",
    );
    fine("companion = f", "fn f() {}");
}

#[test]
fn faults_of_arguments_and_function_come_together() {
    assert_eq!(
        faults("skip(x), colour", "const fn f(a: &mut u8) -> &u8 { a }").len(),
        5
    );
}

#[test]
fn a_key_holds_twelve_arguments() {
    let arguments = |count: usize| {
        (0..count)
            .map(|n| format!("a{n}: U{n},"))
            .collect::<String>()
    };
    let thirteen = format!("fn f({}) {{}}", arguments(13));
    refused("", &thirteen, "a key holds at most 12 arguments", "U12");
    fine("skip(a3)", &thirteen);
    fine("key = |a3| a3", &thirteen);
    fine("", &format!("fn f({}) {{}}", arguments(12)));
    let method = format!("fn f(&self, {}) {{}}", arguments(13));
    refused(
        "key = |a1| a1",
        &method,
        "the companion of a method holds at most 12 arguments",
        "U12",
    );
    fine("key = |a1| a1, companion = false", &method);
}

#[test]
fn main_is_not_cached() {
    refused(
        "",
        "fn main() {}",
        "`main` that is cached does not run",
        "main",
    );
    fine("", "fn main(a: u8) {}");
    fine("in_impl", "fn main() {}");
}

#[test]
fn propagation_needs_an_error() {
    let without =
        "`propagate` returns a backend's failure as an error of the function, which has none";
    let propagate = "on_backend_error = \"propagate\"";
    for returned in [
        "",
        "-> u64",
        "-> Option<u64>",
        "-> (u8, u8)",
        "-> std::sync::Arc<u8>",
    ] {
        let function = format!("fn f() {returned} {{ x }}");
        refused(propagate, &function, without, "on_backend_error");
    }
    fine(propagate, "fn f() -> Result<u64, E> { x }");
    fine(propagate, "fn f() -> io::Result<u64> { x }");
    fine(propagate, "fn f() -> Fallible { x }");
    fine("on_backend_error = \"compute\"", "fn f() {}");
}
