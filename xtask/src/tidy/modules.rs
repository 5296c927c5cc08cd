//! A crate's modules as the compiler finds them: which file holds which module, what each one names, and which file
//! defines what is named.
//!
//! Types are not known here, so a method called on a value does not count. A path does, also in the arguments of a
//! macro and in a string in an attribute. What is compiled only for tests is read, so that its files are known, but
//! names nothing.

mod paths;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use syn::ext::IdentExt;
use syn::visit::Visit;
use syn::{Item, ItemMod};

use self::paths::{Import, Paths, Reference, attributes, defined, for_tests, path_attribute};
use crate::workspace::Sources;

/// One crate: a library or a program with all its modules.
pub(super) struct Modules {
    files: Vec<SourceFile>,
    modules: Vec<Module>,
}

/// A file of a crate.
pub(super) struct SourceFile {
    /// Where it lies, from the root of the checkout.
    pub(super) path: PathBuf,
    /// The file that declares it; nothing for the crate's own.
    pub(super) parent: Option<usize>,
    /// Its module, as in `crate::image::flat`.
    pub(super) name: String,
}

/// A file that names something of another.
pub(super) struct Naming {
    /// The file that names.
    pub(super) from: usize,
    /// The file that defines what is named.
    pub(super) to: usize,
    /// The line.
    pub(super) line: usize,
    /// The path as it is written.
    pub(super) path: String,
}

#[derive(Default)]
struct Module {
    name: String,
    file: usize,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    /// Everything defined here that is no module.
    items: BTreeSet<String>,
    imports: Vec<Import>,
    references: Vec<Reference>,
    /// Compiled for tests only.
    for_tests: bool,
}

/// What a path leads to.
#[derive(Clone, Copy)]
enum Place {
    Module(usize),
    /// Something that is defined in this module.
    Item(usize),
}

impl Modules {
    /// Reads the crate that begins with this file.
    pub(super) fn read(root: &Path, sources: &Sources) -> Result<Self> {
        let mut all = Self {
            files: Vec::new(),
            modules: Vec::new(),
        };
        let folder = root.parent().unwrap_or(Path::new(""));
        let module = Module {
            name: "crate".to_owned(),
            ..Module::default()
        };
        all.read_file(root, folder, module, sources)?;
        Ok(all)
    }

    /// All files of the crate, its own first.
    pub(super) fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// A file and all that hold it, the crate's own first.
    pub(super) fn ancestry(&self, file: usize) -> Vec<usize> {
        let mut line: Vec<usize> =
            std::iter::successors(Some(file), |&at| self.files[at].parent).collect();
        line.reverse();
        line
    }

    /// The module under the crate's own file that a file is in; nothing for the crate's own.
    pub(super) fn room(&self, file: usize) -> Option<&str> {
        let top = *self.ancestry(file).get(1)?;
        self.files[top].name.strip_prefix("crate::")
    }

    /// Everything that one file names of another, the first place only where it does so more often.
    pub(super) fn namings(&self) -> Vec<Naming> {
        let mut first = BTreeMap::new();
        for (at, module) in self.modules.iter().enumerate() {
            if module.for_tests {
                continue;
            }
            let imports = module
                .imports
                .iter()
                .map(|import| (&import.target, import.alias.is_none()));
            let references = module.references.iter().map(|path| (path, false));
            for (path, is_glob) in imports.chain(references) {
                let target = match self.resolve(at, &path.segments, &mut Vec::new()) {
                    Some(Place::Item(target)) => target,
                    Some(Place::Module(target)) if is_glob => target,
                    // A module that is only imported is named where something of it is used.
                    Some(Place::Module(_)) | None => continue,
                };
                let (from, to) = (module.file, self.modules[target].file);
                if from != to {
                    first.entry((from, to)).or_insert_with(|| Naming {
                        from,
                        to,
                        line: path.line,
                        path: path.segments.join("::"),
                    });
                }
            }
        }
        first.into_values().collect()
    }

    /// Reads a file with the module in it; its children lie in `folder`.
    fn read_file(
        &mut self,
        path: &Path,
        folder: &Path,
        mut module: Module,
        sources: &Sources,
    ) -> Result<usize> {
        let text = sources
            .get(path)
            .with_context(|| format!("{} is not there", path.display()))?;
        let syntax = syn::parse_file(text)
            .with_context(|| format!("{} cannot be parsed", path.display()))?;
        module.file = self.files.len();
        module.for_tests |= for_tests(&syntax.attrs);
        let parent = module.parent.map(|parent| self.modules[parent].file);
        let above = module
            .parent
            .map(|parent| format!("{}::", self.full_name(parent)));
        self.files.push(SourceFile {
            path: path.to_path_buf(),
            parent,
            name: above.unwrap_or_default() + &module.name,
        });
        self.read_items(&syntax.items, folder, module, sources)
    }

