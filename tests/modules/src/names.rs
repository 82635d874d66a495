//! Name resolution: follows a path through imports and re-exports to the module that defines its item.

use std::collections::{HashMap, HashSet};

use syn::{Attribute, ImplItem, Item, ItemImpl, Type, UseTree};

use crate::configuration::is_for_tests;
use crate::source::Source;

/// The index of a file in [`Source::files`].
pub(crate) type FileId = usize;
/// A module, inline or not.
pub(crate) type ScopeId = usize;

/// All names of a crate.
pub(crate) struct Names {
    scopes: Vec<Scope>,
    /// Textually scoped macros, with the files that define them.
    macros: HashMap<String, FileId>,
    /// The files with a type's inherent methods.
    methods: HashMap<(Definition, String), Vec<FileId>>,
}

struct Scope {
    file: FileId,
    parent: Option<ScopeId>,
    names: HashMap<String, Vec<Meaning>>,
    globs: Vec<Vec<String>>,
}

#[derive(Clone)]
enum Meaning {
    Type,
    /// A function, constant or macro: no path leads further.
    Value,
    Module(ScopeId),
    Import(Vec<String>),
}

/// A type or trait, where it is defined.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Definition {
    pub(crate) scope: ScopeId,
    pub(crate) name: String,
}

/// What a path resolves to in this crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Module(ScopeId),
    /// A type, and the next name in the path: a method or variant.
    Type(Definition, Option<String>),
    /// A value, with the module that defines it.
    Value(ScopeId),
}

/// A leaf of a `use`: its path and local name; `None` for a glob.
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    pub(crate) name: Option<String>,
}

impl Names {
    pub(crate) fn of(source: &Source) -> Self {
        let mut names = Self {
            scopes: Vec::new(),
            macros: HashMap::new(),
            methods: HashMap::new(),
        };
        let mut scopes = HashMap::new();
        for (file, source) in source.files.iter().enumerate() {
            let parent = source
                .module
                .split_last()
                .map(|(name, parent)| (name, scopes[parent]));
            let scope = names.add_scope(file, parent.map(|(_, scope)| scope));
            if let Some((name, parent)) = parent {
                names.mean(parent, name.clone(), Meaning::Module(scope));
            }
            scopes.insert(source.module.clone(), scope);
            names.add_items(scope, &source.module, &source.syntax.items, &mut scopes);
        }
        for source in &source.files {
            names.add_methods(scopes[&source.module], &source.syntax.items);
        }
        names
    }

    /// The scope of a file or an inline module.
    pub(crate) fn scope(&self, module: &[String]) -> ScopeId {
        module
            .iter()
            .fold(0, |scope, name| self.child(scope, name).unwrap_or(scope))
    }

    /// The child module of this name.
    pub(crate) fn child(&self, scope: ScopeId, name: &str) -> Option<ScopeId> {
        let meanings = self.scopes[scope].names.get(name)?;
        meanings.iter().find_map(|meaning| match meaning {
            Meaning::Module(child) => Some(*child),
            _ => None,
        })
    }

    /// What a path in a scope resolves to; nothing if it leaves the crate.
    pub(crate) fn resolve(&self, scope: ScopeId, path: &[String]) -> Vec<Found> {
        self.follow(scope, path, &mut HashSet::new())
    }

    pub(crate) fn file(&self, scope: ScopeId) -> FileId {
        self.scopes[scope].file
    }

    /// The file that defines a textually scoped macro.
    pub(crate) fn macro_file(&self, name: &str) -> Option<FileId> {
        self.macros.get(name).copied()
    }

    /// The files in which a type has an inherent method of this name.
    pub(crate) fn method_files(&self, of: &Definition, method: &str) -> &[FileId] {
        let key = (of.clone(), method.to_owned());
        self.methods.get(&key).map_or(&[], Vec::as_slice)
    }

