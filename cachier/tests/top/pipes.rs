//! What is printed for scripts.

use std::process::{Command, Output};

use cachier::PrometheusExporter;

use crate::program::{exporter, serving};

fn top(arguments: &[&str]) -> (Output, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cachier"))
        .args(["top", "--window", "hour"])
        .args(arguments)
        .output()
        .unwrap();
    let [said, complained] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8(text.clone()).unwrap());
    (output, said, complained)
}

#[test]
fn a_table_is_printed_once() {
    let (_exporter, address) = serving();
    let (output, table, complained) = top(&["--once", "--sort", "function", &address.to_string()]);
    assert!(output.status.success(), "{complained}");
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 4, "{table}");
    assert!(
        lines[0].starts_with("FUNCTION") && lines[0].ends_with("WAITING"),
        "{table}"
    );
    assert!(
        lines[1].starts_with("reports::of_a_visitor_of_the_shop_in_a_month memory"),
        "{table}"
    );
    assert!(
        lines[2].starts_with("shop::price") && lines[2].contains("90.0 %"),
        "{table}"
    );
    let (_, without_a_terminal, _) = top(&[&address.to_string(), "--filter", "stock"]);
    assert_eq!(
        without_a_terminal.lines().count(),
        2,
        "{without_a_terminal}"
    );
}

#[test]
fn json_is_printed_once() {
    let (_exporter, address) = serving();
    let gone = "127.0.0.1:1";
    let (output, json, complained) = top(&["--json", &address.to_string(), gone]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        complained.contains("127.0.0.1:1: no connection"),
        "{complained}"
    );
    for expected in [
        "\"instances\"",
        "\"shop::price\"",
        "\"problem\": \"no connection",
    ] {
        assert!(json.contains(expected), "{json}");
    }
}

#[test]
fn tokens_come_from_a_file() {
    let guarded = exporter(PrometheusExporter::builder().port(0).bearer_token("s3cret"));
    guarded.start().unwrap();
    let address = guarded.local_addr().unwrap().to_string();
    let folder = std::env::temp_dir().join(format!("cachier-top-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    for (token, code, expected) in [
        (Some(file("right", "s3cret\n")), 0, ""),
        (Some(file("wrong", "other")), 1, "another token"),
        (Some(file("words", "two words")), 2, "holds no token"),
        (
            Some("/nonexistent/token".to_owned()),
            2,
            "the file of the token",
        ),
        (None, 1, "--token-file"),
    ] {
        let mut arguments = vec!["--once", &address];
        arguments.extend(token.iter().flat_map(|file| ["--token-file", file]));
        let (output, said, complained) = top(&arguments);
        assert_eq!(output.status.code(), Some(code), "{complained}");
        assert!(complained.contains(expected), "{complained}");
        assert_eq!(said.contains("shop::price"), code == 0, "{said}");
        assert!(!complained.contains("s3cret"));
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn mistakes_say_what_to_do() {
    for (arguments, expected) in [
        (&[][..], "http://127.0.0.1:9464"),
        (&["ftp://x"][..], "http://127.0.0.1:9464"),
        (&["--sort", "luck", "x"][..], "the columns are"),
    ] {
        let (output, _, complained) = top(arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(complained.contains(expected), "{complained}");
    }
    let (output, help, _) = top(&["--help"]);
    assert!(
        output.status.success() && help.contains("Usage: cachier top"),
        "{help}"
    );
}
