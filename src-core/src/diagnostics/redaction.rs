//! Taking secrets out of everything that leaves the computer with the diagnostics: those that are known, wherever they
//! stand, and whatever looks like one.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

use crate::Token;
use crate::hub::{without_passwords, without_secret};

/// What stands for a secret.
const GONE: &str = "…";
/// What is shorter is a word that may stand anywhere.
const SHORTEST: usize = 4;

/// Names of fields that hold secrets.
const SECRET_NAMES: &str =
    "passw(?:or)?d|passphrase|secret|token|api_?-?key|private_?-?key|authorization|cookie";

/// A value in quotation marks, to the end of the line if need be, and one inside of another quotation.
const QUOTED: &str = r#""(?:[^"\\\n]|\\.)*(?:"|$)"#;
const QUOTED_TWICE: &str = r#"\\"(?:[^"\\\n]|\\\\\\"|\\[^"])*(?:\\"|$)"#;

/// `key: value`, `key=value` and `"key": "value"`, also inside of another quotation.
static FIELDS: LazyLock<Regex> = LazyLock::new(|| {
    compiled(&format!(
        r#"(?im)([\w-]*(?:{SECRET_NAMES})[\w-]*(?:\\?["'])?\s*[:=]\s*)({QUOTED_TWICE}|{QUOTED}|'[^']*'|[^\s,;}}&"']+)"#
    ))
});
/// A name that holds a secret, as the key of a JSON object.
static SECRET_KEY: LazyLock<Regex> =
    LazyLock::new(|| compiled(&format!("(?i){SECRET_NAMES}|^key$")));
/// `https://user:password@host`
static USER_IN_URL: LazyLock<Regex> =
    LazyLock::new(|| compiled(r#"(?i)\b([a-z][a-z0-9+.-]*://)[^/\s"'<>]*@"#));
/// `Bearer …`, `Basic …`
static CREDENTIALS: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"(?i)\b(bearer|basic|negotiate)\s+[A-Za-z0-9._~+/=-]{6,}"));
/// Long numbers in hexadecimal, as keys are, and signed tokens (JWT).
static KEYS: LazyLock<Regex> = LazyLock::new(|| {
    compiled(r"\b[0-9A-Fa-f]{40,}\b|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?")
});
/// Private keys in PEM, to the end of the text if need be.
static PRIVATE_KEYS: LazyLock<Regex> = LazyLock::new(|| {
    compiled(r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)")
});

/// In whose values a user and a password may stand.
const PROXIES: [&str; 8] = [
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
];

/// The variables of the environment that name a proxy, with their values.
pub(super) fn proxies() -> impl Iterator<Item = (&'static str, String)> {
    let set = PROXIES.into_iter().map(|name| (name, std::env::var(name)));
    set.filter_map(|(name, value)| Some((name, value.ok()?)))
}

/// User and password of an address, where it has them: together, and the password alone.
fn secrets_in(address: &str) -> Vec<Token> {
    let address = address.split_once("://").map_or(address, |(_, rest)| rest);
    let Some((user, _)) = address.rsplit_once('@') else {
        return Vec::new();
    };
    let password = user.split_once(':').map(|(_, password)| password);
    let parts = [Some(user), password].into_iter().flatten();
    parts.map(Token::new).collect()
}

fn compiled(pattern: &str) -> Regex {
    #[allow(
        clippy::unwrap_used,
        reason = "the patterns are constants, and a test compiles each"
    )]
    Regex::new(pattern).unwrap()
}

/// Takes out secrets.
pub(super) struct Redaction {
    known: Vec<Token>,
}

impl Redaction {
    /// Takes out these, what this computer keeps for a proxy, and what looks like a secret.
    pub(super) fn of(known: &[Token]) -> Self {
        let mut known = known.to_vec();
        known.extend(proxies().flat_map(|(_, address)| secrets_in(&address)));
        Self { known }
    }

