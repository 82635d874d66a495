//! The documents of the workspace: their links lead somewhere, and of their code what is not run is at least right. No network.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cachier_modules::{anchors, blocks, excessive_lines, links};

/// Read where they are: their links are paths.
const PAGES: [&str; 8] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "cachier/README.md",
    "cachier-backends/README.md",
    "cachier-macros/README.md",
    "cachier-metrics/README.md",
];

/// The documentation of the crate, where links are paths of Rust.
const ATTRIBUTE: &str = "cachier/src/attribute.md";
/// The second half of the same page.
const EXAMPLES: &str = "cachier/src/attribute_examples.md";
const METHODS: &str = "cachier/src/methods.md";
const GUIDE: &str = "cachier/src/guide";

/// What a newcomer reads in five minutes.
const MAX_LINES_OF_README: usize = 250;

/// What blocks of code may be: those in the second half are not compiled.
const LANGUAGES: [&str; 11] = [
    "",
    "rust",
    // One with effects on the whole program.
    "standalone_crate",
    "no_run",
    "should_panic",
    "compile_fail",
    "ignore",
    "text",
    "sh",
    "toml",
    "yaml",
];

fn root() -> PathBuf {
    fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).unwrap()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names of the guide's pages.
fn guide() -> BTreeSet<String> {
    let files = fs::read_dir(root().join(GUIDE)).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let pages = names.filter_map(|name| name.strip_suffix(".md").map(str::to_owned));
    pages.collect()
}

/// The paths of all documents of the crate.
fn documentation() -> Vec<String> {
    let guide = guide().into_iter().map(|page| page_of_guide(&page));
    let others = [ATTRIBUTE, EXAMPLES, METHODS].map(str::to_owned);
    guide.chain(others).collect()
}

fn page_of_guide(name: &str) -> String {
    format!("{GUIDE}/{name}.md")
}

fn has_anchor(path: &str, anchor: &str) -> bool {
    let files = match path {
        ATTRIBUTE | EXAMPLES => &[ATTRIBUTE, EXAMPLES],
        path => &[path][..],
    };
    let mut known = files.iter().flat_map(|file| anchors(&read(file)));
    known.any(|known| known == anchor)
}

#[test]
fn files_named_by_the_architecture_exist() {
    let page = read("ARCHITECTURE.md");
    let listed = Command::new("git")
        .arg("ls-files")
        .current_dir(root())
        .output()
        .unwrap();
    let files = String::from_utf8(listed.stdout).unwrap();
    let is_path = |word: &&str| {
        let endings = [".rs", ".md", ".hex", ".toml"];
        endings.iter().any(|ending| word.ends_with(ending)) && !word.contains([' ', '*', '<'])
    };
    let named: Vec<_> = page.split('`').skip(1).step_by(2).filter(is_path).collect();
    assert!(named.len() > 50, "{named:?}");
    let is_there = |path: &&str| {
        let mut files = files.lines();
        files.any(|file| file == *path || file.ends_with(&format!("/{path}")))
    };
    let gone: Vec<_> = named.into_iter().filter(|path| !is_there(path)).collect();
    assert!(gone.is_empty(), "{gone:#?}");
}

/// What is wrong with a link between files.
fn fault_of_path(document: &str, link: &str) -> Option<&'static str> {
    let (to, anchor) = link.split_once('#').unwrap_or((link, ""));
    let folder = Path::new(document).parent().unwrap();
    let path = match to {
        "" => document.to_owned(),
        to => folder.join(to).to_str().unwrap().to_owned(),
    };
    if !root().join(&path).exists() {
        return Some("no such file");
    }
    let is_there = anchor.is_empty() || has_anchor(&path, anchor);
    (!is_there).then_some("no such heading")
}

/// What is wrong with a link between items, as far as rustdoc does not see it.
fn fault_of_item(document: &str, link: &str, guide: &BTreeSet<String>) -> Option<&'static str> {
    let (to, anchor) = link.split_once('#').unwrap_or((link, ""));
    if to.contains('/') || to.ends_with(".md") {
        return Some("a path, which rustdoc does not follow");
    }
    if anchor.is_empty() {
        return None;
    }
    let name = to.rsplit("::").next().unwrap_or(to);
    let path = match (to, name) {
        ("", _) => document.to_owned(),
        (_, page) if guide.contains(page) => page_of_guide(page),
        ("macro@crate::cachier" | "macro@cachier", _) => ATTRIBUTE.to_owned(),
        ("macro@crate::methods" | "macro@methods", _) => METHODS.to_owned(),
        _ => return Some("a heading of an item that is no page"),
    };
    (!has_anchor(&path, anchor)).then_some("no such heading")
}

