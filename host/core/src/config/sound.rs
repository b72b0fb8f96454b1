//! The sound part of a document as a typed value, and every fault of the rest: a serde deserializer over the
//! tree that notes a fault, leaves out what it is about, and goes on.
//!
//! The parser stops at its first fault; an operator wants all of them. A file is read by the parser first, and in
//! this way only when that failed, so what is sound here is looked at for its own faults and never loaded.
//!
//! Must not: be used for a file that may hold secrets; faults quote it. Leave something out unnoted.

use super::nearest::nearest;
use super::value::{Node, Value};
use super::{ConfigFault, yaml};
use serde::de::{
    self, Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, Visitor,
};
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

/// Most times that one value is offered; each leaves out one entry more.
const OFFERS_MAX: usize = 100;
/// How a [`serde_yaml::Spanned`] asks for itself, and what it wants to be told.
const SPANNED: &str = "__yaml_spanned";
const SPANNED_MARK: &str = "__serde_saphyr_private_spanned";
/// How a [`Slot`] asks for itself.
const SLOT: &str = "portcullis_slot";

/// A member of a list that keeps its place when it is broken, so that those behind it keep their numbers.
pub(super) struct Slot<T>(pub(super) Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Slot<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SlotVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for SlotVisitor<T> {
            type Value = Slot<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member of a list")
            }

            /// The parser's way.
            fn visit_newtype_struct<D: Deserializer<'de>>(self, d: D) -> Result<Slot<T>, D::Error> {
                T::deserialize(d).map(|value| Slot(Some(value)))
            }

            /// The tree's way: it offers the member again and again, with less of it each time, until that is
            /// sound; a member of which something was left out does not count.
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Slot<T>, A::Error> {
                let mut offers = 0;
                while offers < OFFERS_MAX {
                    match seq.next_element() {
                        Ok(Some(value)) if offers == 0 => return Ok(Slot(Some(value))),
                        Ok(_) => break,
                        Err(_) => offers += 1,
                    }
                }
                Ok(Slot(None))
            }
        }

        deserializer.deserialize_newtype_struct(SLOT, SlotVisitor(PhantomData))
    }
}

/// Reads what is sound of a document, and names everything that is not.
pub(super) fn sound<T: DeserializeOwned>(
    file: &'static str,
    node: &Node,
) -> (Option<T>, Vec<ConfigFault>) {
    let said = RefCell::new(Said::default());
    let mut value = None;
    for _ in 0..OFFERS_MAX {
        let made = T::deserialize(Walk {
            node,
            path: String::new(),
            notes: Notes { file, said: &said },
        });
        match made {
            Ok(made) => {
                value = Some(made);
                break;
            }
            Err(Stop::LeftOut) => {}
            Err(Stop::Noted | Stop::Missing(_) | Stop::Wrong(_)) => break,
        }
    }
    (value, said.into_inner().faults)
}

/// What was found on the way.
#[derive(Default)]
struct Said {
    faults: Vec<ConfigFault>,
    /// The ways to the entries that are left out, because a fault is noted in them.
    left_out: HashSet<String>,
}

/// Why a value is not made.
#[derive(Debug, thiserror::Error)]
enum Stop {
    /// The fault is noted; the entry that it stands in is to be left out.
    #[error("noted")]
    Noted,
    /// The entry is left out; the value can be offered again.
    #[error("left out")]
    LeftOut,
    /// A key is missing.
    #[error("expected the key `{0}`; it is missing")]
    Missing(&'static str),
    /// Another fault, in words.
    #[error("{0}")]
    Wrong(String),
}

impl de::Error for Stop {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Wrong(message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let got = yaml::quote(&unexpected.to_string(), false);
        Self::Wrong(format!("expected {expected}; got {got}"))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let got = yaml::quote(variant, false);
        Self::Wrong(format!(
            "expected one of {}; got {got}",
            expected.join(", ")
        ))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }
}

#[derive(Clone, Copy)]
struct Notes<'s> {
    file: &'static str,
    said: &'s RefCell<Said>,
}

