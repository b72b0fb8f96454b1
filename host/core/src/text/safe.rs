//! Text that cannot move a cursor or hide anything: what every door prints, answers, logs and records.
//!
//! INVARIANT: whoever holds a [`SafeText`] holds text that the scanner has read. It has no constructor
//! that takes text as it is.

use super::scanner;
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;
use std::ops::Deref;

/// Text of anybody, made safe to be read by people, models and terminals. Making it twice changes nothing.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SafeText(String);

impl SafeText {
    /// Text of several lines: what hides or moves is marked or removed, the rest stays.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(scanner::sanitise(text.as_bytes()).text)
    }

    /// Text that the scanner has read already and to which nothing but masks and marks of the gate were added.
    pub(crate) fn scanned(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text by itself. What is done to it from here on is no longer vouched for.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }

    /// The start of the text, at most so many bytes of it, cut between characters.
    #[must_use]
    pub fn clipped(mut self, bytes_max: usize) -> Self {
        self.0.truncate(self.0.floor_char_boundary(bytes_max));
        self
    }
}

impl Deref for SafeText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl From<&str> for SafeText {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for SafeText {
    fn from(text: String) -> Self {
        // Most texts are clean, and those need no copy.
        if scanner::is_plain(&text) {
            Self(text)
        } else {
            Self::new(&text)
        }
    }
}

impl From<SafeText> for String {
    fn from(text: SafeText) -> Self {
        text.0
    }
}

impl PartialEq<str> for SafeText {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<String> for SafeText {
    fn eq(&self, other: &String) -> bool {
        self.0 == *other
    }
}

impl PartialEq<&str> for SafeText {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// A record with every text in it made safe, names of keys included.
#[must_use]
pub fn safe_record(mut record: Map<String, Value>) -> Map<String, Value> {
    if record.keys().all(|key| scanner::is_plain(key)) {
        for value in record.values_mut() {
            *value = safe_value(value.take());
        }
        return record;
    }
    let safe = |(key, value)| (SafeText::from(key).0, safe_value(value));
    record.into_iter().map(safe).collect()
}

/// A value with every text in it made safe. Its depth is the caller's: records of the gate are flat.
#[must_use]
pub fn safe_value(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(SafeText::from(text).0),
        Value::Array(values) => Value::Array(values.into_iter().map(safe_value).collect()),
        Value::Object(record) => Value::Object(safe_record(record)),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_way_to_make_one_goes_through_the_scanner() {
        let hostile = "a\u{1b}[31mb\u{202e}c\nd";
        for text in [
            SafeText::new(hostile),
            SafeText::from(hostile),
            SafeText::from(hostile.to_owned()),
        ] {
            assert_eq!(text, "ab<U+202E>c\nd");
        }
        assert_eq!(crate::text::step(hostile), "abc d");
    }

    #[test]
    fn a_record_is_clean_in_keys_and_values() {
        let hostile = "x\u{9b}2Jy\u{e0041}";
        let record = json!({hostile: [hostile, {"deep": hostile}], "n": 1});
        let expected = json!({"xy<U+E0041>": ["xy<U+E0041>", {"deep": "xy<U+E0041>"}], "n": 1});
        assert_eq!(safe_value(record), expected);
    }

    #[test]
    fn a_clipped_text_ends_between_characters() {
        assert_eq!(SafeText::from("aé").clipped(2), "a");
        assert_eq!(SafeText::from("aé").clipped(9), "aé");
    }
}