    /// A text without secrets.
    pub(super) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.known {
            if secret.reveal().len() >= SHORTEST {
                text = without_secret(secret.reveal(), text);
            }
        }
        let text = without_passwords(text);
        let text = PRIVATE_KEYS.replace_all(&text, GONE);
        let text = USER_IN_URL.replace_all(&text, format!("${{1}}{GONE}@"));
        let text = CREDENTIALS.replace_all(&text, format!("${{1}} {GONE}"));
        let text = FIELDS.replace_all(&text, |found: &Captures| format!("{}{GONE}", &found[1]));
        KEYS.replace_all(&text, GONE).into_owned()
    }

    /// A JSON value without secrets: neither under a name that holds one, nor in any text.
    pub(super) fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(fields) => {
                let cleaned = std::mem::take(fields).into_iter().map(|(key, mut value)| {
                    match value {
                        Value::String(_) if SECRET_KEY.is_match(&key) => value = GONE.into(),
                        _ => self.value(&mut value),
                    }
                    (self.text(&key), value)
                });
                *fields = cleaned.collect();
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_taken_out_and_the_rest_stays() {
        let redaction = Redaction::of(&[]);
        let hash = "0123456789abcdef".repeat(4);
        for (text, clean) in [
            (
                "GET http://ada:hor%2Fse@proxy:3128/x failed",
                "GET http://…@proxy:3128/x failed",
            ),
            ("via https://horse@hub", "via https://…@hub"),
            ("Authorization: Bearer hor.se-77", "Authorization: … …"),
            ("for Bearer horse-battery,", "for Bearer …,"),
            (r#"{"token":"horse","n":1}"#, r#"{"token":…,"n":1}"#),
            (r#"{"session_token": "hor\"se"}"#, r#"{"session_token": …}"#),
            (
                r#""{\"token\":\"horse\",\"n\":1}""#,
                r#""{\"token\":…,\"n\":1}""#,
            ),
            (
                r#""{\"token\":\"hor\\\"se\",\"n\":1}""#,
                r#""{\"token\":…,\"n\":1}""#,
            ),
            ("{\"token\":\"hor se\n\"n\":1", "{\"token\":…\n\"n\":1"),
            ("passphrase=horse&n=1", "passphrase=…&n=1"),
            ("api_key: horse", "api_key: …"),
            ("Cookie: sid=horse", "Cookie: …"),
            (
                "mount -o username=ada,password=horse,vers=3.0 //nas/b",
                "mount -o username=ada,password=…,vers=3.0 //nas/b",
            ),
            ("key eyJhbGciOiJI.eyJzdWIi.c2ln of it", "key … of it"),
            (
                "a\n-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\nb",
                "a\n…\nb",
            ),
            ("-----BEGIN PRIVATE KEY-----\nMHc", "…"),
            ("the password is wrong", "the password is wrong"),
            (
                "[2026-11-27][10:00:00][sendense_core::session][ERROR] GET /api/v1/backups",
                "[2026-11-27][10:00:00][sendense_core::session][ERROR] GET /api/v1/backups",
            ),
            (
                "backup 0b0e4d8b-91cb-4368-a7a7-0fcc8da7da01 of web@example.com",
                "backup 0b0e4d8b-91cb-4368-a7a7-0fcc8da7da01 of web@example.com",
            ),
        ] {
            assert_eq!(redaction.text(text), clean);
        }
        assert_eq!(redaction.text(&format!("key {hash}.")), "key ….");
    }

    #[test]
    fn what_is_known_is_taken_out_wherever_it_stands() {
        let known = ["hor\"se", "abc"].map(Token::new);
        let redaction = Redaction::of(&known);
        let text = r#"hor"se ran; {"x":"hor\"se"}; abc is short"#;
        assert_eq!(redaction.text(text), r#"… ran; {"x":"…"}; abc is short"#);
        let mut value = json!({ "hor\"se": ["hor\"se", 7], "refresh_token": "x", "key": "y" });
        redaction.value(&mut value);
        assert_eq!(
            value,
            json!({ "…": ["…", 7], "refresh_token": "…", "key": "…" })
        );
    }
}
