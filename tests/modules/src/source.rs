//! The parsed files of a crate.

use std::path::{Path, PathBuf};
use std::{error, fmt, fs, io};

use syn::{Attribute, File, Item, ItemMod};

use crate::configuration::is_for_tests;

/// A crate's files.
pub struct Source {
    /// Parents before their children; the root first.
    pub(crate) files: Vec<SourceFile>,
}

/// One file, which is one module.
pub(crate) struct SourceFile {
    /// Its path from the root; empty for the root itself.
    pub(crate) module: Vec<String>,
    pub(crate) path: PathBuf,
    pub(crate) syntax: File,
}

/// A file that cannot be read or parsed.
#[derive(Debug)]
pub struct SourceError {
    path: PathBuf,
    reason: String,
}

impl SourceFile {
    /// The module's path from the root, which is `lib`.
    pub(crate) fn name(&self) -> String {
        match &self.module[..] {
            [] => "lib".to_owned(),
            names => names.join("::"),
        }
    }

    /// The module's path in code.
    pub(crate) fn full_name(&self) -> String {
        let root = std::iter::once("crate");
        let names: Vec<_> = root.chain(self.module.iter().map(String::as_str)).collect();
        names.join("::")
    }
}

type Read<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

impl Source {
    /// Reads a crate from its root, a `lib.rs`.
    pub fn read(root: &Path) -> Result<Self, SourceError> {
        Self::read_with(root, &|path| fs::read_to_string(path))
    }

    /// Reads a crate with `read` as the file system.
    pub(crate) fn read_with(root: &Path, read: Read<'_>) -> Result<Self, SourceError> {
        let mut source = Self { files: Vec::new() };
        let folder = root.parent().unwrap_or(Path::new("")).to_owned();
        source.add(Vec::new(), root.to_owned(), &folder, read)?;
        Ok(source)
    }

    /// Adds a file, and the modules it declares in `folder`.
    fn add(
        &mut self,
        module: Vec<String>,
        path: PathBuf,
        folder: &Path,
        read: Read<'_>,
    ) -> Result<(), SourceError> {
        let failed = |reason: String| SourceError {
            path: path.clone(),
            reason,
        };
        let text = read(&path).map_err(|error| failed(error.to_string()))?;
        let syntax = syn::parse_file(&text)
            .map_err(|error| failed(format!("line {}: {error}", error.span().start().line)))?;
        let mut declared = Vec::new();
        declarations(&syntax.items, &module, folder, &mut declared);
        self.files.push(SourceFile {
            module,
            path,
            syntax,
        });
        for Declared { module, file } in declared {
            let (path, folder) = match file {
                ModuleFile::Explicit(path) => (path.clone(), parent(&path)),
                ModuleFile::Usual(stem) => match stem.with_extension("rs") {
                    flat if read(&flat).is_ok() => (flat, stem),
                    _ => (stem.join("mod.rs"), stem),
                },
            };
            self.add(module, path, &folder, read)?;
        }
        Ok(())
    }
}

/// A `mod x;` anywhere in a file.
struct Declared {
    module: Vec<String>,
    file: ModuleFile,
}

enum ModuleFile {
    /// From a `#[path]`.
    Explicit(PathBuf),
    /// Without `.rs` or `/mod.rs`.
    Usual(PathBuf),
}

fn declarations(items: &[Item], module: &[String], folder: &Path, found: &mut Vec<Declared>) {
    for item in items {
        let Item::Mod(declared) = item else { continue };
        if declared.attrs.iter().any(|a| is_for_tests(&a.meta)) {
            continue;
        }
        let name = declared.ident.to_string();
        let module = [module, std::slice::from_ref(&name)].concat();
        let file = match explicit(declared) {
            Some(path) => ModuleFile::Explicit(folder.join(path)),
            None => ModuleFile::Usual(folder.join(&name)),
        };
        match &declared.content {
            Some((_, items)) => declarations(items, &module, &folder.join(&name), found),
            None => found.push(Declared { module, file }),
        }
    }
}

/// The file named by `#[path = ".."]`.
fn explicit(declared: &ItemMod) -> Option<String> {
    let path = |attribute: &Attribute| match &attribute.meta.require_name_value().ok()?.value {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(path),
            ..
        }) => Some(path.value()),
        _ => None,
    };
    let mut named = declared.attrs.iter().filter(|a| a.path().is_ident("path"));
    named.find_map(path)
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_owned()
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

impl error::Error for SourceError {}
