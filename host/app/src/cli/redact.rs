//! `portcullis redact`: standard input, treated exactly as a command's output is.

use super::{Exit, Format, Places, console, session};
use crate::gate::{Live, tagged};
use clap::Args;
use portcullis_core::config::HostRedaction;
use portcullis_core::output::{
    self, Context, Flow, OPENING_BYTES, PluginFailure, Released, Scrubber, Stream,
};
use portcullis_core::redact::{self, Class, Counts, RedactionOptions, Redactor, add};
use portcullis_core::request::Alias;
use portcullis_core::text::SafeText;
use portcullis_plugin::Plugins;
use serde_json::{Value, json};
use std::io::{IsTerminal, Read};
use std::path::Path;
use std::time::{Duration, Instant};

/// Most bytes that are held where the text has to be seen as a whole: by redactor plugins, and where it is
/// none.
const WHOLE_BYTES_MAX: u64 = 268_435_456;
/// How much is read at a time where the caller does not say.
const CHUNK_BYTES: u64 = 65_536;
/// Time between two notes of progress.
const PROGRESS: Duration = Duration::from_secs(2);

/// Reads standard input and writes it as output would be shown: sanitised, natively redacted, and with the
/// configured redactor plugins' spans masked. Nothing is cut, and without such plugins memory does not grow with
/// the text.
///
/// Works without a configuration: then only the native rules hold.
#[derive(Debug, Args)]
pub(super) struct Redact {
    /// Read this many bytes at a time; the result is the same for every number.
    #[arg(long, value_name = "BYTES", default_value_t = CHUNK_BYTES, value_parser = clap::value_parser!(u64).range(1..=16_777_216))]
    chunk: u64,
    /// Treat the text as output of this host: by its rules and with the plugins.
    #[arg(long, value_name = "ALIAS")]
    host: Option<String>,
    /// Only rules of these classes: secret, pii.
    #[arg(long, value_name = "CLASS", value_delimiter = ',')]
    class: Vec<String>,
    /// Only these rules, kinds or classes. Without a name: list every rule and whether it is on.
    #[arg(long, value_name = "NAME", value_delimiter = ',', num_args = 0..)]
    rules: Option<Vec<String>>,
    /// Say which rule masked where, on standard error: line, column, bytes. Never a value.
    #[arg(long)]
    explain: bool,
    /// Print what was masked and removed, per kind, as JSON on standard error. Never a value.
    #[arg(long)]
    report: bool,
    /// How to print. `json` prints one object for each piece of text, and places and report among them.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) fn main(places: &Places, verb: &Redact) -> Exit {
    redact(places, verb).unwrap_or_else(|exit| exit)
}

fn redact(places: &Places, verb: &Redact) -> Result<Exit, Exit> {
    let configured = configuration(places)?;
    let (alias, tags) = host(verb.host.as_deref(), configured.as_ref())?;
    let redactor = rules(verb, configured.as_ref(), &alias)?;
    if verb.rules.as_ref().is_some_and(Vec::is_empty) {
        return Ok(list(&redactor, verb.format));
    }
    let none = Plugins::empty();
    let plugins = configured
        .as_ref()
        .map_or(&none, |live| live.plugins.as_ref());
    let mut printer = Printer::new(verb);
    let mut input = std::io::stdin().lock();
    let opening = read_up_to(&mut input, OPENING_BYTES as u64)?;
    let context = Context {
        alias: &alias,
        tags: &tags,
        stream: Stream::Stdout,
    };
    if output::is_binary(&opening) {
        let text = rest_of(opening, &mut input)?;
        let shown = output::scrub_text(&text, &redactor, plugins, &alias, &tags);
        printer.text(&shown.stdout)?;
        printer.end(text.len() as u64, &shown.redactions, &shown.sanitised)?;
    } else if plugins.redactors().is_empty() {
        let mut flow = Flow::new(&redactor);
        let mut bytes = opening.len() as u64;
        let mut piece = opening;
        while !piece.is_empty() {
            printer.flow(|emit| flow.push(&piece, emit))?;
            piece = read_up_to(&mut input, verb.chunk)?;
            bytes = bytes.saturating_add(piece.len() as u64);
            printer.progress(bytes);
        }
        let (mut redactions, mut sanitised) = (Counts::new(), Counts::new());
        printer.flow(|emit| (redactions, sanitised) = flow.finish(emit))?;
        printer.end(bytes, &redactions, &sanitised)?;
    } else {
        let text = rest_of(opening, &mut input)?;
        with_plugins(&text, &redactor, plugins, &context, &mut printer)?;
    }
    Ok(Exit::Ok)
}