impl Notes<'_> {
    fn note(self, at: serde_yaml::Location, path: &str, message: String, hint: String) {
        let fault = ConfigFault {
            file: self.file,
            line: at.line(),
            column: at.column(),
            path: path.to_owned(),
            message,
            hint,
        };
        let mut said = self.said.borrow_mut();
        if !said.faults.contains(&fault) {
            said.faults.push(fault);
        }
    }
}

/// A value of the tree on its way to a typed one.
struct Walk<'n, 's> {
    node: &'n Node,
    path: String,
    notes: Notes<'s>,
}

impl<'n, 's> Walk<'n, 's> {
    /// Notes what is wrong here, once.
    fn noted<T>(&self, result: Result<T, Stop>) -> Result<T, Stop> {
        result.map_err(|stop| {
            if matches!(stop, Stop::Noted | Stop::LeftOut) {
                return stop;
            }
            let at = self.node.referenced;
            self.notes
                .note(at, &self.path, stop.to_string(), String::new());
            Stop::Noted
        })
    }

    fn wrong<T>(&self, expected: &str) -> Result<T, Stop> {
        let got = match &self.node.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        };
        self.noted(Err(Stop::Wrong(format!("expected {expected}; got {got}"))))
    }

    fn member(&self, index: usize, node: &'n Node) -> Self {
        Self {
            node,
            path: format!("{}[{index}]", self.path),
            notes: self.notes,
        }
    }
}

impl<'de> Deserializer<'de> for Walk<'_, '_> {
    type Error = Stop;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let made = match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => match (u64::try_from(*value), i64::try_from(*value)) {
                (Ok(value), _) => visitor.visit_u64(value),
                (Err(_), Ok(value)) => visitor.visit_i64(value),
                (Err(_), Err(_)) => Err(Stop::Wrong("expected a smaller number".to_owned())),
            },
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(value) => visitor.visit_str(value),
            Value::List(members) => visitor.visit_seq(Members {
                walk: &self,
                rest: members.iter().enumerate(),
                broken: false,
            }),
            Value::Map(_) => return self.entries(None, visitor),
        };
        self.noted(made)
    }

    /// The parser takes any plain word for a text.
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let made = match &self.node.value {
            Value::Bool(value) => visitor.visit_string(value.to_string()),
            Value::Int(value) => visitor.visit_string(value.to_string()),
            Value::Float(value) => visitor.visit_string(value.to_string()),
            Value::Null | Value::Text(_) | Value::List(_) | Value::Map(_) => {
                return self.deserialize_any(visitor);
            }
        };
        self.noted(made)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_string(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        match name {
            SPANNED => visitor.visit_newtype_struct(Placed(self)),
            SLOT => visitor.visit_seq(One(&self)),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        match self.node.value {
            Value::Map(_) => self.entries(Some(fields), visitor),
            _ => self.wrong("a mapping"),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        match &self.node.value {
            Value::Text(text) => {
                let made = visitor.visit_enum(text.as_str().into_deserializer());
                self.noted(made)
            }
            _ => self.wrong("a word"),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq
        tuple tuple_struct map identifier ignored_any
    }
}

impl Walk<'_, '_> {
    /// A mapping. With `fields` it is a struct, of which only these are known.
    fn entries<'de, V: Visitor<'de>>(
        self,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let Value::Map(entries) = &self.node.value else {
            return self.wrong("a mapping");
        };
        let made = visitor.visit_map(Entries {
            walk: &self,
            fields,
            rest: entries.iter(),
            next: None,
        });
        match made {
            // What is left out is missing because of a fault that is noted.
            Err(Stop::Missing(field)) if self.is_left_out(field) => Err(Stop::Noted),
            made => self.noted(made),
        }
    }

    fn key(&self, key: &str) -> String {
        let key = yaml::quote(key, false);
        if self.path.is_empty() {
            key
        } else {
            format!("{}.{key}", self.path)
        }
    }

    fn is_left_out(&self, key: &str) -> bool {
        self.notes.said.borrow().left_out.contains(&self.key(key))
    }
}

/// The members of a list. A list with a broken member is left out as a whole, when all its members were looked at.
struct Members<'w, 'n, 's, I> {
    walk: &'w Walk<'n, 's>,
    rest: I,
    /// Whether a member was passed over.
    broken: bool,
}

impl<'de, 'n, I: Iterator<Item = (usize, &'n Node)>> SeqAccess<'de> for Members<'_, 'n, '_, I> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Stop> {
        for (index, node) in self.rest.by_ref() {
            let member = self.walk.member(index, node);
            let (path, said) = (member.path.clone(), self.walk.notes.said);
            if said.borrow().left_out.contains(&path) {
                self.broken = true;
                continue;
            }
            return match seed.deserialize(member) {
                // Whoever reads the list stops here; it is offered again without this member.
                Err(Stop::Noted) => {
                    said.borrow_mut().left_out.insert(path);
                    Err(Stop::LeftOut)
                }
                made => made.map(Some),
            };
        }
        if self.broken {
            Err(Stop::Noted)
        } else {
            Ok(None)
        }
    }
}

