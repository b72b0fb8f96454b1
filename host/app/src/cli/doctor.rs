//! `portcullis doctor`: the checklist and what makes the set-up worthless, as found on this machine.

use super::console::{self, Colour};
use super::{Exit, Format, Places, session};
use crate::doctor::{Item, Machine, Part, Setup, Standing, examine};
use crate::files::Dirs;
use clap::Args;
use serde_json::json;

/// Answers each item of the security checklist from this machine: ok, wrong with how to mend it, or not applicable
/// with why; and names what makes the set-up worthless. Changes nothing and shows no secret. Exit 1 if something is
/// wrong, 3 if the configuration does not load.
///
/// Run it as the user that the gate runs as, where it runs: what another user can read is another answer.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) fn main(places: &Places, verb: &Doctor) -> Exit {
    let runtime = match session::runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let opened = Dirs::open(places.config.as_deref(), places.state.as_deref(), &|name| {
        std::env::var_os(name)
    });
    let setup = match opened {
        Ok(dirs) => runtime.block_on(Setup::gather(&dirs)),
        Err(fault) => Setup::none(fault.to_string()),
    };
    let items = examine(&Machine::gather(), &setup);
    let wrong = items
        .iter()
        .filter(|item| matches!(item.standing, Standing::Wrong { .. }))
        .count();
    let exit = match (setup.faults.is_empty(), wrong) {
        (false, _) => Exit::Config,
        (true, 0) => Exit::Ok,
        (true, _) => Exit::Refused,
    };
    let text = match verb.format {
        Format::Json => json!({
            "ok": exit == Exit::Ok,
            "wrong": wrong,
            "items": items.iter().map(value).collect::<Vec<_>>(),
        })
        .to_string(),
        Format::Human => human(&items, wrong),
    };
    console::written(console::line(&text), exit)
}

fn value(item: &Item) -> serde_json::Value {
    let (found, mend) = match &item.standing {
        Standing::Ok(found) | Standing::NotApplicable(found) => (found, ""),
        Standing::Wrong { found, mend } => (found, *mend),
    };
    json!({
        "id": item.id,
        "part": match item.part {
            Part::Checklist => "checklist",
            Part::Worth => "worth",
        },
        "title": item.title,
        "standing": item.standing.word(),
        "found": found,
        "mend": mend,
    })
}

fn human(items: &[Item], wrong: usize) -> String {
    let mut text = String::new();
    for (part, heading) in [
        (Part::Checklist, "The checklist"),
        (Part::Worth, "What makes the set-up worthless"),
    ] {
        text.push_str(&format!("{}\n", console::paint(heading, Colour::Bold)));
        for item in items.iter().filter(|item| item.part == part) {
            let (colour, found, mend) = match &item.standing {
                Standing::Ok(found) => (Colour::Green, found, ""),
                Standing::NotApplicable(found) => (Colour::Yellow, found, ""),
                Standing::Wrong { found, mend } => (Colour::Red, found, *mend),
            };
            let word = console::paint(item.standing.word(), colour);
            text.push_str(&format!("  {word}: {}\n      {found}\n", item.title));
            if !mend.is_empty() {
                text.push_str(&format!("      hint: {mend}\n"));
            }
        }
    }
    text.push_str(&format!("{wrong} of {} items are wrong", items.len()));
    text
}
