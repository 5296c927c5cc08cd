//! Ids in the form of deployed hubs, `backup-{vm}-{unix}` and the like, for VM names with any characters.
//!
//! Deployed hubs insert the name unchanged: long names do not fit their columns, and two starts in one second collide
//! (contract H6, 3.6). Ours contain the name so that people recognise it, shortened and reduced to characters that are
//! safe in a file name, and are made unique by checking what is on record.

use jiff::Timestamp;

/// With prefix, time and number still under the 64 characters that deployed hubs' columns have.
const MAX_SLUG_CHARS: usize = 32;

/// What is left of a name in an id: ASCII letters, digits, `.` and `_`, all else as one `-`.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for character in name.chars() {
        let keep = character.is_ascii_alphanumeric() || matches!(character, '.' | '_');
        match keep {
            true => slug.push(character),
            false if !slug.ends_with('-') => slug.push('-'),
            false => {}
        }
        if slug.len() >= MAX_SLUG_CHARS {
            break;
        }
    }
    // Leading dots hide a folder, trailing ones vanish on Windows.
    let slug = slug.trim_matches(['-', '.']);
    if slug.is_empty() { "vm" } else { slug }.to_owned()
}

/// `backup-{vm}-{unix}`, numbered from the second on where that is taken.
pub(crate) fn backup_id<E>(
    vm_name: &str,
    now: Timestamp,
    is_taken: impl FnMut(&str) -> Result<bool, E>,
) -> Result<String, E> {
    first_free(
        format!("backup-{}-{}", slug(vm_name), now.as_second()),
        is_taken,
    )
}

/// `full-restore-{vm}-{unix}`, numbered likewise.
pub(crate) fn full_restore_id<E>(
    vm_name: &str,
    now: Timestamp,
    is_taken: impl FnMut(&str) -> Result<bool, E>,
) -> Result<String, E> {
    let id = format!("full-restore-{}-{}", slug(vm_name), now.as_second());
    first_free(id, is_taken)
}

/// `ctx-{vm}-{YYYYMMDD-HHMMSS}`, numbered likewise.
pub(crate) fn vm_id<E>(
    vm_name: &str,
    now: Timestamp,
    is_taken: impl FnMut(&str) -> Result<bool, E>,
) -> Result<String, E> {
    first_free(format!("ctx-{}-{}", slug(vm_name), compact(now)), is_taken)
}

/// `ctx-backup-{vm}-{unix}`, numbered likewise.
pub(crate) fn backup_context_id<E>(
    vm_name: &str,
    now: Timestamp,
    is_taken: impl FnMut(&str) -> Result<bool, E>,
) -> Result<String, E> {
    let id = format!("ctx-backup-{}-{}", slug(vm_name), now.as_second());
    first_free(id, is_taken)
}

/// `repo-{type}-{unix}`, numbered likewise. To the microsecond: a repository may come to a hub from another
/// one, and within a second both may have made theirs.
pub(crate) fn repository_id<E>(
    repository_type: &str,
    now: Timestamp,
    is_taken: impl FnMut(&str) -> Result<bool, E>,
) -> Result<String, E> {
    first_free(
        format!("repo-{repository_type}-{}", now.as_microsecond()),
        is_taken,
    )
}

/// `YYYYMMDD-HHMMSS` in UTC.
pub(crate) fn compact(time: Timestamp) -> String {
    time.strftime("%Y%m%d-%H%M%S").to_string()
}

fn first_free<E>(
    id: String,
    mut is_taken: impl FnMut(&str) -> Result<bool, E>,
) -> Result<String, E> {
    let mut candidate = id.clone();
    let mut number = 2_u64;
    while is_taken(&candidate)? {
        candidate = format!("{id}-{number}");
        number += 1;
    }
    Ok(candidate)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn ids_have_the_deployed_form() {
        let now = at("2025-10-08T19:24:31Z");
        let free = |_: &str| Ok::<_, Infallible>(false);
        assert_eq!(
            backup_id("pgtest1", now, free).unwrap(),
            "backup-pgtest1-1759951471"
        );
        assert_eq!(
            vm_id("pgtest1", now, free).unwrap(),
            "ctx-pgtest1-20251008-192431"
        );
        assert_eq!(
            backup_context_id("pgtest1", now, free).unwrap(),
            "ctx-backup-pgtest1-1759951471"
        );
    }

    #[test]
    fn two_backups_of_one_second_get_two_ids() {
        let mut taken = vec![];
        for _ in 0..3 {
            let id = backup_id("a b", at("2025-10-08T19:24:31Z"), |id| {
                Ok::<_, Infallible>(taken.iter().any(|taken| taken == id))
            });
            taken.push(id.unwrap());
        }
        assert_eq!(
            taken,
            [
                "backup-a-b-1759951471",
                "backup-a-b-1759951471-2",
                "backup-a-b-1759951471-3"
            ]
        );
    }

    #[test]
    fn names_keep_what_is_safe_of_them() {
        assert_eq!(slug("pgtest1"), "pgtest1");
        assert_eq!(slug("Web Server (alt)/№7"), "Web-Server-alt-7");
        assert_eq!(slug("漢字"), "vm");
        assert_eq!(slug("../../etc"), "etc");
        assert_eq!(slug("web-disk01"), "web-disk01");
        assert_eq!(slug(&"x".repeat(100)).len(), MAX_SLUG_CHARS);
    }

    proptest! {
        #[test]
        fn every_name_gives_an_id_that_is_a_safe_file_name(name in "\\PC{0,80}") {
            let id = backup_id(&name, at("2025-10-08T19:24:31Z"), |_| Ok::<_, Infallible>(false)).unwrap();
            prop_assert!(id.len() <= 64);
            prop_assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)), "{}", id);
            prop_assert!(!slug(&name).starts_with('.') && !slug(&name).ends_with('.'));
        }
    }
}
