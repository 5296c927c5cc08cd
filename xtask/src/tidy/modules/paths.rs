//! What a module's syntax says: the paths in it, the names of its items, what is only for tests.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ImplItem, Item, ItemUse, Lit, Meta, UseTree};

/// What a `use` brings in.
pub(super) struct Import {
    /// The name under which it is known here; nothing for a glob.
    pub(super) alias: Option<String>,
    pub(super) target: Reference,
}

/// A path as it is written.
pub(super) struct Reference {
    pub(super) segments: Vec<String>,
    pub(super) line: usize,
}

/// Collects what a module names.
#[derive(Default)]
pub(super) struct Paths {
    pub(super) imports: Vec<Import>,
    pub(super) references: Vec<Reference>,
}

impl Paths {
    /// A path of one word says nothing that an import or the module itself has not said.
    fn name(&mut self, segments: Vec<String>, line: usize) {
        if segments.len() > 1 {
            self.references.push(Reference { segments, line });
        }
    }

    fn import(&mut self, tree: &UseTree, before: &[String]) {
        let with = |ident: &Ident| {
            let mut segments = before.to_vec();
            segments.push(ident.unraw().to_string());
            segments
        };
        let (alias, segments, span) = match tree {
            UseTree::Path(path) => return self.import(&path.tree, &with(&path.ident)),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, before);
                }
                return;
            }
            UseTree::Glob(glob) => (None, before.to_vec(), glob.star_token.spans[0]),
            UseTree::Name(name) => {
                let segments = with(&name.ident);
                let is_self = name.ident == "self";
                let alias = if is_self {
                    before.last()
                } else {
                    segments.last()
                };
                (alias.cloned(), segments, name.ident.span())
            }
            UseTree::Rename(rename) => (
                Some(rename.rename.unraw().to_string()),
                with(&rename.ident),
                rename.ident.span(),
            ),
        };
        self.imports.push(Import {
            alias,
            target: Reference {
                segments,
                line: line(span),
            },
        });
    }

    /// Paths among tokens that nobody has parsed: what a macro is given, or an attribute.
    fn tokens(&mut self, tokens: TokenStream, strings_too: bool) {
        let mut path = Vec::new();
        let mut begins = 0;
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.name(std::mem::take(&mut path), begins);
                        begins = line(ident.span());
                    }
                    path.push(ident.unraw().to_string());
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    if colons == 2 && path.is_empty() {
                        // A path from outside, or what follows a type: nothing of this crate is called so.
                        path.push(String::new());
                    }
                    continue;
                }
                TokenTree::Group(group) => self.tokens(group.stream(), strings_too),
                TokenTree::Literal(literal) if strings_too => {
                    if let Lit::Str(text) = Lit::new(literal)
                        && let Ok(path) = text.parse::<syn::Path>()
                    {
                        self.visit_path(&path);
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            self.name(std::mem::take(&mut path), begins);
            colons = 0;
        }
        self.name(path, begins);
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast Item) {
        // Modules are read by themselves.
        if !matches!(item, Item::Mod(_)) && !for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => &Vec::new(),
        };
        if !for_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            self.import(&item.tree, &[]);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let segments = path.segments.iter();
            self.name(
                segments
                    .map(|segment| segment.ident.unraw().to_string())
                    .collect(),
                path.segments
                    .first()
                    .map_or(0, |first| line(first.ident.span())),
            );
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone(), false);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        // The words of documentation are no code.
        if let Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone(), true);
        }
    }
}

fn line(span: Span) -> usize {
    span.start().line
}

/// Whether something is compiled for tests only.
pub(super) fn for_tests(attributes: &[Attribute]) -> bool {
    fn is_test(meta: &Meta) -> bool {
        match meta {
            Meta::Path(path) => path.is_ident("test"),
            Meta::List(list) if list.path.is_ident("cfg") || list.path.is_ident("all") => list
                .parse_args_with(
                    syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated,
                )
                .is_ok_and(|inner| inner.iter().any(is_test)),
            _ => false,
        }
    }
    attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("cfg") && is_test(&attribute.meta))
}

/// The file of `#[path = "…"]`.
pub(super) fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes
        .iter()
        .find_map(|attribute| match &attribute.meta {
            Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
                Expr::Lit(literal) => match &literal.lit {
                    Lit::Str(text) => Some(text.value()),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        })
}

/// The name that an item gives to something that is no module.
pub(super) fn defined(item: &Item) -> Option<&Ident> {
    match item {
        Item::Const(item) => Some(&item.ident),
        Item::Enum(item) => Some(&item.ident),
        Item::Fn(item) => Some(&item.sig.ident),
        Item::Macro(item) => item.ident.as_ref(),
        Item::Static(item) => Some(&item.ident),
        Item::Struct(item) => Some(&item.ident),
        Item::Trait(item) => Some(&item.ident),
        Item::Type(item) => Some(&item.ident),
        Item::Union(item) => Some(&item.ident),
        _ => None,
    }
}

pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
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
