//! A redactor that masks what patterns of the operator's own find: staff numbers, internal names, customers' references.
//!
//! Settings: `{"find": [{"label": "staff", "pattern": "\\bEMP-[0-9]{6}\\b"}]}`. Patterns are regular expressions over bytes, without
//! look-around and references back, so that the time is linear in the output. Where several match at one place, the first of the
//! list counts.
//!
//! LIMIT: what is looked at at once are whole lines, and of a line of more than 64 KiB parts; what lies across the border of two
//! parts, or across the end of a line, may not be seen. Case folding and `\w` are of ASCII.

use portcullis_plugin_sdk::{Found, Hold, LAG_BYTES_MAX, Redactor, Span, StreamContext, Style};
use regex_automata::Input;
use regex_automata::meta::{Cache, Config, Regex};
use regex_automata::util::syntax;

/// Most patterns.
const PATTERNS_MAX: usize = 64;
/// Most memory that the patterns may take once they are compiled, in bytes, and that the search may take beside them.
const COMPILED_BYTES_MAX: usize = 4_194_304;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    find: Vec<Find>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Find {
    label: String,
    pattern: String,
}

struct Patterns {
    labels: Vec<String>,
    regex: Regex,
    cache: Cache,
    hold: Hold,
}

impl Redactor for Patterns {
    fn begin(context: StreamContext) -> Result<Self, String> {
        let settings: Settings = serde_json::from_str(&context.settings).map_err(|fault| {
            format!("settings: expected {{\"find\": [{{\"label\", \"pattern\"}}]}}, got: {fault}")
        })?;
        let (labels, patterns): (Vec<String>, Vec<String>) = settings
            .find
            .into_iter()
            .map(|find| (find.label, find.pattern))
            .unzip();
        if labels.is_empty() || labels.len() > PATTERNS_MAX {
            let count = labels.len();
            return Err(format!(
                "settings: expected 1 to {PATTERNS_MAX} patterns, got {count}"
            ));
        }
        let regex = Regex::builder()
            .configure(
                Config::new()
                    .nfa_size_limit(Some(COMPILED_BYTES_MAX))
                    .hybrid_cache_capacity(COMPILED_BYTES_MAX)
                    .utf8_empty(false),
            )
            .syntax(syntax::Config::new().utf8(false).unicode(false))
            .build_many(&patterns)
            .map_err(|fault| format!("settings: pattern: {fault}"))?;
        let cache = regex.create_cache();
        // A pattern that matches nothing at all would match at every place, and mask nothing.
        let nothing = regex.search_with(&mut regex.create_cache(), &Input::new(""));
        if let Some(found) = nothing {
            let label = labels
                .get(found.pattern().as_usize())
                .map_or("", String::as_str);
            return Err(format!(
                "settings: the pattern of {label:?} matches the empty text"
            ));
        }
        Ok(Self {
            labels,
            regex,
            cache,
            hold: Hold::default(),
        })
    }

    fn push(&mut self, chunk: &[u8]) -> Result<Found, String> {
        self.hold.push(chunk);
        let bytes = self.hold.bytes();
        let ended = bytes.iter().rposition(|byte| *byte == b'\n');
        let ended = ended.map_or(0, |at| at + 1);
        let end = ended.max(bytes.len().saturating_sub(LAG_BYTES_MAX));
        Ok(self.look(end))
    }

    fn finish(&mut self) -> Result<Found, String> {
        Ok(self.look(self.hold.bytes().len()))
    }
}

portcullis_plugin_sdk::redactor!(Patterns);

impl Patterns {
    /// Looks at the first bytes that are held, which end where a line ends wherever that can be.
    fn look(&mut self, end: usize) -> Found {
        let mut spans = Vec::new();
        let bytes = self.hold.bytes().get(..end).unwrap_or_default();
        let mut input = Input::new(bytes);
        while let Some(found) = self.regex.search_with(&mut self.cache, &input) {
            if found.start() >= found.end() {
                // An assertion can match nothing at a place; that masks nothing.
                input.set_start(found.end() + 1);
            } else {
                let label = self.labels.get(found.pattern().as_usize());
                spans.push(Span {
                    offset: self.hold.start() + found.start() as u64,
                    length: found.len() as u64,
                    label: label.cloned().unwrap_or_default(),
                    style: Style::Labelled,
                });
                input.set_start(found.end());
            }
            if input.is_done() {
                break;
            }
        }
        Found {
            spans,
            release: self.hold.release(end),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn check(settings: &str, chunks: &[&[u8]]) -> Result<Vec<(u64, u64, String)>, String> {
        let mut patterns = Patterns::begin(StreamContext {
            alias: "web1".to_owned(),
            tags: Vec::new(),
            name: "stdout".to_owned(),
            settings: settings.to_owned(),
        })?;
        let mut spans = Vec::new();
        for chunk in chunks {
            spans.extend(patterns.push(chunk)?.spans);
        }
        spans.extend(patterns.finish()?.spans);
        let spans = spans.into_iter();
        Ok(spans.map(|it| (it.offset, it.length, it.label)).collect())
    }

    const SETTINGS: &str = r#"{"find": [{"label": "staff", "pattern": "\\bEMP-[0-9]{6}\\b"},
        {"label": "host", "pattern": "(?i)[a-z0-9-]+\\.corp\\b"}]}"#;

    #[test]
    fn every_split_of_a_text_gives_the_same_spans() {
        let text = b"EMP-123456 on DB-1.Corp\nEMP-1234567, xEMP-123456 and a.corp\xff";
        let expected = vec![
            (0, 10, "staff".to_owned()),
            (14, 9, "host".to_owned()),
            (53, 6, "host".to_owned()),
        ];
        for cut in 0..=text.len() {
            let (left, right) = text.split_at(cut);
            assert_eq!(check(SETTINGS, &[left, right]).unwrap(), expected, "{cut}");
        }
    }

    #[test]
    fn a_line_that_does_not_end_is_not_held_back_for_ever() {
        let long = vec![b'a'; LAG_BYTES_MAX * 2];
        let spans = check(SETTINGS, &[&long, b" EMP-123456\n"]).unwrap();
        assert_eq!(spans.len(), 1);
    }

    #[test]
    fn broken_settings_are_an_error() {
        for settings in [
            "",
            "{}",
            r#"{"find": []}"#,
            r#"{"find": [{"label": "x", "pattern": "("}]}"#,
            r#"{"find": [{"label": "x", "pattern": "a*"}]}"#,
            r#"{"find": [{"label": "x", "pattern": "a{1000}{1000}{1000}"}]}"#,
            r#"{"find": [{"label": "x", "pattern": "a", "mask": "b"}]}"#,
        ] {
            assert!(check(settings, &[b"x"]).is_err(), "{settings}");
        }
    }
}
