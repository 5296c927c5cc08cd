//! Addresses of hubs as people write them, and the addresses of what a hub offers.

use reqwest::Url;
use sendense_types::{AppError, ErrorKind, Retry};
use sendense_words as words;

use crate::Result;

/// The port of deployed hubs (contract 1).
const DEFAULT_PORT: u16 = 8082;

/// Understands `host`, `host:port` and whole URLs, with or without `/api/v1` (contract 8.1).
pub(super) fn parse(text: &str) -> Result<Url> {
    let text = text.trim();
    let invalid = |message: String| {
        AppError::new(ErrorKind::Invalid, message, Retry::Never)
            .with_hint(words::failures::address_example())
    };
    let has_scheme = text.contains("://");
    let full = if has_scheme {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let mut url = Url::parse(&full)
        .map_err(|error| invalid(words::failures::address_invalid(text, error)))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid(words::failures::address_scheme(text)));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid(words::failures::address_secret(text)));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid(words::failures::address_query(text)));
    }
    // Whoever wrote a scheme meant its port.
    if !has_scheme && url.port().is_none() {
        url.set_port(Some(DEFAULT_PORT))
            .map_err(|()| invalid(words::failures::address_hostless(text)))?;
    }
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/api/v1").unwrap_or(path);
    let path = format!("{}/", path.trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

/// The address of something a hub offers: segments are encoded, whatever they hold (contract H25).
pub(super) fn below(base: &Url, segments: &[&str]) -> Result<Url> {
    for segment in segments {
        // The URL standard would silently swallow the dots, and a hub decodes %2F before it routes.
        if segment.contains('/') || matches!(*segment, "" | "." | "..") {
            return Err(AppError::new(
                ErrorKind::Invalid,
                words::failures::bad_id(segment),
                Retry::Never,
            ));
        }
    }
    let mut url = base.clone();
    url.path_segments_mut()
        .map_err(|()| {
            AppError::new(
                ErrorKind::Invalid,
                words::failures::address_not_extended(),
                Retry::Never,
            )
        })?
        .pop_if_empty()
        .extend(segments);
    Ok(url)
}

/// Whether a hub lies on this computer, where no proxy has business.
pub(super) fn is_loopback(url: &Url) -> bool {
    url.host_str()
        .is_some_and(|host| sendense_types::is_loopback(host.trim_matches(['[', ']'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_people_write_them() {
        for (text, base) in [
            ("backup.example.com", "http://backup.example.com:8082/"),
            ("10.0.0.5:8080", "http://10.0.0.5:8080/"),
            ("http://hub/", "http://hub/"),
            ("https://hub:8443/api/v1/", "https://hub:8443/"),
            (" http://hub/sendense/api/v1 ", "http://hub/sendense/"),
            ("[::1]:8082", "http://[::1]:8082/"),
        ] {
            assert_eq!(parse(text).unwrap().as_str(), base, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_in_words() {
        for text in [
            "",
            "ftp://hub",
            "http://",
            "http://operator:secret@hub",
            "http://hub?x=1",
            "a b",
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Invalid, "{text}");
        }
    }

    /// Contract H25.
    #[test]
    fn ids_are_encoded_and_cannot_change_the_path() {
        let base = parse("http://hub/x").unwrap();
        let url = below(&base, &["api", "v1", "a b#?%"]).unwrap();
        assert_eq!(url.as_str(), "http://hub/x/api/v1/a%20b%23%3F%25");
        for id in ["", ".", "..", "a/b", "../x"] {
            assert!(below(&base, &["backups", id]).is_err(), "{id}");
        }
    }

    #[test]
    fn this_computer_is_recognised() {
        for address in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost"] {
            assert!(is_loopback(&parse(address).unwrap()), "{address}");
        }
        assert!(!is_loopback(
            &parse("http://127.0.0.1.example.com").unwrap()
        ));
    }
}
