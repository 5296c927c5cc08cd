//! Which tests hold which row of the contract with deployed hubs: `docs/contract-coverage.md`, made from what tests say
//! of themselves and from the table in `rows`. That a test holds a row is shown by a patch in `tests/breakages`, which takes
//! the rule of that row away from the client and has to turn such a test red.
//!
//! A test says in its documentation what it holds: `Contract H5 to H7, D29.` at the beginning of a line. The points of
//! section 12 are `section 12.1` and so on. Other numbers, `6.4` or `section 12` alone, send a reader to a section and
//! hold no row. Tests inside macros, such as those of proptest, are not seen.

mod rows;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprLit, ItemFn, Lit, Meta};

use self::rows::{Note, ROWS, Row};
use crate::breakages::{self, Breakage};
use crate::workspace::{self, Sources};

/// The page.
const PAGE: &str = "docs/contract-coverage.md";

/// What introduces the rows in the documentation of a test.
const WORD: &str = "Contract ";

/// Writes the page.
pub(crate) fn run() -> Result<()> {
    let sources = workspace::sources(&workspace::files()?)?;
    let mut findings = Vec::new();
    let coverage = Coverage::collect(ROWS, &sources, &breakages::all()?, &mut findings)?;
    ensure!(findings.is_empty(), "{}", findings.join("\n"));
    fs::write(workspace::root().join(PAGE), coverage.page())
        .with_context(|| format!("cannot write {PAGE}"))
}

/// Checks that rows and tests fit together and that the page says so, adding to `findings`.
pub(crate) fn check(sources: &Sources, findings: &mut Vec<String>) -> Result<()> {
    let coverage = Coverage::collect(ROWS, sources, &breakages::all()?, findings)?;
    let written = fs::read_to_string(workspace::root().join(PAGE)).unwrap_or_default();
    coverage.compare(&written, findings);
    Ok(())
}

/// What a row is called: `D8`, `H15`, or `12.3` for a point of section 12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Id {
    part: Part,
    number: u32,
}

/// Where in the contract a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// Where deployed hubs differ from what is documented.
    Difference,
    /// What a client has to survive.
    Hazard,
    /// What a running hub showed: section 12.
    Shown,
}

impl Part {
    const ALL: [Self; 3] = [Self::Difference, Self::Hazard, Self::Shown];

    /// What the name of a row begins with.
    fn prefix(self) -> &'static str {
        match self {
            Self::Difference => "D",
            Self::Hazard => "H",
            Self::Shown => "12.",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Difference => "Where deployed hubs differ from what is documented",
            Self::Hazard => "Hazards",
            Self::Shown => "What a running hub showed (section 12)",
        }
    }
}

impl Id {
    fn parse(text: &str) -> Option<Self> {
        Part::ALL.into_iter().find_map(|part| {
            let number = text.strip_prefix(part.prefix())?.parse().ok()?;
            Some(Self { part, number })
        })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.part.prefix(), self.number)
    }
}

/// A test, by the file that it is in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Test {
    file: PathBuf,
    name: String,
}

/// The rows, each with its tests and with the patches that take it away.
struct Coverage<'t> {
    rows: &'t [Row],
    tests: BTreeMap<Id, Vec<Test>>,
    patches: BTreeMap<Id, Vec<String>>,
}

impl<'t> Coverage<'t> {
    /// Joins a table with what tests and patches say; what does not fit goes to `findings`.
    fn collect(
        rows: &'t [Row],
        sources: &Sources,
        breakages: &BTreeMap<String, Breakage>,
        findings: &mut Vec<String>,
    ) -> Result<Self> {
        let mut tests: BTreeMap<Id, Vec<Test>> =
            rows.iter().map(|row| (row.id, Vec::new())).collect();
        for (file, text) in sources {
            // Most files say nothing of it, and parsing takes its time.
            if !text.contains(WORD) {
                continue;
            }
            for said in said_in(file, text)? {
                let place = format!("{}: `{}`", file.display(), said.test);
                let ids = ids(&said.rows).unwrap_or_else(|word| {
                    findings.push(format!("{place} holds {word:?}, which is no row"));
                    Vec::new()
                });
                for id in ids {
                    match tests.get_mut(&id) {
                        Some(tests) => tests.push(Test {
                            file: file.clone(),
                            name: said.test.clone(),
                        }),
                        None => findings.push(format!("{place} holds {id}, which is no row")),
                    }
                }
            }
        }
        for tests in tests.values_mut() {
            tests.sort();
            tests.dedup();
        }
        let patches = taken_away(breakages, &tests, findings);
        let coverage = Self {
            rows,
            tests,
            patches,
        };
        coverage.find_contradictions(findings);
        Ok(coverage)
    }

