//! cachier's own messages, read from its sources, to tell them from the compiler's.

use std::fs;
use std::path::Path;
use std::slice::from_ref;

/// All string literals in the sources but those of tests, split at placeholders.
pub(crate) struct Words(Vec<Vec<String>>);

/// Literals with fewer letters are not distinctive.
const MIN_LETTERS: usize = 8;
/// Nor are those that begin with fewer before their first placeholder.
const MIN_FIRST_LETTERS: usize = 5;

impl Words {
    pub(crate) fn of_cachier() -> Self {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut texts = Vec::new();
        for sources in ["cachier-macros/src", "cachier/src", "cachier-backends/src"] {
            read(&workspace.join(sources), &mut texts);
        }
        Self(texts.iter().map(|text| pieces(text)).collect())
    }

    /// Whether a message is one of these texts with its placeholders filled in.
    pub(crate) fn say(&self, message: &str) -> bool {
        let mut texts = self.0.iter();
        texts.any(|pieces| letters(pieces) >= MIN_LETTERS && is_of(message, pieces))
    }

    /// Whether a message begins as one of these texts does.
    pub(crate) fn begin(&self, message: &str) -> bool {
        let mut firsts = self.0.iter().filter_map(|pieces| pieces.first());
        firsts.any(|first| {
            letters(from_ref(first)) >= MIN_FIRST_LETTERS && message.starts_with(first)
        })
    }
}

fn letters(pieces: &[String]) -> usize {
    let all = pieces.iter().flat_map(|piece| piece.chars());
    all.filter(|letter| letter.is_alphabetic()).count()
}

fn is_of(message: &str, pieces: &[String]) -> bool {
    let Some((first, rest)) = pieces.split_first() else {
        return false;
    };
    let Some(mut left) = message.strip_prefix(first.as_str()) else {
        return false;
    };
    let Some((last, between)) = rest.split_last() else {
        return left.is_empty();
    };
    for piece in between {
        let Some(at) = left.find(piece.as_str()) else {
            return false;
        };
        left = &left[at + piece.len()..];
    }
    left.ends_with(last.as_str())
}

fn read(folder: &Path, texts: &mut Vec<String>) {
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "tests" {
            read(&path, texts);
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            let source = fs::read_to_string(&path).unwrap();
            let (code, _) = source.split_once("\nmod tests {").unwrap_or((&source, ""));
            texts_in(code, texts);
        }
    }
}

/// Collects string literals. Comments contain no relevant ones; quotation marks in character literals are skipped.
fn texts_in(source: &str, texts: &mut Vec<String>) {
    let code = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code = code.collect::<Vec<_>>().join("\n").replace("'\"'", "");
    let mut letters = code.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '"' {
            continue;
        }
        let mut text = String::new();
        while let Some(letter) = letters.next() {
            match letter {
                '"' => break,
                '\\' => match letters.next() {
                    Some('\n') => while letters.next_if(|next| next.is_whitespace()).is_some() {},
                    Some('n') => text.push('\n'),
                    Some(other) => text.push(other),
                    None => break,
                },
                other => text.push(other),
            }
        }
        texts.push(text);
    }
}

/// Splits a text at its placeholders.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_double = letters.peek() == Some(&letter);
        match letter {
            '{' | '}' if is_double => {
                letters.next();
                pieces.last_mut().unwrap().push(letter);
            }
            '{' => {
                for _ in letters.by_ref().take_while(|letter| *letter != '}') {}
                pieces.push(String::new());
            }
            other => pieces.last_mut().unwrap().push(other),
        }
    }
    pieces
}

#[test]
fn texts_are_told_from_others() {
    let mut texts = Vec::new();
    let source = "// \"no text\"\nf('\"', \"unknown argument `{name}`, \\\n    did you mean `{}`?\", \"{a}{b}\")";
    texts_in(source, &mut texts);
    let words = Words(vec![pieces(&texts[0])]);
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(words.say("unknown argument `a`, did you mean `b`?"));
    assert!(!words.say("unknown argument `a`"));
    assert!(!words.say("an unknown argument `a`, did you mean `b`?"));
    assert!(words.begin("unknown argument `a`; see there"));
    assert!(!words.begin("an unknown argument `a`; see there"));
}
