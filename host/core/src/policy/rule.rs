//! One rule of `policy.yml`: on which hosts it holds and which commands it is about.
//!
//! The same shapes are read twice: an allow rule must match everything that it is given, exactly and
//! without anything unknown; a deny rule matches whatever could be meant, through paths and wrappers.
//!
//! Must not: decide between rules.

use super::capability::{Capability, Need};
use super::deny::DenySet;
use super::glob::{Glob, Piece};
use super::grants::Grants;
use super::held::Mode;
use super::path;
use super::pattern::{CommandPattern, Subject};
use super::scene::{Place, Scene};
use super::wrapped::Subjects;
use crate::inventory::Host;
use crate::shell::Word;

/// What a matching rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It allows, unless another rule denies.
    Allow,
    /// It denies, wherever it stands.
    Deny,
}

/// Whether words behind the named ones are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtraArgs {
    /// Any further words.
    Accepted,
    /// None but those at the positions of `path_args`.
    Refused,
}

/// On which hosts a rule holds: an alias glob and a tag glob have to match; no globs mean all hosts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    aliases: Vec<Glob>,
    tags: Vec<Glob>,
}

impl Scope {
    pub(crate) fn new(aliases: &[String], tags: &[String]) -> Self {
        let globs = |texts: &[String]| texts.iter().map(|text| Glob::new(text)).collect();
        Self {
            aliases: globs(aliases),
            tags: globs(tags),
        }
    }

    fn holds(&self, host: &Host) -> bool {
        let alias = host.alias.as_str();
        (self.aliases.is_empty() || self.aliases.iter().any(|glob| glob.matches(alias)))
            && (self.tags.is_empty()
                || self
                    .tags
                    .iter()
                    .any(|glob| host.tags.iter().any(|tag| glob.matches(tag))))
    }
}

/// `simple_binaries` and `simple_max_args`.
#[derive(Debug, Clone)]
pub(crate) struct Simple {
    pub(crate) names: Vec<String>,
    pub(crate) max_args: Option<usize>,
}

/// `path_args`: each position must hold a path that one of the patterns matches. Position 0 is the
/// program.
#[derive(Debug, Clone)]
pub(crate) struct PathArgs {
    pub(crate) indices: Vec<usize>,
    pub(crate) patterns: Vec<Glob>,
}

/// `binary`, `arg_prefix`, `path_args` and `allow_extra_args`.
#[derive(Debug, Clone)]
pub(crate) struct Structured {
    pub(crate) binary: String,
    pub(crate) prefix: Option<Vec<String>>,
    pub(crate) paths: Option<PathArgs>,
    pub(crate) extra: ExtraArgs,
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    effect: Effect,
    name: Option<String>,
    scope: Scope,
    commands: Vec<CommandPattern>,
    simple: Option<Simple>,
    structured: Option<Structured>,
    grants: Grants,
    /// `deny_commands` of a deny rule.
    denies: DenySet,
}

/// One way in which an allow rule says which commands it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    /// A glob over one command: position in `commands`.
    Pattern(usize),
    /// The same glob, read as text.
    Text(usize),
    /// A glob over a sequence of commands.
    Sequence(usize),
    /// `simple_binaries`.
    Simple,
    /// `binary` and its companions.
    Structured,
}

/// How a rule covers a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cover {
    /// How many of its first words the rule spells one by one.
    pub(super) spelled: usize,
    /// How many words have to be spelled for it to be spelled to its end: one more than it has where the
    /// rule leaves open whether more follow.
    pub(super) words: usize,
    /// Whether the rule is the open `*`, which names no program.
    pub(super) open: bool,
    /// Whether the rule spells the directory that was changed to.
    pub(super) in_place: bool,
}

impl Rule {
    pub(crate) fn new(effect: Effect, name: Option<String>, scope: Scope) -> Self {
        Self {
            effect,
            name,
            scope,
            commands: Vec::new(),
            simple: None,
            structured: None,
            grants: Grants::default(),
            denies: DenySet::default(),
        }
    }

