//! What a jq or yq program does besides reshaping its input.
//!
//! Must not: parse jq. It finds the names that stand outside of strings, and in what strings compute.

use super::Effect;
use crate::policy::Capability;

const RUNS: &str = "has a program that takes program text from elsewhere";
const SHOWS: &str = "has a program that shows the environment or reads other files";
/// The names that do more, for a text of which no more is known.
const ACTING: [&str; 8] = [
    "env",
    "ENV",
    "load",
    "include",
    "import",
    "eval",
    "system",
    "modulemeta",
];
/// Deepest strings that compute within each other.
const DEPTH_MAX: usize = 64;

/// What `text` does.
pub(super) fn scan(text: &str) -> Vec<Effect<'_>> {
    let mut effects = Vec::new();
    // For each string that is being computed in: how many brackets are open there.
    let mut computing: Vec<usize> = Vec::new();
    let mut in_string = false;
    let mut at = 0;
    let bytes = text.as_bytes();
    // Each round passes at least one byte.
    while let Some(byte) = bytes.get(at).copied() {
        at += 1;
        if in_string {
            match byte {
                b'"' => in_string = false,
                b'\\' => {
                    if bytes.get(at) == Some(&b'(') {
                        computing.push(0);
                        in_string = false;
                    }
                    at += 1;
                }
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'#' => {
                // SECURITY: where a comment ends depends on the version, so quotes mean nothing in the rest.
                let rest = text.get(at..).unwrap_or_default();
                if ACTING.iter().any(|name| rest.contains(name)) {
                    effects.push(Effect::Needs(Capability::Execute, RUNS));
                }
                return effects;
            }
            b'(' => {
                if let Some(open) = computing.last_mut() {
                    *open += 1;
                }
            }
            b')' => match computing.last_mut() {
                Some(0) => {
                    computing.pop();
                    in_string = true;
                }
                Some(open) => *open -= 1,
                None => {}
            },
            b'A'..=b'Z' | b'a'..=b'z' | b'_' => {
                let start = at - 1;
                while bytes
                    .get(at)
                    .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
                {
                    at += 1;
                }
                let name = text.get(start..at).unwrap_or_default();
                let before = start.checked_sub(1).and_then(|at| bytes.get(at)).copied();
                let behind = text.get(at..).unwrap_or_default();
                effects.extend(effect(name, before, behind));
            }
            _ => {}
        }
        if computing.len() > DEPTH_MAX {
            effects.push(Effect::Needs(Capability::Execute, RUNS));
            return effects;
        }
    }
    effects
}

/// What a name does, by what stands around it.
fn effect<'a>(name: &str, before: Option<u8>, behind: &'a str) -> Option<Effect<'a>> {
    if before == Some(b'.') || before == Some(b'@') {
        return None;
    }
    if before == Some(b'$') {
        return (name == "ENV").then_some(Effect::Needs(Capability::Secret, SHOWS));
    }
    let behind = behind.trim_start();
    let is_key = behind.starts_with(':') && !behind.starts_with("::");
    // `yq` takes `load_str`, `loadstr` and `strload` for the same.
    let plain = name.replace('_', "").to_ascii_lowercase();
    match plain.as_str() {
        _ if is_key => None,
        "env" | "strenv" | "envsubst" => Some(Effect::Needs(Capability::Secret, SHOWS)),
        "load" | "loadstr" | "loadxml" | "loadprops" | "loadbase64" | "loadyaml" | "loadjson"
        | "strload" | "xmlload" | "propsload" | "base64load" => {
            let path = behind
                .strip_prefix("(\"")
                .and_then(|path| path.split_once("\")"))
                .map(|(path, _)| path)
                .filter(|path| !path.contains(['"', '\\']));
            Some(path.map_or(Effect::Needs(Capability::Secret, SHOWS), Effect::Reads))
        }
        "include" | "import" | "eval" | "system" | "modulemeta" => {
            Some(Effect::Needs(Capability::Execute, RUNS))
        }
        _ => None,
    }
}
