//! The blocks of a source file, and the types that they define and name.

use std::collections::HashMap;
use std::sync::Arc;

use super::lexer::{Token, tokens};
use super::paths::{Shown, shown};
use super::uses::Use;

/// A block: its kind, and the names in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Contents {
    /// The kind of block.
    pub(crate) container: Container,
    /// The text of an impl before its block.
    pub(crate) head: String,
    /// Types and modules that it defines, by name, with the keyword that defines them.
    pub(crate) types: HashMap<String, &'static str>,
    /// Where the functions of each name begin, but for those that may not exist.
    pub(crate) functions: HashMap<String, Vec<usize>>,
    /// Names that a `use` brings in.
    pub(crate) imports: HashMap<String, Import>,
    /// Names that begin paths in it, and what these show.
    pub(crate) paths: HashMap<String, Shown>,
    /// Whether a `use` brings in names that it does not say.
    pub(crate) has_glob: bool,
}

/// Where a name is brought in from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Import {
    /// The path before it.
    pub(crate) from: String,
    /// Where that begins.
    pub(crate) root: String,
}

/// The kind of block around a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Container {
    /// A module, a function, or what is not known.
    #[default]
    Other,
    /// An impl of a type's own.
    Impl,
    /// The impl of a trait.
    TraitImpl,
    /// The definition of a trait.
    Trait,
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
    /// The name, if it is a module's.
    module: Option<String>,
    contents: Arc<Contents>,
}

/// A place in a file: the block around it, and those around that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position<'o> {
    at: usize,
    /// The innermost one first.
    blocks: &'o [Block],
}

impl Outline {
    pub(super) fn of(source: &str) -> Self {
        let mut reader = Reader {
            source,
            open: vec![Open::new(0, Kind::Braces)],
            blocks: Vec::new(),
        };
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

    /// The place of this token at a line and a column, counted in letters from one. It is not there where the code is an
    /// example in a comment, which is a program of its own.
    pub(super) fn at(&self, line: usize, column: usize, token: &str) -> Option<Position<'_>> {
        let start = *self.lines.get(line.checked_sub(1)?)?;
        let letters = self.source.get(start..)?.char_indices();
        let (within, _) = letters.into_iter().nth(column.checked_sub(1)?)?;
        let at = start + within;
        let is_there = self.source.get(at..)?.starts_with(token);
        is_there.then(|| Position::within(at, &self.blocks))?
    }

    /// Whether the file has a module of this name, and next to it a `use` of the item of that name in it.
    pub(super) fn reexports(&self, name: &str) -> bool {
        let file = self.blocks.last();
        file.is_some_and(|file| file.contents.reexports(name))
    }
}

impl<'o> Position<'o> {
    fn within(at: usize, blocks: &'o [Block]) -> Option<Self> {
        let innermost = blocks
            .iter()
            .position(|block| block.start <= at && at < block.end)?;
        let blocks = &blocks[innermost..];
        Some(Self { at, blocks })
    }

    pub(super) fn contents(self) -> &'o Arc<Contents> {
        &self.blocks[0].contents
    }

    /// Whether the block is that of the file.
    pub(super) fn is_in_no_block(self) -> bool {
        self.blocks.len() == 1
    }

    /// Which of the functions of this name in the block it is in, if there are several: counted from zero.
    pub(super) fn repetition(self, name: &str) -> Option<usize> {
        let begins = self.contents().functions.get(name)?;
        let before = begins.iter().filter(|begin| **begin <= self.at).count();
        (begins.len() > 1).then(|| before.saturating_sub(1))
    }

    /// Whether the block is that of a module with this name, next to which there is a `use` of the item of that name in it.
    pub(super) fn is_reexported(self, name: &str) -> bool {
        let around = Self::within(self.at, &self.blocks[1..]);
        self.blocks[0].module.as_deref() == Some(name)
            && around.is_some_and(|around| around.contents().reexports(name))
    }
}

impl Contents {
    fn reexports(&self, name: &str) -> bool {
        self.types.get(name) == Some(&"mod")
            && self
                .imports
                .get(name)
                .is_some_and(|import| import.from == name)
    }

    fn show(&mut self, name: &str, shown: Shown) {
        match self.paths.get_mut(name) {
            Some(known) => *known = shown.max(*known),
            None => drop(self.paths.insert(name.to_owned(), shown)),
        }
    }

    /// Adds what paths of an inner block show of names that are none of its own.
    fn show_all_of(&mut self, inner: &Self) {
        let is_own = |name: &String| {
            inner.has_glob || inner.types.contains_key(name) || inner.imports.contains_key(name)
        };
        for (name, shown) in &inner.paths {
            if !is_own(name) {
                self.show(name, *shown);
            }
        }
    }
}

/// Reads tokens into blocks.
struct Reader<'a> {
    source: &'a str,
    open: Vec<Open<'a>>,
    blocks: Vec<Block>,
}

/// A delimiter that has not been closed yet.
struct Open<'a> {
    start: usize,
    kind: Kind,
    module: Option<String>,
    contents: Contents,
    /// The words and signs since the last item ended, and where they begin.
    item: Vec<&'a str>,
    item_start: usize,
    /// Whether the item is under a `#[cfg]`, so that it may not exist; for an attribute, whether it is one.
    is_conditional: bool,
    /// Whether the item is under an attribute that may do the same; for an attribute, whether it is one.
    is_changed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A block, whose items are separate.
    Braces,
    /// The braces of a macro, which may put each item elsewhere.
    Macro,
    /// Parentheses and brackets.
    Other,
    /// The brackets of an attribute.
    Attribute,
}