/// Redactor plugins are given the whole text, natively redacted.
fn with_plugins(
    bytes: &[u8],
    redactor: &Redactor,
    plugins: &dyn Scrubber,
    context: &Context<'_>,
    printer: &mut Printer<'_>,
) -> Result<(), Exit> {
    let mut native = String::new();
    let mut flow = Flow::new(redactor);
    let mut fault = Ok(());
    let mut take = |released: Released<'_>| match released {
        Released::Text(text) => native.push_str(&text),
        Released::Mask(place) => {
            let told = printer.place(&place);
            fault = fault.and(told);
        }
    };
    flow.push(bytes, &mut take);
    let (mut redactions, sanitised) = flow.finish(&mut take);
    fault?;
    let spans = output::plugin_spans(plugins, context, &native).map_err(withheld)?;
    let (text, more) = redact::apply(&native, &spans);
    for span in &spans {
        printer.tell(&json!({
            "stage": "plugin", "rule": span.rule, "kind": span.kind, "start": span.start, "end": span.end,
        }), || {
            format!("bytes {}-{} of the natively redacted text: {} (plugin {})", span.start, span.end, span.kind, span.rule)
        })?;
    }
    add(&mut redactions, &more);
    printer.text(&SafeText::from(text))?;
    printer.end(bytes.len() as u64, &redactions, &sanitised)
}

fn withheld((plugin, failure): (String, PluginFailure)) -> Exit {
    let text = format!("withheld: redactor {plugin} failed ({})", failure.code);
    console::fault(&text, "");
    Exit::Plugin
}

/// Writes what is released, and says what was asked for.
struct Printer<'v> {
    verb: &'v Redact,
    told: Instant,
    terminal: bool,
}

