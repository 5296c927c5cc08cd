//! What tests say, a small table, and what does not fit.

use std::collections::BTreeSet;

use super::*;

const TABLE: &[Row] = &[
    Row::new(Part::Difference, 1, "a name", Note::None),
    Row::new(Part::Hazard, 1, "a limit", Note::Missing("nobody counts")),
    Row::new(
        Part::Hazard,
        2,
        "a colour",
        Note::Nothing("it is not shown"),
    ),
    Row::new(Part::Shown, 1, "a sound", Note::Missing("nobody listens")),
];

/// The table with these tests, a patch that takes these rows away and makes tests of a name red, and what is found wrong
/// with them.
fn collected(sources: &str, rows: &str, red: &str) -> (Coverage<'static>, Vec<String>) {
    let sources = [(PathBuf::from("tests/a.rs"), sources.to_owned())];
    let patch = format!("# breaks: it\n# rows: {rows}\n# red: a --lib {red}\n");
    let patches = [("broken".to_owned(), breakages::parse(&patch).unwrap())];
    let mut findings = Vec::new();
    let coverage =
        Coverage::collect(TABLE, &sources.into(), &patches.into(), &mut findings).unwrap();
    (coverage, findings)
}

fn named(list: &str) -> Result<String, String> {
    let ids = ids(list)?;
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    Ok(ids.join(" "))
}

#[test]
fn rows_are_named_alone_in_lists_and_in_ranges() {
    for (list, rows) in [
        ("H5, D29", "H5 D29"),
        ("H5 to H7 and D1", "H5 H6 H7 D1"),
        ("H15, section 12.2 to 12.4", "H15 12.2 12.3 12.4"),
        // Sections are for the reader.
        ("3.2, 6.1, H16, section 12", "H16"),
    ] {
        assert_eq!(named(list).unwrap(), rows, "{list}");
    }
    for (list, word) in [
        ("H5, because", "because"),
        ("H7 to H5", "to H5"),
        ("H5 to D7", "to D7"),
        ("to H5", "to H5"),
        ("H5 to", "to "),
        ("X1", "X1"),
        ("6.", "6."),
    ] {
        assert_eq!(named(list).unwrap_err(), word, "{list}");
    }
}

#[test]
fn only_tests_are_asked_wherever_they_are() {
    let said = said_in(
        Path::new("a.rs"),
        r#"
            /// Contract H1.
            fn helper() {}
            /// What it is.
            /// Contract D1,
            /// H2. And more: Contract H9.
            #[tokio::test(flavor = "multi_thread")]
            async fn first() {}
            mod tests {
                #[test]
                /// Contract H1.
                fn second() { let text = "/// Contract H3."; }
                // Contract H4.
                #[test]
                fn third() {}
            }
        "#,
    )
    .unwrap();
    let said: Vec<_> = said.iter().map(|said| (&*said.test, &*said.rows)).collect();
    assert_eq!(said, [("first", "D1, H2"), ("second", "H1")]);
}

#[test]
fn the_page_counts_and_has_a_line_for_each_row() {
    let (coverage, findings) = collected(
        "/// Contract D1, H1.\n#[test]\nfn a_name_is_kept() {}",
        "D1, H1",
        "tests::a_name_is",
    );
    assert_eq!(findings, [""; 0]);
    let page = coverage.page();
    for line in [
        "Of 4 rows",
        "- 2 are held by tests, 1 of them only in part,",
        "- 1 leave the client nothing to do,",
        "- 1 have no test yet.",
        "| D1 | a name | [a_name_is_kept](../tests/a.rs) | [broken](../tests/breakages/broken.patch) |",
        "| H1 | a limit | [a_name_is_kept](../tests/a.rs); **not held yet**: nobody counts | \
         [broken](../tests/breakages/broken.patch) |",
        "| H2 | a colour | nothing to do: it is not shown |  |",
        "| 12.1 | a sound | **no test yet**: nobody listens |  |",
    ] {
        assert!(page.lines().any(|it| it == line), "{line}: {page}");
    }
    let mut findings = Vec::new();
    coverage.compare(&page, &mut findings);
    assert_eq!(findings, [""; 0]);
    coverage.compare(&page.replace("Of 4", "Of 5"), &mut findings);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].contains("cargo xtask contract"), "{findings:?}");
}

#[test]
fn a_row_that_does_not_exist_is_found_with_the_test() {
    let (_, findings) = collected(
        "/// Contract D1 to D2, says.\n#[test]\nfn odd() {}",
        "",
        "odd",
    );
    assert_eq!(
        findings,
        [
            "tests/a.rs: `odd` holds \"says\", which is no row",
            "D1 has neither a test nor a reason in xtask/src/contract/rows.rs",
        ]
    );
    let (_, findings) = collected("/// Contract D1 to D2.\n#[test]\nfn odd() {}", "D1", "odd");
    assert_eq!(findings, ["tests/a.rs: `odd` holds D2, which is no row"]);
}

#[test]
fn a_row_without_test_and_reason_and_one_with_both_are_found() {
    let (_, findings) = collected("/// Contract H2.\n#[test]\nfn shown() {}", "", "shown");
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings[0].starts_with("D1 has neither"), "{findings:?}");
    assert!(findings[1].starts_with("H2 has a test"), "{findings:?}");
}

#[test]
fn a_row_whose_rule_nobody_takes_away_is_found_and_a_patch_that_its_tests_would_not_notice() {
    const TESTS: &str = "/// Contract D1.\n#[test]\nfn a_name_is_kept() {}";
    let (_, findings) = collected(TESTS, "", "a_name");
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].starts_with("D1 has a test, and no patch"));
    let (_, findings) = collected(TESTS, "D1", "another_name");
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings[0].contains("broken.patch takes D1 away, and makes no test red"));
    let (_, findings) = collected(TESTS, "D1, X1", "a_name");
    assert!(findings[0].contains("takes \"X1\" away, which is no row"));
}

#[test]
fn the_table_has_each_row_of_the_contract_once_and_in_order() {
    let ids: Vec<Id> = ROWS.iter().map(|row| row.id).collect();
    let in_order: Vec<Id> = BTreeSet::from_iter(ids.clone()).into_iter().collect();
    assert_eq!(ids, in_order);
    let last_of = |part| ids.iter().filter(|id| id.part == part).max();
    let lasts = Part::ALL.map(|part| last_of(part).map(ToString::to_string));
    assert_eq!(lasts, ["D64", "H42", "12.17"].map(|id| Some(id.to_owned())));
    assert_eq!(ids.len(), 64 + 42 + 17);
    for row in ROWS {
        let (Note::Nothing(text) | Note::Missing(text)) = row.note else {
            continue;
        };
        assert!(!text.contains('|') && !text.ends_with('.'), "{}", row.id);
    }
}
