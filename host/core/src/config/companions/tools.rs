//! What is known of a companion's tools.
//!
//! Must not: guess an effect. A tool of which nothing is said is destructive.

use super::keys::ToolKeys;
use super::{Effect, Tool};
use crate::config::tree::{At, Fields, Reader};
use std::collections::HashMap;

/// Most tools of one companion.
pub(super) const TOOLS_MAX: usize = 512;
/// Longest name of a tool, in characters.
const NAME_CHARS_MAX: usize = 128;

/// A tool with the places of its references.
struct Read<'n> {
    tool: Tool,
    at: At<'n>,
    undo: Option<At<'n>>,
    probe: Option<At<'n>>,
}

/// Reads the list; names of tools that lead nowhere, or to a tool that cannot serve, are faults.
pub(super) fn read(reader: &mut Reader, at: &At<'_>) -> Vec<Tool> {
    let Some(list) = reader.list(at) else {
        return Vec::new();
    };
    if list.len() > TOOLS_MAX {
        let message = format!("expected at most {TOOLS_MAX} tools, got {}", list.len());
        reader.fault(at, message, "");
        return Vec::new();
    }
    let mut tools = Vec::new();
    let mut effects: HashMap<String, Effect> = HashMap::new();
    let mut whole = true;
    for at in &list {
        let Some(read) = tool(reader, at) else {
            whole = false;
            continue;
        };
        let name = read.tool.name.clone();
        if effects.insert(name.clone(), read.tool.effect).is_some() {
            let message = format!("tool \"{name}\" is defined twice");
            reader.fault(at, message, "Say everything about a tool in one place.");
        }
        tools.push(read);
    }
    for read in &tools {
        refer(reader, read, &effects, whole);
    }
    tools.into_iter().map(|read| read.tool).collect()
}

/// Looks at where a tool's references lead. Where another tool could not be read, a name may be its own, so
/// nobody is told that it is missing.
fn refer(reader: &mut Reader, read: &Read<'_>, effects: &HashMap<String, Effect>, whole: bool) {
    let named = [
        (&read.undo, &read.tool.undo),
        (&read.probe, &read.tool.probe),
    ];
    for (at, name) in named {
        let (Some(at), Some(name)) = (at, name) else {
            continue;
        };
        if !effects.contains_key(name) && whole {
            let got = reader.got(at);
            let message = format!("expected the name of a tool of this companion, got {got}");
            reader.fault(at, message, "Add the tool to the list.");
        }
    }
    if let (Some(at), Some(name)) = (&read.undo, &read.tool.undo) {
        let own = read.tool.effect;
        if matches!(own, Effect::Read | Effect::Notify | Effect::Irreversible) {
            let message =
                "a tool that changes nothing, tells somebody, or cannot be undone has no undo";
            reader.fault(at, message, "Remove `undo`, or correct `effect`.");
        }
        if effects
            .get(name)
            .is_some_and(|effect| *effect <= Effect::Notify)
        {
            let message = "expected a tool that changes something, got one that does not";
            reader.fault(at, message, "What changes nothing undoes nothing.");
        }
    }
    if let (Some(at), Some(name)) = (&read.probe, &read.tool.probe)
        && effects
            .get(name)
            .is_some_and(|effect| *effect != Effect::Read)
    {
        let message = "expected a tool whose effect is `read`, got another";
        reader.fault(at, message, "A probe is called whenever there is a doubt.");
    }
    if read.tool.effect == Effect::Irreversible && read.tool.idempotent {
        reader.warn(
            &read.at,
            "a call that cannot be undone may be made twice, because the tool is called idempotent",
            "",
        );
    }
}

fn tool<'n>(reader: &mut Reader, at: &At<'n>) -> Option<Read<'n>> {
    let fields = reader.map(at, ToolKeys::KEYS)?;
    let name = reader.required_text(at, &fields, "name");
    let name = name.and_then(|(at, text)| tool_name(reader, &at, text));
    let effect = match fields.get("effect") {
        Some(at) => reader.word(&at, &Effect::WORDS),
        None => Some(Effect::Destructive),
    };
    let sha256 = pin(reader, &fields);
    let idempotent = match fields.get("idempotent") {
        Some(at) => reader.boolean(&at),
        None => Some(false),
    };
    let undo = reader.optional_text(&fields, "undo");
    let probe = reader.optional_text(&fields, "probe");
    let text = |named: &Option<(At<'n>, &str)>| named.as_ref().map(|(_, text)| (*text).to_owned());
    Some(Read {
        tool: Tool {
            name: name?,
            effect: effect?,
            sha256: sha256?,
            idempotent: idempotent?,
            undo: text(&undo),
            probe: text(&probe),
        },
        at: at.clone(),
        undo: undo.map(|(at, _)| at),
        probe: probe.map(|(at, _)| at),
    })
}

fn tool_name(reader: &mut Reader, at: &At<'_>, text: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    if text.len() <= NAME_CHARS_MAX && text.chars().all(allowed) {
        return Some(text.to_owned());
    }
    let what = format!("at most {NAME_CHARS_MAX} ASCII letters, digits, `_`, `-`, `.` and `/`");
    reader.expected(at, &what, "");
    None
}

/// The pin of a definition; `Some(None)` where there is none.
fn pin(reader: &mut Reader, fields: &Fields<'_>) -> Option<Option<String>> {
    let Some((at, text)) = reader.optional_text(fields, "sha256") else {
        return Some(None);
    };
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(Some(text.to_ascii_lowercase()));
    }
    reader.expected(&at, "a SHA-256 as 64 hex digits", "Put it in quotes.");
    None
}
