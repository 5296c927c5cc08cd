//! Rules that hold for every text of the catalogue.

use std::collections::BTreeMap;

use crate::text::{Entry, Piece, pieces};

/// The rooms of the catalogue by name, with their texts.
macro_rules! rooms {
    ($($room:ident)*) => {
        &[$((stringify!($room), crate::$room::ALL)),*]
    };
}

const ROOMS: &[(&str, &[Entry])] = rooms! {
    activity backups browser common discovery downloads failures frame full_restores history hubs mounts repositories retention settings terminal vms
};

#[test]
fn every_room_is_read_by_these_tests() {
    let modules = include_str!("lib.rs").matches("pub mod ").count();
    assert_eq!(ROOMS.len(), modules);
}

/// Every text with the name by which a failing test calls it.
fn all() -> impl Iterator<Item = (String, &'static Entry, &'static str)> {
    ROOMS.iter().flat_map(|(room, entries)| {
        entries.iter().flat_map(move |entry| {
            let name = format!("{room}::{}", entry.name);
            entry
                .texts
                .iter()
                .map(move |text| (name.clone(), entry, *text))
        })
    })
}

/// Fails with all texts of which `wrong` finds something.
fn none(what: &str, wrong: impl Fn(&Entry, &str) -> bool) {
    let found: Vec<String> = all()
        .filter(|(_, entry, text)| wrong(entry, text))
        .map(|(name, _, text)| format!("{name}: {text:?}"))
        .collect();
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn every_place_is_one_that_the_text_is_given_and_none_is_forgotten() {
    none("places that nobody fills", |entry, text| {
        pieces(text)
            .any(|piece| matches!(piece, Piece::Place(name) if !entry.places.contains(&name)))
    });
    none("values that no text shows", |entry, _| {
        entry.places.iter().any(|place| {
            let shown = |text: &str| pieces(text).any(|piece| piece == Piece::Place(place));
            !entry.texts.iter().any(|text| shown(text))
        })
    });
}

#[test]
fn texts_follow_the_house_style() {
    none("blank in front of a per cent sign", |_, text| {
        text.contains(" %") || text.contains("} %")
    });
    none("three dots for an ellipsis", |_, text| text.contains("..."));
    none("typewriter quotes", |_, text| text.contains('"'));
    none("blanks at an end, or two in a row", |_, text| {
        text.trim() != text || text.contains("  ")
    });
    none("a second word for a VM", |_, text| {
        let lower = text.to_lowercase();
        lower.contains("machine")
    });
    none("a second word for a repository", |_, text| {
        let lower = text.to_lowercase();
        lower.contains("backup location") || lower.contains("backup target")
    });
}

#[test]
fn sentences_end_with_one_stop_and_labels_with_none() {
    none("two sentences without a full stop at the end", |_, text| {
        text.contains(". ") && !text.ends_with(['.', '?', '…', '}', ':'])
    });
    none("two full stops", |_, text| text.ends_with(".."));
}

#[test]
fn the_same_words_stand_in_a_room_once() {
    let mut seen: BTreeMap<(String, &str), Vec<String>> = BTreeMap::new();
    for (name, _, text) in all() {
        let room = name.split("::").next().unwrap_or_default().to_owned();
        seen.entry((room, text)).or_default().push(name);
    }
    let twice: Vec<_> = seen
        .into_iter()
        .filter(|(_, names)| names.len() > 1)
        .collect();
    assert!(twice.is_empty(), "{twice:#?}");
}
