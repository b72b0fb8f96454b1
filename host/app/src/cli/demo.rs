//! `portcullis demo`: the main job on loopback, without configuration.
//!
//! A throwaway SSH target runs inside this process (it starts no program and reads nothing but one temporary
//! folder), the real server runs as a child over standard input and output, and a real MCP client talks to it.

mod target;

use super::console::{self, Colour};
use super::{Exit, session};
use crate::journal;
use clap::Args;
use portcullis_core::request::sha256_hex;
use portcullis_mcp::{ChildStderr, Client, ToolAnswer, connect_child};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The main job on loopback, in under a minute: a command allowed, one refused by a rule, one refused by a
/// validator plugin, one whose output was redacted, and the audit chain verified.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// The folder of the built example plugins (`path-guard.wasm`, `ticket-redactor.wasm`).
    #[arg(long, value_name = "DIR", env = "PORTCULLIS_PLUGINS_DIR")]
    plugins: PathBuf,
    /// Keep the temporary folder and say where it is.
    #[arg(long)]
    keep: bool,
}

/// The example plugins, each with its settings.
const PLUGINS: [(&str, &str, &str, &str); 2] = [
    (
        "path-guard",
        "validator",
        "path-guard.wasm",
        r#"{"deny": ["/srv/private"]}"#,
    ),
    (
        "tickets",
        "redactor",
        "ticket-redactor.wasm",
        r#"{"prefixes": ["OPS"]}"#,
    ),
];

const POLICY: &str = r#"# What the demo's agent may do. Everything else is denied.
known_hosts_path: known_hosts
limits:
  max_seconds: 10
network:
  allow_cidrs: ["127.0.0.1/32"]
rules:
  - name: look
    action: allow
    commands: ["uptime", "cat /srv/*", "cat /srv/*/*"]
  - name: never stop services
    action: deny
    commands: ["systemctl stop *"]
"#;

pub(super) fn main(verb: &Demo) -> Exit {
    let runtime = match session::runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let folder = match tempfile::Builder::new()
        .prefix("portcullis-demo-")
        .tempdir()
    {
        Ok(folder) => folder,
        Err(error) => {
            console::fault(&format!("no temporary folder: {error}"), "");
            return Exit::Bug;
        }
    };
    let result = runtime.block_on(show(folder.path(), &verb.plugins));
    if verb.keep {
        console::say(&format!("kept: {}", folder.keep().display()));
    }
    match result {
        Ok(()) => Exit::Ok,
        Err(fault) => {
            console::fault(
                &fault,
                "cargo xtask demo builds everything that the demo needs",
            );
            Exit::Bug
        }
    }
}

/// Sets the stage, plays the scenes, and says what to do next.
async fn show(folder: &Path, plugins: &Path) -> Result<(), String> {
    let host = target::start(&folder.join("host")).await?;
    let (config, state) = (folder.join("config"), folder.join("state"));
    write_configuration(&config, &host, plugins).map_err(|error| error.to_string())?;

    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let arguments = [
        "serve",
        "--stdio",
        "--config",
        &text(&config),
        "--state",
        &text(&state),
    ]
    .map(ToOwned::to_owned);
    let client = connect_child(&program, &arguments, &[], ChildStderr::Discard)
        .await
        .map_err(|fault| fault.to_string())?;

    say(&format!(
        "{} An agent (a real MCP client) asks; the host is a throwaway SSH target on 127.0.0.1:{}.\n",
        console::paint("Portcullis.", Colour::Bold),
        host.port()
    ))?;
    scenes(&client).await?;
    client.close().await.map_err(|fault| fault.to_string())?;

    let intact = verified(&state)?;
    scene(
        "recorded",
        Colour::Green,
        "portcullis audit verify",
        &intact,
    )?;
    say(&format!(
        "\n{}\n  cp -r config ~/.config/portcullis   then edit servers.yml, credentials.yml, policy.yml\n  \
         portcullis check                    every fault with file, line and hint\n  \
         portcullis plan web1 'df -h'        what the policy says, and why\n  \
         portcullis serve --stdio            what an MCP client starts; snippets are in README.md",
        console::paint("Next:", Colour::Bold)
    ))
}