    fn follow(
        &self,
        scope: ScopeId,
        path: &[String],
        seen: &mut HashSet<(ScopeId, String)>,
    ) -> Vec<Found> {
        let Some((first, rest)) = path.split_first() else {
            return Vec::new();
        };
        let mut found = match first.as_str() {
            "crate" => vec![Found::Module(0)],
            "self" => vec![Found::Module(scope)],
            "super" => self.parent(scope),
            name => self.lookup(scope, name, seen),
        };
        for segment in rest {
            let step = |found: Found| match found {
                Found::Module(scope) if segment == "super" => self.parent(scope),
                Found::Module(scope) if segment == "self" => vec![Found::Module(scope)],
                Found::Module(scope) => self.lookup(scope, segment, seen),
                Found::Type(of, after) => {
                    vec![Found::Type(of, after.or_else(|| Some(segment.clone())))]
                }
                Found::Value(_) => Vec::new(),
            };
            found = found.into_iter().flat_map(step).collect();
        }
        found
    }

    fn parent(&self, scope: ScopeId) -> Vec<Found> {
        let parent = self.scopes[scope].parent.map(Found::Module);
        parent.into_iter().collect()
    }

    /// What a name means in a module: its own item, or else one from globs. Imports of names in `seen` are being
    /// followed, and not followed again: `use lock::lock` resolves by the module `lock` alone.
    fn lookup(
        &self,
        scope: ScopeId,
        name: &str,
        seen: &mut HashSet<(ScopeId, String)>,
    ) -> Vec<Found> {
        let key = (scope, name.to_owned());
        let is_first = seen.insert(key.clone());
        let meanings = self.scopes[scope].names.get(name);
        let mut found = Vec::new();
        for meaning in meanings.into_iter().flatten() {
            match meaning {
                Meaning::Type => {
                    let name = name.to_owned();
                    found.push(Found::Type(Definition { scope, name }, None));
                }
                Meaning::Value => found.push(Found::Value(scope)),
                Meaning::Module(module) => found.push(Found::Module(*module)),
                Meaning::Import(path) if is_first => found.extend(self.follow(scope, path, seen)),
                Meaning::Import(_) => {}
            }
        }
        if meanings.is_none() && is_first {
            for glob in &self.scopes[scope].globs {
                for module in self.follow(scope, glob, seen) {
                    if let Found::Module(module) = module {
                        found.extend(self.lookup(module, name, seen));
                    }
                }
            }
        }
        if is_first {
            seen.remove(&key);
        }
        found
    }

    fn add_scope(&mut self, file: FileId, parent: Option<ScopeId>) -> ScopeId {
        self.scopes.push(Scope {
            file,
            parent,
            names: HashMap::new(),
            globs: Vec::new(),
        });
        self.scopes.len() - 1
    }

    fn mean(&mut self, scope: ScopeId, name: String, meaning: Meaning) {
        self.scopes[scope]
            .names
            .entry(name)
            .or_default()
            .push(meaning);
    }

    fn add_items(
        &mut self,
        scope: ScopeId,
        module: &[String],
        items: &[Item],
        scopes: &mut HashMap<Vec<String>, ScopeId>,
    ) {
        for item in items.iter().filter(|item| !is_for_tests(attributes(item))) {
            match item {
                Item::Use(item) => {
                    for import in imports(&item.tree) {
                        match import.name {
                            Some(name) => self.mean(scope, name, Meaning::Import(import.path)),
                            None => self.scopes[scope].globs.push(import.path),
                        }
                    }
                }
                Item::Mod(item) => {
                    let Some((_, items)) = &item.content else {
                        continue;
                    };
                    let name = item.ident.to_string();
                    let module = [module, std::slice::from_ref(&name)].concat();
                    let inner = match scopes.get(&module) {
                        Some(known) => *known,
                        None => self.add_scope(self.scopes[scope].file, Some(scope)),
                    };
                    scopes.insert(module.clone(), inner);
                    self.mean(scope, name, Meaning::Module(inner));
                    self.add_items(inner, &module, items, scopes);
                }
                Item::Macro(item) => {
                    let Some(name) = item.ident.as_ref().map(ToString::to_string) else {
                        continue;
                    };
                    self.macros.insert(name.clone(), self.scopes[scope].file);
                    self.mean(scope, name, Meaning::Value);
                }
                other => {
                    if let Some((name, meaning)) = defined(other) {
                        self.mean(scope, name, meaning);
                    }
                }
            }
        }
    }

