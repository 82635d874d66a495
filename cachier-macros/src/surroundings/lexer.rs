//! A lexer for outlines: words, delimiters and punctuation, without literals, comments and lifetimes.

/// A token and where it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

/// All tokens of a source file. A file that is no Rust gives whatever tokens it has.
pub(super) fn tokens(source: &str) -> impl Iterator<Item = Token<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = &source[at..];
            let first = rest.chars().next()?;
            if let Some(length) = skipped(rest) {
                at += length.min(rest.len());
                continue;
            }
            let start = at;
            let text = match is_word(first) {
                true => word(rest),
                false => &rest[..first.len_utf8()],
            };
            at += text.len();
            // A raw identifier is that identifier.
            if text == "r" && source[at..].starts_with('#') && source[at + 1..].starts_with(is_word)
            {
                at += 1;
                continue;
            }
            return Some(Token { text, at: start });
        }
    })
}

/// The length of what is no token, if the text begins with that.
fn skipped(rest: &str) -> Option<usize> {
    let first = rest.chars().next()?;
    if first.is_whitespace() {
        return Some(first.len_utf8());
    }
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    if first == '\'' {
        return Some(character_or_lifetime(rest));
    }
    let prefix = word(rest);
    let literal = &rest[prefix.len()..];
    match prefix {
        "" | "b" | "c" if literal.starts_with('"') => Some(prefix.len() + string(literal)),
        "b" if literal.starts_with('\'') => Some(prefix.len() + character_or_lifetime(literal)),
        "r" | "br" | "cr" => raw_string(literal).map(|length| prefix.len() + length),
        _ => None,
    }
}

/// The word at the beginning, which may be empty.
fn word(rest: &str) -> &str {
    &rest[..rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())]
}

fn is_word(letter: char) -> bool {
    letter == '_' || letter.is_alphanumeric()
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while let Some(found) = rest[at..].find(['/', '*']) {
        at += found;
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth.saturating_sub(1), at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of a string literal, from its quotation mark.
fn string(literal: &str) -> usize {
    let mut is_escaped = false;
    for (at, letter) in literal.char_indices().skip(1) {
        match letter {
            '"' if !is_escaped => return at + 1,
            _ => is_escaped = letter == '\\' && !is_escaped,
        }
    }
    literal.len()
}

/// The length of a raw string literal after its `r`; `None` if it is none.
fn raw_string(literal: &str) -> Option<usize> {
    let hashes = literal.len() - literal.trim_start_matches('#').len();
    let content = literal[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", &literal[..hashes]);
    let length = content
        .find(&end)
        .map_or(content.len(), |found| found + end.len());
    Some(hashes + 1 + length)
}

/// The length of a character literal, or of a lifetime.
fn character_or_lifetime(rest: &str) -> usize {
    let mut letters = rest.char_indices().skip(1);
    match letters.next() {
        Some((_, '\\')) => {
            let end = letters.skip(1).find(|(_, letter)| *letter == '\'');
            end.map_or(rest.len(), |(at, _)| at + 1)
        }
        Some((at, letter)) if rest[at + letter.len_utf8()..].starts_with('\'') => {
            at + letter.len_utf8() + 1
        }
        _ => 1 + word(&rest[1..]).len(),
    }
}
