//! What a document in Markdown links to, its anchors, and its blocks of code. Pure.

use std::collections::BTreeMap;

/// A block of code.
#[derive(Debug, PartialEq, Eq)]
pub struct Block<'t> {
    /// What stands behind the three backticks, such as `rust,no_run`.
    pub words: &'t str,
    /// Its lines.
    pub code: String,
}

/// The destinations of all links outside of code, as they are written.
#[must_use]
pub fn links(text: &str) -> Vec<String> {
    let prose = without_spans(&prose(text));
    let after = prose.split("](").skip(1);
    let inline = after.filter_map(|rest| rest.split_once(')').map(|(to, _)| to));
    let mut links: Vec<_> = inline.map(str::to_owned).collect();
    links.extend(prose.lines().filter_map(definition));
    links
}

/// The destination in a line `[name]: destination`.
fn definition(line: &str) -> Option<String> {
    let (name, to) = line.strip_prefix('[')?.split_once("]: ")?;
    (!name.contains(']')).then(|| to.trim().to_owned())
}

/// The anchors of its headings, as rustdoc and repositories make them: those of one text are numbered.
#[must_use]
pub fn anchors(text: &str) -> Vec<String> {
    let mut seen = BTreeMap::<String, usize>::new();
    let prose = prose(text);
    let headings = prose.lines().filter_map(|line| {
        let heading = line.trim_start_matches('#');
        let is_heading = heading.len() < line.len() && heading.starts_with(' ');
        is_heading.then(|| slug(heading.trim()))
    });
    headings
        .map(|slug| {
            let before = seen.entry(slug.clone()).or_default();
            *before += 1;
            match *before {
                1 => slug,
                number => format!("{slug}-{}", number - 1),
            }
        })
        .collect()
}

fn slug(heading: &str) -> String {
    let kept = heading.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
        _ => None,
    });
    kept.flat_map(char::to_lowercase).collect()
}

/// The blocks of code.
#[must_use]
pub fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(words), None) => {
                let (words, code) = (words.trim(), String::new());
                open = Some(Block { words, code });
            }
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.code += line;
                block.code.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    blocks.extend(open);
    blocks
}

/// The lines outside of blocks of code.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.fold(String::new(), |prose, line| prose + line + "\n")
}

/// A text without its spans of code, which are in single backticks.
fn without_spans(prose: &str) -> String {
    prose.split('`').step_by(2).collect()
}