/// The links of a document that `fault` finds wrong.
fn broken(document: &str, fault: impl Fn(&str) -> Option<&'static str>) -> Vec<String> {
    let links = links(&read(document)).into_iter();
    let own = links.filter(|link| !link.starts_with("https://"));
    let found = own.filter_map(|link| Some(format!("{document}: {link}: {}", fault(&link)?)));
    found.collect()
}

#[test]
fn links_between_files_lead_to_headings() {
    let broken: Vec<_> = PAGES
        .iter()
        .flat_map(|page| broken(page, |link| fault_of_path(page, link)))
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn links_in_the_guide_lead_to_headings() {
    let guide = guide();
    let documents = documentation().into_iter();
    let broken: Vec<_> = documents
        .flat_map(|page| broken(&page, |link| fault_of_item(&page, link, &guide)))
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn broken_links_are_found() {
    let guide = guide();
    let of_path = |link| fault_of_path("README.md", link);
    let of_item = |link| fault_of_item(ATTRIBUTE, link, &guide);
    assert_eq!(of_path("nowhere.md"), Some("no such file"));
    assert_eq!(of_path("#nowhere"), Some("no such heading"));
    assert_eq!(of_path("CONTRIBUTING.md#nowhere"), Some("no such heading"));
    assert_eq!(of_path("CONTRIBUTING.md#commits"), None);
    assert!(of_item("../README.md").is_some());
    assert_eq!(of_item("super::hazards#nowhere"), Some("no such heading"));
    assert_eq!(of_item("super::hazards#forks"), None);
    assert!(of_item("crate::Call#nowhere").is_some());
}

#[test]
fn pages_are_in_the_guide_and_its_index() {
    let (module, index) = (read("cachier/src/guide.rs"), read(&page_of_guide("index")));
    let linked: BTreeSet<_> = links(&index).into_iter().collect();
    for page in guide() {
        assert!(module.contains(&format!("\"guide/{page}.md\"")), "{page}");
        assert!(page == "index" || linked.contains(&page), "{page}");
    }
}

#[test]
fn documents_have_at_most_500_lines() {
    let documents = PAGES.into_iter().map(str::to_owned);
    for document in documents.chain(documentation()) {
        assert_eq!(excessive_lines(&read(&document)), None, "{document}");
    }
}

#[test]
fn the_readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines < MAX_LINES_OF_README, "{lines} lines");
}

/// A word that rustdoc does not know would take a block out of the tests.
#[test]
fn blocks_of_code_are_of_known_kinds() {
    let documents = PAGES.into_iter().map(str::to_owned);
    for document in documents.chain(documentation()) {
        let text = read(&document);
        for block in blocks(&text) {
            let mut words = block.words.split(',');
            let are_known = words.all(|word| LANGUAGES.contains(&word));
            assert!(are_known, "{document}: {}\n{}", block.words, block.code);
        }
    }
}

#[test]
fn code_that_is_not_compiled_is_rust() {
    for document in documentation() {
        let text = read(&document);
        let ignored = blocks(&text).into_iter();
        for block in ignored.filter(|block| block.words.contains("ignore")) {
            let parsed = syn::parse_file(&block.code).map(|_| ());
            assert!(parsed.is_ok(), "{document}: {parsed:?}\n{}", block.code);
        }
    }
}

/// The words that follow this one in a text: `--bin NAME`.
fn words_after(text: &str, option: &str) -> Vec<String> {
    let after = text.split(option).skip(1);
    let words = after.map(|rest| {
        let word = rest
            .trim_start()
            .split(|c: char| !c.is_alphanumeric() && c != '_');
        word.into_iter().next().unwrap_or_default().to_owned()
    });
    words.collect()
}

#[test]
fn commands_name_programs_that_there_are() {
    let declared = |manifest: &str, name: &str| {
        let line = format!("name = \"{name}\"");
        read(manifest).lines().any(|known| known == line)
    };
    let documents = PAGES.into_iter().map(str::to_owned);
    for document in documents.chain(documentation()) {
        let text = read(&document);
        for (option, manifest) in [
            ("--bin ", "examples/Cargo.toml"),
            ("--bench ", "tests/bench/Cargo.toml"),
        ] {
            for name in words_after(&text, option) {
                assert!(declared(manifest, &name), "{document}: {option}{name}");
            }
        }
    }
}
