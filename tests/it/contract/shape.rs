//! Compares the keys and JSON types of an answer with those of a sample.

use serde_json::Value;

/// Whether an answer may know more than its sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// The pure dialect: no key more and none less.
    Exactly,
    /// What users get: further keys are welcome.
    AtLeast,
}

/// Keys whose value says which of several shapes an element of a list has.
const STATES: [&str; 2] = ["status", "backup_type"];

/// Keys that are null until something has happened.
const NULL_UNTIL_DONE: [&str; 1] = ["completed_at"];

/// Keys whose value deployed hubs may not know (contract D11).
const NULL_WHERE_UNKNOWN: [&str; 4] = ["cpu_count", "memory_mb", "os_type", "power_state"];

/// Everything in which the answer differs from the sample, each with its place.
pub(super) fn differences(sample: &Value, answer: &Value, keys: Keys) -> Vec<String> {
    let mut found = Vec::new();
    compare("", sample, answer, keys, &mut found);
    found
}

fn compare(place: &str, sample: &Value, answer: &Value, keys: Keys, found: &mut Vec<String>) {
    match (sample, answer) {
        (Value::Object(sample), Value::Object(answer)) => {
            for (key, value) in sample {
                let place = format!("{place}.{key}");
                match answer.get(key) {
                    None => found.push(format!("{place} is missing")),
                    Some(Value::Null) if NULL_UNTIL_DONE.contains(&key.as_str()) => {}
                    Some(Value::String(_)) if NULL_UNTIL_DONE.contains(&key.as_str()) => {}
                    Some(Value::Null)
                        if keys == Keys::AtLeast && NULL_WHERE_UNKNOWN.contains(&key.as_str()) => {}
                    Some(answer) => compare(&place, value, answer, keys, found),
                }
            }
            for key in answer
                .keys()
                .filter(|key| keys == Keys::Exactly && !sample.contains_key(*key))
            {
                found.push(format!("{place}.{key} is not in the sample"));
            }
        }
        (Value::Array(sample), Value::Array(answer)) => {
            for (index, element) in answer.iter().enumerate() {
                let place = format!("{place}[{index}]");
                // A sample list can show several shapes: the element must have one of them.
                let attempts = same_state(sample, element).into_iter().map(|sample| {
                    let mut found = Vec::new();
                    compare(&place, sample, element, keys, &mut found);
                    found
                });
                found.extend(attempts.min_by_key(Vec::len).unwrap_or_default());
            }
        }
        (sample, answer) if type_of(sample) == type_of(answer) => {}
        (sample, answer) => {
            found.push(format!(
                "{place} is {} and should be {}",
                type_of(answer),
                type_of(sample)
            ));
        }
    }
}

/// Those sample elements that are in the state of this one; all of them if none is.
fn same_state<'a>(samples: &'a [Value], element: &Value) -> Vec<&'a Value> {
    let same: Vec<&Value> = samples
        .iter()
        .filter(|sample| {
            STATES
                .iter()
                .all(|state| sample.get(state) == element.get(state))
        })
        .collect();
    if same.is_empty() {
        samples.iter().collect()
    } else {
        same
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_missing_key_a_further_key_and_a_wrong_type_are_told() {
        let sample = json!({ "a": 1, "b": { "c": "text" } });
        let answer = json!({ "b": { "c": 2 }, "d": true });
        let exactly = differences(&sample, &answer, Keys::Exactly);
        assert_eq!(
            exactly,
            [
                ".a is missing",
                ".b.c is a number and should be a text",
                ".d is not in the sample"
            ]
        );
        assert_eq!(differences(&sample, &answer, Keys::AtLeast).len(), 2);
    }

    #[test]
    fn an_element_is_compared_with_the_sample_in_its_state() {
        let sample = json!([{ "status": "completed", "path": "x" }, { "status": "in_progress" }]);
        assert!(
            differences(
                &sample,
                &json!([{ "status": "in_progress" }]),
                Keys::Exactly
            )
            .is_empty()
        );
        let found = differences(&sample, &json!([{ "status": "completed" }]), Keys::Exactly);
        assert_eq!(found, ["[0].path is missing"]);
    }
}
