//! Native redaction: which bytes of clean text are secrets, and masking them. Works on sanitised text
//! and must run before any plugin sees it. Time is linear in the worst input: each matcher looks a
//! bounded way, or covers what it has read and is not asked about it again.
//!
//! Two layers. `scout` finds the places where a secret might be, at the speed of memory; `work` looks at the
//! lines around them with the rules, and lets all others pass. `stream` is that machine for text in pieces;
//! a whole text goes through the same one. The rules by kind, each in its own file:
//!
//! | file | what | kinds in the mask |
//! |---|---|---|
//! | `tokens` | fixed prefixes and inner marks, JSON web tokens | `github-token`, `aws-access-key-id`, `slack-token`, …, `jwt` |
//! | `encoded` | the same and private keys inside base64 | as there |
//! | `blocks` | private keys in PEM, SSH2 and PuTTY form, Ansible vaults | `private-key`, `ansible-vault` |
//! | `settings` | name, sign, value, in all dialects; how they are tied in `ties`, names in `names`, values in `values` | `password`, `passphrase`, `secret`, `token`, `api-key`, `secret-key`, `private-key`, `credential`, `unseal-key` |
//! | `nested` | lists and maps below the name of secrets, answers to prompts | as `settings` |
//! | `urls` | userinfo, signed queries, webhooks | `url-password`, `url-token`, `url-signature`, `webhook` |
//! | `headers` | `Authorization`, `Cookie`, bearer tokens | `authorization`, `cookie` |
//! | `hashes` | crypt, LDAP, SCRAM, MySQL, NTLM | `password-hash` |
//! | `commands` | short flags, pipes, plain arguments | `password` |
//! | `directives` | words of configuration files and consoles, SQL | `password` |
//! | `printed` | what a command prints or a sentence announces, alone on the line below | as `settings` |
//! | `places` | what clients say to servers, lists of accounts, JSON web keys | `password`, `secret-key` |
//! | `tables`, `rows` | columns whose head says that they hold secrets | as `settings` |
//! | `exact` | values that the host knows | `known-secret` |
//! | `pii` | cards, account numbers, addresses, telephones; off unless chosen | `card`, `iban`, `email`, `phone`, `ssn` |
//! | `custom` | rules of the operator's own | as they say |
//!
//! What of the rules is data stands in `data/rules.yml` (`catalog` reads it); what is on is chosen by class,
//! kind or rule (`options`).
//!
//! Known limits: a secret without prefix, name or place is not seen, such as what a command prints that is not in the
//! text or not among the known ones; a bare pass phrase of several
//! words is masked to its first word, or not at all where it reads as prose, unless its name says
//! `passphrase`; names in mixed letters (`pAsSwOrD`) raise no suspicion of their own; a text may hold masks, and what
//! looks exactly like one is taken for one (`masks`); in a row of a table that is longer than a window no column is judged.

mod blocks;
mod catalog;
mod commands;
mod custom;
mod directives;
mod encoded;
mod exact;
mod expression;
mod grams;
mod hashes;
mod headers;
mod joints;
mod leads;
mod lookalikes;
mod masks;
mod names;
mod nested;
mod objects;
mod open;
mod options;
mod phrases;
mod pii;
mod places;
mod prefilter;
mod printed;
mod rows;
mod rules;
mod run;
mod scout;
mod settings;
mod sieve;
mod source;
mod stream;
mod stretches;
mod tables;
mod ties;
mod tokens;
mod urls;
mod values;
mod view;
mod work;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use hmac::{Hmac, KeyInit, Mac};
use rules::{Depth, Rules};
use sha2::Sha256;
use source::{Found, Label};
use view::View;
use zeroize::Zeroizing;

pub use blocks::BLOCK_BYTES_MAX;
pub use options::{
    Class, OWN_RULES_MAX, OWN_TEXT_BYTES_MAX, OWN_TEXT_BYTES_MIN, OWN_WORDS_MAX, Pattern,
    RedactionOptions, RuleFault, RuleInfo, RuleSpec, Warning,
};
pub use stream::{GROUP_BYTES_MAX, LINE_BYTES_MAX, Piece, Stream};
pub use tokens::{Body, Checksum};

/// How a mask begins; a kind and `]` follow.
pub(crate) const MASK_START: &str = "[REDACTED:";

/// Most rounds of masking. Masking may bring two texts together that are a secret only then; each
/// round leaves less to find, and in practice the second finds nothing.
const ROUNDS_MAX: usize = 6;

/// Letters of a tag.
const TAG_LETTERS: usize = 6;