    /// A row is held by tests, or says why not, and not both that there is nothing to hold and who holds it.
    fn find_contradictions(&self, findings: &mut Vec<String>) {
        for row in self.rows {
            let is_held = !self.tests_of(row).is_empty();
            let id = row.id;
            match row.note {
                Note::None if !is_held => findings.push(format!(
                    "{id} has neither a test nor a reason in xtask/src/contract/rows.rs"
                )),
                Note::Nothing(_) if is_held => findings.push(format!(
                    "{id} has a test, and xtask/src/contract/rows.rs says that there is nothing to hold"
                )),
                _ if is_held && !self.patches.contains_key(&id) => findings.push(format!(
                    "{id} has a test, and no patch in tests/breakages shows that it would fail without the rule"
                )),
                _ => {}
            }
        }
    }

    fn tests_of(&self, row: &Row) -> &[Test] {
        self.tests.get(&row.id).map_or(&[], Vec::as_slice)
    }

    /// Whether this is what the page says.
    fn compare(&self, written: &str, findings: &mut Vec<String>) {
        if written != self.page() {
            findings.push(format!("{PAGE} is not current: run `cargo xtask contract`"));
        }
    }

    /// How many rows satisfy this.
    fn count(&self, wanted: impl Fn(&Row, bool) -> bool) -> usize {
        let is_wanted = |row: &&Row| wanted(row, !self.tests_of(row).is_empty());
        self.rows.iter().filter(is_wanted).count()
    }

    /// The text of the page.
    fn page(&self) -> String {
        let held = self.count(|_, is_held| is_held);
        let in_part = self.count(|row, is_held| is_held && matches!(row.note, Note::Missing(_)));
        let nothing = self.count(|row, _| matches!(row.note, Note::Nothing(_)));
        let missing = self.count(|row, is_held| !is_held && matches!(row.note, Note::Missing(_)));
        let mut page = format!(
            "# Which tests hold the contract\n\n\
             Generated by `cargo xtask contract` from the table in `xtask/src/contract/rows.rs` and from what tests\n\
             say of themselves: `/// Contract H5 to H7, D29.` A test holds a row if it fails when the rule of that row\n\
             is taken away from the client; the patch that does so is named behind it.\n\n\
             Of {} rows\n\n\
             - {held} are held by tests, {in_part} of them only in part,\n\
             - {nothing} leave the client nothing to do,\n\
             - {missing} have no test yet.\n",
            self.rows.len()
        );
        for part in Part::ALL {
            page += &format!(
                "\n## {}\n\n| row | what it is | held by | taken away by |\n|---|---|---|---|\n",
                part.title()
            );
            for row in self.rows.iter().filter(|row| row.id.part == part) {
                let Row { id, about, .. } = row;
                let (held_by, taken_away_by) = (self.held_by(row), self.taken_away_by(row));
                page += &format!("| {id} | {about} | {held_by} | {taken_away_by} |\n");
            }
        }
        page
    }

    fn held_by(&self, row: &Row) -> String {
        let links = self.tests_of(row).iter().map(|test| {
            let Test { file, name } = test;
            format!("[{name}](../{})", file.display())
        });
        let links = links.collect::<Vec<_>>().join(", ");
        match row.note {
            Note::None => links,
            Note::Nothing(why) => format!("nothing to do: {why}"),
            Note::Missing(what) if links.is_empty() => format!("**no test yet**: {what}"),
            Note::Missing(what) => format!("{links}; **not held yet**: {what}"),
        }
    }