impl<'v> Printer<'v> {
    fn new(verb: &'v Redact) -> Self {
        Self {
            verb,
            told: Instant::now(),
            terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Runs a part of a flow and prints what it releases; the first failure counts.
    fn flow(&self, run: impl FnOnce(&mut dyn FnMut(Released<'_>))) -> Result<(), Exit> {
        let mut printed = Ok(());
        run(&mut |released| {
            if printed.is_ok() {
                printed = match released {
                    Released::Text(text) => self.text(&text),
                    Released::Mask(place) => self.place(&place),
                };
            }
        });
        printed
    }

    fn text(&self, text: &SafeText) -> Result<(), Exit> {
        let printed = match self.verb.format {
            Format::Human => console::text(text),
            Format::Json => console::line(&json!({"text": text}).to_string()),
        };
        stopped(printed)
    }

    fn place(&self, place: &output::Place<'_>) -> Result<(), Exit> {
        let (span, line, column) = (place.span, place.line, place.column);
        let record = json!({
            "line": line, "column": column, "start": span.start, "end": span.end,
            "rule": span.rule, "kind": span.kind,
        });
        self.tell(&record, || {
            format!(
                "line {line}, column {column}, bytes {}-{}: {} (rule {})",
                span.start, span.end, span.kind, span.rule
            )
        })
    }

    /// Says where something was masked, where that was asked for.
    fn tell(&self, record: &Value, words: impl FnOnce() -> String) -> Result<(), Exit> {
        match (self.verb.explain, self.verb.format) {
            (false, _) => Ok(()),
            (true, Format::Json) => stopped(console::line(&json!({"masked": record}).to_string())),
            (true, Format::Human) => {
                console::say(&words());
                Ok(())
            }
        }
    }

    fn progress(&mut self, bytes: u64) {
        if self.terminal && self.told.elapsed() >= PROGRESS {
            self.told = Instant::now();
            console::say(&format!("{} MB", bytes / 1_000_000));
        }
    }

    fn end(&self, bytes: u64, redactions: &Counts, sanitised: &Counts) -> Result<(), Exit> {
        let report = json!({
            "bytes": bytes,
            "redactions": redactions,
            "sanitised": sanitised,
        });
        match (self.verb.report, self.verb.format) {
            (false, _) => Ok(()),
            (true, Format::Json) => stopped(console::line(&json!({"report": report}).to_string())),
            (true, Format::Human) => {
                console::say(&report.to_string());
                Ok(())
            }
        }
    }
}

/// Where nobody reads any more, there is nothing left to do.
fn stopped(printed: std::io::Result<()>) -> Result<(), Exit> {
    match printed {
        Ok(()) => Ok(()),
        Err(error) => Err(console::written(Err(error), Exit::Ok)),
    }
}

/// Reads until so many bytes are there or the input ends.
fn read_up_to(input: &mut impl Read, bytes: u64) -> Result<Vec<u8>, Exit> {
    let mut text = Vec::new();
    input
        .take(bytes)
        .read_to_end(&mut text)
        .map_err(|error| input_fault(&error.to_string()))?;
    Ok(text)
}

fn rest_of(mut opening: Vec<u8>, input: &mut impl Read) -> Result<Vec<u8>, Exit> {
    input
        .take(WHOLE_BYTES_MAX)
        .read_to_end(&mut opening)
        .map_err(|error| input_fault(&error.to_string()))?;
    if opening.len() as u64 > WHOLE_BYTES_MAX {
        return Err(input_fault(&format!(
            "more than {WHOLE_BYTES_MAX} bytes, which plugins and binary data are not read beyond"
        )));
    }
    Ok(opening)
}

fn input_fault(text: &str) -> Exit {
    console::fault(&format!("standard input: {text}"), "");
    Exit::Usage
}

/// The configuration, where there is one. A configuration that does not load is a fault: text must not
/// come out less redacted than the operator wrote.
pub(super) fn configuration(places: &Places) -> Result<Option<Live>, Exit> {
    let named = places.config.is_some()
        || crate::files::config_dir(None, &|name| std::env::var_os(name))
            .is_some_and(|dir| is_config(&dir));
    if !named {
        return Ok(None);
    }
    session::load_quietly(places).map(Some).map_err(|fault| {
        console::fault(&fault, "portcullis check shows every fault with its hint");
        Exit::Config
    })
}

fn is_config(dir: &Path) -> bool {
    dir.join("servers.yml").exists()
}

/// The host whose output a text is treated as, with its tags; `-` stands for no host.
pub(super) fn host(
    named: Option<&str>,
    configured: Option<&Live>,
) -> Result<(String, Vec<String>), Exit> {
    let Some(alias) = named else {
        return Ok(("-".to_owned(), Vec::new()));
    };
    let alias = Alias::parse(alias).map_err(|fault| {
        console::fault(&fault.to_string(), "");
        Exit::Usage
    })?;
    let target = configured.and_then(|live| live.snapshot.inventory.resolve(&alias));
    match target {
        Some(target) => Ok((alias.as_str().to_owned(), target.host.tags)),
        None => {
            console::fault(&format!("Host alias not found: {alias}"), "");
            Err(Exit::Config)
        }
    }
}

/// The rules that hold for a host, or for none.
pub(super) fn held(configured: Option<&Live>, alias: &str) -> Redactor {
    let none = HostRedaction::default();
    tagged(configured.map_or(&none, |live| rules_of(live, alias)))
}

fn rules_of<'l>(live: &'l Live, alias: &str) -> &'l HostRedaction {
    let rules = &live.snapshot.redaction;
    rules.hosts.get(alias).unwrap_or(&rules.no_host)
}

/// The rules: the host's, those of no host, or the ones that were named.
fn rules(verb: &Redact, configured: Option<&Live>, alias: &str) -> Result<Redactor, Exit> {
    let none = HostRedaction::default();
    let held = configured.map_or(&none, |live| rules_of(live, alias));
    let named = verb.rules.iter().flatten();
    let enable: Vec<String> = verb.class.iter().chain(named).cloned().collect();
    if enable.is_empty() {
        return Ok(tagged(held));
    }
    let classes = [Class::Secret, Class::Pii].map(Class::name);
    if let Some(odd) = verb
        .class
        .iter()
        .find(|name| !classes.contains(&name.as_str()))
    {
        console::fault(&format!("expected secret or pii; got {odd}"), "");
        return Err(Exit::Usage);
    }
    let off = classes.iter().map(|name| (*name).to_owned());
    let options = RedactionOptions {
        disable: off.filter(|name| !enable.contains(name)).collect(),
        enable,
        rules: held.options.rules.clone(),
    };
    match Redactor::build(&options) {
        Ok((redactor, _)) => Ok(tagged(&HostRedaction {
            redactor,
            options,
            keyed_tags: held.keyed_tags,
        })),
        Err(faults) => {
            for fault in faults {
                console::fault(&fault.message, &fault.hint);
            }
            Err(Exit::Usage)
        }
    }
}

fn list(redactor: &Redactor, format: Format) -> Exit {
    for (rule, on) in redactor.rules() {
        let on = if on { "on" } else { "off" };
        let line = match format {
            Format::Json => json!({
                "rule": rule.name, "kinds": rule.kinds, "class": rule.class.name(), "state": on, "about": rule.about,
            })
            .to_string(),
            Format::Human => format!(
                "{on:<4} {:<7} {:<32} {} [{}]",
                rule.class.name(),
                rule.name,
                rule.about,
                rule.kinds.join(", ")
            ),
        };
        if let Err(error) = console::line(&line) {
            return console::written(Err(error), Exit::Ok);
        }
    }
    Exit::Ok
}
