//! Names: what the modules and types of a crate hold, and which files define what a path names.

use std::collections::HashMap;

use proc_macro2::Ident;
use syn::{Attribute, ImplItem, Item, ItemImpl, Type, UseTree, Visibility};

use crate::configuration::is_for_tests;
use crate::source::Source;

/// The index of a file in [`Source::files`].
pub(crate) type FileId = usize;

/// All names of a crate.
#[derive(Default)]
pub(crate) struct Names {
    /// By full path, `crate::module::Type::method`; a name can be of a module and a function at once.
    meanings: HashMap<String, Vec<Meaning>>,
    /// The globs of modules.
    globs: HashMap<String, Vec<Vec<String>>>,
    /// The files of modules.
    files: HashMap<String, FileId>,
}

enum Meaning {
    Module,
    Type(FileId),
    /// A function, constant or macro: no path leads further.
    Value(FileId),
    Import(Vec<String>),
}

/// An item: its full path, and the file that defines it.
pub(crate) type Found = (String, FileId);

/// A leaf of a `use`.
pub(crate) struct Import {
    /// The name that it declares; `None` for a glob.
    pub(crate) name: Option<String>,
    pub(crate) path: Vec<String>,
}

/// The full path of a name in a module or type.
pub(crate) fn full(within: &str, name: &str) -> String {
    format!("{within}::{name}")
}

impl Names {
    pub(crate) fn of(source: &Source) -> Self {
        let mut names = Self::default();
        for (file, source) in source.files.iter().enumerate() {
            names.mean(source.full_name(), Meaning::Module);
            names.files.insert(source.full_name(), file);
            names.add_items(file, &source.full_name(), &source.syntax.items);
        }
        for (file, source) in source.files.iter().enumerate() {
            names.add_methods(file, &source.full_name(), &source.syntax.items);
        }
        names
    }

    /// Resolves a path in a module, or in a type: to an item, and what follows it within a type. Nothing if the path
    /// leaves the crate, or names a module.
    pub(crate) fn resolve(&self, within: &str, path: &[String]) -> Vec<Found> {
        let mut found = Vec::new();
        self.follow(within, path, &mut Vec::new(), &mut found);
        found
    }

    /// The file of the module above through which a path leads: for `super::x`, the parent, if that has `x` from elsewhere.
    pub(crate) fn door(&self, within: &str, path: &[String]) -> Option<FileId> {
        let levels = path.iter().take_while(|name| *name == "super").count();
        let mut above = within;
        for _ in 0..levels {
            (above, _) = above.rsplit_once("::")?;
        }
        let meanings = self.meanings.get(&full(above, path.get(levels)?))?;
        let are_imports = meanings.iter().all(|it| matches!(it, Meaning::Import(_)));
        let file = self.files.get(above).copied();
        file.filter(|_| levels > 0 && are_imports)
    }

    /// Names in `open` are being followed, and their imports not followed again: `use lock::lock` resolves by the module
    /// `lock` alone.
    fn follow(
        &self,
        within: &str,
        path: &[String],
        open: &mut Vec<String>,
        found: &mut Vec<Found>,
    ) {
        let Some((name, rest)) = path.split_first() else {
            return;
        };
        let parent = within
            .rsplit_once("::")
            .map_or("crate", |(parent, _)| parent);
        match name.as_str() {
            "crate" => return self.follow("crate", rest, open, found),
            "self" => return self.follow(within, rest, open, found),
            "super" => return self.follow(parent, rest, open, found),
            _ => {}
        }
        let full = full(within, name);
        let is_first = !open.contains(&full);
        open.push(full.clone());
        let meanings = self.meanings.get(&full);
        for meaning in meanings.into_iter().flatten() {
            match meaning {
                Meaning::Module => self.follow(&full, rest, open, found),
                Meaning::Type(file) => {
                    found.push((full.clone(), *file));
                    self.follow(&full, rest, open, found);
                }
                Meaning::Value(file) if rest.is_empty() => found.push((full.clone(), *file)),
                Meaning::Import(path) if is_first => {
                    self.follow(within, &[path, rest].concat(), open, found);
                }
                Meaning::Value(_) | Meaning::Import(_) => {}
            }
        }
        let globs = self
            .globs
            .get(within)
            .filter(|_| meanings.is_none() && is_first);
        for glob in globs.into_iter().flatten() {
            self.follow(within, &[glob, path].concat(), open, found);
        }
        open.pop();
    }

