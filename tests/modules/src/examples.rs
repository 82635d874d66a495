//! Public items whose documentation has no example.
//!
//! Those are types, traits, functions and constants that a program can name: in public modules, or re-exported there. The
//! methods of a type are shown by its example. An example is code of Rust that is compiled. Not seen are items that a macro
//! makes, re-exports of whole modules, and what is in the files of `include_str!`.

use std::fmt;
use std::path::PathBuf;

use syn::{Attribute, Ident, Item, UseTree, Visibility};

use crate::names::{imports, named};
use crate::source::{Source, SourceFile};

/// A public item without an example.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WithoutExample {
    path: PathBuf,
    line: usize,
    name: String,
}

/// The public items of a crate that have no example, each once.
#[must_use]
pub fn without_examples(source: &Source) -> Vec<WithoutExample> {
    let mut found = Vec::new();
    visit_file(source, &[], &mut found);
    found.sort();
    found.dedup();
    found
}

/// Judges what a public module in a file of its own makes public.
fn visit_file(source: &Source, module: &[String], found: &mut Vec<WithoutExample>) {
    if let Some(file) = source.file(module) {
        visit(source, module, file, &file.syntax.items, found);
    }
}

/// Judges what a public module makes public, all of whose items are in this file.
fn visit(
    source: &Source,
    module: &[String],
    file: &SourceFile,
    items: &[Item],
    found: &mut Vec<WithoutExample>,
) {
    for item in items {
        match item {
            Item::Mod(inner) if is_shown(&inner.vis, &inner.attrs) => {
                let module = child(module, &inner.ident);
                match &inner.content {
                    Some((_, items)) => visit(source, &module, file, items, found),
                    None => visit_file(source, &module, found),
                }
            }
            Item::Use(import) if is_shown(&import.vis, &import.attrs) => {
                for path in own_names(&import.tree) {
                    // A re-export with documentation of its own, as the attribute's, is judged by that.
                    if !has_example(&import.attrs)
                        && let Some((file, item)) = resolve(source, module, &path)
                    {
                        judge(file, item, found);
                    }
                }
            }
            item => judge(file, item, found),
        }
    }
}

fn judge(file: &SourceFile, item: &Item, found: &mut Vec<WithoutExample>) {
    if let Some((visibility, attributes, name)) = named(item)
        && is_shown(visibility, attributes)
        && !has_example(attributes)
    {
        found.push(WithoutExample {
            path: file.path.clone(),
            line: name.span().start().line,
            name: name.to_string(),
        });
    }
}

/// The item that a path names, as seen from a module.
fn resolve<'s>(
    source: &'s Source,
    module: &[String],
    path: &[String],
) -> Option<(&'s SourceFile, &'s Item)> {
    let (name, way) = path.split_last()?;
    let way = match way.split_first() {
        Some((first, rest)) if first == "crate" => rest.to_vec(),
        Some((first, rest)) if first == "self" => [module, rest].concat(),
        _ => [module, way].concat(),
    };
    let file = source.file(&way)?;
    let is_it = |item: &&Item| named(item).is_some_and(|(_, _, ident)| ident == name);
    if let Some(item) = file.syntax.items.iter().find(is_it) {
        return Some((file, item));
    }
    let mut imported = file.syntax.items.iter().filter_map(|item| match item {
        Item::Use(import) => own_names(&import.tree).find(|path| path.last() == Some(name)),
        _ => None,
    });
    let through = imported.next()?;
    (through != path || way != module)
        .then(|| resolve(source, &way, &through))
        .flatten()
}

/// The paths of a `use`, without renamed ones and globs.
fn own_names(tree: &UseTree) -> impl Iterator<Item = Vec<String>> {
    let imports = imports(tree, &[]).into_iter();
    let own = imports
        .filter(|import| import.name.is_some() && import.name == import.path.last().cloned());
    own.map(|import| import.path)
}

/// Whether something is public and documented; not so `#[cfg(doctest)]`, nor a procedural macro, whose page is that of
/// its re-export.
fn is_shown(visibility: &Visibility, attributes: &[Attribute]) -> bool {
    let has = |name: &str, word: &str| {
        let mut named = attributes.iter().filter(|a| a.path().is_ident(name));
        named.any(|a| tokens(a).contains(word))
    };
    matches!(visibility, Visibility::Public(_))
        && !has("doc", "hidden")
        && !has("cfg", "doctest")
        && !attributes
            .iter()
            .any(|a| a.path().is_ident("proc_macro_attribute"))
}

/// Whether documentation has a block of code that is compiled, or is a file.
fn has_example(attributes: &[Attribute]) -> bool {
    let documentation = attributes.iter().filter(|a| a.path().is_ident("doc"));
    let text: Vec<_> = documentation.map(tokens).collect();
    text.iter().any(|line| line.contains("include_str"))
        || opening_fences(text.join("\n").lines()).any(is_compiled)
}

/// What stands behind the three backticks at the beginning of each block of code.
fn opening_fences<'t>(lines: impl Iterator<Item = &'t str>) -> impl Iterator<Item = &'t str> {
    lines
        .filter_map(|line| line.trim_start().strip_prefix("```"))
        .step_by(2)
}

/// Whether rustdoc compiles a block with these words.
fn is_compiled(words: &str) -> bool {
    words
        .split(',')
        .map(str::trim)
        .all(|word| matches!(word, "" | "rust" | "no_run" | "should_panic"))
}

fn tokens(attribute: &Attribute) -> String {
    match &attribute.meta {
        syn::Meta::Path(_) => String::new(),
        syn::Meta::List(list) => list.tokens.to_string(),
        syn::Meta::NameValue(pair) => match &pair.value {
            syn::Expr::Lit(literal) => match &literal.lit {
                syn::Lit::Str(text) => text.value(),
                _ => String::new(),
            },
            syn::Expr::Macro(call) => call
                .mac
                .path
                .segments
                .iter()
                .map(|s| s.ident.to_string())
                .collect(),
            _ => String::new(),
        },
    }
}

fn child(module: &[String], name: &Ident) -> Vec<String> {
    [module, &[name.to_string()]].concat()
}

impl Source {
    fn file(&self, module: &[String]) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.module == module)
    }
}

impl fmt::Display for WithoutExample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, name } = self;
        write!(f, "{}:{line}: `{name}` has no example", path.display())
    }
}
