//! An inventory as INI: sections of hosts, of children and of variables.
//!
//! Must not: know what a variable means.

use super::super::{ImportFault, Place, Text};
use super::graph::{ALL, Graph, UNGROUPED, Value};
use super::pattern;

/// What files of private keys begin with.
const KEY_STARTS: [&str; 2] = ["-----BEGIN ", "PuTTY-User-Key-File-"];

/// What the lines of a section are.
#[derive(Debug, Clone, Copy)]
enum State {
    Hosts,
    Children,
    Vars,
}

/// Reads the file.
pub(super) fn read(text: &Text) -> Result<Graph, ImportFault> {
    let mut graph = Graph::default();
    let top = Place {
        file: text.name.clone(),
        line: 0,
    };
    let all = graph.group(ALL, &top)?;
    let ungrouped = graph.group(UNGROUPED, &top)?;
    graph.child(all, ungrouped);
    let (mut group, mut state) = (ungrouped, State::Hosts);
    for (index, line) in text.text.lines().enumerate() {
        let place = Place {
            file: text.name.clone(),
            line: index + 1,
        };
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some((name, kind)) = section(line, &place)? {
            group = graph.group(name, &place)?;
            state = kind;
            if matches!(kind, State::Hosts | State::Children) {
                graph.declare(group);
            }
            continue;
        }
        match state {
            // SECURITY: each line of a key would be proposed as a host.
            State::Hosts if KEY_STARTS.iter().any(|start| line.starts_with(start)) => {
                let text = "expected a host, got the beginning of a private key";
                return Err(ImportFault::new(place, text, ""));
            }
            State::Hosts => host(&mut graph, group, line, &place)?,
            State::Children => {
                let child = graph.group(group_name(line), &place)?;
                graph.declare(child);
                graph.child(group, child);
            }
            State::Vars => {
                let (name, value) = line.split_once('=').ok_or_else(|| {
                    ImportFault::new(place.clone(), "expected key=value, got no `=`", "")
                })?;
                graph.set_group(group, name.trim(), literal(value.trim()), &place)?;
            }
        }
    }
    Ok(graph)
}

/// The group and the kind of a section's head; `None` for another line.
fn section<'l>(line: &'l str, place: &Place) -> Result<Option<(&'l str, State)>, ImportFault> {
    let Some(inside) = line.strip_prefix('[') else {
        return Ok(None);
    };
    let broken = |text: &str| ImportFault::new(place.clone(), text, "");
    // A host may begin with a range; a section ends with its bracket or a comment behind it.
    let Some((head, behind)) = inside.split_once(']') else {
        return Err(broken("expected `]` at the end of a section's name"));
    };
    let behind = behind.trim();
    if !(behind.is_empty() || behind.starts_with('#')) {
        return Ok(None);
    }
    let (name, kind) = match head.split_once(':') {
        None => (head, State::Hosts),
        Some((name, "hosts")) => (name, State::Hosts),
        Some((name, "children")) => (name, State::Children),
        Some((name, "vars")) => (name, State::Vars),
        Some(_) => return Err(broken("expected a section of hosts, children or vars")),
    };
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(broken("expected the name of a group without blanks"));
    }
    Ok(Some((name, kind)))
}

/// The name at the beginning of a line of children.
fn group_name(line: &str) -> &str {
    line.split([' ', '\t', '#']).next().unwrap_or(line)
}

fn host(graph: &mut Graph, group: usize, line: &str, place: &Place) -> Result<(), ImportFault> {
    let fault = |text: String| ImportFault::new(place.clone(), text, "");
    let words = words(line).ok_or_else(|| fault("expected a closing quote".to_owned()))?;
    let Some((pattern, variables)) = words.split_first() else {
        return Ok(());
    };
    let (names, port) = pattern::expand(pattern).map_err(fault)?;
    let mut set = Vec::new();
    for word in variables {
        let (name, value) = word
            .split_once('=')
            .ok_or_else(|| fault("expected key=value behind the host's name".to_owned()))?;
        set.push((name, literal(value)));
    }
    for name in names {
        let port = port.filter(|_| !graph.knows(&name));
        let host = graph.host(group, &name, place)?;
        if let Some(port) = port {
            let value = Value::Text(port.to_string());
            graph.set_host(host, "ansible_port", value, place)?;
        }
        for (variable, value) in &set {
            graph.set_host(host, variable, value.clone(), place)?;
        }
    }
    Ok(())
}

/// A value as Ansible reads it: a literal of Python where it is one, else the text.
fn literal(text: &str) -> Value {
    let bare = text.split(" #").next().unwrap_or(text).trim();
    for quote in ['"', '\''] {
        if let Some(inside) = bare
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
            && !inside.contains([quote, '\\'])
        {
            return Value::Text(inside.to_owned());
        }
    }
    if !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit()) {
        return Value::Text(bare.to_owned());
    }
    if bare.starts_with(['[', '{', '(']) {
        return Value::Other;
    }
    Value::Text(text.to_owned())
}

/// The words of a line as a POSIX shell cuts them, up to a comment; `None` where a quote is open.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let (mut word, mut quote) = (None::<String>, None);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"'), '\\') => {
                let next = chars.next()?;
                let word = word.get_or_insert_default();
                if !matches!(next, '"' | '\\') {
                    word.push('\\');
                }
                word.push(next);
            }
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '\\') => word.get_or_insert_default().push(chars.next()?),
            (None, '#') => break,
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return None;
    }
    words.extend(word);
    Some(words)
}
