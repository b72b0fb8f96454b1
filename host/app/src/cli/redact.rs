//! `portcullis redact`: standard input, treated exactly as a command's output is.

use super::{Exit, Places, console, session};
use clap::Args;
use portcullis_core::output;
use portcullis_core::redact::Redactor;
use portcullis_core::request::Alias;
use portcullis_plugin::Plugins;
use serde_json::json;
use std::io::Read;
use std::path::Path;

/// Most bytes that are read, so that the verb cannot be made to eat the machine.
const INPUT_BYTES_MAX: u64 = 268_435_456;
/// How much is read at a time where the caller does not say.
const CHUNK_BYTES: usize = 65_536;
/// Largest chunk that may be asked for.
const CHUNK_BYTES_MAX: usize = 16_777_216;

/// Reads standard input and writes it as output would be shown: sanitised, natively redacted, and with the
/// configured redactor plugins' spans masked. Nothing is cut.
///
/// Works without a configuration: then only the native rules hold.
#[derive(Debug, Args)]
pub(super) struct Redact {
    /// Read this many bytes at a time; the result is the same for every number.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..=16_777_216))]
    chunk: Option<u64>,
    /// Treat the text as output of this host.
    #[arg(long, value_name = "ALIAS")]
    host: Option<String>,
    /// Print what was masked and removed, per kind, as JSON on standard error. Never a value.
    #[arg(long)]
    report: bool,
}

pub(super) fn main(places: &Places, verb: &Redact) -> Exit {
    let configured = match configuration(places) {
        Ok(configured) => configured,
        Err(exit) => return exit,
    };
    let (alias, tags) = match host(verb, configured.as_ref()) {
        Ok(host) => host,
        Err(exit) => return exit,
    };
    let text = match read(verb) {
        Ok(text) => text,
        Err(error) => {
            console::fault(&format!("standard input: {error}"), "");
            return Exit::Usage;
        }
    };
    let (none, native) = (Plugins::empty(), Redactor::default());
    let (redactor, plugins) = match &configured {
        Some(live) => (&live.redactor, live.plugins.as_ref()),
        None => (&native, &none),
    };
    let shown = output::scrub_text(&text, redactor, plugins, &alias, &tags);
    if verb.report {
        let withheld = shown
            .withheld
            .as_ref()
            .map(|(plugin, failure)| json!({"plugin": plugin, "code": failure.code}));
        let report = json!({
            "bytes": text.len(),
            "redactions": shown.redactions,
            "sanitised": shown.sanitised,
            "withheld": withheld,
        });
        console::say(&report.to_string());
    }
    if let Some((plugin, failure)) = &shown.withheld {
        console::fault(
            &format!("withheld: redactor {plugin} failed ({})", failure.code),
            "",
        );
        return Exit::Plugin;
    }
    console::written(console::raw(shown.stdout.as_bytes()), Exit::Ok)
}

/// The configuration, where there is one. A configuration that does not load is a fault: text must not
/// come out less redacted than the operator wrote.
fn configuration(places: &Places) -> Result<Option<crate::gate::Live>, Exit> {
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

fn host(
    verb: &Redact,
    configured: Option<&crate::gate::Live>,
) -> Result<(String, Vec<String>), Exit> {
    let Some(alias) = &verb.host else {
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

fn read(verb: &Redact) -> std::io::Result<Vec<u8>> {
    let chunk = verb.chunk.map_or(CHUNK_BYTES, |bytes| {
        usize::try_from(bytes)
            .unwrap_or(CHUNK_BYTES_MAX)
            .min(CHUNK_BYTES_MAX)
    });
    let mut input = std::io::stdin().lock().take(INPUT_BYTES_MAX + 1);
    let (mut text, mut buffer) = (Vec::new(), vec![0; chunk]);
    loop {
        let read = input.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        text.extend_from_slice(buffer.get(..read).unwrap_or_default());
    }
    if text.len() as u64 > INPUT_BYTES_MAX {
        return Err(std::io::Error::other(format!(
            "more than {INPUT_BYTES_MAX} bytes"
        )));
    }
    Ok(text)
}
