//! Which files break a rule of style.

use crate::{MAX_LINES, definitions, excessive_lines, long_test_names};

#[test]
fn files_are_short() {
    assert_eq!(excessive_lines(&"line\n".repeat(MAX_LINES)), None);
    let long = MAX_LINES + 1;
    assert_eq!(excessive_lines(&"line\n".repeat(long)), Some(long));
}

#[test]
fn names_of_tests_are_short() {
    let eight = "one_two_three_four_five_six_seven_eight";
    let nine = "one_two_three_four_five_six_seven_eight_nine";
    for (head, is_test) in [
        ("#[test]\nfn", true),
        ("    #[test]\n    #[ignore]\n    fn", true),
        ("#[tokio::test(flavor = \"multi_thread\")]\nasync fn", true),
        ("#[test]\npub(crate) async fn", true),
        ("fn", false),
        ("#[cfg(test)]\nfn", false),
        ("#[test]\nfn short() {}\nfn", false),
        ("#[test]\n// a fn", false),
    ] {
        let text = |name: &str| format!("{head} {name}() {{}}\n");
        let expected: &[&str] = if is_test { &[nine] } else { &[] };
        assert_eq!(long_test_names(&text(nine)), expected, "{head}");
        assert!(long_test_names(&text(eight)).is_empty(), "{head}");
    }
}

#[test]
fn doors_define_nothing() {
    let cases: [(&str, &[&str]); 8] = [
        (
            "mod a; pub use a::A; pub mod b { pub use super::a::B; }",
            &[],
        ),
        (
            "fn f() {} struct S; impl S {} enum E {}",
            &["f", "S", "impl", "E"],
        ),
        ("mod inner { fn f() {} }", &["f"]),
        ("union U { a: u8 }", &["U"]),
        (
            "std::thread_local! { static A: u8 = 0; }",
            &["thread_local!"],
        ),
        ("#[cfg(test)] mod tests { fn f() {} }", &[]),
        ("#[cfg(test)] fn f() {} #[cfg(test)] impl S {}", &[]),
        ("macro_rules! made { () => { fn f() {} } }", &[]),
    ];
    for (text, expected) in cases {
        assert_eq!(definitions(text).unwrap(), expected, "{text}");
    }
    assert!(definitions("fn").is_err());
}
