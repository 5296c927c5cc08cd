//! How a text becomes what is shown: templates, plurals, and the pseudo-locale that stands in for a translation.

use std::fmt::{Display, Write};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Set at the start of a program, or never.
static PSEUDO: OnceLock<()> = OnceLock::new();

/// From now on every text is accented and 40% longer, as a translation might be. What is then still plain bypasses
/// the catalogue, and what is cut off has too little room. For tests; there is no way back.
pub fn use_pseudo_locale() {
    PSEUDO.get_or_init(|| ());
}

/// Whether texts are accented and longer.
pub fn is_pseudo_locale() -> bool {
    PSEUDO.get().is_some()
}

/// A text without places to fill. Not inlined: it is called for each text there is, and the window counts bytes.
#[inline(never)]
pub(crate) fn plain(text: &'static str) -> &'static str {
    if is_pseudo_locale() {
        return translated(text);
    }
    text
}

/// A text with its places filled: `{name}` becomes the value of that name.
pub(crate) fn filled(text: &'static str, values: &[(&str, &dyn Display)]) -> String {
    let text = plain(text);
    let mut shown = String::with_capacity(text.len() + 16);
    for piece in pieces(text) {
        match piece {
            Piece::Words(words) => shown.push_str(words),
            Piece::Place(name) => match values.iter().find(|(known, _)| *known == name) {
                // A String takes everything.
                Some((_, value)) => drop(write!(shown, "{value}")),
                None => shown.push_str(name),
            },
        }
    }
    shown
}

/// What a template is made of.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece<'a> {
    /// Text as it is.
    Words(&'a str),
    /// `{name}`
    Place(&'a str),
}

/// Takes a template apart.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = match (rest.strip_prefix('{'), rest.find('{')) {
            (Some(inner), _) => match inner.split_once('}') {
                Some((name, after)) => (Piece::Place(name), after),
                None => (Piece::Words(rest), ""),
            },
            (None, Some(place)) => (Piece::Words(&rest[..place]), &rest[place..]),
            (None, None) => (Piece::Words(rest), ""),
        };
        rest = after;
        Some(piece)
    })
}

/// The text in the pseudo-locale, made once.
fn translated(text: &'static str) -> &'static str {
    static MADE: Mutex<Vec<(&'static str, &'static str)>> = Mutex::new(Vec::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, known)) = made.iter().find(|(plain, _)| *plain == text) {
        return known;
    }
    // As many as the catalogue has texts, and kept until the program ends: that is what `&'static str` promises.
    let new: &'static str = pseudo(text).leak();
    made.push((text, new));
    new
}

/// Accents every letter and adds 40%, places untouched.
fn pseudo(text: &str) -> String {
    let mut made = String::new();
    let mut letters = 0usize;
    for piece in pieces(text) {
        match piece {
            Piece::Words(words) => {
                letters += words
                    .chars()
                    .filter(|letter| letter.is_alphabetic())
                    .count();
                made.extend(words.chars().map(accented));
            }
            Piece::Place(name) => {
                made.push('{');
                made.push_str(name);
                made.push('}');
            }
        }
    }
    // Longer by whole syllables, so that lines break as they would in a real language.
    for syllable in 0..(letters * 2).div_ceil(5).div_ceil(3) {
        made.push_str(if syllable % 3 == 0 {
            " ŵöṽ"
        } else {
            "ŵöṽ"
        });
    }
    made
}

/// The same letter, recognisable and not the same.
fn accented(letter: char) -> char {
    const PLAIN: &str = "AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTtUuVvWwXxYyZz";
    const OTHER: &str = "ÅåßƀÇçÐðÉéƑƒĜĝĤĥÎîĴĵĶķĹĺṀṁÑñÖöÞþǪǫŔŕŠšŢţÛûṼṽŴŵẊẋÝýŽž";
    let other = PLAIN.chars().zip(OTHER.chars());
    other
        .into_iter()
        .find_map(|(plain, other)| (plain == letter).then_some(other))
        .unwrap_or(letter)
}

/// A text of the catalogue, for the tests that read all of them.
#[cfg(test)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) places: &'static [&'static str],
    pub(crate) texts: &'static [&'static str],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_and_what_is_filled_in_is_left_alone() {
        let text = "{count} of {all} files in {folder}";
        let shown = filled(text, &[("count", &3), ("all", &7), ("folder", &"{all}")]);
        assert_eq!(shown, "3 of 7 files in {all}");
        let pieces: Vec<_> = pieces("{a}{b} c").collect();
        let expected = [Piece::Place("a"), Piece::Place("b"), Piece::Words(" c")];
        assert_eq!(pieces, expected);
    }

    #[test]
    fn the_pseudo_locale_keeps_places_and_is_at_least_40_percent_longer() {
        let text = "Delete {name} and its backups?";
        let shown = pseudo(text);
        assert!(shown.starts_with("Ðéĺéţé {name} åñð"), "{shown}");
        let words = |text: &str| text.replace("{name}", "");
        let letters = |text: &str| {
            let letters = words(text)
                .chars()
                .filter(|letter| letter.is_alphabetic())
                .count();
            letters * 10
        };
        assert!(letters(&shown) >= letters(text) / 10 * 14, "{shown}");
        assert!(!words(&shown).contains(|letter: char| letter.is_ascii_alphabetic()));
    }
}