/// One value, offered as often as it is asked for.
struct One<'w, 'n, 's>(&'w Walk<'n, 's>);

impl<'de> SeqAccess<'de> for One<'_, '_, '_> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Stop> {
        let walk = self.0;
        let before = walk.notes.said.borrow().faults.len();
        let made = seed.deserialize(Walk {
            node: walk.node,
            path: walk.path.clone(),
            notes: walk.notes,
        });
        match made {
            Ok(value) if walk.notes.said.borrow().faults.len() == before => Ok(Some(value)),
            // An unknown key was passed over.
            Ok(_) | Err(Stop::Noted) => Ok(None),
            Err(stop) => Err(stop),
        }
    }
}

/// The entries of a mapping; one that is left out, or that nobody knows, is passed over.
struct Entries<'w, 'n, 's, I> {
    walk: &'w Walk<'n, 's>,
    fields: Option<&'static [&'static str]>,
    rest: I,
    next: Option<(&'n str, &'n Node)>,
}

impl<'de, 'n, I> MapAccess<'de> for Entries<'_, 'n, '_, I>
where
    I: Iterator<Item = &'n (serde_yaml::Spanned<String>, Node)>,
{
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Stop> {
        for (key, node) in self.rest.by_ref() {
            if self.walk.is_left_out(&key.value) {
                continue;
            }
            let unknown = self
                .fields
                .filter(|known| !known.contains(&key.value.as_str()));
            if let Some(known) = unknown {
                let name = yaml::quote(&key.value, false);
                let hint = match nearest(&key.value, known) {
                    Some(name) => format!("Did you mean `{name}`?"),
                    None => format!("Known keys: {}.", known.join(", ")),
                };
                let path = self.walk.key(&key.value);
                let message = format!("unknown key `{name}`");
                self.walk.notes.note(key.referenced, &path, message, hint);
                continue;
            }
            self.next = Some((&key.value, node));
            let key: de::value::StrDeserializer<'_, Stop> = key.value.as_str().into_deserializer();
            return seed.deserialize(key).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Stop> {
        let Some((key, node)) = self.next.take() else {
            return Err(Stop::Wrong("expected a value".to_owned()));
        };
        let path = self.walk.key(key);
        let made = seed.deserialize(Walk {
            node,
            path: path.clone(),
            notes: self.walk.notes,
        });
        match made {
            Err(Stop::Noted) => {
                self.walk.notes.said.borrow_mut().left_out.insert(path);
                Err(Stop::LeftOut)
            }
            made => made,
        }
    }
}

/// A value that wants to know its place: what [`serde_yaml::Spanned`] is told by the parser.
struct Placed<'n, 's>(Walk<'n, 's>);

impl<'de> Deserializer<'de> for Placed<'_, '_> {
    type Error = Stop;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_map(Place {
            walk: Some(self.0),
            step: 0,
        })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Place<'n, 's> {
    walk: Option<Walk<'n, 's>>,
    step: usize,
}

impl<'de> MapAccess<'de> for Place<'_, '_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Stop> {
        let Some(key) = [SPANNED_MARK, "referenced", "defined", "value"].get(self.step) else {
            return Ok(None);
        };
        self.step += 1;
        let key: de::value::StrDeserializer<'_, Stop> = (*key).into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Stop> {
        let nowhere = || Stop::Wrong("expected a value".to_owned());
        match self.step {
            1 => seed.deserialize(de::value::UnitDeserializer::new()),
            2 | 3 => {
                let node = self.walk.as_ref().ok_or_else(nowhere)?.node;
                let place = if self.step == 2 {
                    node.referenced
                } else {
                    node.defined
                };
                let numbers = [("line", place.line()), ("column", place.column())];
                seed.deserialize(de::value::MapDeserializer::new(numbers.into_iter()))
            }
            _ => seed.deserialize(self.walk.take().ok_or_else(nowhere)?),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use serde::Deserialize;
    use serde_yaml::Spanned;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        name: Spanned<String>,
        count: Option<u64>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        list: Vec<Slot<Spanned<Inner>>>,
        other: Option<Vec<String>>,
    }

    fn read(text: &str) -> (Option<Outer>, Vec<(u64, String)>) {
        let node: Node = yaml::from_yaml("policy.yml", text).unwrap();
        let (value, faults) = sound::<Outer>("policy.yml", &node);
        let place = |fault: ConfigFault| (fault.line, fault.path);
        (value, faults.into_iter().map(place).collect())
    }

    #[test]
    fn every_fault_is_named_and_what_is_sound_keeps_its_number_and_its_place() {
        let (value, faults) = read(
            "other: x\nlist:\n- name: a\n  cuont: 1\n- name: b\n- name: [c]\n  count: y\n- count: 2\nmore: 1\n",
        );
        assert_eq!(
            faults,
            [
                (1, "other".to_owned()),
                (4, "list[0].cuont".to_owned()),
                (6, "list[2].name".to_owned()),
                (7, "list[2].count".to_owned()),
                (8, "list[3]".to_owned()),
                (9, "more".to_owned()),
            ]
        );
        let value = value.unwrap();
        let there: Vec<bool> = value.list.iter().map(|slot| slot.0.is_some()).collect();
        assert_eq!(there, [false, true, false, false]);
        let inner = value.list[1].0.as_ref().unwrap();
        assert_eq!(inner.value.name.value, "b");
        assert_eq!(inner.value.name.defined.line(), 5);
        assert_eq!((inner.value.count, value.other), (None, None));
    }

    #[test]
    fn every_broken_member_of_a_list_is_named() {
        let (value, faults) = read("other: [a, [b], c, {d: e}, [f]]\nlist: [{name: x}]\n");
        let paths: Vec<&str> = faults.iter().map(|(_, path)| path.as_str()).collect();
        assert_eq!(paths, ["other[1]", "other[3]", "other[4]"]);
        let value = value.unwrap();
        // Its other members are no list that anybody wrote.
        assert!(value.other.is_none() && value.list[0].0.is_some());
    }

    #[test]
    fn a_sound_document_is_read_whole() {
        let (value, faults) = read("list: [{name: a, count: 1}]\nother: [x, 1]\n");
        assert_eq!(faults, []);
        assert_eq!(value.unwrap().other.unwrap(), ["x", "1"]);
    }

    #[test]
    fn what_has_no_sound_part_ends_all_the_same() {
        for text in ["- a\n", "x\n", "list: 1\n", "other: []\n"] {
            let (value, faults) = read(text);
            assert!(value.is_none() && faults.len() == 1, "{text}: {faults:?}");
        }
    }
}
