//! A tool's arguments: one table says what a tool takes, and both the published schema and the check
//! come from it, so they cannot differ.
//!
//! Only names and types are checked here. Emptiness, lengths and characters are the gate's, so that
//! every way into it has the same limits; a missing text reaches it as the empty text.
//!
//! Must not: trim or change a value.

use rmcp::model::JsonObject;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Most characters of a caller's own argument name that an answer repeats.
const NAME_CHARS_MAX: usize = 60;

/// One parameter of a tool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    /// Its name on the wire.
    pub(crate) name: &'static str,
    /// What it takes.
    pub(crate) takes: Takes,
    /// What it means, for the model that fills it in.
    pub(crate) description: &'static str,
}

/// What a parameter takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Takes {
    /// A text that has to be given.
    Text,
    /// One of these words; the first one where nothing is given.
    OneOf(&'static [&'static str]),
    /// A whole number up to a bound; the default where nothing is given.
    Count {
        /// Where nothing is given.
        default: u64,
        /// The bound.
        max: u64,
    },
}

/// Why arguments are not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgumentFault {
    /// The arguments are no object.
    #[error("arguments must be an object")]
    NotAnObject,
    /// The tool has no such parameter.
    #[error("unknown argument: {name} ({known})")]
    Unknown {
        /// What the caller named it, in clean and short text.
        name: String,
        /// What the tool takes.
        known: String,
    },
    /// Not a text.
    #[error("{name} must be a string")]
    NotText {
        /// The parameter.
        name: &'static str,
    },
    /// Not a whole number, or one beyond its bound.
    #[error("{name} must be a whole number from 0 to {max}")]
    NotACount {
        /// The parameter.
        name: &'static str,
        /// The bound.
        max: u64,
    },
    /// None of the words that are possible.
    #[error("{name} must be one of: {words}")]
    NotAWord {
        /// The parameter.
        name: &'static str,
        /// The words.
        words: String,
    },
}

impl ArgumentFault {
    /// The stable word for programs.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NotAnObject => "input_not_an_object",
            Self::Unknown { .. } => "input_unknown_field",
            Self::NotText { .. } | Self::NotACount { .. } => "input_type",
            Self::NotAWord { .. } => "input_choice",
        }
    }
}

