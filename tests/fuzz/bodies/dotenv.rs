//! The text of `.env`, read by the core and by a plain reading of its definition: both say the same of every
//! key, and no value leaves its line.

use portcullis_core::config::dotenv;
use std::collections::BTreeMap;

/// The definition, word by word, on copies.
fn plain(text: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut all = BTreeMap::new();
    let text = match text {
        [0xEF, 0xBB, 0xBF, rest @ ..] => rest,
        text => text,
    };
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        let Some(at) = line.iter().position(|byte| *byte == b'=') else {
            continue;
        };
        let (key, mut value) = (line[..at].trim_ascii(), line[at + 1..].trim_ascii());
        if key.is_empty() || line[0] == b'#' {
            continue;
        }
        for quote in [b'"', b'\''] {
            if value.len() >= 2 && value[0] == quote && value[value.len() - 1] == quote {
                value = &value[1..value.len() - 1];
                break;
            }
        }
        all.insert(key.to_vec(), value.to_vec());
    }
    all
}

pub(super) fn hold(text: &[u8]) {
    let expected = plain(text);
    let mut got = BTreeMap::new();
    for (key, value) in dotenv::entries(text) {
        assert!(!key.is_empty() && !key.contains(&b'=') && key.trim_ascii() == key);
        assert!(!value.contains(&b'\n') && !key.contains(&b'\n'));
        let inside = text.as_ptr_range();
        assert!(
            value.is_empty() || inside.contains(&value.as_ptr()),
            "a copy"
        );
        got.insert(key.to_vec(), value.to_vec());
    }
    assert_eq!(got, expected);
    for (key, value) in &expected {
        // A key that could be a secret's name is found by it; nothing else can be asked for.
        if let Ok(name) = std::str::from_utf8(key)
            && portcullis_core::config::secret_name(name).is_ok()
        {
            assert_eq!(dotenv::value(text, name), Some(value.as_slice()));
        }
    }
}
