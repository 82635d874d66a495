//! The blocks of a source file, and the types that they define.

use std::collections::HashMap;

use super::lexer::{Token, tokens};

/// What stands around and beside a function, as far as that is known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Surroundings {
    /// The block in which the function stands.
    pub(crate) container: Container,
    /// The types and modules of that block, by name, with the keyword that defines them.
    pub(crate) types: HashMap<String, &'static str>,
}

/// What kind of block a function stands in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Container {
    /// A module, a function, or what is not known.
    #[default]
    Other,
    /// An impl of a type's own.
    Impl,
    /// The impl of a trait.
    TraitImpl,
}

/// The blocks of a file; inner ones come before outer ones.
#[derive(Debug)]
pub(super) struct Outline {
    /// Where each line begins.
    lines: Vec<usize>,
    source: String,
    blocks: Vec<Block>,
}

#[derive(Debug)]
struct Block {
    start: usize,
    end: usize,
    surroundings: Surroundings,
}

impl Outline {
    pub(super) fn of(source: &str) -> Self {
        let mut reader = Reader::default();
        reader.open.push(Open::new(0, Kind::Braces));
        for token in tokens(source) {
            reader.read(token);
        }
        while let Some(open) = reader.open.pop() {
            reader.close(open, source.len());
        }
        let line_ends = source.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            lines: std::iter::once(0).chain(line_ends).collect(),
            source: source.to_owned(),
            blocks: reader.blocks,
        }
    }

    /// What surrounds the token at a line and a column, counted in letters from one.
    pub(super) fn at(&self, line: usize, column: usize) -> Option<Surroundings> {
        let start = *self.lines.get(line.checked_sub(1)?)?;
        let letters = self.source.get(start..)?.char_indices();
        let (within, _) = letters.into_iter().nth(column.checked_sub(1)?)?;
        let at = start + within;
        let mut blocks = self.blocks.iter();
        let innermost = blocks.find(|block| block.start <= at && at < block.end)?;
        Some(innermost.surroundings.clone())
    }
}

/// Reads tokens into blocks.
#[derive(Default)]
struct Reader<'a> {
    open: Vec<Open<'a>>,
    blocks: Vec<Block>,
}

/// A delimiter that has not been closed yet.
struct Open<'a> {
    start: usize,
    kind: Kind,
    surroundings: Surroundings,
    /// The words and signs since the last item ended.
    item: Vec<&'a str>,
    /// Whether the item is under a `#[cfg]`, so that it may not exist; for an attribute, whether it is one.
    is_conditional: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A block, whose items are separate.
    Braces,
    /// Parentheses, brackets, and the braces of a `use`.
    Other,
    /// The brackets of an attribute.
    Attribute,
}

impl Open<'_> {
    fn new(start: usize, kind: Kind) -> Self {
        Self {
            start,
            kind,
            surroundings: Surroundings::default(),
            item: Vec::new(),
            is_conditional: false,
        }
    }
}

impl<'a> Reader<'a> {
    fn read(&mut self, token: Token<'a>) {
        match token.text {
            "{" | "(" | "[" => self.open(token),
            "}" | ")" | "]" => {
                // One remains, for the file.
                if self.open.len() > 1
                    && let Some(open) = self.open.pop()
                {
                    self.close(open, token.at);
                }
            }
            text => {
                let Some(block) = self.open.last_mut() else {
                    return;
                };
                block.item.push(text);
                if text == ";" {
                    block.end_item();
                }
            }
        }
    }

    fn open(&mut self, token: Token<'a>) {
        let Some(outer) = self.open.last_mut() else {
            return;
        };
        let kind = match token.text {
            "{" if first_keyword(&outer.item) == Some("use") => Kind::Other,
            "{" => Kind::Braces,
            "[" if outer.item.last() == Some(&"#") => Kind::Attribute,
            _ => Kind::Other,
        };
        let mut inner = Open::new(token.at, kind);
        if kind == Kind::Braces {
            inner.surroundings.container = container(&outer.item);
        }
        self.open.push(inner);
    }

    fn close(&mut self, mut open: Open<'a>, end: usize) {
        open.end_item();
        if let Some(outer) = self.open.last_mut() {
            match open.kind {
                Kind::Braces => outer.end_item(),
                Kind::Attribute => {
                    outer.item.pop();
                    outer.is_conditional |= open.is_conditional;
                }
                Kind::Other => {}
            }
        }
        self.blocks.push(Block {
            start: open.start,
            end,
            surroundings: open.surroundings,
        });
    }
}

impl Open<'_> {
    fn end_item(&mut self) {
        let item = std::mem::take(&mut self.item);
        let is_conditional = std::mem::take(&mut self.is_conditional);
        if self.kind == Kind::Attribute {
            self.is_conditional = matches!(item.first(), Some(&("cfg" | "cfg_attr")));
        } else if let (Some((keyword, name)), false) = (definition(&item), is_conditional) {
            self.surroundings.types.insert(name.to_owned(), keyword);
        }
    }
}

/// Keywords that define something in the namespace of types.
const TYPES: [&str; 6] = ["mod", "struct", "enum", "union", "type", "trait"];

/// Words that may come before an item's keyword.
const BEFORE: [&str; 8] = [
    "pub", "unsafe", "default", "async", "const", "extern", "#", "!",
];

/// The type or module that an item defines.
fn definition<'a>(item: &[&'a str]) -> Option<(&'static str, &'a str)> {
    let place = item.iter().position(|word| !BEFORE.contains(word))?;
    let keyword = TYPES.iter().find(|keyword| **keyword == item[place])?;
    Some((*keyword, *item.get(place + 1)?))
}

fn first_keyword<'a>(item: &[&'a str]) -> Option<&'a str> {
    item.iter().copied().find(|word| !BEFORE.contains(word))
}

/// What an item's braces contain.
fn container(item: &[&str]) -> Container {
    if first_keyword(item) != Some("impl") {
        return Container::Other;
    }
    let head = item.split(|word| *word == "where").next().unwrap_or(item);
    let mut words = head.iter().peekable();
    while let Some(word) = words.next() {
        // `for<'a>` is no `for` of a trait. No word comes after it where the type is a tuple or an array.
        if *word == "for" && words.peek() != Some(&&"<") {
            return Container::TraitImpl;
        }
    }
    Container::Impl
}
