//! Uses among modules, by the paths in their code.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Item, ItemImpl, ItemUse, Meta, Visibility};

use crate::configuration::is_for_tests;
use crate::names::{FileId, Found, Names, are_for_tests, full, imports};
use crate::source::Source;

/// The modules of a crate, and their uses.
pub struct Graph {
    /// Their paths from the root, which is `lib`.
    pub modules: Vec<String>,
    /// For indices of a module and one it uses: one of the places where it does.
    pub uses: BTreeMap<(usize, usize), Site>,
}

/// A place in the source.
#[derive(Clone, Debug)]
pub struct Site {
    path: PathBuf,
    line: usize,
    /// The source text.
    text: String,
}

/// What a re-export is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReExport {
    /// Only a way to what it names.
    Way,
    /// A use of what it names, as is a way through it by `super::` a use of its module.
    Use,
}

impl Graph {
    /// The graph of a crate.
    pub fn of(source: &Source) -> Self {
        Self::read(source, ReExport::Way)
    }

    /// The graph as one sees it who does not follow re-exports: a `mod.rs` uses what it re-exports, and who takes something by
    /// `super::` that is only re-exported there uses the module above.
    pub fn with_doors(source: &Source) -> Self {
        Self::read(source, ReExport::Use)
    }

    fn read(source: &Source, re_export: ReExport) -> Self {
        let names = Names::of(source);
        let mut graph = Self {
            modules: source.files.iter().map(|file| file.name()).collect(),
            uses: BTreeMap::new(),
        };
        for (file, source) in source.files.iter().enumerate() {
            let mut reader = Reader {
                names: &names,
                graph: &mut graph,
                re_export,
                file,
                path: &source.path,
                module: source.full_name(),
                own_type: None,
                blocks: Vec::new(),
            };
            reader.add_items(&source.syntax.items);
        }
        graph
    }
}

/// Reads a file and adds its uses.
struct Reader<'a> {
    names: &'a Names,
    graph: &'a mut Graph,
    re_export: ReExport,
    file: FileId,
    path: &'a PathBuf,
    /// The full path of the file's module, or of the inline module being read.
    module: String,
    /// The full path of the type of the enclosing `impl`.
    own_type: Option<String>,
    /// The names declared so far in each enclosing block: an import's path, or none for items.
    blocks: Vec<HashMap<String, Vec<String>>>,
}