    fn taken_away_by(&self, row: &Row) -> String {
        let patches = self.patches.get(&row.id).into_iter().flatten();
        let links = patches.map(|name| format!("[{name}](../tests/breakages/{name}.patch)"));
        links.collect::<Vec<_>>().join(", ")
    }
}

/// The rows that patches take away, each of which has to make a test red that says to hold the row.
fn taken_away(
    breakages: &BTreeMap<String, Breakage>,
    tests: &BTreeMap<Id, Vec<Test>>,
    findings: &mut Vec<String>,
) -> BTreeMap<Id, Vec<String>> {
    let mut patches: BTreeMap<Id, Vec<String>> = BTreeMap::new();
    for (name, breakage) in breakages {
        let place = format!("tests/breakages/{name}.patch");
        let ids = ids(&breakage.rows).unwrap_or_else(|word| {
            findings.push(format!("{place} takes {word:?} away, which is no row"));
            Vec::new()
        });
        for id in ids {
            let mut held_by = tests.get(&id).into_iter().flatten();
            match held_by.any(|test| breakage.makes_red(&test.name)) {
                true => patches.entry(id).or_default().push(name.clone()),
                false => findings.push(format!(
                    "{place} takes {id} away, and makes no test red that holds it"
                )),
            }
        }
    }
    patches
}

/// The rows that a test says to hold, in its own words.
struct Said {
    test: String,
    rows: String,
}

/// What the tests of a file say.
fn said_in(file: &Path, text: &str) -> Result<Vec<Said>> {
    let parsed =
        syn::parse_file(text).with_context(|| format!("{} is not Rust", file.display()))?;
    let mut tests = Tests(Vec::new());
    tests.visit_file(&parsed);
    Ok(tests.0)
}

struct Tests(Vec<Said>);

impl<'ast> Visit<'ast> for Tests {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        if function.attrs.iter().any(is_test) {
            let doc: Vec<String> = function.attrs.iter().filter_map(doc_line).collect();
            self.0.extend(sentences(&doc).map(|rows| Said {
                test: function.sig.ident.to_string(),
                rows,
            }));
        }
        visit::visit_item_fn(self, function);
    }
}

/// `#[test]`, `#[tokio::test]`.
fn is_test(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|last| last.ident == "test")
}

/// The text of one line of documentation.
fn doc_line(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(doc) if doc.path.is_ident("doc") => match &doc.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(line),
                ..
            }) => Some(line.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    }
}

/// What follows the word at the beginning of a line, to the end of its sentence, which may be on a later line.
fn sentences(doc: &[String]) -> impl Iterator<Item = String> {
    doc.iter().enumerate().filter_map(|(at, line)| {
        let first = line.strip_prefix(WORD)?;
        let mut words = Vec::new();
        let later = doc[at + 1..].iter().map(String::as_str);
        for word in std::iter::once(first)
            .chain(later)
            .flat_map(str::split_whitespace)
        {
            words.push(word.trim_end_matches('.'));
            if word.ends_with('.') {
                break;
            }
        }
        Some(words.join(" "))
    })
}

/// The rows named in a list such as `H5 to H7, D29, section 12.3`.
///
/// # Errors
/// The word that names none.
fn ids(list: &str) -> Result<Vec<Id>, String> {
    let mut ids: Vec<Id> = Vec::new();
    let mut words = list.split([' ', ',']).filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        if matches!(word, "and" | "section") {
            continue;
        }
        if word == "to" {
            let (first, last) = (ids.last().copied(), words.next().unwrap_or_default());
            match (first, Id::parse(last)) {
                (Some(first), Some(last)) if first.part == last.part && first < last => {
                    let numbers = first.number + 1..=last.number;
                    ids.extend(numbers.map(|number| Id { number, ..first }));
                }
                _ => return Err(format!("to {last}")),
            }
        } else if let Some(id) = Id::parse(word) {
            ids.push(id);
        } else if !word.split('.').all(|number| number.parse::<u32>().is_ok()) {
            return Err(word.to_owned());
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests;