impl Open<'_> {
    fn new(start: usize, kind: Kind) -> Self {
        Self {
            start,
            kind,
            module: None,
            contents: Contents::default(),
            item: Vec::new(),
            item_start: start,
            is_conditional: false,
            is_changed: false,
        }
    }
}

impl<'a> Reader<'a> {
    fn read(&mut self, token: Token<'a>) {
        let last = self.open.last();
        let is_in_use = last.is_some_and(|block| first_keyword(&block.item) == Some("use"));
        match token.text {
            "{" | "(" | "[" if !is_in_use => self.open(token),
            "}" | ")" | "]" if !is_in_use => {
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
                if block.item.is_empty() {
                    block.item_start = token.at;
                }
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
            "{" if is_macro(&outer.item) || outer.is_in_macro() => Kind::Macro,
            "{" => Kind::Braces,
            "[" if outer.item.last() == Some(&"#") => Kind::Attribute,
            _ => Kind::Other,
        };
        let mut inner = Open::new(token.at, kind);
        if kind == Kind::Braces {
            inner.contents.container = container(&outer.item);
            if matches!(
                inner.contents.container,
                Container::Impl | Container::TraitImpl
            ) {
                let head = &self.source[outer.item_start..token.at];
                head.clone_into(&mut inner.contents.head);
            }
            if let Some(("mod", name)) = definition(&outer.item) {
                inner.module = Some(name.to_owned());
            }
        }
        self.open.push(inner);
    }

    fn close(&mut self, mut open: Open<'a>, end: usize) {
        open.end_item();
        if let Some(outer) = self.open.last_mut() {
            // A module knows no names of the one around it.
            if open.module.is_none() && !outer.is_conditional {
                outer.contents.show_all_of(&open.contents);
            }
            match open.kind {
                Kind::Braces | Kind::Macro => outer.end_item(),
                Kind::Attribute => {
                    outer.item.pop();
                    outer.is_conditional |= open.is_conditional;
                    outer.is_changed |= open.is_changed;
                }
                Kind::Other => {}
            }
        }
        self.blocks.push(Block {
            start: open.start,
            end,
            module: open.module,
            contents: Arc::new(open.contents),
        });
    }
}

impl Open<'_> {
    /// Whether braces that open here are of a macro, and not of an item in its call.
    fn is_in_macro(&self) -> bool {
        let is_of_item = self.item.iter().any(|word| HAVE_BRACES.contains(word));
        matches!(self.kind, Kind::Macro | Kind::Other) && !is_of_item
    }

    fn end_item(&mut self) {
        let item = std::mem::take(&mut self.item);
        let is_conditional = std::mem::take(&mut self.is_conditional);
        let is_changed = std::mem::take(&mut self.is_changed);
        if self.kind == Kind::Attribute {
            self.is_conditional = matches!(item.first(), Some(&("cfg" | "cfg_attr")));
            self.is_changed = !item.first().is_some_and(|name| HARMLESS.contains(name));
        }
        if is_conditional {
            return;
        }
        for (name, shown) in shown(&item) {
            // No attribute is named as an operation is.
            let is_attribute = self.kind == Kind::Attribute && item.first() == Some(&name);
            let shown = if is_attribute { Shown::Other } else { shown };
            self.contents.show(name, shown);
        }
        if let Some((keyword, name)) = definition(&item) {
            self.contents.types.insert(name.to_owned(), keyword);
        }
        let is_here = self.kind == Kind::Braces && !is_changed;
        if let (Some(name), true) = (function(&item), is_here) {
            let begins = self.contents.functions.entry(name.to_owned());
            begins.or_default().push(self.item_start);
        }
        if let Some(place) = item.iter().position(|word| *word == "use")
            && first_keyword(&item) == Some("use")
        {
            self.bring_in(&Use::read(&item[place + 1..]));
        }
    }

    fn bring_in(&mut self, found: &Use<'_>) {
        for found in &found.names {
            let import = Import {
                from: found.from.to_owned(),
                root: found.root.to_owned(),
            };
            self.contents.imports.insert(found.name.to_owned(), import);
        }
        for root in &found.roots {
            self.contents.show(root, Shown::Other);
        }
        self.contents.has_glob |= found.has_glob;
    }
}

/// Keywords that define something in the namespace of types.
const TYPES: [&str; 6] = ["mod", "struct", "enum", "union", "type", "trait"];

/// Attributes under which a function is there.
const HARMLESS: [&str; 10] = [
    "allow",
    "cachier",
    "cold",
    "deny",
    "deprecated",
    "doc",
    "expect",
    "inline",
    "must_use",
    "warn",
];

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

/// The name of the function that an item defines.
fn function<'a>(item: &[&'a str]) -> Option<&'a str> {
    let place = item.iter().position(|word| !BEFORE.contains(word))?;
    (item[place] == "fn").then(|| item.get(place + 1).copied())?
}

fn first_keyword<'a>(item: &[&'a str]) -> Option<&'a str> {
    item.iter().copied().find(|word| !BEFORE.contains(word))
}

/// Items whose braces have items of their own.
const HAVE_BRACES: [&str; 4] = ["fn", "impl", "mod", "trait"];

/// Whether an item ends with the name of a macro, as in `name! {`, and not with the type `!`.
fn is_macro(item: &[&str]) -> bool {
    match item {
        [.., name, "!"] => {
            *name != "for" && name.starts_with(|first: char| first == '_' || first.is_alphabetic())
        }
        _ => false,
    }
}

/// The kind of block in an item's braces.
fn container(item: &[&str]) -> Container {
    match first_keyword(item) {
        Some("impl") => {}
        Some("trait") => return Container::Trait,
        _ => return Container::Other,
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
