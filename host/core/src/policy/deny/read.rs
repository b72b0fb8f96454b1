//! How structured deny entries are written, in a policy and in the shipped file.
//!
//! Must not: match anything. Whatever is misspelt or says nothing is a fault.

use super::class::Class;
use super::entry::{At, Entry};
use super::words::{Alternatives, Flag, Settings, Takes};
use super::{DenySet, Entries, STANDARD};
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// The shipped file.
pub(crate) const STANDARD_TEXT: &str = include_str!("standard.yml");
/// The word for the shipped entries.
const STANDARD_WORD: &str = "standard";
/// What stands for an entry without `why:`.
const WHY: &str = "is denied by `deny_commands`";
/// Most letters in which a misspelt class differs from the one that is suggested.
const TYPOS_MAX: usize = 2;

/// Our own file, part of the program, so it needs none of the bounds that an operator's file is read with.
static SHIPPED: LazyLock<Option<Shipped>> =
    LazyLock::new(|| serde_yaml::from_str(STANDARD_TEXT).ok());
static CLASSES: LazyLock<BTreeMap<String, Class>> = LazyLock::new(classes);

/// What is wrong with an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Position of the item.
    pub(crate) item: usize,
    /// The key within it, e.g. `paths[0]`; empty for the whole item.
    pub(crate) key: String,
    /// What was expected and what was got.
    pub(crate) message: String,
    /// How to mend it; may be empty.
    pub(crate) hint: String,
}

/// One item of `deny_commands`: the word `standard`, or an entry.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(untagged)]
#[schemars(rename = "DenyItem")]
pub(crate) enum RawItem {
    /// A word for a shipped set.
    Word(#[schemars(extend("const" = STANDARD_WORD))] String),
    /// An entry.
    Entry(Box<RawEntry>),
}

impl<'de> Deserialize<'de> for RawItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemVisitor;

        impl<'de> Visitor<'de> for ItemVisitor {
            type Value = RawItem;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the word `standard` or an entry")
            }

            fn visit_str<E>(self, text: &str) -> Result<RawItem, E> {
                Ok(RawItem::Word(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawItem, A::Error> {
                RawEntry::deserialize(MapAccessDeserializer::new(map))
                    .map(|entry| RawItem::Entry(Box::new(entry)))
            }
        }

        deserializer.deserialize_any(ItemVisitor)
    }
}

/// A key that is there must have a value.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Option<T>, D::Error> {
    T::deserialize(d).map(Some)
}

/// What is denied: everything that the entry names holds for one command.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DenyEntry")]
pub(crate) struct RawEntry {
    /// What a refusal calls the entry.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String")]
    name: Option<String>,
    /// What a refusal says: half a sentence behind the command.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String")]
    why: Option<String>,
    /// Base names of programs; `name.*` takes any ending. Required.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    programs: Option<Vec<String>>,
    /// The program's own path lies in one of these classes.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    located: Option<Vec<String>>,
    /// Each of these is among the options, in any order, cluster or long name; `a|b` are alternatives.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    flags: Option<Vec<String>>,
    /// `flags` and `without` look at the options before the first operand only.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "bool")]
    leading: Option<bool>,
    /// Arguments that, alone, only ask the program about itself.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    asks: Option<Vec<String>>,
    /// None of these is among the options.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    without: Option<Vec<String>>,
    /// The options whose value is the next word; with this list the operands are known.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    takes: Option<Vec<String>>,
    /// The first operands, one after the other.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    verbs: Option<Vec<String>>,
    /// Each is some argument; globs.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    words: Option<Vec<String>>,
    /// Each is some operand; globs.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    operands: Option<Vec<String>>,
    /// How many operands there are at least.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "usize")]
    operands_min: Option<usize>,
    /// How many operands there are at most.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "usize")]
    operands_max: Option<usize>,
    /// Some argument's value is decided on the host.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "bool")]
    unknown: Option<bool>,
    /// An operand lies in one of these classes or places.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    paths: Option<Vec<String>>,
    /// Where `paths` looks: `any`, `leading`, `first`, `last`, `of=`, or an option. Default: `any`.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    at: Option<Vec<String>>,
    /// A file that is written to lies in one of these classes or places.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    redirects: Option<Vec<String>>,
    /// Its input is a pipe, a file or a text of the script.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "bool")]
    reads_input: Option<bool>,
    /// It sets one of these variables; with `=`, only to such a value.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    assigns: Option<Vec<String>>,
}