impl Reader<'_> {
    fn add_items(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Use(item) if !are_for_tests(&item.attrs) => self.add_imports(item),
                Item::Mod(item) if !are_for_tests(&item.attrs) => {
                    if let Some((_, items)) = &item.content {
                        let inner = full(&self.module, &item.ident.to_string());
                        let outer = std::mem::replace(&mut self.module, inner);
                        self.add_items(items);
                        self.module = outer;
                    }
                }
                Item::Use(_) | Item::Mod(_) => {}
                Item::Impl(item) if !are_for_tests(&item.attrs) => self.add_impl(item),
                other => self.add_tokens(other.to_token_stream()),
            }
        }
    }

    fn add_impl(&mut self, item: &ItemImpl) {
        self.own_type = self.names.implemented(&self.module, item);
        let mut head = item.clone();
        for item in head.items.drain(..) {
            self.add_tokens(item.to_token_stream());
        }
        self.add_tokens(head.to_token_stream());
        self.own_type = None;
    }

    /// An import uses what it names; a re-export uses nothing until its name is used, unless a door's are to count.
    fn add_imports(&mut self, item: &ItemUse) {
        let is_import = matches!(item.vis, Visibility::Inherited);
        let is_of_door = self.re_export == ReExport::Use && self.path.ends_with("mod.rs");
        if !is_import && !is_of_door {
            return;
        }
        for import in imports(&item.tree, &[]) {
            self.add_path(&import.path, item.use_token.span);
            if let (Some(block), Some(name)) = (self.blocks.last_mut(), import.name) {
                block.insert(name, import.path);
            }
        }
    }

    /// Adds the paths among tokens: of items, or of a macro, whose grammar is unknown.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at..] {
                [TokenTree::Punct(mark), TokenTree::Group(attribute), ..]
                    if mark.as_char() == '#' =>
                {
                    let meta = syn::parse2::<Meta>(attribute.stream());
                    at += 2;
                    if meta.is_ok_and(|meta| is_for_tests(&meta)) {
                        at += length_of_item(&tokens[at..]);
                    }
                }
                [TokenTree::Ident(keyword), ..] if keyword == "use" => {
                    let length = length_of_item(&tokens[at..]);
                    let tokens = tokens[at..at + length].iter().cloned().collect();
                    if let Ok(item) = syn::parse2(tokens) {
                        self.add_imports(&item);
                    }
                    at += length;
                }
                [TokenTree::Ident(keyword), TokenTree::Ident(name), ..]
                    if ["fn", "struct", "enum"].iter().any(|word| keyword == word) =>
                {
                    if let Some(block) = self.blocks.last_mut() {
                        block.insert(name.to_string(), Vec::new());
                    }
                    at += 2;
                }
                [TokenTree::Ident(first), ..] => {
                    let length = length_of_path(&tokens[at..]);
                    if begins_path(&tokens[..at]) {
                        self.add_path_of_tokens(first, length, &tokens[at..]);
                    }
                    at += length;
                }
                [TokenTree::Group(group), ..] => {
                    let is_block = group.delimiter() == Delimiter::Brace;
                    self.blocks.extend(is_block.then(HashMap::new));
                    self.add_tokens(group.stream());
                    self.blocks
                        .truncate(self.blocks.len() - usize::from(is_block));
                    at += 1;
                }
                _ => at += 1,
            }
        }
    }

    /// Adds the path of this many tokens, a method called on `self`, or a macro that is in scope by its text alone.
    fn add_path_of_tokens(&mut self, first: &Ident, length: usize, tokens: &[TokenTree]) {
        let path: Vec<_> = tokens[..length].iter().filter_map(name).collect();
        let at = first.span();
        match &tokens[length..] {
            [dot, TokenTree::Ident(method), call, ..] if path == ["self"] && is(dot, '.') => {
                if is(call, ':') || matches!(call, TokenTree::Group(_)) {
                    let own = ["Self".to_owned(), method.to_string()];
                    self.add_path(&own, method.span());
                }
            }
            [mark, TokenTree::Group(_), ..] if is(mark, '!') && self.meant(&path).is_empty() => {
                let name = format!("{}!", path[path.len() - 1]);
                if path.len() == 1 || path[0] == "crate" {
                    self.add_path(&["crate".to_owned(), name], at);
                }
            }
            _ => self.add_path(&path, at),
        }
    }

    /// Adds what a path resolves to.
    fn add_path(&mut self, path: &[String], at: Span) {
        let mut used: Vec<_> = self.meant(path).into_iter().map(|(_, to)| to).collect();
        if self.re_export == ReExport::Use {
            used.extend(self.names.door(&self.module, path));
        }
        for to in used.into_iter().filter(|to| *to != self.file) {
            let site = || Site {
                path: self.path.clone(),
                line: at.start().line,
                text: path.join("::"),
            };
            self.graph.uses.entry((self.file, to)).or_insert_with(site);
        }
    }

    /// The meaning of a path here: in an `impl`, and below the names of the enclosing blocks.
    fn meant(&self, path: &[String]) -> Vec<Found> {
        let (first, rest) = (&path[0], &path[1..]);
        if first == "Self" {
            let own_type = self.own_type.iter();
            return own_type
                .flat_map(|of| self.names.resolve(of, rest))
                .collect();
        }
        let mut blocks = self.blocks.iter().rev();
        match blocks.find_map(|block| block.get(first)) {
            Some(item) if item.is_empty() => Vec::new(),
            Some(import) => self.names.resolve(&self.module, &[import, rest].concat()),
            None => self.names.resolve(&self.module, path),
        }
    }
}

fn is(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn name(token: &TokenTree) -> Option<String> {
    match token {
        TokenTree::Ident(name) => Some(name.to_string()),
        _ => None,
    }
}

/// Whether a name after these tokens begins a path, unlike in `.name`, `'name` and `::name`.
fn begins_path(before: &[TokenTree]) -> bool {
    match before {
        [.., one, other] if is(one, '.') && is(other, '.') => true,
        [.., one, other] if is(one, ':') && is(other, ':') => false,
        [.., last] => !is(last, '.') && !is(last, '\''),
        [] => true,
    }
}

/// How many tokens the path at the beginning has.
fn length_of_path(tokens: &[TokenTree]) -> usize {
    let mut length = 1;
    while let [one, other, TokenTree::Ident(_), ..] = &tokens[length..]
        && is(one, ':')
        && is(other, ':')
    {
        length += 3;
    }
    length
}

/// How many tokens the item, statement, field or element at the beginning has.
fn length_of_item(tokens: &[TokenTree]) -> usize {
    let mut generics = 0;
    for (at, token) in tokens.iter().enumerate() {
        let is_arrow = at > 0 && (is(&tokens[at - 1], '-') || is(&tokens[at - 1], '='));
        let is_braces = matches!(token, TokenTree::Group(g) if g.delimiter() == Delimiter::Brace);
        let is_use = matches!(&tokens[0], TokenTree::Ident(keyword) if keyword == "use");
        if is(token, '<') {
            generics += 1;
        } else if is(token, '>') && !is_arrow {
            generics -= 1;
        } else if is(token, ';') || generics == 0 && is(token, ',') || is_braces && !is_use {
            return at + 1;
        }
    }
    tokens.len()
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.text)
    }
}