    pub(crate) fn with_grants(mut self, grants: Grants) -> Self {
        self.grants = grants;
        self
    }

    pub(crate) fn with_deny_commands(mut self, denies: DenySet) -> Self {
        self.denies = denies;
        self
    }

    /// The structured entries of a deny rule.
    pub(crate) fn denies(&self) -> &DenySet {
        &self.denies
    }

    pub(super) fn grants(&self) -> &Grants {
        &self.grants
    }

    /// Hands over each way in which the rule names commands, and the program where that is spelled.
    pub(super) fn each_shape(&self, mode: Mode, mut take: impl FnMut(Shape, Option<&str>)) {
        for (index, pattern) in self.commands.iter().enumerate() {
            match (pattern.is_sequence(), mode) {
                (true, _) => take(Shape::Sequence(index), None),
                (false, Mode::Legacy) => take(Shape::Text(index), None),
                (false, _) => take(Shape::Pattern(index), pattern.program()),
            }
        }
        for name in self.simple.iter().flat_map(|simple| &simple.names) {
            take(Shape::Simple, Some(name));
        }
        if let Some(structured) = &self.structured {
            take(Shape::Structured, Some(&structured.binary));
        }
    }

    /// Whether the rule's words cover a command in one of its ways. Nothing unknown is covered but by a
    /// `*` for further words.
    pub(super) fn covers(&self, shape: Shape, words: &[Word]) -> Option<Cover> {
        let count = words.len();
        let closed = |spelled| Cover {
            spelled,
            words: count,
            open: false,
            in_place: false,
        };
        match shape {
            Shape::Pattern(index) => {
                let pattern = self.commands.get(index)?;
                Some(Cover {
                    spelled: pattern.covers(words)?,
                    words: count + usize::from(pattern.goes_on()),
                    open: pattern.is_open(),
                    in_place: false,
                })
            }
            Shape::Text(index) => {
                let pattern = self.commands.get(index)?;
                Some(Cover {
                    spelled: pattern.covers_text(words)?,
                    words: count + usize::from(pattern.goes_on()),
                    open: pattern.is_open(),
                    in_place: false,
                })
            }
            Shape::Sequence(_) => None,
            Shape::Simple => self.simple.as_ref()?.covers(words).map(closed),
            Shape::Structured => {
                let structured = self.structured.as_ref()?;
                let goes_on = structured.extra == ExtraArgs::Accepted;
                Some(Cover {
                    spelled: structured.covers(words)?,
                    words: count + usize::from(goes_on),
                    open: false,
                    in_place: false,
                })
            }
        }
    }

    /// Whether a glob over a sequence of commands covers the command at `index` as a part of it.
    pub(super) fn covers_in_sequence(
        &self,
        shape: Shape,
        scene: &Scene<'_>,
        index: usize,
    ) -> Option<Cover> {
        let Shape::Sequence(pattern) = shape else {
            return None;
        };
        let spelled = self.commands.get(pattern)?.allows(scene, index)?;
        let goes_on = self.commands.get(pattern)?.goes_on();
        Some(Cover {
            spelled,
            words: scene.words(index, index)?.len() + usize::from(goes_on),
            open: false,
            in_place: self.commands.get(pattern)?.begins_by_moving(),
        })
    }

    /// Whether the rule grants what a command needs. `cover` says how far it spells the command, whose
    /// words begin at `offset` of those that were compared.
    pub(super) fn grants_need(
        &self,
        shape: Shape,
        cover: Cover,
        offset: usize,
        need: &Need,
    ) -> bool {
        if need.word == Need::IN_PLACE {
            return cover.in_place;
        }
        let in_words = need.word != Need::NOT_IN_WORDS;
        let word = need.word.checked_add(offset).filter(|_| in_words);
        // Whoever spells `xargs ls` to its end has the words in mind that `xargs` adds.
        let spelled = word.is_some_and(|word| word < cover.spelled || cover.spelled >= cover.words);
        let placed = || {
            shape == Shape::Structured
                && need.capability == Capability::Write
                && word.is_some_and(|word| {
                    let structured = self.structured.as_ref();
                    structured.is_some_and(|it| it.places(word))
                })
        };
        let open = || cover.open && need.capability == Capability::Write;
        spelled || self.grants.grant(need) || open() || placed()
    }

