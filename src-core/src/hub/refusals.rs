//! Why a deployed hub did not add, try or remove a repository. What it says of that (contract 3.5) means something else
//! where it is about files, so it is not in the table of [`meanings`](super::meanings).

use sendense_types::{AppError, ErrorKind, Retry};
use sendense_words as words;

/// How a hub begins when it cannot read how much room is in a repository.
const NO_STORAGE: &str = "Failed to get storage info";

/// A text of the catalogue.
type Words = fn() -> &'static str;

/// What deployed hubs say when they could not add a repository. On their own, the same words are about files.
const NOT_ADDED: &[(&str, ErrorKind, Words)] = &[
    // Their ids are a type and a second (contract 3.5).
    (
        "for key 'primary'",
        ErrorKind::Conflict,
        words::failures::repository_same_second,
    ),
    (
        "duplicate entry",
        ErrorKind::Conflict,
        words::failures::name_taken,
    ),
    (
        "cannot be created",
        ErrorKind::Forbidden,
        words::failures::folder_not_created,
    ),
    (
        "path is not a directory",
        ErrorKind::Invalid,
        words::failures::not_a_folder,
    ),
    (
        "path is not writable",
        ErrorKind::Forbidden,
        words::failures::folder_not_writable,
    ),
    (
        "cannot access path",
        ErrorKind::Forbidden,
        words::failures::folder_not_opened,
    ),
    (
        "failed to register repository",
        ErrorKind::Internal,
        words::failures::repository_not_added,
    ),
];

/// Why a repository was not added.
pub(super) fn not_added(error: AppError) -> AppError {
    let said = said(&error);
    if said.contains("unsupported repository type") {
        return understood(
            error,
            ErrorKind::Unsupported,
            words::failures::no_such_repositories(),
        );
    }
    if !said.contains("failed to register repository") {
        return error;
    }
    let known = NOT_ADDED.iter().find(|(token, ..)| said.contains(token));
    match known {
        Some((_, kind, message)) => understood(error, *kind, message()),
        None => error,
    }
}

/// Why a place could not be tried.
pub(super) fn not_tried(error: AppError) -> AppError {
    let said = said(&error);
    if said.contains("404 page not found") {
        return understood(
            error,
            ErrorKind::Unsupported,
            words::failures::repositories_not_tested(),
        );
    }
    not_added(error)
}

/// Why a repository was not removed. Deployed hubs count the records of deleted backups, too, and never remove a
/// repository that has any (contract 3.5).
pub(super) fn not_removed(error: AppError) -> AppError {
    let said = said(&error);
    if !said.contains("failed to delete repository") {
        return error;
    }
    if said.contains("existing backups") || said.contains("foreign key") {
        return understood(
            error,
            ErrorKind::Conflict,
            words::failures::repository_has_backups(),
        )
        .with_hint(words::failures::records_stay());
    }
    error
}

/// Why a hub does not reach the share of a repository, in its own words; `None` where something else failed.
pub(super) fn not_reached(error: &AppError) -> Option<String> {
    let why = error.details.as_deref()?.strip_prefix(NO_STORAGE)?;
    Some(why.trim_start_matches([':', ' ']).to_owned())
}

fn said(error: &AppError) -> String {
    error.details.as_deref().unwrap_or_default().to_lowercase()
}

fn understood(error: AppError, kind: ErrorKind, message: &str) -> AppError {
    AppError {
        kind,
        message: message.to_owned(),
        hint: None,
        retry: Retry::Manual,
        ..error
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use serde_json::json;

    use super::super::error;
    use super::*;

    fn answered(status: u16, body: &str) -> AppError {
        error::of_answer(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn what_deployed_hubs_say_of_repositories_is_not_taken_for_news_of_files() {
        let refused = |why: &str| {
            let body = json!({ "success": false, "error": format!("Failed to register repository: repository repo-local-1: test_connection: {why}") });
            not_added(answered(500, &body.to_string()))
        };
        for (why, kind, message) in [
            (
                "path does not exist and cannot be created: mkdir /x: permission denied",
                ErrorKind::Forbidden,
                words::failures::folder_not_created(),
            ),
            (
                "path is not writable: open /x/.sendense_test: permission denied",
                ErrorKind::Forbidden,
                words::failures::folder_not_writable(),
            ),
            (
                "path is not a directory",
                ErrorKind::Invalid,
                words::failures::not_a_folder(),
            ),
            (
                "cannot access path: stat /x: input/output error",
                ErrorKind::Forbidden,
                words::failures::folder_not_opened(),
            ),
            (
                "Error 1062 (23000): Duplicate entry 'nas' for key 'name'",
                ErrorKind::Conflict,
                words::failures::name_taken(),
            ),
            (
                "Error 1062 (23000): Duplicate entry 'repo-nfs-1' for key 'PRIMARY'",
                ErrorKind::Conflict,
                words::failures::repository_same_second(),
            ),
            (
                "it rains",
                ErrorKind::Internal,
                words::failures::repository_not_added(),
            ),
        ] {
            let error = refused(why);
            assert_eq!(
                (error.kind, error.message.as_str()),
                (kind, message),
                "{why}"
            );
            assert!(error.details.unwrap().contains(why));
        }
        // What our own hub says is known by its code.
        let ours = answered(
            403,
            r#"{"error":"x: permission denied","code":"folder_not_writable"}"#,
        );
        assert_eq!(not_added(ours.clone()), ours);
    }

    #[test]
    fn a_kind_of_repository_that_a_hub_does_not_have_is_no_wrong_folder() {
        let text = answered(400, "Unsupported repository type: nfs\n");
        assert_eq!(not_added(text.clone()).kind, ErrorKind::Unsupported);
        assert_eq!(not_tried(text).kind, ErrorKind::Unsupported);
        let missing = not_tried(answered(404, "404 page not found\n"));
        assert_eq!(missing.kind, ErrorKind::Unsupported);
        assert_eq!(missing.message, words::failures::repositories_not_tested());
    }

    #[test]
    fn a_repository_that_is_kept_for_its_records_still_exists() {
        for why in [
            "repository repo-local-1: delete: cannot delete repository with 3 existing backups",
            "repository repo-local-1: delete_database: Error 1451 (23000): Cannot delete or update a parent row: a foreign key constraint fails",
        ] {
            let body =
                json!({ "success": false, "error": format!("Failed to delete repository: {why}") });
            let error = not_removed(answered(500, &body.to_string()));
            assert_eq!(error.kind, ErrorKind::Conflict, "{why}");
            assert_eq!(error.message, words::failures::repository_has_backups());
            assert_eq!(error.hint.as_deref(), Some(words::failures::records_stay()));
        }
        let body =
            r#"{"success":false,"error":"Failed to delete repository: repository not found"}"#;
        let gone = not_removed(answered(500, body));
        assert_eq!(gone.kind, ErrorKind::NotFound);
    }
}