    fn full_name(&self, module: usize) -> String {
        let line = std::iter::successors(Some(module), |&at| self.modules[at].parent);
        let mut names: Vec<&str> = line.map(|at| self.modules[at].name.as_str()).collect();
        names.reverse();
        names.join("::")
    }

    /// Adds a module with these items, and its children.
    fn read_items(
        &mut self,
        items: &[Item],
        folder: &Path,
        mut module: Module,
        sources: &Sources,
    ) -> Result<usize> {
        let mut paths = Paths::default();
        for item in items {
            if !for_tests(attributes(item))
                && let Some(name) = defined(item)
            {
                module.items.insert(name.unraw().to_string());
            }
            paths.visit_item(item);
        }
        module.imports = paths.imports;
        module.references = paths.references;
        let at = self.modules.len();
        let (file, tests_only) = (module.file, module.for_tests);
        self.modules.push(module);
        for declaration in items.iter().filter_map(|item| match item {
            Item::Mod(declaration) => Some(declaration),
            _ => None,
        }) {
            let name = declaration.ident.unraw().to_string();
            let child = Module {
                name: name.clone(),
                file,
                parent: Some(at),
                for_tests: tests_only || for_tests(&declaration.attrs),
                ..Module::default()
            };
            let child = match &declaration.content {
                Some((_, items)) => self.read_items(items, &folder.join(&name), child, sources)?,
                None => {
                    let (path, folder) = self.file_of(declaration, &name, file, folder, sources);
                    self.read_file(&path, &folder, child, sources)?
                }
            };
            self.modules[at].children.insert(name, child);
        }
        Ok(at)
    }

    /// The file that `mod name;` means, and the folder of its children.
    fn file_of(
        &self,
        declaration: &ItemMod,
        name: &str,
        file: usize,
        folder: &Path,
        sources: &Sources,
    ) -> (PathBuf, PathBuf) {
        if let Some(path) = path_attribute(&declaration.attrs) {
            let beside = self.files[file].path.parent().unwrap_or(Path::new(""));
            let path = without_dots(&beside.join(path));
            let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
            return (path, folder);
        }
        let inner = folder.join(name);
        let plain = inner.with_extension("rs");
        if sources.contains_key(&plain) {
            (plain, inner)
        } else {
            (inner.join("mod.rs"), inner)
        }
    }

    /// What a path leads to that is written in this module; nothing when it leads out of the crate.
    fn resolve(
        &self,
        from: usize,
        segments: &[String],
        tried: &mut Vec<(usize, String)>,
    ) -> Option<Place> {
        let (first, rest) = segments.split_first()?;
        let mut place = match first.as_str() {
            "crate" => Place::Module(0),
            "self" => Place::Module(from),
            "super" => Place::Module(self.modules[from].parent?),
            name => self.find(from, name, tried)?,
        };
        for segment in rest {
            // What follows an item is its own: a variant, an associated function.
            let Place::Module(module) = place else {
                break;
            };
            place = match segment.as_str() {
                "self" => place,
                "super" => Place::Module(self.modules[module].parent?),
                // What a macro made, or came from outside, is the module's as well.
                name => self
                    .find(module, name, tried)
                    .unwrap_or(Place::Item(module)),
            };
        }
        Some(place)
    }

    /// What a name means in a module: its own, what it imports, what it takes in by a glob.
    fn find(&self, module: usize, name: &str, tried: &mut Vec<(usize, String)>) -> Option<Place> {
        if tried
            .iter()
            .any(|(at, known)| *at == module && known == name)
        {
            return None;
        }
        tried.push((module, name.to_owned()));
        let Module {
            children,
            items,
            imports,
            ..
        } = &self.modules[module];
        if let Some(child) = children.get(name) {
            return Some(Place::Module(*child));
        }
        if items.contains(name) {
            return Some(Place::Item(module));
        }
        let named = imports
            .iter()
            .find(|import| import.alias.as_deref() == Some(name));
        if let Some(import) = named {
            return self.resolve(module, &import.target.segments, tried);
        }
        let globs = imports.iter().filter(|import| import.alias.is_none());
        globs.into_iter().find_map(|glob| {
            match self.resolve(module, &glob.target.segments, tried)? {
                Place::Module(source) => self.find(source, name, tried),
                Place::Item(_) => None,
            }
        })
    }
}