    pub(crate) fn with_commands(mut self, globs: &[String]) -> Self {
        self.commands = globs.iter().map(|text| CommandPattern::new(text)).collect();
        self
    }

    pub(crate) fn with_simple(mut self, simple: Option<Simple>) -> Self {
        self.simple = simple;
        self
    }

    pub(crate) fn with_structured(mut self, structured: Option<Structured>) -> Self {
        self.structured = structured;
        self
    }

    /// The same rule on every host.
    pub(crate) fn everywhere(&self) -> Self {
        Self {
            scope: Scope::default(),
            ..self.clone()
        }
    }

    /// A rule that allows whatever is not denied.
    pub(crate) fn everything() -> Self {
        Self::new(Effect::Allow, None, Scope::default()).with_commands(&["*".to_owned()])
    }

    /// For each entry of `commands`, the rule with that entry alone.
    pub(crate) fn single_patterns(&self) -> impl Iterator<Item = (usize, Self)> {
        self.commands.iter().enumerate().map(|(index, pattern)| {
            let single = Self {
                commands: vec![pattern.clone()],
                simple: None,
                structured: None,
                denies: DenySet::default(),
                ..self.clone()
            };
            (index, single)
        })
    }

    /// What the rule does where it matches.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// The rule's `name:`.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether the rule is about a host.
    #[must_use]
    pub fn holds_on(&self, host: &Host) -> bool {
        self.scope.holds(host)
    }

    /// The globs of aliases and of tags that say where it holds.
    pub(super) fn scope(&self) -> (&[Glob], &[Glob]) {
        (&self.scope.aliases, &self.scope.tags)
    }

    /// Whether a leaf, or what it may run, could be what the rule is about.
    pub(super) fn hits(&self, subjects: &Subjects<'_>, index: usize) -> bool {
        let leaf = subjects.scene.leaves().get(index);
        let Some((leaf, own)) = leaf.zip(subjects.own.get(index)) else {
            return true;
        };
        let place = subjects.scene.place(index);
        if self.hits_words(&leaf.words, own, place) {
            return true;
        }
        let sequence = self
            .commands
            .iter()
            .any(|pattern| pattern.denies_sequence(&subjects.own, index, subjects.scene.source));
        sequence
            || subjects.wrapped.get(index).is_some_and(|wrapped| {
                wrapped
                    .iter()
                    .any(|it| self.hits_words(&it.words, &it.subject(), it.place))
            })
    }

    fn hits_words(&self, words: &[Word], subject: &Subject<'_>, place: Place) -> bool {
        self.commands.iter().any(|pattern| pattern.denies(subject))
            || self
                .simple
                .as_ref()
                .is_some_and(|simple| simple.hits(words))
            || self
                .structured
                .as_ref()
                .is_some_and(|structured| structured.hits(words, place))
    }
}

impl Simple {
    fn covers(&self, words: &[Word]) -> Option<usize> {
        let (program, arguments) = words.split_first()?;
        let known = words.iter().all(|word| !word.is_unknown());
        let few = self.max_args.is_none_or(|most| arguments.len() <= most);
        (known && few && self.names.contains(&program.text)).then_some(1)
    }

    fn hits(&self, words: &[Word]) -> bool {
        let Some((program, arguments)) = words.split_first() else {
            return false;
        };
        let few = self.max_args.is_none_or(|most| arguments.len() <= most);
        few && self.names.iter().any(|name| is_program(program, name))
    }
}