/// The shipped file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shipped {
    classes: BTreeMap<String, Vec<String>>,
    entries: Vec<RawEntry>,
}

/// Collects what is wrong with one item.
struct Sink<'f> {
    item: usize,
    faults: &'f mut Vec<Fault>,
}

impl Sink<'_> {
    fn add(&mut self, key: &str, message: String, hint: &str) {
        self.faults.push(Fault {
            item: self.item,
            key: key.to_owned(),
            message,
            hint: hint.to_owned(),
        });
    }
}

/// The classes of the shipped file. A class may name others, which then hold places only.
fn classes() -> BTreeMap<String, Class> {
    let Some(shipped) = SHIPPED.as_ref() else {
        return BTreeMap::new();
    };
    let places = |texts: &[String]| {
        let mut class = Class::default();
        for text in texts {
            // A text that is no place is caught by a test of the shipped file.
            let _ = class.add(text);
        }
        class
    };
    let plain: BTreeMap<&str, Class> = shipped
        .classes
        .iter()
        .map(|(name, texts)| (name.as_str(), places(texts)))
        .collect();
    shipped
        .classes
        .iter()
        .map(|(name, texts)| {
            let mut class = plain.get(name.as_str()).cloned().unwrap_or_default();
            for other in texts.iter().filter_map(|text| plain.get(text.as_str())) {
                class.unite(other);
            }
            (name.clone(), class)
        })
        .collect()
}

/// The shipped entries; unreadable ones deny everything.
pub(super) fn standard() -> Entries {
    let mut entries = Entries::default();
    let mut faults = Vec::new();
    match SHIPPED.as_ref() {
        Some(shipped) => {
            for (item, raw) in shipped.entries.iter().enumerate() {
                compile(item, raw, &mut entries, &mut faults);
            }
            entries.unreadable = !faults.is_empty();
        }
        None => entries.unreadable = true,
    }
    entries
}

/// The set that a list describes.
pub(super) fn set<'i>(items: impl IntoIterator<Item = &'i RawItem>) -> Result<DenySet, Vec<Fault>> {
    let mut set = DenySet::default();
    let mut own = Entries::default();
    let mut faults = Vec::new();
    for (item, raw) in items.into_iter().enumerate() {
        match raw {
            RawItem::Word(word) if word == STANDARD_WORD => {
                if !set.parts.is_empty() {
                    let mut sink = Sink {
                        item,
                        faults: &mut faults,
                    };
                    sink.add("", "expected `standard` once; got it twice".to_owned(), "");
                    continue;
                }
                set.parts.push(Arc::clone(&STANDARD));
            }
            RawItem::Word(word) => {
                let got = crate::text::step(word);
                let mut sink = Sink {
                    item,
                    faults: &mut faults,
                };
                let message = format!("expected `standard` or an entry; got `{got}`");
                let hint = if near(word, STANDARD_WORD) {
                    "Did you mean `standard`?"
                } else {
                    "Texts belong in `deny_substrings`; an entry has keys such as `programs:` and `flags:`."
                };
                sink.add("", message, hint);
            }
            RawItem::Entry(raw) => compile(item, raw, &mut own, &mut faults),
        }
    }
    if !own.entries.is_empty() {
        set.parts.push(Arc::new(own));
    }
    if faults.is_empty() {
        Ok(set)
    } else {
        Err(faults)
    }
}