/// The four commands that tell the story. Each has to end as announced, or the demo fails.
async fn scenes(client: &Client) -> Result<(), String> {
    let answer = run(client, "uptime").await?;
    expect(&answer, "exit_code", &json!(0))?;
    let shown = format!(
        "{}  [exit 0, {} ms over SSH]",
        field(&answer, "output").trim(),
        answer.structured.get("duration_ms").unwrap_or(&Value::Null)
    );
    scene("allowed", Colour::Green, "uptime", &shown)?;

    let answer = run(client, "uptime && systemctl stop nginx").await?;
    expect(&answer, "reason", &json!("policy"))?;
    scene(
        "refused by a rule",
        Colour::Red,
        "uptime && systemctl stop nginx",
        field(&answer, "detail"),
    )?;

    let answer = run(client, "cat /srv/private/plan.txt").await?;
    expect(&answer, "reason", &json!("validator"))?;
    scene(
        "refused by a plugin",
        Colour::Red,
        "cat /srv/private/plan.txt",
        field(&answer, "detail"),
    )?;

    let answer = run(client, "cat /srv/app/app.env").await?;
    expect(&answer, "exit_code", &json!(0))?;
    let output = field(&answer, "output");
    if output.contains(target::SECRET) || !output.contains("[REDACTED:") {
        return Err("the output was not redacted".to_owned());
    }
    scene(
        "allowed, redacted",
        Colour::Yellow,
        "cat /srv/app/app.env",
        output.trim(),
    )
}

async fn run(client: &Client, command: &str) -> Result<ToolAnswer, String> {
    client
        .call("ssh_run", json!({"alias": "web1", "command": command}))
        .await
        .map_err(|fault| fault.to_string())
}

fn expect(answer: &ToolAnswer, key: &str, value: &Value) -> Result<(), String> {
    if answer.structured.get(key) == Some(value) {
        Ok(())
    } else {
        Err(format!(
            "expected {key} to be {value}, got {}",
            answer.structured
        ))
    }
}

fn field<'a>(answer: &'a ToolAnswer, key: &str) -> &'a str {
    answer
        .structured
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// One scene: what it shows, what was asked, what came of it.
fn scene(title: &str, colour: Colour, command: &str, result: &str) -> Result<(), String> {
    say(&format!(
        "{} $ {command}",
        console::paint(&format!("{title:<24}"), colour)
    ))?;
    for line in result.lines() {
        say(&format!("{:<24} {line}", ""))?;
    }
    Ok(())
}

fn say(line: &str) -> Result<(), String> {
    console::line(line).map_err(|error| error.to_string())
}

fn verified(state: &Path) -> Result<String, String> {
    let state = cap_std::fs::Dir::open_ambient_dir(state, cap_std::ambient_authority())
        .map_err(|error| error.to_string())?;
    let report = journal::verify(&state, None).map_err(|fault| fault.to_string())?;
    match report.bad {
        None => Ok(format!(
            "intact: {} records, newest {} with MAC {}…",
            report.records,
            report.seq,
            report.mac.get(..16).unwrap_or_default()
        )),
        Some(bad) => Err(format!("the journal is broken: {}", bad.reason)),
    }
}

fn write_configuration(config: &Path, host: &target::Host, plugins: &Path) -> std::io::Result<()> {
    for sub in ["keys", "plugins"] {
        std::fs::create_dir_all(config.join(sub))?;
    }
    let servers = format!(
        "hosts:\n  - alias: web1\n    host: 127.0.0.1\n    port: {}\n    credentials: demo\n    tags: [demo]\n",
        host.port()
    );
    std::fs::write(config.join("servers.yml"), servers)?;
    std::fs::write(
        config.join("credentials.yml"),
        "entries:\n  - name: demo\n    username: demo\n    key_path: id_ed25519\n",
    )?;
    let policy = POLICY.replace(
        "known_hosts_path: known_hosts",
        &format!(
            "known_hosts_path: {}",
            text(&config.join("keys/known_hosts"))
        ),
    );
    std::fs::write(config.join("policy.yml"), policy)?;
    write_private(
        &config.join("keys/id_ed25519"),
        host.client_key().as_bytes(),
    )?;
    std::fs::write(config.join("keys/known_hosts"), host.known_hosts_line())?;
    let mut entries = String::from("plugins:\n");
    for (name, kind, file, settings) in PLUGINS {
        let bytes = std::fs::read(plugins.join(file)).map_err(|error| {
            std::io::Error::other(format!("{}: {error}", plugins.join(file).display()))
        })?;
        std::fs::write(config.join("plugins").join(file), &bytes)?;
        entries.push_str(&format!(
            "  - name: {name}\n    kind: {kind}\n    path: {file}\n    sha256: {}\n    settings: {settings}\n",
            sha256_hex(&bytes)
        ));
    }
    std::fs::write(config.join("plugins.yml"), entries)
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(bytes)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
