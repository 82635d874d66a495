//! The header of an impl, as the companions of its methods need it.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::visit_mut::{self, VisitMut};
use syn::{
    ExprPath, FnArg, GenericParam, Ident, Path, PathArguments, QSelf, Token, Type, WherePredicate,
};

use crate::parse::{Function, Header};

/// Types of the prelude that are not primitive.
const PRELUDE: [&str; 5] = ["Box", "Option", "Result", "String", "Vec"];

const PRIMITIVES: [&str; 17] = [
    "bool", "char", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "isize", "str", "u128", "u16",
    "u32", "u64", "u8", "usize",
];

impl Header {
    /// The names of type and const parameters.
    pub(crate) fn type_parameters(&self) -> Vec<&Ident> {
        let params = self.generics.params.iter();
        params
            .filter_map(|param| match param {
                GenericParam::Type(param) => Some(&param.ident),
                GenericParam::Const(param) => Some(&param.ident),
                _ => None,
            })
            .collect()
    }

    /// Whether the type's looks say that another crate defines it, or that it stands for any type: it can have no inherent
    /// impl here.
    pub(crate) fn is_visibly_foreign(&self) -> bool {
        let mut ty = &self.self_type;
        loop {
            match ty {
                Type::Group(group) => ty = &group.elem,
                Type::Paren(paren) => ty = &paren.elem,
                Type::Path(path) if path.qself.is_none() => {
                    return self.is_foreign_path(&path.path);
                }
                Type::TraitObject(_) | Type::Macro(_) => return false,
                _ => return true,
            }
        }
    }

    fn is_foreign_path(&self, path: &Path) -> bool {
        let Some(first) = path.segments.first() else {
            return false;
        };
        let first_is_one_of = |names: &[&str]| names.iter().any(|name| first.ident == name);
        match path.segments.len() {
            1 => {
                self.type_parameters().contains(&&first.ident)
                    || first_is_one_of(&PRELUDE)
                    || first_is_one_of(&PRIMITIVES)
            }
            _ => first_is_one_of(&["std", "core", "alloc"]),
        }
    }

    /// The type arguments of the trait in small letters, without the impl's own parameters: a type may implement the trait
    /// once for each, so the names of companions hold them.
    pub(crate) fn words_of_trait(&self) -> String {
        let last = self.of_trait.as_ref().and_then(|path| path.segments.last());
        let Some(PathArguments::AngleBracketed(given)) = last.map(|last| &last.arguments) else {
            return String::new();
        };
        let own = self.type_parameters();
        let mut words = String::new();
        add_words(given.args.to_token_stream(), &mut |word| {
            if !own.iter().any(|own| *own == word) && word != "Self" {
                words.push('_');
                words.push_str(&in_snake_case(word));
            }
        });
        words
    }

    /// The function with `Self` and associated types of this impl written out in its signature, the receiver aside.
    pub(crate) fn written_out(&self, function: &Function) -> Function {
        let mut signature = function.signature.clone();
        let mut writing = WriteOut::new(self);
        writing.visit_generics_mut(&mut signature.generics);
        for input in &mut signature.inputs {
            if let FnArg::Typed(argument) = input {
                writing.visit_type_mut(&mut argument.ty);
            }
        }
        writing.visit_return_type_mut(&mut signature.output);
        Function {
            attributes: function.attributes.clone(),
            visibility: function.visibility.clone(),
            signature,
            body: function.body.clone(),
            surroundings: function.surroundings.clone(),
            within: function.within.clone(),
        }
    }

    /// Writes out `Self` and associated types of this impl in a type.
    pub(crate) fn write_out(&self, ty: &mut Type) {
        WriteOut::new(self).visit_type_mut(ty);
    }
}

struct WriteOut<'h> {
    header: &'h Header,
    /// How many associated types of associated types to look into: what is half written may refer to itself.
    depth: usize,
}

impl<'h> WriteOut<'h> {
    const MAX_DEPTH: usize = 8;

    fn new(header: &'h Header) -> Self {
        let depth = Self::MAX_DEPTH;
        Self { header, depth }
    }

    /// The type that a path from `Self` stands for, as far as the impl says.
    fn meaning(&self, path: &Path) -> Option<Type> {
        let header = self.header;
        let mut segments = path.segments.iter();
        if segments.next()?.ident != "Self" {
            return None;
        }
        let Some(associated) = segments.next() else {
            return Some(header.self_type.clone());
        };
        let mut types = header.types.iter();
        let (_, value) = types.find(|(name, _)| *name == associated.ident)?;
        match (value, segments.next()) {
            (Some(value), None) if self.depth > 0 => {
                let (mut value, depth) = (value.clone(), self.depth - 1);
                WriteOut { header, depth }.visit_type_mut(&mut value);
                Some(value)
            }
            _ => {
                let (ty, of_trait) = (&header.self_type, header.of_trait.as_ref()?);
                let rest = path.segments.iter().skip(1);
                Some(syn::parse_quote!(<#ty as #of_trait>#(::#rest)*))
            }
        }
    }
}

impl VisitMut for WriteOut<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let Type::Path(path) = &ty
            && path.qself.is_none()
            && let Some(meaning) = self.meaning(&path.path)
        {
            // Grouped, as in `&Self` for `dyn A + B`.
            *ty = match meaning {
                meaning @ Type::TraitObject(_) => syn::parse_quote!((#meaning)),
                meaning => meaning,
            };
        } else {
            visit_mut::visit_type_mut(self, ty);
        }
    }

    // A constant, as the length of an array.
    fn visit_expr_path_mut(&mut self, constant: &mut ExprPath) {
        let segments = &mut constant.path.segments;
        if constant.qself.is_none() && segments.len() > 1 && segments[0].ident == "Self" {
            *segments = segments.iter().skip(1).cloned().collect();
            constant.path.leading_colon = Some(<Token![::]>::default());
            constant.qself = Some(QSelf {
                lt_token: Default::default(),
                ty: Box::new(self.header.self_type.clone()),
                position: 0,
                as_token: None,
                gt_token: Default::default(),
            });
        }
    }

    fn visit_where_predicate_mut(&mut self, predicate: &mut WherePredicate) {
        // `where Self: Sized` is for the trait to say.
        let is_of_self = matches!(predicate, WherePredicate::Type(of) if of.bounded_ty.to_token_stream().to_string() == "Self");
        if !is_of_self {
            visit_mut::visit_where_predicate_mut(self, predicate);
        }
    }
}

/// Calls a function with each word and number, at any depth, lifetimes aside.
fn add_words(tokens: TokenStream, add: &mut impl FnMut(&str)) {
    let mut follows_tick = false;
    for token in tokens {
        match &token {
            TokenTree::Ident(word) if !follows_tick => {
                add(word.to_string().trim_start_matches("r#"));
            }
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                if text.chars().all(|letter| letter.is_alphanumeric()) {
                    add(&text);
                }
            }
            TokenTree::Group(group) => add_words(group.stream(), add),
            _ => {}
        }
        follows_tick = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '\'');
    }
}

/// `http_request` for `HttpRequest`.
fn in_snake_case(word: &str) -> String {
    let mut snake = String::new();
    let mut follows_small = false;
    for letter in word.chars() {
        if letter.is_uppercase() && follows_small {
            snake.push('_');
        }
        follows_small = !letter.is_uppercase();
        snake.extend(letter.to_lowercase());
    }
    snake
}
