//! Uses among modules, by the paths in their code.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, Expr, ExprMethodCall, ExprPath, ImplItem, Item, ItemImpl, ItemMod, ItemUse,
    Local, Macro, Path, Stmt, TraitItem, TypePath, Visibility,
};

use crate::configuration::is_for_tests;
use crate::names::{Definition, FileId, Found, Names, ScopeId, attributes, imports, segments};
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
    pub(crate) path: PathBuf,
    pub(crate) line: usize,
    /// The source text.
    pub(crate) text: String,
}

impl Graph {
    /// The graph of a crate.
    pub fn of(source: &Source) -> Self {
        let names = Names::of(source);
        let mut graph = Self {
            modules: source.files.iter().map(|file| name(&file.module)).collect(),
            uses: BTreeMap::new(),
        };
        for (file, source) in source.files.iter().enumerate() {
            let mut visitor = Visitor {
                names: &names,
                graph: &mut graph,
                file,
                path: &source.path,
                scope: names.scope(&source.module),
                blocks: Vec::new(),
                own_type: None,
            };
            visitor.visit_file(&source.syntax);
        }
        graph
    }
}

fn name(module: &[String]) -> String {
    match module {
        [] => "lib".to_owned(),
        names => names.join("::"),
    }
}

/// Visits a file and adds its uses.
struct Visitor<'a> {
    names: &'a Names,
    graph: &'a mut Graph,
    file: FileId,
    path: &'a PathBuf,
    scope: ScopeId,
    /// Names declared in enclosing blocks: an import's path, or none for items.
    blocks: Vec<HashMap<String, Vec<String>>>,
    /// The type of the enclosing `impl`.
    own_type: Option<Definition>,
}

impl Visitor<'_> {
    fn add(&mut self, to: FileId, at: Span, text: &str) {
        if to == self.file {
            return;
        }
        let site = || Site {
            path: self.path.clone(),
            line: at.start().line,
            text: text.to_owned(),
        };
        self.graph.uses.entry((self.file, to)).or_insert_with(site);
    }

    /// Adds what a path resolves to.
    fn add_path(&mut self, path: &[String], at: Span) {
        let text = path.join("::");
        if let ("Self", rest) = (path[0].as_str(), &path[1..]) {
            if let Some(method) = rest.first() {
                self.add_own_method(method, at, &text);
            }
            return;
        }
        let meant = self.meant(path);
        for found in self.names.resolve(self.scope, &meant) {
            match found {
                Found::Module(_) => {}
                Found::Value(scope) => self.add(self.names.file(scope), at, &text),
                Found::Type(of, after) => {
                    self.add(self.names.file(of.scope), at, &text);
                    let methods = after
                        .iter()
                        .flat_map(|after| self.names.method_files(&of, after));
                    methods.for_each(|file| self.add(*file, at, &text));
                }
            }
        }
    }

    /// The path after applying the enclosing blocks' imports.
    fn meant(&self, path: &[String]) -> Vec<String> {
        match self
            .blocks
            .iter()
            .rev()
            .find_map(|block| block.get(&path[0]))
        {
            Some(import) if import.is_empty() => Vec::new(),
            Some(import) => [import, &path[1..]].concat(),
            None => path.to_vec(),
        }
    }

    fn add_own_method(&mut self, method: &str, at: Span, text: &str) {
        let names = self.names;
        let files = self
            .own_type
            .as_ref()
            .map(|of| names.method_files(of, method));
        for file in files.into_iter().flatten() {
            self.add(*file, at, text);
        }
    }

    /// Adds paths among a macro's tokens, whose grammar is unknown.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<Ident> = Vec::new();
        let mut tokens = tokens.into_iter().peekable();
        let mut after_dot = false;
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(name) if !after_dot => path.push(name),
                TokenTree::Group(group) => self.add_tokens(group.stream()),
                _ => {}
            }
            let mut next_is = |mark| {
                tokens
                    .next_if(|next| matches!(next, TokenTree::Punct(p) if p.as_char() == mark))
                    .is_some()
            };
            after_dot = next_is('.');
            let goes_on = !path.is_empty() && next_is(':') && next_is(':');
            if !goes_on && let Some(first) = path.first() {
                let at = first.span();
                let names: Vec<_> = path.drain(..).map(|name| name.to_string()).collect();
                self.add_path(&names, at);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Visitor<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes: &[Attribute] = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            _ => &[],
        };
        if !is_for_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let for_tests = matches!(item, TraitItem::Fn(item) if is_for_tests(&item.attrs));
        if !for_tests {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !is_for_tests(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_local(&mut self, local: &'ast Local) {
        if !is_for_tests(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let Some(inner) = self.names.child(self.scope, &item.ident.to_string()) else {
            return;
        };
        let outer = std::mem::replace(&mut self.scope, inner);
        visit::visit_item_mod(self, item);
        self.scope = outer;
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let of = self.names.implemented(self.scope, item);
        let outer = std::mem::replace(&mut self.own_type, of);
        visit::visit_item_impl(self, item);
        self.own_type = outer;
    }

    /// An import uses what it names; a re-export uses nothing until its name is used.
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !matches!(item.vis, Visibility::Inherited) {
            return;
        }
        for import in imports(&item.tree) {
            self.add_path(&import.path, item.use_token.span);
        }
    }

    fn visit_block(&mut self, block: &'ast Block) {
        let mut names = HashMap::new();
        for statement in &block.stmts {
            let Stmt::Item(item) = statement else {
                continue;
            };
            match item {
                Item::Use(item) => {
                    let named = imports(&item.tree).into_iter();
                    names.extend(named.filter_map(|import| Some((import.name?, import.path))));
                }
                Item::Fn(item) => drop(names.insert(item.sig.ident.to_string(), Vec::new())),
                Item::Struct(item) => drop(names.insert(item.ident.to_string(), Vec::new())),
                Item::Enum(item) => drop(names.insert(item.ident.to_string(), Vec::new())),
                _ => {}
            }
        }
        self.blocks.push(names);
        visit::visit_block(self, block);
        self.blocks.pop();
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() {
            self.add_path(&segments(path), path.segments[0].ident.span());
        }
        visit::visit_path(self, path);
    }

    /// The path of `<Type>::method` has no name of this module.
    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        match &path.qself {
            Some(of) if of.position == 0 => self.visit_qself(of),
            _ => visit::visit_expr_path(self, path),
        }
    }

    fn visit_type_path(&mut self, path: &'ast TypePath) {
        match &path.qself {
            Some(of) if of.position == 0 => self.visit_qself(of),
            _ => visit::visit_type_path(self, path),
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if matches!(call.receiver.as_ref(), Expr::Path(path) if path.path.is_ident("self")) {
            let method = call.method.to_string();
            self.add_own_method(&method, call.method.span(), &format!("self.{method}"));
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, invoked: &'ast Macro) {
        let path = segments(&invoked.path);
        let at = invoked.path.segments[0].ident.span();
        let name = &path[path.len() - 1];
        let found = self.names.resolve(self.scope, &self.meant(&path));
        let is_own = path.len() == 1 || path[0] == "crate";
        if let (true, true, Some(file)) = (found.is_empty(), is_own, self.names.macro_file(name)) {
            self.add(file, at, &format!("{name}!"));
        }
        self.add_path(&path, at);
        self.add_tokens(invoked.tokens.clone());
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.text)
    }
}