    fn add_methods(&mut self, scope: ScopeId, items: &[Item]) {
        for item in items.iter().filter(|item| !is_for_tests(attributes(item))) {
            match item {
                Item::Mod(item) => {
                    let inner = self.child(scope, &item.ident.to_string());
                    if let (Some(inner), Some((_, items))) = (inner, &item.content) {
                        self.add_methods(inner, items);
                    }
                }
                Item::Impl(item) if item.trait_.is_none() => {
                    let Some(of) = self.implemented(scope, item) else {
                        continue;
                    };
                    for method in item.items.iter().filter_map(associated) {
                        let key = (of.clone(), method);
                        self.methods
                            .entry(key)
                            .or_default()
                            .push(self.scopes[scope].file);
                    }
                }
                _ => {}
            }
        }
    }

    /// The type of this crate that an `impl` is for.
    pub(crate) fn implemented(&self, scope: ScopeId, item: &ItemImpl) -> Option<Definition> {
        let Type::Path(of) = item.self_ty.as_ref() else {
            return None;
        };
        let found = self.resolve(scope, &segments(&of.path));
        found.into_iter().find_map(|found| match found {
            Found::Type(definition, _) => Some(definition),
            Found::Module(_) | Found::Value(_) => None,
        })
    }
}

/// The leaves of a `use`.
pub(crate) fn imports(tree: &UseTree) -> Vec<Import> {
    let mut found = Vec::new();
    collect(tree, &mut Vec::new(), &mut found);
    found
}

fn collect(tree: &UseTree, before: &mut Vec<String>, found: &mut Vec<Import>) {
    let mut leaf = |name: String, renamed: String| {
        let mut path = before.clone();
        // `x::{self}` is `x`.
        let is_self = name == "self" && !path.is_empty();
        let own = path.last().cloned().filter(|_| is_self);
        if !is_self {
            path.push(name.clone());
        }
        let name = if renamed == "self" {
            own.unwrap_or(renamed)
        } else {
            renamed
        };
        let name = Some(name);
        found.push(Import { path, name });
    };
    match tree {
        UseTree::Name(name) => leaf(name.ident.to_string(), name.ident.to_string()),
        UseTree::Rename(name) => leaf(name.ident.to_string(), name.rename.to_string()),
        UseTree::Glob(_) => found.push(Import {
            path: before.clone(),
            name: None,
        }),
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            collect(&path.tree, before, found);
            before.pop();
        }
        UseTree::Group(group) => group
            .items
            .iter()
            .for_each(|tree| collect(tree, before, found)),
    }
}

/// The names of a path, without generic arguments.
pub(crate) fn segments(path: &syn::Path) -> Vec<String> {
    let named = |segment: &syn::PathSegment| segment.ident.to_string();
    path.segments.iter().map(named).collect()
}

fn defined(item: &Item) -> Option<(String, Meaning)> {
    let (name, meaning) = match item {
        Item::Const(item) => (&item.ident, Meaning::Value),
        Item::Enum(item) => (&item.ident, Meaning::Type),
        Item::Fn(item) => (&item.sig.ident, Meaning::Value),
        Item::Static(item) => (&item.ident, Meaning::Value),
        Item::Struct(item) => (&item.ident, Meaning::Type),
        Item::Trait(item) => (&item.ident, Meaning::Type),
        Item::Type(item) => (&item.ident, Meaning::Type),
        Item::Union(item) => (&item.ident, Meaning::Type),
        _ => return None,
    };
    Some((name.to_string(), meaning))
}

fn associated(item: &ImplItem) -> Option<String> {
    let name = match item {
        ImplItem::Const(item) => &item.ident,
        ImplItem::Fn(item) => &item.sig.ident,
        ImplItem::Type(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

/// The attributes of an item.
pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
