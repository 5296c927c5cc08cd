//! Times on their way to the window: RFC 3339 in UTC, as jiff writes them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde::de::{Deserialize, Deserializer, Error};

/// Reads a time that may be missing.
///
/// Not by jiff's reader: it knows every form of a time and a sentence for all that can be wrong with each, which would
/// be a fifteenth of the window's module. Here there is one form, because the other side is ours.
pub(crate) fn optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let time = text.map(|text| {
        let time = parse(&text);
        time.ok_or_else(|| D::Error::custom(format_args!("{text:?} is not a time")))
    });
    time.transpose()
}

/// "2025-10-08T19:24:00.25Z"
fn parse(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    // From its end: a year may begin with a dash of its own.
    let mut date = date.rsplitn(3, '-');
    let (day, month, year) = (date.next()?, date.next()?, date.next()?);
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut time = time.splitn(3, ':');
    let (hour, minute, second) = (time.next()?, time.next()?, time.next()?);
    let nanoseconds = format!("{fraction:0<9}");
    let civil = DateTime::new(
        year.parse().ok()?,
        month.parse().ok()?,
        day.parse().ok()?,
        hour.parse().ok()?,
        minute.parse().ok()?,
        second.parse().ok()?,
        nanoseconds.parse().ok()?,
    );
    Offset::UTC.to_timestamp(civil.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Backup {
        #[serde(default, deserialize_with = "optional")]
        created_at: Option<Timestamp>,
    }

    fn read(text: &str) -> Result<Backup, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn every_time_comes_back_as_jiff_has_written_it() {
        let steps = [1_i128, 999, 1_000_003, 1_000_000_007, 86_399_999_999_999];
        let now = 1_760_000_000_123_456_789_i128;
        let near = steps.into_iter().flat_map(|step| [now - step, now + step]);
        // Across all that there is: from the year -9999 to 9999, in steps that hit every month and hour.
        let (first, last) = (
            Timestamp::MIN.as_nanosecond(),
            Timestamp::MAX.as_nanosecond(),
        );
        let far = (0..10_000).map(|step| first + (last - first) / 9_999 * step);
        for nanoseconds in near.chain(far).chain([first, last, 0, -1]) {
            let time = Timestamp::from_nanosecond(nanoseconds).unwrap();
            assert_eq!(parse(&time.to_string()), Some(time), "{time}");
        }
    }

    #[test]
    fn a_time_may_be_missing_and_what_is_none_is_refused() {
        assert_eq!(read(r#"{"created_at":null}"#).unwrap().created_at, None);
        assert_eq!(read("{}").unwrap().created_at, None);
        for text in [
            "yesterday",
            "",
            "Z",
            "2025-10-08",
            "2025-13-08T19:24:00Z",
            "2025-02-30T00:00:00Z",
            "2025-10-08T19:24Z",
            "2025-10-08T19:24:00",
            "2025-10-08T19:24:00.1234567890Z",
            "2025-10-08T19:24:00+02:00",
        ] {
            let refusal = read(&format!(r#"{{"created_at":"{text}"}}"#)).unwrap_err();
            assert!(refusal.to_string().contains("is not a time"), "{refusal}");
        }
    }
}
