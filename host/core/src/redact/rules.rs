//! The table of literals and the one pass over a text: each literal that stands there calls its rule.

use super::catalog::{self, Shipped, shipped};
use super::custom::{self, Customs};
use super::encoded::{self, Form};
use super::options::{Choice, Class, RedactionOptions, RuleFault, RuleInfo, Warning};
use super::pii::{self, Wanted};
use super::prefilter::{Literal, Prefilter};
use super::scout::{self, Hit};
use super::source::{Found, Label, Source, is_word};
use super::stream::suspect;
use super::{
    blocks, commands, directives, hashes, headers, names, nested, places, printed, settings,
    tokens, urls,
};
use std::sync::LazyLock;

/// How much is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Every rule.
    All,
    /// What tells by its own shape.
    Tokens,
}

/// What a literal calls.
#[derive(Debug)]
enum Rule {
    Token(usize),
    Inner(usize),
    WebToken,
    Discord,
    Encoded(Form),
    Block(&'static str),
    Setting,
    Url(&'static str),
    Header(&'static str),
    Hash(&'static str),
    MysqlHash,
    WindowsDump,
    Digest,
    Command,
    Directive(&'static str),
    Place(&'static str),
    Printed,
}

impl Rule {
    /// Which bytes may follow a literal of two bytes for its rule to find anything.
    fn follows(&self) -> fn(u8) -> bool {
        match self {
            // The widest of their alphabets.
            Self::Token(_) => |byte| tokens::Body::Wide.has(byte),
            Self::Discord => |byte| is_word(byte) || byte == b'-',
            Self::MysqlHash => |byte| byte.is_ascii_digit() || matches!(byte, b'A'..=b'F'),
            Self::Digest => |byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'),
            _ => |_| true,
        }
    }
}

struct Table {
    prefilter: Prefilter,
    rules: Vec<Rule>,
}

static TABLE: LazyLock<Table> = LazyLock::new(Table::build);

impl Table {
    fn build() -> Self {
        let mut entries: Vec<(String, Rule)> = Vec::new();
        let mut add = |literal: &str, rule: Rule| entries.push((literal.to_owned(), rule));
        let shipped = shipped();
        for (index, token) in shipped.tokens.iter().enumerate() {
            add(&token.prefix, Rule::Token(index));
        }
        for (index, inner) in shipped.inner.iter().enumerate() {
            add(&inner.mark, Rule::Inner(index));
        }
        add("eyJ", Rule::WebToken);
        for literal in tokens::DISCORD {
            add(literal, Rule::Discord);
        }
        for form in encoded::forms() {
            add(&form.literal.clone(), Rule::Encoded(form));
        }
        for literal in blocks::STARTS {
            add(literal, Rule::Block(literal));
        }
        for literal in names::FRAGMENTS {
            add(literal, Rule::Setting);
        }
        for literal in urls::STARTS {
            add(literal, Rule::Url(literal));
        }
        for literal in headers::STARTS {
            add(literal, Rule::Header(literal));
        }
        for literal in &shipped.hashes {
            add(literal, Rule::Hash(literal));
        }
        for digit in "0123456789ABCDEF".chars() {
            add(&format!("*{digit}"), Rule::MysqlHash);
        }
        for digit in "0123456789abcdef".chars() {
            add(&format!(":{digit}"), Rule::Digest);
        }
        add(":::", Rule::WindowsDump);
        for literal in commands::starts() {
            add(&literal, Rule::Command);
        }
        for literal in places::STARTS {
            add(literal, Rule::Place(literal));
        }
        for literal in printed::programs() {
            add(&format!("{literal} "), Rule::Printed);
        }
        for literal in [":\n", printed::LOGIN_ELEMENT, printed::RESET] {
            add(literal, Rule::Printed);
        }
        for literal in directives::starts() {
            add(literal, Rule::Directive(literal));
        }
        let (literals, rules): (Vec<Literal>, Vec<Rule>) = entries
            .into_iter()
            .map(|(literal, rule)| {
                let literal = Literal {
                    text: literal.into_bytes(),
                    follows: rule.follows(),
                };
                (literal, rule)
            })
            .unzip();
        Self {
            prefilter: Prefilter::new(literals),
            rules,
        }
    }
}

/// The rules of one redactor: the shipped ones, the operator's own, and which of them are on.
#[derive(Debug)]
pub(super) struct Rules {
    /// SECURITY: whether the shipped rules could not be read. Nothing is shown then, because nobody looked.
    withholds: bool,
    choice: Choice,
    customs: Customs,
    wanted: Wanted,
    own: Vec<RuleInfo>,
}

impl Default for Rules {
    fn default() -> Self {
        Self::over(shipped())
    }
}

impl Rules {
    /// The rules of a file as they are.
    pub(super) fn over(shipped: &Shipped) -> Self {
        Self {
            withholds: shipped.fault.is_some(),
            choice: Choice::default(),
            customs: Customs::default(),
            wanted: Wanted::default(),
            own: Vec::new(),
        }
    }

    /// Whether nothing may be shown.
    pub(super) fn withholds(&self) -> bool {
        self.withholds
    }

    /// Reads the options.
    pub(super) fn build(
        options: &RedactionOptions,
    ) -> Result<(Self, Vec<Warning>), Vec<RuleFault>> {
        let mut faults = Vec::new();
        if let Some(fault) = &shipped().fault {
            faults.push(RuleFault {
                path: "data/rules.yml".to_owned(),
                message: fault.clone(),
                hint: String::new(),
            });
        }
        let mut known = catalog::rules();
        let built = custom::build(&options.rules, &known);
        let own: Vec<RuleInfo> = options.rules.iter().map(RuleInfo::own).collect();
        known.extend(own.iter().cloned());
        let choice = Choice::read(options, &known);
        match (built, choice) {
            (Ok((customs, warnings)), Ok(choice)) if faults.is_empty() => {
                let on = |rule: &str| choice.is_on(rule, rule, Class::Pii);
                let wanted = Wanted {
                    card: on("card"),
                    iban: on("iban"),
                    email: on("email"),
                    phone: on("phone"),
                    ssn: on("ssn"),
                };
                let rules = Self {
                    choice,
                    customs,
                    wanted,
                    own,
                    ..Self::default()
                };
                Ok((rules, warnings))
            }
            (built, choice) => {
                faults.extend(built.err().into_iter().flatten());
                faults.extend(choice.err().into_iter().flatten());
                Err(faults)
            }
        }
    }

    /// Every rule that there is, with whether it is on for any of its kinds.
    pub(super) fn list(&self) -> Vec<(RuleInfo, bool)> {
        let all = catalog::rules().into_iter().chain(self.own.iter().cloned());
        all.map(|rule| {
            let on = rule
                .kinds
                .iter()
                .any(|kind| self.choice.is_on(&rule.name, kind, rule.class));
            (rule, on)
        })
        .collect()
    }

    /// All that the rules find in a text, in no order.
    pub(super) fn scan(&self, text: &str, depth: Depth) -> Vec<Found<'_>> {
        let source = Source::new(text);
        let mut found: Vec<Found<'_>> = Vec::new();
        let mut covered = Covered::default();
        TABLE.prefilter.each(source.bytes(), |at, literal| {
            if let Some(rule) = TABLE.rules.get(literal) {
                call(source, rule, at, depth, &mut covered, &mut found);
            }
        });
        if !self.customs.is_empty() {
            self.customs.scan(source, &mut found);
        }
        if self.wanted.any() {
            pii::scan(source, self.wanted, &mut found);
        }
        found.retain(|found| self.is_on(found.label));
        found
    }

    /// Where something may stand for these rules.
    pub(super) fn hits(&self, text: &str, hits: &mut Vec<Hit>) {
        scout::hits(text, hits);
        let before = hits.len();
        if !self.customs.is_empty() {
            self.customs.hits(text, hits);
        }
        if self.wanted.any() {
            let mut found = Vec::new();
            pii::scan(Source::new(text), self.wanted, &mut found);
            hits.extend(found.iter().map(|found| suspect(found.start)));
        }
        if hits.len() > before {
            hits.sort_unstable();
        }
    }

    /// A block of the operator's own that a text leaves open: where, whose, and what ends it.
    pub(super) fn own_block_left_open(&self, text: &str) -> Option<(usize, Label<'_>, &str)> {
        let open = self.customs.left_open(text)?;
        self.is_on(open.1).then_some(open)
    }

    pub(super) fn is_on(&self, label: Label<'_>) -> bool {
        let own = || {
            self.own
                .iter()
                .find(|rule| rule.name == label.rule)
                .map(|rule| rule.class)
        };
        let class = if pii::is_rule(label.rule) {
            Class::Pii
        } else {
            own().unwrap_or(Class::Secret)
        };
        label.rule == "known" || self.choice.is_on(label.rule, label.kind, class)
    }
}

/// How far each family of rules has covered the text. A literal inside what its own family covered is
/// not asked about again, which keeps the work linear; another family still is, because its secret
/// may reach further.
#[derive(Debug, Default)]
struct Covered {
    /// By alphabet: a token inside a run of its own letters ends where that run ends.
    tokens: [usize; tokens::BODIES],
    inner: usize,
    hashes: usize,
    web_tokens: usize,
    encoded: usize,
    blocks: usize,
    settings: usize,
    urls: usize,
    headers: usize,
    commands: usize,
    directives: usize,
    places: usize,
    printed: usize,
    /// What was read ahead for hashes.
    hashes_ahead: hashes::Ahead,
    /// What was read ahead for addresses.
    ahead: urls::Ahead,
    /// What leads directives.
    leads: directives::Leads,
}

fn call<'r>(
    source: Source<'_>,
    rule: &'r Rule,
    at: usize,
    depth: Depth,
    covered: &mut Covered,
    found: &mut Vec<Found<'r>>,
) {
    match rule {
        Rule::Token(index) => {
            if let Some(token) = shipped().tokens.get(*index)
                && let Some(covered) = covered.tokens.get_mut(token.alphabet())
                && at + token.prefix.len() > *covered
            {
                take(token.at(source, at), covered, found);
            }
        }
        Rule::Inner(index) if at >= covered.inner => {
            let token = shipped()
                .inner
                .get(*index)
                .and_then(|inner| inner.around(source, at));
            take(token, &mut covered.inner, found);
        }
        Rule::WebToken if at >= covered.web_tokens => match tokens::web_token(source, at) {
            Ok(token) => take(Some(token), &mut covered.web_tokens, found),
            Err(end) => covered.web_tokens = end,
        },
        Rule::Encoded(form) if at >= covered.encoded => {
            take(
                encoded::at(source, at, form, covered.encoded),
                &mut covered.encoded,
                found,
            );
        }
        Rule::Block(literal) if at >= covered.blocks => {
            take(
                blocks::at(source, at, literal, covered.blocks),
                &mut covered.blocks,
                found,
            );
        }
        Rule::Hash(literal) if at >= covered.hashes => {
            take(
                hashes::started(source, at, literal, &mut covered.hashes_ahead),
                &mut covered.hashes,
                found,
            );
        }
        Rule::Discord => found.extend(tokens::discord(source, at)),
        Rule::MysqlHash => found.extend(hashes::mysql(source, at)),
        Rule::Digest => found.extend(hashes::digest(source, at)),
        Rule::WindowsDump => found.extend(hashes::windows_dump(source, at)),
        Rule::Url(literal) if at >= covered.urls => {
            let url = urls::at(source, at, literal, &mut covered.ahead);
            take(url, &mut covered.urls, found);
        }
        Rule::Setting if depth == Depth::All => {
            if at >= covered.settings {
                let (value, end) = settings::at(source, at);
                covered.settings = covered.settings.max(end);
                if !nested::below(source, at, found) {
                    take(value, &mut covered.settings, found);
                }
            }
        }
        Rule::Header(literal) if depth == Depth::All && at >= covered.headers => {
            covered.headers = headers::at(source, at, literal, found);
        }
        Rule::Command if depth == Depth::All && at >= covered.commands => {
            covered.commands = commands::line(source, at, found);
        }
        Rule::Place(literal) if depth == Depth::All && at >= covered.places => {
            covered.places = places::at(source, at, literal, found);
        }
        Rule::Printed if depth == Depth::All && at >= covered.printed => {
            covered.printed = printed::below(source, at, found);
        }
        Rule::Directive(literal) if depth == Depth::All && at >= covered.directives => {
            take(
                directives::at(source, at, literal, &mut covered.leads),
                &mut covered.directives,
                found,
            );
        }
        // Covered by its own family, or not looked for at this depth.
        Rule::Inner(_)
        | Rule::WebToken
        | Rule::Encoded(_)
        | Rule::Block(_)
        | Rule::Hash(_)
        | Rule::Url(_)
        | Rule::Setting
        | Rule::Header(_)
        | Rule::Command
        | Rule::Place(_)
        | Rule::Printed
        | Rule::Directive(_) => {}
    }
}

fn take<'r>(value: Option<Found<'r>>, covered: &mut usize, found: &mut Vec<Found<'r>>) {
    if let Some(value) = value {
        *covered = (*covered).max(value.end);
        found.push(value);
    }
}

/// Whether a kind comes from a name or place rather than from the secret's own shape.
pub(super) fn is_general(kind: &str) -> bool {
    matches!(
        kind,
        "password"
            | "passphrase"
            | "secret"
            | "token"
            | "api-key"
            | "secret-key"
            | "credential"
            | "authorization"
            | "cookie"
            | "url-password"
            | "url-token"
    )
}
