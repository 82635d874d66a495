//! An impl with its cached methods, and what those have outside of it.

use proc_macro2::{Delimiter, Group, TokenStream};
use quote::{ToTokens as _, format_ident, quote};
use syn::punctuated::Punctuated;
use syn::{GenericParam, Generics, Ident, Token, TypeParamBound, Visibility, WherePredicate};

use super::accessor::Accessor;
use super::expanded::{Expanded, Outside, OutsideCompanion};
use super::quoting::code;
use super::{attributes, hidden_names, signature};
use crate::parse::{Companions, Header, Implementation, has_word};

/// The whole: the impl with its members as expanded, and what stands outside of it.
pub(crate) fn implementation(
    of: &Implementation,
    companions: &Companions,
    members: Vec<Expanded>,
) -> TokenStream {
    let (items, outside): (Vec<_>, Vec<_>) = members
        .into_iter()
        .map(|member| (member.item, member.outside))
        .unzip();
    let outside: Vec<Outside> = outside.into_iter().flatten().collect();
    let mut body = Group::new(Delimiter::Brace, items.into_iter().collect());
    body.set_span(of.braces);
    let header = &of.header;
    let rest = (!outside.is_empty()).then(|| {
        let hidden = hidden(header, &outside);
        let companions = CompanionImpl::of(header, companions).companions(header, &outside);
        code!(#hidden #companions)
    });
    let (written, used) = (&of.written, used(of));
    quote!(#written #body #used #rest)
}

/// Uses of the methods' attributes, whose imports would count as unused: the attribute of the impl has taken them away.
fn used(of: &Implementation) -> TokenStream {
    let cfg = attributes::cfg_of(&of.header);
    let used = of.attributes.iter().map(|path| {
        code! {
            #cfg
            const _: () = {
                #[allow(unused_imports)]
                use #path as _;
            };
        }
    });
    used.collect()
}

/// The hidden trait, and its impl.
fn hidden(header: &Header, outside: &[Outside]) -> TokenStream {
    let (name, of_trait, ty) = (
        hidden_names::trait_name(header),
        &header.of_trait,
        &header.self_type,
    );
    let (generics, arguments, clause) = header.generics.split_for_impl();
    let (cfg, lints) = (attributes::cfg_of(header), attributes::lints_of(header));
    let declarations = outside.iter().map(|method| &method.declarations);
    let definitions = outside.iter().map(|method| &method.definitions);
    code! {
        #cfg
        #[doc(hidden)]
        #[rust_analyzer::completions(ignore_methods)]
        #[allow(non_camel_case_types, dead_code, clippy::too_many_arguments, clippy::type_complexity, clippy::ptr_arg, clippy::extra_unused_lifetimes, clippy::extra_unused_type_parameters)]
        trait #name #generics: #of_trait #clause { #(#declarations)* }

        #cfg
        #lints
        #[doc(hidden)]
        impl #generics #name #arguments for #ty #clause { #(#definitions)* }
    }
}

/// The impl that companions stand in.
enum CompanionImpl {
    /// In an inherent impl of the type.
    Inherent(Visibility),
    /// In an extension trait.
    Trait(Option<Visibility>, Ident),
}

impl CompanionImpl {
    fn of(header: &Header, companions: &Companions) -> Self {
        let visibility = companions.visibility.clone();
        match &companions.in_trait {
            Some(name) => Self::Trait(visibility, name.clone()),
            None if header.is_visibly_foreign() => {
                let name = format_ident!("{}_companions", hidden_names::trait_name(header));
                Self::Trait(visibility, name)
            }
            // They are as visible as the type, as a trait's methods are.
            None => Self::Inherent(visibility.unwrap_or(Visibility::Public(Default::default()))),
        }
    }

    fn companions(&self, header: &Header, outside: &[Outside]) -> TokenStream {
        match self {
            Self::Inherent(visibility) => inherent(header, visibility, outside),
            Self::Trait(visibility, name) => extension(header, visibility.as_ref(), name, outside),
        }
    }
}

/// Lints that no companion answers for: its types are those of the method, whatever its visibility.
fn lints() -> TokenStream {
    code!(#[allow(private_interfaces, private_bounds, unreachable_pub)])
}

/// The companions in an inherent impl.
fn inherent(header: &Header, visibility: &Visibility, outside: &[Outside]) -> TokenStream {
    let (cfg, lints, ty) = (attributes::cfg_of(header), lints(), &header.self_type);
    let Split { of_impl, of_each } = Split::new(header);
    let (generics, _, clause) = of_impl.split_for_impl();
    let companions = outside.iter().map(|method| {
        let attributes = &method.attributes;
        let companion = match &method.companion {
            OutsideCompanion::Accessor(accessor) => {
                with_generics(accessor, &of_each).function(visibility)
            }
            OutsideCompanion::Stub(name, ty) => {
                code!(#[doc(hidden)] #visibility fn #name() -> #ty { ::core::unreachable!() })
            }
        };
        code!(#attributes #lints #companion)
    });
    code! {
        #cfg
        #[allow(dead_code)]
        impl #generics #ty #clause { #(#companions)* }
    }
}

/// The companions in an extension trait.
fn extension(
    header: &Header,
    visibility: Option<&Visibility>,
    name: &Ident,
    outside: &[Outside],
) -> TokenStream {
    let (cfg, lints, ty) = (attributes::cfg_of(header), lints(), &header.self_type);
    let (generics, arguments, clause) = header.generics.split_for_impl();
    let declarations = outside.iter().map(|method| {
        let attributes = &method.attributes;
        let declaration = match &method.companion {
            OutsideCompanion::Accessor(accessor) => accessor.declaration(),
            OutsideCompanion::Stub(name, ty) => code!(fn #name() -> #ty;),
        };
        code!(#attributes #declaration)
    });
    let definitions = outside.iter().map(|method| {
        let attributes = &method.attributes;
        let definition = match &method.companion {
            OutsideCompanion::Accessor(accessor) => accessor.function(&Visibility::Inherited),
            OutsideCompanion::Stub(name, ty) => {
                code!(fn #name() -> #ty { ::core::unreachable!() })
            }
        };
        code!(#attributes #definition)
    });
    let of_trait = &header.of_trait;
    let line = format!(
        "The operations on the caches of an impl of `{}`.",
        of_trait.to_token_stream().to_string().replace(' ', "")
    );
    code! {
        #cfg
        #[doc = #line]
        #[allow(non_camel_case_types, dead_code)]
        #lints
        #visibility trait #name #generics: #of_trait #clause { #(#declarations)* }

        #cfg
        impl #generics #name #arguments for #ty #clause { #(#definitions)* }
    }
}

/// The parameters of an impl of a trait, for an inherent impl: those that the type does not mention are parameters of its
/// functions.
struct Split {
    of_impl: Generics,
    of_each: Generics,
}

impl Split {
    fn new(header: &Header) -> Self {
        let ty = header.self_type.to_token_stream();
        let moved: Vec<Ident> = header
            .type_parameters()
            .into_iter()
            .filter(|param| !has_word(ty.clone(), &|word| word == *param))
            .cloned()
            .collect();
        let mentions = |tokens: TokenStream| has_word(tokens, &|word| moved.contains(word));
        let (mut of_impl, mut of_each) = (Generics::default(), Generics::default());
        let mut conditions = Vec::new();
        for mut param in header.generics.params.iter().cloned() {
            if signature::type_parameter(&param).is_some_and(|name| moved.contains(name)) {
                of_each.params.push(param);
                continue;
            }
            if let GenericParam::Type(param) = &mut param {
                let bounds = std::mem::take(&mut param.bounds);
                let (of_each, kept): (Vec<TypeParamBound>, _) = bounds
                    .into_iter()
                    .partition(|bound| mentions(bound.to_token_stream()));
                param.bounds = Punctuated::from_iter::<Vec<_>>(kept);
                let name = &param.ident;
                conditions.extend(
                    of_each
                        .into_iter()
                        .map(|bound| syn::parse_quote!(#name: #bound)),
                );
            }
            of_impl.params.push(param);
        }
        let clause = header.generics.where_clause.iter();
        let (of_each_clause, kept): (Vec<WherePredicate>, Vec<_>) = clause
            .flat_map(|clause| clause.predicates.iter().cloned())
            .partition(|predicate| mentions(predicate.to_token_stream()));
        conditions.extend(of_each_clause);
        add_conditions(&mut of_impl, kept);
        add_conditions(&mut of_each, conditions);
        Self { of_impl, of_each }
    }
}

fn add_conditions(generics: &mut Generics, conditions: Vec<WherePredicate>) {
    if !conditions.is_empty() {
        let conditions: Punctuated<_, Token![,]> = conditions.into_iter().collect();
        generics.make_where_clause().predicates.extend(conditions);
    }
}

/// The companion with more parameters, ahead of its own.
fn with_generics(accessor: &Accessor, more: &Generics) -> Accessor {
    let mut accessor = accessor.clone();
    let own = std::mem::take(&mut accessor.generics.params);
    let (lifetimes, types): (Vec<_>, Vec<_>) = own
        .into_iter()
        .partition(|param| matches!(param, GenericParam::Lifetime(_)));
    let all = lifetimes.into_iter().chain(more.params.iter().cloned());
    accessor.generics.params = all.chain(types).collect();
    let conditions = more.where_clause.iter();
    let conditions = conditions.flat_map(|clause| clause.predicates.iter().cloned());
    add_conditions(&mut accessor.generics, conditions.collect());
    accessor
}