fn compile(item: usize, raw: &RawEntry, to: &mut Entries, faults: &mut Vec<Fault>) {
    let mut sink = Sink { item, faults };
    let programs = raw.programs.clone().unwrap_or_default();
    for (index, program) in programs.iter().enumerate() {
        let stem = program.strip_suffix(".*").unwrap_or(program);
        let open =
            stem.contains(['*', '?', '/', ' ', '\t']) || stem.len() > 1 && stem.contains('[');
        if stem.is_empty() || open {
            let got = crate::text::step(program);
            sink.add(
                &format!("programs[{index}]"),
                format!("expected the name of a program; got `{got}`"),
                "Only `name.*` may leave something open; versions such as `python3.11` match `python` already.",
            );
        }
    }
    let names_something = raw.located.is_some() || raw.redirects.is_some() || raw.assigns.is_some();
    if programs.is_empty() && (raw.programs.is_some() || !names_something) {
        sink.add(
            "programs",
            "expected `programs` with a name, or `redirects`, `assigns` or `located`; such an entry would deny everything or nothing"
                .to_owned(),
            "",
        );
    }
    if raw.at.is_some() && raw.paths.is_none() {
        sink.add(
            "at",
            "expected `paths` beside `at`; it is missing".to_owned(),
            "",
        );
    }
    let takes = Takes::read(raw.takes.as_deref()).unwrap_or_else(|text| {
        option_fault("takes", &text, &mut sink);
        Takes::default()
    });
    let entry = Entry {
        name: raw
            .name
            .clone()
            .unwrap_or_else(|| format!("deny_commands[{item}]")),
        why: raw.why.clone().unwrap_or_else(|| WHY.to_owned()),
        located: class("located", raw.located.as_deref(), &mut sink),
        flags: flags("flags", raw.flags.as_deref(), &mut sink),
        leading: raw.leading.unwrap_or(false),
        asks: raw.asks.clone().unwrap_or_default(),
        without: flags("without", raw.without.as_deref(), &mut sink),
        takes,
        verbs: alternatives("verbs", raw.verbs.as_deref(), &mut sink),
        words: alternatives("words", raw.words.as_deref(), &mut sink),
        operands: alternatives("operands", raw.operands.as_deref(), &mut sink),
        operands_min: raw.operands_min,
        operands_max: raw.operands_max,
        unknown: raw.unknown.unwrap_or(false),
        paths: class("paths", raw.paths.as_deref(), &mut sink),
        at: places(raw.at.as_deref(), &mut sink),
        redirects: class("redirects", raw.redirects.as_deref(), &mut sink),
        reads_input: raw.reads_input.unwrap_or(false),
        assigns: raw.assigns.as_deref().map(|names| {
            if names.is_empty() {
                empty_fault("assigns", &mut sink);
            }
            Settings::new(names)
        }),
        has_programs: !programs.is_empty(),
    };
    to.add(entry, &programs);
}

fn empty_fault(key: &str, sink: &mut Sink<'_>) {
    sink.add(
        key,
        "expected at least one text; got an empty list".to_owned(),
        "Remove the key.",
    );
}

fn option_fault(key: &str, text: &str, sink: &mut Sink<'_>) {
    let got = crate::text::step(text);
    sink.add(
        key,
        format!("expected an option such as `-r|-R|--recursive`; got `{got}`"),
        "Words that are no options belong in `words` or `verbs`.",
    );
}

fn flags(key: &str, texts: Option<&[String]>, sink: &mut Sink<'_>) -> Vec<Flag> {
    let mut flags = Vec::new();
    for (index, text) in texts.unwrap_or_default().iter().enumerate() {
        match Flag::read(text) {
            Some(flag) => flags.push(flag),
            None => option_fault(&format!("{key}[{index}]"), text, sink),
        }
    }
    if texts.is_some_and(<[String]>::is_empty) {
        empty_fault(key, sink);
    }
    flags
}

