//! `portcullis task start`: hands a command to a runner and comes back with the task's id.

use super::super::{Exit, Format, Places, console};
use super::runner;
use clap::Args;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

/// Longest answer of a runner that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 65_536;

/// Starts a command on a host as a task. What the policy says of it stands in the task: `denied` is an end too.
#[derive(Debug, Args)]
pub(in crate::cli) struct Start {
    /// The host.
    alias: String,
    /// The command, as one argument: quote it.
    command: String,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) fn main(places: &Places, verb: &Start) -> Exit {
    let answer = match launch(places, verb) {
        Ok(answer) => answer,
        Err(why) => {
            console::fault(&format!("the task was not started: {why}"), "");
            return Exit::Bug;
        }
    };
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    let exit = match text("exit") {
        "usage" => Exit::Usage,
        "config" => Exit::Config,
        "refused" => Exit::Refused,
        _ => Exit::Ok,
    };
    if verb.format == Format::Json {
        let mut shown = answer.clone();
        if let Some(shown) = shown.as_object_mut() {
            shown.remove("exit");
        }
        return console::written(console::line(&shown.to_string()), exit);
    }
    if text("task_id").is_empty() {
        console::fault(text("error"), "");
        return exit;
    }
    console::written(console::line(text("task_id")), exit)
}

/// Starts the runner and reads its one line. The command goes through its standard input: arguments are seen by every
/// user of the machine.
fn launch(places: &Places, verb: &Start) -> Result<Value, String> {
    let said = |error: std::io::Error| error.to_string();
    // The file that this process was started from, also where another was put in its place since.
    let mut command = Command::new("/proc/self/exe");
    command.arg(runner::VERB);
    if let Some(config) = &places.config {
        command.arg("--config").arg(config);
    }
    if let Some(state) = &places.state {
        command.arg("--state").arg(state);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Inherited, it would keep whoever reads this verb's standard error waiting for the task.
        .stderr(Stdio::null())
        .spawn()
        .map_err(said)?;
    let request = json!({"alias": verb.alias, "command": verb.command}).to_string();
    let mut input = child.stdin.take().ok_or("no way to its input")?;
    input.write_all(request.as_bytes()).map_err(said)?;
    drop(input);
    let output = child.stdout.take().ok_or("no way to its output")?;
    let mut line = String::new();
    BufReader::new(output.take(ANSWER_BYTES_MAX))
        .read_line(&mut line)
        .map_err(said)?;
    serde_json::from_str(&line).map_err(|_| {
        "its runner said nothing; portcullis check and portcullis doctor say what is wrong"
            .to_owned()
    })
}
