//! `cachier stats` on files of programs that have ended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cachier::flush;
use cachier_servers::process::{Process, part};
use serde_json::Value;

use crate::program::call;

/// In a program that keeps its figures, until it ends.
#[test]
fn a_program_keeps_its_figures() {
    if part().is_some() {
        call();
        flush();
    }
}

/// So many programs have kept their figures in the folder, one after the other.
fn have_ended(programs: usize, folder: &Path) {
    for _ in 0..programs {
        let test = "stats::a_program_keeps_its_figures";
        let process = Process::start(test, "keep", |command| {
            command.env("CACHIER_METRICS_DIR", folder);
        });
        process.finish();
    }
}

fn stats(arguments: &[&str]) -> (Output, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cachier"))
        .arg("stats")
        .args(arguments)
        .output()
        .unwrap();
    let [said, complained] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8(text.clone()).unwrap());
    (output, said, complained)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let is_figures = |file: &PathBuf| {
        let name = text(file);
        name.ends_with(".metrics") && !name.ends_with(".trail.metrics")
    };
    files.filter(is_figures).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn files_of_ended_programs_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    have_ended(1, folder.path());
    let files = files(folder.path());
    let (output, table, complained) = stats(&["--sort", "function", text(&files[0])]);
    assert!(output.status.success(), "{complained}");
    let lines: Vec<_> = table.lines().collect();
    assert!(
        lines[0].starts_with("FUNCTION")
            && lines[0].contains(" CALLS ")
            && lines[0].contains(" SAVED "),
        "{table}"
    );
    let price: Vec<_> = lines[2].split_whitespace().collect();
    assert_eq!(
        price[..5],
        ["shop::price", "memory", "1k", "90.0", "%"],
        "{table}"
    );
    assert!(
        lines[4].ends_with("instances: 1 with figures of their own"),
        "{table}"
    );
}

#[test]
fn a_folder_is_added_up() {
    let folder = tempfile::tempdir().unwrap();
    have_ended(3, folder.path());
    let all = text(folder.path());
    let (output, table, _) = stats(&["--filter", "price", all]);
    assert!(output.status.success());
    assert!(
        table.contains("shop::price") && table.contains("3k"),
        "{table}"
    );
    assert!(
        table.contains("1 with figures of their own, 2 ended before"),
        "{table}"
    );
    // What is named twice counts once.
    let mut twice = vec!["--json", all];
    let files = files(folder.path());
    twice.extend(files.iter().map(|file| text(file)));
    let (_, json, _) = stats(&twice);
    let json: Value = serde_json::from_str(&json).unwrap();
    let figures = &json["instances"][0]["figures"];
    let functions = figures["functions"].as_array().unwrap();
    let price = functions
        .iter()
        .find(|one| one["function"] == "shop::price")
        .unwrap();
    assert_eq!(price["counted"]["calls"]["hit"], 2700);
    assert_eq!(
        (
            &figures["ended_instances"],
            &figures["instances"][0]["is_live"]
        ),
        (&2.into(), &Value::Null)
    );
}

#[test]
fn unreadable_files_are_named_with_why() {
    let folder = tempfile::tempdir().unwrap();
    have_ended(1, folder.path());
    let [good] = &files(folder.path())[..] else {
        panic!("one file");
    };
    let bytes = fs::read(good).unwrap();
    let file = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut changed = bytes.clone();
        change(&mut changed);
        let path = folder.path().join(name);
        fs::write(&path, changed).unwrap();
        path
    };
    let damaged = file("a.metrics", &|bytes| bytes.truncate(40));
    let newer = file("b.metrics", &|bytes| bytes[4] += 1);
    let foreign = file("c.metrics", &|bytes| *bytes = b"[package]".to_vec());
    let gone = folder.path().join("gone");
    for (path, expected) in [
        (&damaged, "damaged"),
        (&newer, "newer version"),
        (&foreign, "no file of figures"),
        (&gone, "No such file"),
    ] {
        let (output, table, complained) = stats(&[text(path)]);
        assert_eq!((output.status.code(), &*table), (Some(1), ""));
        let name = text(path);
        assert!(
            complained.contains(name) && complained.contains(expected),
            "{complained}"
        );
    }
    // The others of a folder are shown.
    let (output, table, complained) = stats(&[text(folder.path())]);
    assert_eq!(
        (output.status.code(), complained.lines().count()),
        (Some(1), 3)
    );
    assert!(table.contains("shop::price"), "{table}");
    let nothing = tempfile::tempdir().unwrap();
    let (output, _, complained) = stats(&[text(nothing.path())]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        complained.contains("no file of this folder"),
        "{complained}"
    );
}
