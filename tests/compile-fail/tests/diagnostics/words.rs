//! cachier's own messages, read from its sources, to tell them from the compiler's.

use std::fs;
use std::path::Path;

/// All string literals in the sources, split at placeholders.
pub(crate) struct Words(Vec<Vec<String>>);

/// Literals with fewer letters are not distinctive.
const MIN_LETTERS: usize = 8;

impl Words {
    pub(crate) fn of_cachier() -> Self {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut texts = Vec::new();
        for sources in ["cachier-macros/src", "cachier/src", "cachier-backends/src"] {
            read(&workspace.join(sources), &mut texts);
        }
        let pieces = texts.iter().map(|text| pieces(text));
        let letters = |pieces: &Vec<String>| {
            let all = pieces.iter().flat_map(|piece| piece.chars());
            all.filter(|letter| letter.is_alphabetic()).count()
        };
        Self(
            pieces
                .filter(|pieces| letters(pieces) >= MIN_LETTERS)
                .collect(),
        )
    }

    /// Whether a message is one of these texts with its placeholders filled in.
    pub(crate) fn say(&self, message: &str) -> bool {
        self.0.iter().any(|pieces| is_of(message, pieces))
    }
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
        if path.is_dir() {
            read(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts_in(&fs::read_to_string(&path).unwrap(), texts);
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
}