fn alternatives(key: &str, texts: Option<&[String]>, sink: &mut Sink<'_>) -> Vec<Alternatives> {
    for (index, text) in texts.unwrap_or_default().iter().enumerate() {
        if Alternatives::split(text).any(str::is_empty) {
            sink.add(
                &format!("{key}[{index}]"),
                "expected words joined by `|`; got an empty one".to_owned(),
                "",
            );
        }
    }
    if texts.is_some_and(<[String]>::is_empty) {
        empty_fault(key, sink);
    }
    texts
        .unwrap_or_default()
        .iter()
        .map(|text| Alternatives::new(text))
        .collect()
}

fn class(key: &str, texts: Option<&[String]>, sink: &mut Sink<'_>) -> Option<Class> {
    let texts = texts?;
    if texts.is_empty() {
        empty_fault(key, sink);
    }
    let mut class = Class::default();
    for (index, text) in texts.iter().enumerate() {
        if let Some(known) = CLASSES.get(text) {
            class.unite(known);
        } else if class.add(text).is_err() {
            let got = crate::text::step(text);
            let all: Vec<&str> = CLASSES.keys().map(String::as_str).collect();
            let hint = match all.iter().find(|name| near(text, name)) {
                Some(name) => format!("Did you mean `{name}`?"),
                None => format!(
                    "The classes are {}; a place begins with `/`, `~` or `**/`.",
                    all.join(", ")
                ),
            };
            sink.add(
                &format!("{key}[{index}]"),
                format!("expected a class of paths or a place; got `{got}`"),
                &hint,
            );
        }
    }
    Some(class)
}

fn places(texts: Option<&[String]>, sink: &mut Sink<'_>) -> Vec<At> {
    let Some(texts) = texts else {
        return vec![At::Any];
    };
    if texts.is_empty() {
        empty_fault("at", sink);
    }
    let mut places = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let at = match text.as_str() {
            "any" => Some(At::Any),
            "leading" => Some(At::Leading),
            "first" => Some(At::First),
            "last" => Some(At::Last),
            key if key.ends_with('=') && !key.starts_with('-') => Some(At::Key(key.to_owned())),
            option => Flag::read(option).map(At::Option),
        };
        match at {
            Some(at) => places.push(at),
            None => {
                let got = crate::text::step(text);
                sink.add(
                    &format!("at[{index}]"),
                    format!("expected `any`, `leading`, `first`, `last`, a key such as `of=` or an option; got `{got}`"),
                    "",
                );
            }
        }
    }
    places
}

/// Whether a text differs from a name in few letters.
fn near(text: &str, name: &str) -> bool {
    if text.len().abs_diff(name.len()) > TYPOS_MAX || text.is_empty() {
        return false;
    }
    let mut row: Vec<usize> = (0..=name.chars().count()).collect();
    for (line, own) in text.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(name.chars()) {
            let above = *cell;
            *cell = (diagonal + usize::from(own != other))
                .min(above + 1)
                .min(left + 1);
            diagonal = above;
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().is_some_and(|distance| *distance <= TYPOS_MAX)
}

/// What is wrong with the shipped file.
#[cfg(test)]
pub(super) fn shipped_faults() -> Vec<String> {
    let shipped: Shipped = match serde_yaml::from_str(STANDARD_TEXT) {
        Ok(shipped) => shipped,
        Err(fault) => return vec![fault.to_string()],
    };
    let mut found = Vec::new();
    for (name, texts) in &shipped.classes {
        for text in texts {
            let known = shipped.classes.contains_key(text) || Class::default().add(text).is_ok();
            if !known {
                found.push(format!("classes.{name}: {text}"));
            }
        }
    }
    let mut faults = Vec::new();
    let mut entries = Entries::default();
    for (item, raw) in shipped.entries.iter().enumerate() {
        compile(item, raw, &mut entries, &mut faults);
        if raw.name.is_none() || raw.why.is_none() {
            found.push(format!("entries[{item}]: no name or no why"));
        }
    }
    found.extend(faults.iter().map(|fault| format!("{fault:?}")));
    found
}
