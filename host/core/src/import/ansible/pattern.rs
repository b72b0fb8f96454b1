//! A host's name as an inventory writes it: with ranges in brackets, and a port behind a colon.
//!
//! Must not: make more names than the bound.

use super::super::IMPORT_HOSTS_MAX;

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// Most ranges in one name.
const RANGES_MAX: usize = 8;

/// The names that a pattern stands for, and the port behind it.
pub(super) fn expand(pattern: &str) -> Result<(Vec<String>, Option<u16>), String> {
    let (name, port) = split_port(pattern)?;
    let mut names = vec![String::new()];
    let mut rest = name;
    for _ in 0..=RANGES_MAX {
        let Some((head, range, tail)) = first_range(rest)? else {
            let all = names.into_iter().map(|name| name + rest);
            return Ok((all.collect(), port));
        };
        let pieces = pieces(range)?;
        if names.len().saturating_mul(pieces.len()) > IMPORT_HOSTS_MAX {
            return Err(format!(
                "expected at most {IMPORT_HOSTS_MAX} hosts in a range"
            ));
        }
        names = names
            .iter()
            .flat_map(|name| {
                pieces
                    .iter()
                    .map(move |piece| format!("{name}{head}{piece}"))
            })
            .collect();
        rest = tail;
    }
    Err(format!("expected at most {RANGES_MAX} ranges in a name"))
}

/// Cuts `name:22` and `[::1]:22`; an address with several colons has no port.
fn split_port(pattern: &str) -> Result<(&str, Option<u16>), String> {
    let port = |text: &str| {
        text.parse::<u16>()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| "expected a port from 1 to 65535 behind the colon".to_owned())
    };
    if let Some(inside) = pattern.strip_prefix('[')
        && let Some((address, behind)) = inside.split_once(']')
        && address.contains("::")
    {
        return match behind.strip_prefix(':') {
            Some(text) => Ok((address, Some(port(text)?))),
            None if behind.is_empty() => Ok((address, None)),
            None => Err("expected a port behind the address".to_owned()),
        };
    }
    // Colons within brackets belong to ranges.
    let mut depth = 0_usize;
    let mut colons = Vec::new();
    for (at, c) in pattern.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => colons.push(at),
            _ => {}
        }
    }
    match colons.as_slice() {
        [at] => {
            let (name, text) = pattern.split_at(*at);
            Ok((name, Some(port(text.trim_start_matches(':'))?)))
        }
        _ => Ok((pattern, None)),
    }
}

/// What stands before the first range, the range, and what stands behind it.
fn first_range(text: &str) -> Result<Option<(&str, &str, &str)>, String> {
    let Some((head, rest)) = text.split_once('[') else {
        return Ok(None);
    };
    let Some((range, tail)) = rest.split_once(']') else {
        return Err("expected `]` behind a range".to_owned());
    };
    Ok(Some((head, range, tail)))
}

fn pieces(range: &str) -> Result<Vec<String>, String> {
    let parts: Vec<&str> = range.split(':').collect();
    let (begin, end, step) = match parts.as_slice() {
        [begin, end] => (*begin, *end, "1"),
        [begin, end, step] => (*begin, *end, *step),
        _ => return Err("expected a range of the form begin:end or begin:end:step".to_owned()),
    };
    let begin = if begin.is_empty() { "0" } else { begin };
    let step: usize = match step.parse() {
        Ok(step) if step > 0 => step,
        _ => return Err("expected a step of at least 1".to_owned()),
    };
    let order = || "expected a range that does not end before it begins".to_owned();
    let single = |text: &str| {
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => LETTERS.find(c),
            _ => None,
        }
    };
    if let (Some(from), Some(to)) = (single(begin), single(end)) {
        let letters = LETTERS.get(from..=to).ok_or_else(order)?;
        return Ok(letters.chars().step_by(step).map(String::from).collect());
    }
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits
            .then(|| text.parse::<u32>().ok())
            .flatten()
            .ok_or_else(|| "expected numbers or single letters in a range".to_owned())
    };
    let (from, to) = (number(begin)?, number(end)?);
    let padded = begin.len() > 1 && begin.starts_with('0');
    if padded && begin.len() != end.len() {
        return Err(
            "expected both ends of a range with leading zeros to be of one length".to_owned(),
        );
    }
    if from > to {
        return Err(order());
    }
    let count = usize::try_from(to - from).unwrap_or(usize::MAX) / step;
    if count >= IMPORT_HOSTS_MAX {
        return Err(format!(
            "expected at most {IMPORT_HOSTS_MAX} hosts in a range"
        ));
    }
    let width = if padded { begin.len() } else { 0 };
    Ok((from..=to)
        .step_by(step)
        .map(|number| format!("{number:0width$}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_ports_are_read_as_ansible_reads_them() {
        for (pattern, names, port) in [
            ("web1", vec!["web1"], None),
            ("web1:2222", vec!["web1"], Some(2222)),
            ("web[01:03].x", vec!["web01.x", "web02.x", "web03.x"], None),
            ("web[1:5:2]", vec!["web1", "web3", "web5"], None),
            ("db-[a:c]:23", vec!["db-a", "db-b", "db-c"], Some(23)),
            ("r[1:2]n[a:b]", vec!["r1na", "r1nb", "r2na", "r2nb"], None),
            ("x[:2]", vec!["x0", "x1", "x2"], None),
            ("[::1]:22", vec!["::1"], Some(22)),
            ("2001:db8::1", vec!["2001:db8::1"], None),
            ("n[y:B]", vec!["ny", "nz", "nA", "nB"], None),
        ] {
            let expected: Vec<String> = names.into_iter().map(str::to_owned).collect();
            assert_eq!(expand(pattern), Ok((expected, port)), "{pattern}");
        }
        for broken in [
            "web[1:",
            "web[1]",
            "web[2:1]",
            "web[a:1]",
            "web[01:100]",
            "web[1:2:0]",
            "web:0",
            "web:x",
            "web[0:4000000000]",
            "[1:2][1:2][1:2][1:2][1:2][1:2][1:2][1:2][1:2][1:2]",
            "a[1:200]b[1:200]",
            "web[c:a]",
            "[::1]x",
        ] {
            assert!(expand(broken).is_err(), "{broken}");
        }
    }
}