    /// The full path of the type of this crate that an `impl` is for.
    pub(crate) fn implemented(&self, module: &str, item: &ItemImpl) -> Option<String> {
        let Type::Path(of) = item.self_ty.as_ref() else {
            return None;
        };
        let segments = of.path.segments.iter();
        let path: Vec<_> = segments.map(|segment| segment.ident.to_string()).collect();
        let (full, _) = self.resolve(module, &path).into_iter().next()?;
        Some(full)
    }

    fn mean(&mut self, full: String, meaning: Meaning) {
        self.meanings.entry(full).or_default().push(meaning);
    }

    fn add_items(&mut self, file: FileId, module: &str, items: &[Item]) {
        for item in items {
            match item {
                Item::Use(item) if !are_for_tests(&item.attrs) => {
                    for Import { name, path } in imports(&item.tree, &[]) {
                        match name {
                            Some(name) => self.mean(full(module, &name), Meaning::Import(path)),
                            None => self.globs.entry(module.to_owned()).or_default().push(path),
                        }
                    }
                }
                Item::Mod(item) if !are_for_tests(&item.attrs) => {
                    if let Some((_, items)) = &item.content {
                        let inner = full(module, &item.ident.to_string());
                        self.mean(inner.clone(), Meaning::Module);
                        self.add_items(file, &inner, items);
                    }
                }
                Item::Macro(item) => {
                    if let Some(name) = &item.ident {
                        self.mean(full(module, &name.to_string()), Meaning::Value(file));
                        self.mean(format!("crate::{name}!"), Meaning::Value(file));
                    }
                }
                other => {
                    if let Some((name, meaning)) = defined(other, file) {
                        self.mean(full(module, &name.to_string()), meaning);
                    }
                }
            }
        }
    }

    /// Adds the inherent methods, wherever they stand, to the types that they are of.
    fn add_methods(&mut self, file: FileId, module: &str, items: &[Item]) {
        for item in items {
            match item {
                Item::Mod(item) => {
                    if let Some((_, items)) = &item.content {
                        self.add_methods(file, &full(module, &item.ident.to_string()), items);
                    }
                }
                Item::Impl(item) if item.trait_.is_none() => {
                    let Some(of) = self.implemented(module, item) else {
                        continue;
                    };
                    for name in item.items.iter().filter_map(associated) {
                        self.mean(full(&of, &name.to_string()), Meaning::Value(file));
                    }
                }
                _ => {}
            }
        }
    }
}

/// Whether an item with these attributes is in no build but those of tests.
pub(crate) fn are_for_tests(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .any(|attribute| is_for_tests(&attribute.meta))
}

/// The leaves of a `use` below a path.
pub(crate) fn imports(tree: &UseTree, path: &[String]) -> Vec<Import> {
    let extended = |name: &Ident| [path, &[name.to_string()]].concat();
    let leaf = |name, path| vec![Import { name, path }];
    match tree {
        UseTree::Path(tree) => imports(&tree.tree, &extended(&tree.ident)),
        UseTree::Group(group) => {
            let trees = group.items.iter();
            trees.flat_map(|tree| imports(tree, path)).collect()
        }
        UseTree::Glob(_) => leaf(None, path.to_vec()),
        // `x::{self}` is `x`.
        UseTree::Name(name) if name.ident == "self" => leaf(path.last().cloned(), path.to_vec()),
        UseTree::Name(name) => leaf(Some(name.ident.to_string()), extended(&name.ident)),
        UseTree::Rename(name) => leaf(Some(name.rename.to_string()), extended(&name.ident)),
    }
}

/// The visibility, the attributes and the name of what has a page of its own.
pub(crate) fn named(item: &Item) -> Option<(&Visibility, &[Attribute], &Ident)> {
    Some(match item {
        Item::Const(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Enum(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Fn(item) => (&item.vis, &item.attrs, &item.sig.ident),
        Item::Static(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Struct(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Trait(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Type(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Union(item) => (&item.vis, &item.attrs, &item.ident),
        _ => return None,
    })
}

fn defined(item: &Item, file: FileId) -> Option<(&Ident, Meaning)> {
    let (_, _, name) = named(item)?;
    let meaning = match item {
        Item::Enum(_) | Item::Struct(_) | Item::Trait(_) | Item::Type(_) | Item::Union(_) => {
            Meaning::Type(file)
        }
        _ => Meaning::Value(file),
    };
    Some((name, meaning))
}

fn associated(item: &ImplItem) -> Option<&Ident> {
    match item {
        ImplItem::Const(item) => Some(&item.ident),
        ImplItem::Fn(item) => Some(&item.sig.ident),
        ImplItem::Type(item) => Some(&item.ident),
        _ => None,
    }
}
