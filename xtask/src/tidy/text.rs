//! Rules about the text of single files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::workspace::root;

/// A source file with more lines has more than one subject.
const MOST_LINES: usize = 800;

/// Words that end a type's name without saying what the type is.
const EMPTY_NAMES: [&str; 10] = [
    "Manager",
    "Service",
    "Helper",
    "Util",
    "Processor",
    "Handler",
    "Data",
    "Info",
    "Wrapper",
    "Common",
];

/// Beginnings of paths that exist on one developer's machine only. Put together here, lest this file break the rule.
const MACHINE_PATHS: [&str; 3] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
];

/// Checks all files, adding to `findings`.
pub(super) fn check(files: &[PathBuf], findings: &mut Vec<String>) -> Result<()> {
    for file in files {
        let Some(kind) = file.extension().and_then(|kind| kind.to_str()) else {
            continue;
        };
        if matches!(kind, "orig" | "rej") {
            findings.push(format!("{}: left behind by `patch`", file.display()));
        }
        if !matches!(
            kind,
            "rs" | "toml" | "md" | "patch" | "sql" | "json" | "yml"
        ) {
            continue;
        }
        let text = fs::read_to_string(root().join(file))
            .with_context(|| format!("{} is not UTF-8 text", file.display()))?;
        // Patches quote other files, with their empty lines as single spaces.
        if matches!(kind, "rs" | "toml" | "md" | "sql" | "yml") {
            white_space(file, &text, findings);
        }
        machine_paths(file, &text, findings);
        if kind == "rs" {
            rust(file, &text, findings);
        }
    }
    Ok(())
}

fn white_space(file: &Path, text: &str, findings: &mut Vec<String>) {
    for (number, line) in (1..).zip(text.lines()) {
        if line.ends_with([' ', '\t']) {
            findings.push(format!(
                "{}:{number}: white space at the end of the line",
                file.display()
            ));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        findings.push(format!("{}: no newline at the end", file.display()));
    }
}

fn machine_paths(file: &Path, text: &str, findings: &mut Vec<String>) {
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(path) = MACHINE_PATHS.iter().find(|path| line.contains(**path)) {
            findings.push(format!(
                "{}:{number}: {path}… is on one machine only",
                file.display()
            ));
        }
    }
}

fn rust(file: &Path, text: &str, findings: &mut Vec<String>) {
    if !opens_with_doc(text) {
        findings.push(format!(
            "{}:1: begins without `//!` saying what lives here",
            file.display()
        ));
    }
    let lines = text.lines().count();
    if lines > MOST_LINES {
        findings.push(format!(
            "{}: {lines} lines; over {MOST_LINES} there are two subjects",
            file.display()
        ));
    }
    for (number, line) in (1..).zip(text.lines()) {
        let mut complain =
            |what: &str| findings.push(format!("{}:{number}: {what}", file.display()));
        for mark in [concat!("TO", "DO"), concat!("FIX", "ME")] {
            if let Some((_, rest)) = line.split_once(mark)
                && !rest.starts_with("(#")
            {
                complain(&format!("{mark} without an issue: write {mark}(#123)"));
            }
        }
        if line.trim_start().starts_with(concat!("#[ign", "ore")) {
            complain(
                "no ignored tests: assert today's behaviour, or record a skip with its reason",
            );
        }
        if let Some(word) = defined_type(line).and_then(empty_ending) {
            complain(&format!(
                "`{word}` says nothing about the type; use a word of the glossary"
            ));
        }
    }
}

/// Whether the first thing in a Rust file, after attributes, is its documentation.
fn opens_with_doc(text: &str) -> bool {
    let mut inside_attribute = false;
    for line in text.lines().map(str::trim) {
        if inside_attribute || line.starts_with("#![") {
            inside_attribute = !line.ends_with(']');
        } else if !line.is_empty() {
            return line.starts_with("//!");
        }
    }
    false
}

/// The name of the type that a line defines.
fn defined_type(line: &str) -> Option<&str> {
    let words: Vec<&str> = line
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .take(4)
        .collect();
    let keyword = words
        .iter()
        .position(|word| matches!(*word, "struct" | "enum" | "trait"))?;
    let before_is_visibility = words[..keyword]
        .iter()
        .all(|word| matches!(*word, "pub" | "crate" | "super"));
    if before_is_visibility {
        words.get(keyword + 1).copied()
    } else {
        None
    }
}

/// The empty word at the end of a type's name.
fn empty_ending(name: &str) -> Option<&'static str> {
    EMPTY_NAMES.into_iter().find(|word| name.ends_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documentation_may_follow_attributes() {
        assert!(opens_with_doc("//! What.\n"));
        assert!(opens_with_doc(
            "#![allow(\n    dead_code\n)]\n\n//! What.\n"
        ));
        assert!(!opens_with_doc("use std::fs;\n//! Late.\n"));
        assert!(!opens_with_doc(""));
    }

    #[test]
    fn types_are_found_where_they_are_defined_and_nowhere_else() {
        assert_eq!(
            defined_type("pub(crate) struct VmManager {"),
            Some("VmManager")
        );
        assert_eq!(defined_type("enum Kind<T> {"), Some("Kind"));
        assert_eq!(defined_type("/// The struct that holds"), None);
        assert_eq!(defined_type("let x = DataReader;"), None);
    }

    #[test]
    fn empty_endings_are_whole_words() {
        assert_eq!(empty_ending("DiskInfo"), Some("Info"));
        assert_eq!(empty_ending("Metadata"), None);
    }

    #[test]
    fn a_note_to_do_something_needs_an_issue() {
        let mut findings = Vec::new();
        let note = format!(
            "//! Doc.\n// {}: later\n// {}(#12): fine\n",
            concat!("TO", "DO"),
            concat!("TO", "DO")
        );
        rust(Path::new("x.rs"), &note, &mut findings);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with("x.rs:2:"), "{findings:?}");
    }
}