/// A stretch of text to mask, in bytes of UTF-8.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
    /// What it is, e.g. `github-token`; lower-case ASCII letters, digits and `-`. It stands in the mask.
    pub kind: String,
    /// Which rule found it: a name of [`Redactor::rules`], or of the plugin.
    pub rule: String,
    /// What the value is told from others by, where the redactor has a key: six hexadecimal digits, or
    /// nothing.
    pub tag: String,
}

impl Span {
    /// What stands in its place: `[REDACTED:kind]`, or `[REDACTED:kind#a1b2c3]` with a tag.
    #[must_use]
    pub fn mask(&self) -> String {
        let sign = if self.tag.is_empty() { "" } else { "#" };
        format!("{MASK_START}{}{sign}{}]", self.kind, self.tag)
    }
}

/// The table whose rows may go on after a gap. It holds no value.
#[derive(Debug, Default)]
pub(crate) struct OpenTable(Option<rows::Table>);

/// How many spans of each kind were masked. Never a value.
pub type Counts = BTreeMap<String, u64>;

/// Where a text comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Edge {
    /// It begins where the output began.
    #[default]
    Whole,
    /// It is the rest after a gap: a block may have begun in what is missing.
    AfterGap,
}

/// The native rules, built once for a snapshot and each distinct choice of rules. Its `Debug` form shows
/// no value that it knows.
#[derive(Clone)]
pub struct Redactor {
    rules: Arc<Rules>,
    exact: Arc<exact::Exact>,
    key: Option<Arc<Zeroizing<Vec<u8>>>>,
}

static DEFAULT: LazyLock<Arc<Rules>> = LazyLock::new(Arc::default);