/// Checked arguments.
#[derive(Debug)]
pub(crate) struct Arguments(BTreeMap<&'static str, String>);

impl Arguments {
    /// Checks what the caller gave.
    ///
    /// # Errors
    /// The first [`ArgumentFault`], unknown names before types.
    pub(crate) fn read(
        parameters: &'static [Parameter],
        given: Option<JsonObject>,
    ) -> Result<Self, ArgumentFault> {
        let mut given = given.unwrap_or_default();
        let stranger = given
            .keys()
            .find(|key| parameters.iter().all(|p| p.name != key.as_str()));
        if let Some(name) = stranger {
            return Err(unknown(parameters, name));
        }
        let mut texts = BTreeMap::new();
        for parameter in parameters {
            let text = match (parameter.takes, given.remove(parameter.name)) {
                (Takes::Count { default, max }, given) => {
                    let count = given.map_or(Some(default), |given| given.as_u64());
                    let name = parameter.name;
                    let count = count
                        .filter(|count| *count <= max)
                        .ok_or(ArgumentFault::NotACount { name, max })?;
                    texts.insert(name, count.to_string());
                    continue;
                }
                (_, None) => None,
                (_, Some(Value::String(text))) => Some(text),
                (_, Some(_)) => {
                    return Err(ArgumentFault::NotText {
                        name: parameter.name,
                    });
                }
            };
            texts.insert(parameter.name, parameter.settle(text)?);
        }
        Ok(Self(texts))
    }

    /// The value of a parameter that takes a count.
    pub(crate) fn take_count(&mut self, name: &'static str) -> u64 {
        self.take(name).parse().unwrap_or_default()
    }

    /// The value of a parameter.
    pub(crate) fn take(&mut self, name: &'static str) -> String {
        self.0.remove(name).unwrap_or_default()
    }
}

fn unknown(parameters: &[Parameter], name: &str) -> ArgumentFault {
    let known: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
    let known = if known.is_empty() {
        "this tool takes no arguments".to_owned()
    } else {
        format!("this tool takes {}", known.join(", "))
    };
    let clean = portcullis_core::text::step(name);
    let name = clean.chars().take(NAME_CHARS_MAX).collect();
    ArgumentFault::Unknown { name, known }
}

impl Parameter {
    fn settle(&self, text: Option<String>) -> Result<String, ArgumentFault> {
        match self.takes {
            Takes::Text | Takes::Count { .. } => Ok(text.unwrap_or_default()),
            Takes::OneOf(words) => match text {
                None => Ok(words.first().map(ToString::to_string).unwrap_or_default()),
                Some(text) if words.contains(&text.as_str()) => Ok(text),
                Some(_) => Err(ArgumentFault::NotAWord {
                    name: self.name,
                    words: words.join(", "),
                }),
            },
        }
    }
}

/// The schema of a tool's arguments.
pub(crate) fn schema(parameters: &[Parameter]) -> JsonObject {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for parameter in parameters {
        let property = match parameter.takes {
            Takes::Text => {
                required.push(parameter.name);
                json!({"type": "string", "description": parameter.description})
            }
            Takes::Count { default, max } => json!({
                "type": "integer",
                "description": parameter.description,
                "minimum": 0,
                "maximum": max,
                "default": default,
            }),
            Takes::OneOf(words) => json!({
                "type": "string",
                "description": parameter.description,
                "enum": words,
                "default": words.first(),
            }),
        };
        properties.insert(parameter.name.to_owned(), property);
    }
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!(crate::schema::DIALECT));
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use super::*;

    const PARAMETERS: &[Parameter] = &[
        Parameter {
            name: "alias",
            takes: Takes::Text,
            description: "",
        },
        Parameter {
            name: "streams",
            takes: Takes::OneOf(&["joined", "split"]),
            description: "",
        },
    ];

    fn read(given: Value) -> Result<Arguments, ArgumentFault> {
        let Value::Object(given) = given else {
            panic!("an object")
        };
        Arguments::read(PARAMETERS, Some(given))
    }

    #[test]
    fn what_is_absent_is_empty_or_the_first_word() {
        let mut arguments = Arguments::read(PARAMETERS, None).unwrap();
        assert_eq!(arguments.take("alias"), "");
        assert_eq!(arguments.take("streams"), "joined");
    }

    #[test]
    fn values_arrive_untouched() {
        let mut arguments = read(json!({"alias": " web1 \n", "streams": "split"})).unwrap();
        assert_eq!(arguments.take("alias"), " web1 \n");
        assert_eq!(arguments.take("streams"), "split");
    }

    #[test]
    fn every_fault_names_its_field() {
        for (given, code, field) in [
            (json!({"alias": 5}), "input_type", "alias"),
            (json!({"alias": null}), "input_type", "alias"),
            (json!({"alias": ["web1"]}), "input_type", "alias"),
            (
                json!({"alias": "web1", "Alias": "x"}),
                "input_unknown_field",
                "Alias",
            ),
            (json!({"streams": "SPLIT"}), "input_choice", "streams"),
            (json!({"streams": true}), "input_type", "streams"),
        ] {
            let fault = read(given).unwrap_err();
            assert_eq!(fault.code(), code);
            assert!(fault.to_string().contains(field), "{fault}");
        }
    }

    #[test]
    fn a_count_is_whole_and_within_its_bound() {
        const COUNT: &[Parameter] = &[Parameter {
            name: "bytes",
            takes: Takes::Count { default: 7, max: 9 },
            description: "",
        }];
        let read = |given: Value| {
            let given = given.as_object().cloned();
            Arguments::read(COUNT, given).map(|mut found| found.take_count("bytes"))
        };
        assert_eq!(read(json!({})), Ok(7));
        assert_eq!(read(json!({"bytes": 9})), Ok(9));
        for given in [json!(10), json!(-1), json!("3"), json!(1.5), json!(null)] {
            let fault = read(json!({"bytes": given})).unwrap_err();
            assert_eq!(
                fault.to_string(),
                "bytes must be a whole number from 0 to 9"
            );
        }
    }

    #[test]
    fn a_stranger_is_named_in_clean_and_short_text() {
        let fault = read(json!({"a\u{1b}[2J\u{202e}\nb": 1}))
            .unwrap_err()
            .to_string();
        assert!(fault.starts_with("unknown argument: a b ("), "{fault}");
        let long = "x".repeat(5000);
        assert!(read(json!({long: 1})).unwrap_err().to_string().len() < 200);
    }

    #[test]
    fn the_schema_requires_texts_and_allows_nothing_else() {
        let schema = Value::Object(schema(PARAMETERS));
        assert_eq!(schema.pointer("/required").unwrap(), &json!(["alias"]));
        assert_eq!(
            schema.pointer("/additionalProperties").unwrap(),
            &json!(false)
        );
        assert_eq!(
            schema.pointer("/properties/streams/enum").unwrap(),
            &json!(["joined", "split"])
        );
    }
}