/// Whether a program may be the named one: by its text, by its base name, or by being unknown.
fn is_program(program: &Word, name: &str) -> bool {
    program.glob || program.text == name || path::base(&program.text) == path::base(name)
}

impl PathArgs {
    fn covers(&self, words: &[Word]) -> bool {
        self.indices.iter().all(|index| {
            words.get(*index).is_some_and(|word| {
                let path = path::normalise(&word.text);
                !path::climbs(&word.text) && self.patterns.iter().any(|glob| glob.matches(&path))
            })
        })
    }

    fn hits(&self, words: &[Word], place: Place) -> bool {
        self.indices.iter().all(|index| {
            words.get(*index).is_some_and(|word| {
                let path = path::normalise(&word.text);
                let forms = [&*path, path::without_slash(&path), &word.text];
                let anywhere = place == Place::Elsewhere || path::climbs(&word.text);
                let below = path::below_somewhere(&word.text).filter(|_| anywhere);
                let below = below.map(|tail| [Piece::Somewhere, Piece::Known(tail)]);
                self.patterns.iter().any(|glob| {
                    forms.iter().any(|form| glob.matches(form))
                        || below.is_some_and(|pieces| glob.could_match(&pieces))
                })
            })
        })
    }

    /// Whether the operator spelled the word at a position: no pattern leaves anything open.
    fn spells(&self, index: usize) -> bool {
        self.indices.contains(&index) && self.patterns.iter().all(Glob::is_literal)
    }
}

impl Structured {
    /// Whether `path_args` says which path stands at a position.
    fn places(&self, word: usize) -> bool {
        self.paths
            .as_ref()
            .is_some_and(|paths| paths.indices.contains(&word))
    }

    fn covers(&self, words: &[Word]) -> Option<usize> {
        let (program, arguments) = words.split_first()?;
        let prefix = self.prefix.as_deref().unwrap_or_default();
        let known = words.iter().all(|word| !word.is_unknown());
        let restricted = self.prefix.is_some() || self.paths.is_some();
        let named = program.text == self.binary
            && prefix.len() <= arguments.len()
            && prefix
                .iter()
                .zip(arguments)
                .all(|(own, word)| *own == word.text);
        let placed = self.paths.as_ref().is_none_or(|paths| paths.covers(words));
        let allowed = known
            && restricted
            && named
            && placed
            && self.extra_fits(prefix.len(), arguments.len());
        if !allowed {
            return None;
        }
        let mut spelled = 1 + prefix.len();
        while self
            .paths
            .as_ref()
            .is_some_and(|paths| paths.spells(spelled))
        {
            spelled += 1;
        }
        Some(spelled)
    }

    /// Without extra arguments, each one behind the prefix must stand at a position of `path_args`.
    fn extra_fits(&self, prefix: usize, arguments: usize) -> bool {
        if self.extra == ExtraArgs::Accepted {
            return true;
        }
        let Some(paths) = &self.paths else {
            return arguments == prefix;
        };
        (prefix..arguments).all(|argument| paths.indices.contains(&(argument + 1)))
    }

    fn hits(&self, words: &[Word], place: Place) -> bool {
        let Some((program, arguments)) = words.split_first() else {
            return false;
        };
        if !is_program(program, &self.binary) {
            return false;
        }
        let prefix = self.prefix.as_deref().unwrap_or_default();
        for (position, own) in prefix.iter().enumerate() {
            match arguments.get(position) {
                // From an unknown word on, the rest of the words may be anything.
                Some(word) if word.glob => return true,
                Some(word) if *own == word.text => {}
                _ => return false,
            }
        }
        if arguments.iter().any(|word| word.is_unknown()) {
            return true;
        }
        self.paths
            .as_ref()
            .is_none_or(|paths| paths.hits(words, place))
            && self.extra_fits(prefix.len(), arguments.len())
    }
}