/// A path without the `..` that lead back out of its own folders.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the files of a crate name of each other, as modules.
    fn namings(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let sources = files
            .iter()
            .map(|(path, text)| (PathBuf::from(path), (*text).to_owned()))
            .collect();
        let modules = Modules::read(Path::new(files[0].0), &sources).expect("the files are right");
        let name = |file: usize| modules.files()[file].name.clone();
        let namings = modules.namings().into_iter();
        namings
            .map(|naming| (name(naming.from), name(naming.to)))
            .collect()
    }

    /// What `a` names, when it has these lines, in a crate with the modules `a`, `b` and `b::inner`.
    fn named_by_a(lines: &str) -> Vec<String> {
        let namings = namings(&[
            (
                "src/lib.rs",
                "mod a; mod b; pub use b::Deep; pub use self::b::inner::*;",
            ),
            ("src/a.rs", lines),
            (
                "src/b.rs",
                "pub mod inner; pub struct B; pub use inner::Deep;",
            ),
            (
                "src/b/inner.rs",
                "pub struct Deep; pub struct Other; pub fn work() {}",
            ),
        ]);
        let by_a = namings.into_iter().filter(|(from, _)| from == "crate::a");
        by_a.map(|(_, to)| to).collect()
    }

    #[test]
    fn every_way_to_name_something_leads_to_the_file_that_defines_it() {
        for lines in [
            "use crate::b::B;",
            "use super::b::B;",
            "use crate::{a, b::{self, B as _}};",
            "use crate::b; fn f() -> b::B { todo!() }",
            "use crate::b as other; const X: other::B = other::B;",
            "fn f() { let _ = crate::b::B; }",
            "fn f() { use super::b::B; }",
            "fn f(_: Vec<Option<crate::b::B>>) {}",
            "fn f() { vec![(1, crate::b::B)]; }",
            "fn f() { html! { <super::b::B key={1} /> }; }",
            "macro_rules! m { () => { $crate::b::B }; }",
            "#[serde(with = \"crate::b::B\")] struct A;",
            "mod inside { use super::super::b::B; }",
            "mod inside { fn f() { crate::b::B::new(); } }",
            "use crate::b::made_by_a_macro;",
        ] {
            assert_eq!(named_by_a(lines), ["crate::b"], "{lines}");
        }
    }

    #[test]
    fn what_is_exported_again_belongs_to_the_file_that_defines_it() {
        for lines in [
            "use crate::Deep;",
            "use crate::b::Deep;",
            "use crate::Other;",
            "use super::*; fn f() { crate::b::Deep::new(); }",
            "fn f() { crate::b::inner::work(); }",
            "use crate::b::inner; fn f() { inner::work(); }",
        ] {
            let named = named_by_a(lines);
            assert!(
                named.contains(&"crate::b::inner".to_owned()),
                "{lines}: {named:?}"
            );
            assert!(
                !named.contains(&"crate::b".to_owned()),
                "{lines}: {named:?}"
            );
        }
    }

    #[test]
    fn what_leads_out_of_the_crate_or_is_for_tests_only_names_nothing() {
        for lines in [
            "use std::b::B;",
            "use ::b::B;",
            "use crate::b;",
            "fn f() { b::B; B::new(); vec![x::b::B, ::b::B]; }",
            "/// See [`crate::b::B`].\nstruct A;",
            "#[cfg(test)] mod tests { use crate::b::B; }",
            "#[cfg(test)] use crate::b::B;",
            "#[cfg(all(test, unix))] fn f() { crate::b::B; }",
            "struct A; impl A { #[cfg(test)] fn f() { crate::b::B; } }",
        ] {
            assert_eq!(named_by_a(lines), [""; 0], "{lines}");
        }
        assert_eq!(
            named_by_a("#[cfg(any(test, unix))] use crate::b::B; #[cfg(not(test))] fn f() {}"),
            ["crate::b"]
        );
    }

    #[test]
    fn files_are_found_where_the_compiler_looks() {
        let sources: Sources = [
            (
                "src/main.rs",
                "mod folder; mod file; #[path = \"../odd/name.rs\"] mod odd;",
            ),
            ("src/folder/mod.rs", "mod child;"),
            ("src/folder/child.rs", ""),
            (
                "src/file.rs",
                "mod inline { mod below; } #[cfg(test)] mod tests;",
            ),
            ("src/file/inline/below.rs", ""),
            ("src/file/tests.rs", ""),
            ("odd/name.rs", ""),
            ("src/forgotten.rs", ""),
        ]
        .into_iter()
        .map(|(path, text)| (PathBuf::from(path), text.to_owned()))
        .collect();
        let modules =
            Modules::read(Path::new("src/main.rs"), &sources).expect("all files are there");
        let mut found: Vec<&Path> = modules
            .files()
            .iter()
            .map(|file| file.path.as_path())
            .collect();
        found.sort();
        let expected = sources
            .keys()
            .filter(|path| !path.ends_with("forgotten.rs"));
        assert_eq!(found, expected.collect::<Vec<_>>());
    }
}
