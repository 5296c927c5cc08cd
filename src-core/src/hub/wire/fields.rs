//! Tolerant access to the fields of a JSON object (contract 8.6): null is missing, numbers may be
//! texts, and of several names for one thing the first that says something counts.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use sendense_types::{AppError, ErrorKind, FailureCode, Retry};
use sendense_words as words;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Result;

/// The fields of one object.
#[derive(Clone, Copy, Debug)]
pub(in crate::hub) struct Fields<'v>(&'v Map<String, Value>);

impl<'v> Fields<'v> {
    /// The fields of what has to be an object.
    pub(in crate::hub) fn of(value: &'v Value) -> Result<Self> {
        value
            .as_object()
            .map(Self)
            .ok_or_else(|| incomplete(words::failures::answer_no_object()))
    }

    /// A text; ids may be numbers.
    pub(in crate::hub) fn text(&self, names: &[&str]) -> Option<String> {
        self.values(names).find_map(|value| match value {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    }

    /// A text without which the rest makes no sense.
    pub(in crate::hub) fn required(&self, name: &str) -> Result<String> {
        self.text(&[name])
            .ok_or_else(|| incomplete(words::failures::answer_incomplete(name)))
    }

    /// A text that may be empty.
    pub(in crate::hub) fn text_or_empty(&self, name: &str) -> String {
        self.text(&[name]).unwrap_or_default()
    }

    /// A number of things or bytes; negative means unknown.
    pub(in crate::hub) fn count(&self, names: &[&str]) -> Option<u64> {
        self.values(names).find_map(|value| match value {
            Value::Number(number) => number.as_u64().or_else(|| number.as_f64().and_then(whole)),
            Value::String(text) => {
                let text = text.trim();
                text.parse()
                    .ok()
                    .or_else(|| text.parse().ok().and_then(whole))
            }
            _ => None,
        })
    }

    /// As [`count`](Self::count), for what is known to be small.
    pub(in crate::hub) fn small_count(&self, names: &[&str]) -> Option<u32> {
        self.count(names)
            .map(|count| u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// A number with a fraction; what is no number (contract H26) is unknown.
    pub(in crate::hub) fn real(&self, names: &[&str]) -> Option<f64> {
        self.values(names)
            .find_map(|value| match value {
                Value::Number(number) => number.as_f64(),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            })
            .filter(|number: &f64| number.is_finite())
    }

    /// Whether the hub says anything of that name, be it `null`.
    pub(in crate::hub) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some()
    }

    /// Yes or no, on hubs that have that field.
    pub(in crate::hub) fn optional_flag(&self, name: &str) -> Option<bool> {
        self.0.get(name).and_then(Value::as_bool)
    }

    /// A truth value; missing is false.
    pub(in crate::hub) fn flag(&self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            Some(Value::String(text)) => matches!(text.as_str(), "true" | "1"),
            _ => false,
        }
    }

    /// A point in time (contract 8.3): RFC 3339, or SQL's form; empty and the year 1 mean none.
    pub(in crate::hub) fn time(&self, name: &str) -> Option<Timestamp> {
        let text = self.text(&[name])?;
        if text.starts_with("0001-01-01") {
            return None;
        }
        text.parse().ok().or_else(|| {
            let civil: DateTime = text.parse().ok()?;
            TimeZone::UTC.to_timestamp(civil).ok()
        })
    }

    /// Why something failed, on hubs that say it in a word.
    pub(in crate::hub) fn failure_code(&self) -> Option<FailureCode> {
        FailureCode::deserialize(self.0.get("error_code")?).ok()
    }

    /// The elements of a list; null and missing are empty.
    pub(in crate::hub) fn list<T>(
        &self,
        names: &[&str],
        mut decode: impl FnMut(Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let Some(elements) = self.values(names).find_map(Value::as_array) else {
            return Ok(Vec::new());
        };
        elements
            .iter()
            .map(|element| decode(Fields::of(element)?))
            .collect()
    }

    /// The texts of a list; what is none is left out.
    pub(in crate::hub) fn texts(&self, name: &str) -> Vec<String> {
        let elements = self.0.get(name).and_then(Value::as_array);
        elements
            .into_iter()
            .flatten()
            .filter_map(|element| element.as_str().map(str::to_owned))
            .collect()
    }

    /// Small numbers of a list; what is none is left out.
    pub(in crate::hub) fn numbers(&self, name: &str) -> Vec<u32> {
        let elements = self.0.get(name).and_then(Value::as_array);
        elements
            .into_iter()
            .flatten()
            .filter_map(|element| u32::try_from(element.as_u64()?).ok())
            .collect()
    }

    /// An object within this one.
    pub(in crate::hub) fn object(&self, names: &[&str]) -> Option<Self> {
        self.values(names).find_map(Value::as_object).map(Fields)
    }

    fn values<'n>(&self, names: &'n [&str]) -> impl Iterator<Item = &'v Value> + use<'v, 'n> {
        let fields = self.0;
        names.iter().filter_map(|name| fields.get(*name))
    }
}

/// Saturates: a size that does not fit is still "very large".
fn whole(number: f64) -> Option<u64> {
    (number.is_finite() && number >= 0.0).then_some(number as u64)
}

fn incomplete(why: impl Into<String>) -> AppError {
    AppError::new(
        ErrorKind::Internal,
        words::failures::answer_not_understood(),
        Retry::Never,
    )
    .with_hint(words::failures::answer_not_understood_hint())
    .with_details(why)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Contract D3.
    #[test]
    fn of_several_names_the_first_that_says_something_counts() {
        let value = json!({ "token": "", "session_token": "x", "total": null, "total_count": 3 });
        let fields = Fields::of(&value).unwrap();
        let token = fields.text(&["token", "session_token", "access_token"]);
        assert_eq!(token.as_deref(), Some("x"));
        assert_eq!(fields.count(&["total", "total_count"]), Some(3));
    }

    /// Contract H26.
    #[test]
    fn sizes_come_as_numbers_fractions_and_texts() {
        for (value, count) in [
            (json!(5), Some(5)),
            (json!(5.9), Some(5)),
            (json!("5"), Some(5)),
            (json!(" 5.5 "), Some(5)),
            (json!(-1), None),
            (json!("many"), None),
            (json!(null), None),
            (json!(1e30), Some(u64::MAX)),
        ] {
            let object = json!({ "n": value });
            assert_eq!(
                Fields::of(&object).unwrap().count(&["n"]),
                count,
                "{object}"
            );
        }
    }

    /// Contract H3.
    #[test]
    fn times_come_in_many_forms() {
        for (text, instant) in [
            ("2025-10-08T21:19:37+01:00", Some("2025-10-08T20:19:37Z")),
            (
                "2025-10-08T21:19:37.123456789Z",
                Some("2025-10-08T21:19:37.123456789Z"),
            ),
            ("2025-10-08 21:19:37", Some("2025-10-08T21:19:37Z")),
            ("2025-10-08 21:19:37.5", Some("2025-10-08T21:19:37.5Z")),
            ("0001-01-01T00:00:00Z", None),
            ("", None),
            ("yesterday", None),
        ] {
            let object = json!({ "t": text });
            let time = Fields::of(&object).unwrap().time("t");
            assert_eq!(time, instant.map(|text| text.parse().unwrap()), "{text}");
        }
    }

    /// Contract D22, H3.
    #[test]
    fn null_and_missing_lists_are_empty() {
        let value = json!({ "files": null });
        let fields = Fields::of(&value).unwrap();
        let decode = |fields: Fields<'_>| fields.required("name");
        assert!(fields.list(&["files"], decode).unwrap().is_empty());
        assert!(fields.list(&["other"], decode).unwrap().is_empty());
        let value = json!({ "files": [{}] });
        assert!(
            Fields::of(&value)
                .unwrap()
                .list(&["files"], decode)
                .is_err()
        );
    }
}
