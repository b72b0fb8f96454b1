//! A redactor that masks ticket numbers such as `OPS-1234`, also where two pushes split one.
//!
//! Settings: `{"prefixes": ["OPS", "SEC"]}`: upper-case ASCII letters and digits, beginning with a letter.
//! A ticket number is a prefix, a hyphen and one to twelve digits, with no letter, digit, hyphen or
//! underscore on either side.
//!
//! LIMIT: more than twelve digits are not a ticket number.

use portcullis_plugin_sdk::{Found, Hold, Redactor, Span, StreamContext, Style};

/// Longest prefix, in bytes.
const PREFIX_BYTES_MAX: usize = 32;
/// Most digits of a number.
const DIGITS_MAX: usize = 12;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    prefixes: Vec<String>,
}

struct Tickets {
    prefixes: Vec<String>,
    hold: Hold,
    /// The byte before the held ones: whether a match may begin there depends on it.
    before: Option<u8>,
}

/// What stands at a place of the held bytes.
enum Place {
    /// A ticket number of that many bytes.
    Ticket(usize),
    /// No ticket number begins here.
    Nothing,
    /// More bytes are needed to say.
    Open,
}

impl Redactor for Tickets {
    fn begin(context: StreamContext) -> Result<Self, String> {
        Ok(Self {
            prefixes: prefixes(&context.settings)?,
            hold: Hold::default(),
            before: None,
        })
    }

    fn push(&mut self, chunk: &[u8]) -> Result<Found, String> {
        self.hold.push(chunk);
        Ok(self.scan(false))
    }

    fn finish(&mut self) -> Result<Found, String> {
        Ok(self.scan(true))
    }
}

portcullis_plugin_sdk::redactor!(Tickets);

fn prefixes(settings: &str) -> Result<Vec<String>, String> {
    let settings: Settings = serde_json::from_str(settings)
        .map_err(|fault| format!("settings: expected {{\"prefixes\": [words]}}, got: {fault}"))?;
    if settings.prefixes.is_empty() {
        return Err("settings: expected at least one prefix, got none".to_owned());
    }
    for prefix in &settings.prefixes {
        let letters = prefix.starts_with(|c: char| c.is_ascii_uppercase())
            && prefix
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        if !letters || prefix.len() > PREFIX_BYTES_MAX {
            return Err(format!(
                "settings: expected a prefix of 1 to {PREFIX_BYTES_MAX} upper-case letters and digits, got {prefix:?}"
            ));
        }
    }
    Ok(settings.prefixes)
}

impl Tickets {
    /// Looks at the held bytes in order, and stops at the first place that is still open unless the
    /// stream has ended.
    fn scan(&mut self, ended: bool) -> Found {
        let mut spans = Vec::new();
        let bytes = self.hold.bytes();
        let mut at = 0;
        while at < bytes.len() {
            let before = at
                .checked_sub(1)
                .and_then(|i| bytes.get(i).copied())
                .or(self.before);
            let rest = bytes.get(at..).unwrap_or_default();
            let place = if before.is_some_and(in_word) {
                Place::Nothing
            } else {
                self.place(rest, ended)
            };
            match place {
                Place::Ticket(length) => {
                    spans.push(Span {
                        offset: self.hold.start() + at as u64,
                        length: length as u64,
                        label: "ticket".to_owned(),
                        style: Style::Labelled,
                    });
                    at += length;
                }
                Place::Nothing => at += 1,
                Place::Open => break,
            }
        }
        if let Some(last) = at.checked_sub(1) {
            self.before = bytes.get(last).copied();
        }
        Found {
            spans,
            release: self.hold.release(at),
        }
    }

    fn place(&self, rest: &[u8], ended: bool) -> Place {
        let mut open = false;
        for prefix in &self.prefixes {
            match at_prefix(prefix.as_bytes(), rest, ended) {
                Place::Ticket(length) => return Place::Ticket(length),
                Place::Open => open = true,
                Place::Nothing => {}
            }
        }
        if open { Place::Open } else { Place::Nothing }
    }
}

fn at_prefix(prefix: &[u8], rest: &[u8], ended: bool) -> Place {
    let head = prefix.iter().chain(b"-");
    let same = rest
        .iter()
        .zip(head.clone())
        .take_while(|(a, b)| a == b)
        .count();
    if same <= prefix.len() {
        let cut = same == rest.len() && !ended;
        return if cut { Place::Open } else { Place::Nothing };
    }
    let digits = rest
        .iter()
        .skip(same)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    match rest.get(same + digits) {
        _ if digits > DIGITS_MAX => Place::Nothing,
        None if !ended => Place::Open,
        Some(byte) if in_word(*byte) => Place::Nothing,
        _ if digits == 0 => Place::Nothing,
        _ => Place::Ticket(same + digits),
    }
}

/// Whether a byte beside a ticket number makes it part of a longer word.
fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn check(settings: &str, chunks: &[&[u8]]) -> Result<Vec<(u64, u64)>, String> {
        let mut tickets = Tickets::begin(StreamContext {
            alias: "web1".to_owned(),
            tags: Vec::new(),
            name: "stdout".to_owned(),
            settings: settings.to_owned(),
        })?;
        let mut spans = Vec::new();
        for chunk in chunks {
            spans.extend(tickets.push(chunk)?.spans);
        }
        let end = tickets.finish()?;
        assert_eq!(
            end.release,
            chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>()
        );
        spans.extend(end.spans);
        Ok(spans
            .iter()
            .map(|span| (span.offset, span.length))
            .collect())
    }

    const SETTINGS: &str = r#"{"prefixes": ["OPS", "SEC"]}"#;

    #[test]
    fn every_split_of_a_text_gives_the_same_spans() {
        let text = b"see OPS-1234, SEC-9 and OPS-77";
        let expected = vec![(4, 8), (14, 5), (24, 6)];
        for cut in 0..=text.len() {
            let (left, right) = text.split_at(cut);
            assert_eq!(
                check(SETTINGS, &[left, right]).unwrap(),
                expected,
                "cut at {cut}"
            );
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(check(SETTINGS, &bytes).unwrap(), expected);
    }

    #[test]
    fn parts_of_longer_words_are_not_ticket_numbers() {
        for text in [
            "DEVOPS-1",
            "OPS-12a",
            "OPS-",
            "OPS-1234567890123",
            "xOPS-1",
            "OPS_1",
            "OPS-1-2",
        ] {
            assert_eq!(
                check(SETTINGS, &[text.as_bytes()]).unwrap(),
                Vec::new(),
                "{text}"
            );
        }
    }

    #[test]
    fn broken_settings_are_an_error() {
        for settings in [
            "",
            "{}",
            r#"{"prefixes": []}"#,
            r#"{"prefixes": ["ops"]}"#,
            r#"{"prefixes": [1]}"#,
        ] {
            assert!(check(settings, &[b"OPS-1"]).is_err(), "{settings}");
        }
    }
}
