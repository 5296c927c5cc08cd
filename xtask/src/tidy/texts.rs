//! No text that a user reads stands outside the catalogue.

use std::path::Path;

use anyhow::{Context, Result};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::LitStr;

use crate::workspace::Sources;

/// What a user reads comes out of these.
const SPEAKING: [&str; 4] = ["src-ui/src", "src-core/src", "src-cli/src", "src-tauri/src"];

/// Where sentences are others': what hubs say, or libraries of connections, what support reads, and the help that clap takes from its definitions.
const OTHERS: [&str; 7] = [
    "src-core/src/diagnostics",
    "src-core/src/diagnostics.rs",
    "src-core/src/hub/meanings.rs",
    "src-core/src/hub/proxy.rs",
    "src-core/src/hub/refusals.rs",
    "src-tauri/src/diagnostics.rs",
    "src-cli/src/args.rs",
];

/// Macros and methods whose words go to the log or to developers.
const FOR_DEVELOPERS: [&str; 13] = [
    "trace",
    "debug",
    "info",
    "warn",
    "error",
    "log",
    "panic",
    "unreachable",
    "assert",
    "debug_assert",
    "expect",
    "concat",
    "cfg",
];

/// Attributes of elements whose values nobody reads.
const UNREAD: [&str; 6] = [
    "class",
    "classes",
    "viewBox",
    "preserveAspectRatio",
    "d",
    "style",
];

/// Checks all sources, adding to `findings`.
pub(super) fn check(sources: &Sources, findings: &mut Vec<String>) -> Result<()> {
    for (file, text) in sources {
        if !speaks(file) {
            continue;
        }
        let tokens: TokenStream = text
            .parse()
            .map_err(|error| anyhow::anyhow!("{error}"))
            .with_context(|| format!("{} is not Rust", file.display()))?;
        let mut found = Vec::new();
        texts(tokens, &mut found);
        for (line, text) in found {
            findings.push(format!(
                "{}:{line}: {text:?} belongs into src-words, from where all texts come",
                file.display()
            ));
        }
    }
    Ok(())
}

fn speaks(file: &Path) -> bool {
    let is_below = |path: &&str| file.starts_with(path);
    let is_for_tests = file.components().any(|part| {
        matches!(
            part.as_os_str().to_str(),
            Some("tests" | "tests.rs" | "testing.rs")
        )
    });
    SPEAKING.iter().any(is_below) && !OTHERS.iter().any(is_below) && !is_for_tests
}

/// Finds string literals that read like words, with their lines.
fn texts(tokens: TokenStream, found: &mut Vec<(usize, String)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            // An attribute; and what is compiled for tests only.
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                at += 1;
                if matches!(&tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == '!')
                {
                    at += 1;
                }
                if let Some(TokenTree::Group(group)) = tokens.get(at)
                    && is_for_tests(group)
                {
                    at += item_length(&tokens[at + 1..]);
                }
            }
            TokenTree::Group(group) if !is_for_developers(&tokens[..at]) => {
                texts(group.stream(), found);
            }
            TokenTree::Literal(literal) => {
                let quoted: Option<LitStr> = syn::parse_str(&literal.to_string()).ok();
                if let Some(quoted) = quoted.map(|quoted| quoted.value())
                    && reads_like_words(&quoted)
                    && !is_unread(&tokens[..at])
                {
                    found.push((literal.span().start().line, quoted));
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// `#[cfg(test)]`
fn is_for_tests(attribute: &Group) -> bool {
    attribute.stream().to_string().replace(' ', "") == "cfg(test)"
}

/// How many tokens an item takes: to its body or its semicolon.
fn item_length(tokens: &[TokenTree]) -> usize {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        _ => false,
    };
    tokens.iter().position(ends).map_or(0, |place| place + 1)
}

/// Whether what stands before a group makes it words of a log or for developers: `warn!(…)`, `.expect(…)`.
fn is_for_developers(before: &[TokenTree]) -> bool {
    let mut before = before.iter().rev();
    let mut name = before.next();
    if matches!(name, Some(TokenTree::Punct(punct)) if punct.as_char() == '!') {
        name = before.next();
    }
    matches!(name, Some(TokenTree::Ident(name)) if FOR_DEVELOPERS.iter().any(|known| name == known))
}

/// Whether a literal is the value of an attribute that nobody reads: `class="…"`.
fn is_unread(before: &[TokenTree]) -> bool {
    let [.., TokenTree::Ident(name), TokenTree::Punct(equals)] = before else {
        return false;
    };
    equals.as_char() == '=' && UNREAD.iter().any(|known| name == known)
}

/// Two words with a blank between them, at least one of them longer than a unit.
fn reads_like_words(text: &str) -> bool {
    let is_word = |word: &&str| {
        let letters = word.trim_matches(['.', ',', ':', ';', '!', '?', '…', '(', ')', '“', '”']);
        letters.chars().count() >= 2 && letters.chars().all(char::is_alphabetic)
    };
    // What is filled in is no word, and a name of a file is no text.
    let mut plain = String::new();
    let mut depth = 0_usize;
    for letter in text.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(letter),
            _ => {}
        }
    }
    !plain.starts_with('_') && plain.split_whitespace().filter(is_word).count() >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str) -> Vec<String> {
        let mut found = Vec::new();
        texts(source.parse().unwrap(), &mut found);
        found.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn a_sentence_is_found_wherever_it_stands() {
        let source = r#"
            fn page() -> Html {
                let error = AppError::new(kind, "It went wrong.", retry);
                html! { <button class="button is small" title="Do it now">{ format!("{} files left", n) }</button> }
            }
        "#;
        assert_eq!(
            found(source),
            ["It went wrong.", "Do it now", "{} files left"]
        );
    }

    #[test]
    fn words_for_developers_keys_and_tests_are_none_of_its_business() {
        let source = r#"
            #[doc = "two words"]
            fn quiet() {
                tracing::warn!(%error, "a question failed");
                lock.expect("never held twice");
                let key = "one-word and/or";
                let size = format!("{} GiB", n);
            }
            #[cfg(test)]
            mod tests { const TEXT: &str = "as a user sees it"; }
        "#;
        assert_eq!(found(source), [""; 0]);
    }
}