impl Default for Redactor {
    fn default() -> Self {
        Self {
            rules: Arc::clone(&DEFAULT),
            exact: Arc::default(),
            key: None,
        }
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

impl Redactor {
    /// The rules that the options ask for, and what the operator should know of them.
    ///
    /// # Errors
    /// Every fault of the options at once; nothing is built then.
    pub fn build(options: &RedactionOptions) -> Result<(Self, Vec<Warning>), Vec<RuleFault>> {
        let (rules, warnings) = Rules::build(options)?;
        let redactor = Self {
            rules: Arc::new(rules),
            ..Self::default()
        };
        Ok((redactor, warnings))
    }

    /// The default rules, and values that the host knows to be secret.
    #[must_use]
    pub fn with_exact<V: AsRef<[u8]>>(values: impl IntoIterator<Item = V>) -> Self {
        Self::default().knowing(values)
    }

    /// The same rules, and values that the host knows to be secret: passwords, passphrases, key texts.
    /// They are looked for whatever is switched off. Values of fewer than six bytes are left out,
    /// because masking them would mask ordinary words.
    #[must_use]
    pub fn knowing<V: AsRef<[u8]>>(self, values: impl IntoIterator<Item = V>) -> Self {
        let mut exact = exact::Exact::clone(&self.exact);
        exact.extend(values);
        Self {
            exact: Arc::new(exact),
            ..self
        }
    }

    /// The same rules, and the values that `other` was made to look for.
    #[must_use]
    pub fn knowing_as(&self, other: &Self) -> Self {
        Self {
            exact: Arc::clone(&other.exact),
            ..self.clone()
        }
    }

    /// The same rules with a tag in each mask: equal values have equal tags, as long as the key is the
    /// same. A tag has 24 bits and says nothing of the value to who has not the key.
    #[must_use]
    pub fn tagged(self, key: &[u8]) -> Self {
        Self {
            key: Some(Arc::new(Zeroizing::new(key.to_vec()))),
            ..self
        }
    }

    /// Every rule that there is, and whether it is on.
    #[must_use]
    pub fn rules(&self) -> Vec<(RuleInfo, bool)> {
        self.rules.list()
    }

    /// The spans of `text` that are secrets: sorted, not overlapping, on character borders.
    #[must_use]
    pub fn find(&self, text: &str) -> Vec<Span> {
        self.find_in(text, &[], Edge::Whole)
    }

    /// As [`Self::find`], for a text of which the sanitiser knows more: stretches that a terminal
    /// would not have shown (a token may be split by them), and whether something is missing before it.
    #[must_use]
    pub fn find_in(&self, text: &str, overlooked: &[Range<usize>], edge: Edge) -> Vec<Span> {
        let mut spans = Vec::new();
        self.run(text, overlooked, edge, &mut |piece| {
            if let Piece::Mask(span) = piece {
                spans.push(span.clone());
            }
        });
        spans
    }

    /// The text with every secret masked as `[REDACTED:kind]`, and the counts. Masking masked text
    /// changes nothing.
    #[must_use]
    pub fn mask(&self, text: &str) -> (String, Counts) {
        let mut masked = String::with_capacity(text.len());
        let mut counts = Counts::new();
        self.run(text, &[], Edge::Whole, &mut |piece| match piece {
            Piece::Text(text) => masked.push_str(text),
            Piece::Mask(span) => {
                masked.push_str(&span.mask());
                *counts.entry(span.kind.clone()).or_default() += 1;
            }
        });
        (masked, counts)
    }

    /// As [`Self::find_in`], for a part of an output that goes on after a gap in the next part: also says which table
    /// is open at the end, where `table` is the one that was open at the end of the part before.
    pub(crate) fn find_on(
        &self,
        text: &str,
        overlooked: &[Range<usize>],
        edge: Edge,
        table: OpenTable,
    ) -> (Vec<Span>, OpenTable) {
        let mut spans = Vec::new();
        let table = self.run_on(text, overlooked, edge, table, &mut |piece| {
            if let Piece::Mask(span) = piece {
                spans.push(span.clone());
            }
        });
        (spans, table)
    }

    /// The spans of a text that is looked at as a whole, in its own places, with those that are known already. What
    /// masking brings together is looked at again.
    fn find_all(&self, text: &str, overlooked: &[Range<usize>], known: Vec<Span>) -> Vec<Span> {
        let mut spans = known;
        spans.extend(self.find_once(text, overlooked));
        spans = unite(text, spans);
        for _ in 1..ROUNDS_MAX {
            if spans.is_empty() {
                break;
            }
            let view = View::masked(text, &spans);
            let more = self.find_once(&view.text, &[]);
            if more.is_empty() {
                break;
            }
            spans.extend(view.back(more));
            spans = unite(text, spans);
        }
        for span in &mut spans {
            let mut mac = self.mac();
            if let Some(mac) = &mut mac {
                mac.update(
                    text.get(span.start..span.end)
                        .unwrap_or_default()
                        .as_bytes(),
                );
            }
            span.tag = tag_of(mac);
        }
        spans
    }

    fn find_once(&self, text: &str, overlooked: &[Range<usize>]) -> Vec<Span> {
        let mut spans = self.scan(text, Depth::All);
        let marks = view::marks(text);
        if !marks.is_empty()
            && let Some(view) = View::without(text, marks.clone())
        {
            spans.extend(view.back(self.scan(&view.text, Depth::All)));
        }
        if let Some(view) = View::without(text, view::argument_frames(text)) {
            spans.extend(view.back(self.scan(&view.text, Depth::All)));
        }
        let erased: Vec<Range<usize>> = overlooked
            .iter()
            .filter(|range| text.get((*range).clone()) != Some("\n"))
            .cloned()
            .collect();
        if !erased.is_empty()
            && let Some(view) = View::without(text, marks.iter().cloned().chain(erased).collect())
        {
            spans.extend(view.back(self.scan(&view.text, Depth::All)));
        }
        if !overlooked.is_empty() {
            let left_out = marks
                .into_iter()
                .chain(overlooked.iter().cloned())
                .collect();
            if let Some(view) = View::without(text, left_out) {
                spans.extend(view.back(self.scan(&view.text, Depth::Tokens)));
                let settings = self.scan(&view.text, Depth::All);
                spans.extend(settings.into_iter().filter_map(|span| {
                    let value = view.text.get(span.start..span.end)?;
                    let found = view.back(vec![span]).next()?;
                    let lines = |text: &str| text.matches('\n').count();
                    let whole = text.get(found.start..found.end)?;
                    (lines(whole) == lines(value) || is_one_word(value)).then_some(found)
                }));
            }
        }
        unite(text, spans)
    }

    fn scan(&self, text: &str, depth: Depth) -> Vec<Span> {
        let mut found = self.rules.scan(text, depth);
        self.exact.find(text, &mut found);
        let mut spans: Vec<Span> = found.into_iter().map(span).collect();
        if let Some(view) = View::unescaped(text) {
            let found = self.rules.scan(&view.text, Depth::Tokens);
            spans.extend(view.back(found.into_iter().map(span).collect()));
        }
        spans
    }

    /// Where something may stand for any rule.
    fn hits(&self, text: &str, hits: &mut Vec<scout::Hit>) {
        self.rules.hits(text, hits);
        let mut known = Vec::new();
        self.exact.find(text, &mut known);
        if !known.is_empty() {
            hits.extend(known.iter().map(|found| stream::suspect(found.start)));
            hits.sort_unstable();
        }
    }

    fn is_on(&self, label: Label<'_>) -> bool {
        self.rules.is_on(label)
    }

    /// SECURITY: whether the rules could not be read. It shows nothing then.
    fn withholds(&self) -> bool {
        self.rules.withholds()
    }

    fn own_block_left_open(&self, text: &str) -> Option<(usize, Label<'_>, &str)> {
        self.rules.own_block_left_open(text)
    }

    /// What makes the tag of one value, where there is a key.
    fn mac(&self) -> Option<Mac256> {
        Mac256::new_from_slice(self.key.as_ref()?).ok()
    }
}

type Mac256 = Hmac<Sha256>;

/// The tag of a value that was fed to its sum.
fn tag_of(mac: Option<Mac256>) -> String {
    let sum = mac.map(|mac| mac.finalize().into_bytes());
    let letters = sum.map(|sum| crate::text::hex(&sum)).unwrap_or_default();
    letters.get(..TAG_LETTERS).unwrap_or_default().to_owned()
}

fn span(found: Found<'_>) -> Span {
    Span {
        start: found.start,
        end: found.end,
        kind: found.label.kind.to_owned(),
        rule: found.label.rule.to_owned(),
        tag: String::new(),
    }
}

/// Whether a value that carriage returns split is one made-up word. Percentages, further settings and
/// plain words are what the next line of a progress report holds, and a report must stay readable.
fn is_one_word(value: &str) -> bool {
    ties::is_mixed(value.as_bytes()) && !value.contains(['%', ':', '=', ' ', '\t'])
}

/// Adds counts to counts.
pub fn add(to: &mut Counts, more: &Counts) {
    for (kind, count) in more {
        *to.entry(kind.clone()).or_default() += count;
    }
}

/// Masks spans of a text. Spans are united where they overlap; one that is out of range or not on a
/// character border masks to the nearest border outside it, so that masking never shows more.
#[must_use]
pub fn apply(text: &str, spans: &[Span]) -> (String, Counts) {
    let spans = unite(text, spans.to_vec());
    let mut masked = String::with_capacity(text.len());
    let mut counts = Counts::new();
    let mut at = 0;
    for span in &spans {
        masked.push_str(text.get(at..span.start).unwrap_or_default());
        masked.push_str(&span.mask());
        *counts.entry(span.kind.clone()).or_default() += 1;
        at = span.end;
    }
    masked.push_str(text.get(at..).unwrap_or_default());
    (masked, counts)
}

/// Spans in order, on character borders, within the text, without overlaps and without those that
/// only cover masks. A mask is never cut: a span that reaches into one covers all of it.
pub(crate) fn unite(text: &str, mut spans: Vec<Span>) -> Vec<Span> {
    if spans.is_empty() {
        return spans;
    }
    let masks = masks::all(text);
    for span in &mut spans {
        span.start = text.floor_char_boundary(span.start.min(text.len()));
        span.end = text.ceil_char_boundary(span.end.clamp(span.start, text.len()));
        widen(span, &masks);
    }
    let is_mask = |span: &Span| {
        masks
            .binary_search_by_key(&span.start, |mask| mask.start)
            .is_ok_and(|index| masks.get(index).is_some_and(|mask| mask.end == span.end))
    };
    spans.retain(|span| span.start < span.end && !is_mask(span));
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    let mut united: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match united.last_mut() {
            Some(last) if span.start < last.end => {
                // The more telling kind wins over what the name of a setting says.
                if rules::is_general(&last.kind) && !rules::is_general(&span.kind) {
                    last.kind = span.kind;
                    last.rule = span.rule;
                }
                last.end = last.end.max(span.end);
            }
            _ => united.push(span),
        }
    }
    united
}

fn widen(span: &mut Span, masks: &[Range<usize>]) {
    let first = masks.partition_point(|mask| mask.end <= span.start);
    if let Some(mask) = masks.get(first).filter(|mask| mask.start < span.start) {
        span.start = mask.start;
    }
    let after = masks.partition_point(|mask| mask.start < span.end);
    if let Some(mask) = after.checked_sub(1).and_then(|index| masks.get(index)) {
        span.end = span.end.max(mask.end).max(span.start);
    }
}

#[cfg(test)]
mod bound_tests;
#[cfg(test)]
mod line_tests;
#[cfg(test)]
mod option_tests;
#[cfg(test)]
mod tests;
