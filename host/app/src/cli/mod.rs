//! The command line: which verbs there are, and how each ends.
//!
//! Data goes to standard output, talk to standard error. Exit status: 0 ok, 1 refused or a case failed,
//! 2 usage, 3 configuration, 4 remote, 5 plugin, 70 our bug.

mod audit;
mod check;
mod compile;
mod completions;
mod config;
mod console;
mod demo;
mod doctor;
mod hosts;
mod import;
mod man;
mod output;
mod plan;
mod plugin;
mod policy;
mod redact;
mod run;
mod serve;
mod session;
mod spread;
mod task;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// The gate that AI agents' commands pass on their way to real machines.
///
/// Portcullis decides under your policy, runs what was allowed over SSH, and hands back output that is
/// safe to read. Start with `portcullis demo`, then `portcullis check` on your own files.
#[derive(Debug, Parser)]
#[command(
    name = "portcullis",
    version,
    about,
    long_about,
    propagate_version = true
)]
struct Cli {
    #[command(flatten)]
    places: Places,
    #[command(subcommand)]
    verb: Verb,
}

/// Where files are looked for.
#[derive(Debug, Clone, Args)]
struct Places {
    /// Directory of servers.yml, credentials.yml, policy.yml, plugins.yml, portcullis.yml and companions.yml.
    ///
    /// Default: $PORTCULLIS_CONFIG_DIR, $MCP_SSH_CONFIG_DIR, $XDG_CONFIG_HOME/portcullis,
    /// /etc/portcullis, /app/config; the first that exists.
    #[arg(long, global = true, value_name = "DIR")]
    config: Option<PathBuf>,
    /// Directory of the audit journal and its key.
    ///
    /// Default: $PORTCULLIS_STATE_DIR, $XDG_STATE_HOME/portcullis, /var/lib/portcullis for root.
    #[arg(long, global = true, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// For programs.
    Json,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the main job on loopback: allowed, refused, redacted, recorded. Needs no configuration.
    Demo(demo::Demo),
    /// Serve agents over the Model Context Protocol.
    Serve(serve::Serve),
    /// Load everything as `serve` would and name every fault with file, line, column and hint.
    Check(check::Check),
    /// Answer the security checklist from this machine, and name what makes the set-up worthless.
    Doctor(doctor::Doctor),
    /// Decide without running, and explain; or test a policy on a file of cases.
    Plan(plan::Plan),
    /// Run a command on a host through the same gate.
    Run(run::Run),
    /// Ask about hosts: what they are, what holds on them, whether they can be reached, which keys they show.
    #[command(subcommand)]
    Hosts(hosts::Hosts),
    /// Work with runs that go on when the verb that started them has ended.
    #[command(subcommand)]
    Task(task::Task),
    /// Run one task, for the gate itself.
    #[command(name = task::VERB, hide = true)]
    RunTask(task::Runner),
    /// Show the output of an earlier run, page by page, where the policy keeps it.
    Output(output::Output),
    /// Read standard input and write it as output would be shown: sanitised and redacted.
    Redact(redact::Redact),
    /// Work with the audit journal.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Show the shipped data that the policy decides with.
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Print what the configuration files may hold.
    #[command(subcommand)]
    Config(config::Config),
    /// Work with plugins.
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    /// Compile one plugin, for the gate itself.
    #[command(name = crate::plugins::child::VERB, hide = true)]
    Compile(compile::Compile),
    /// Propose configuration from the inventory of another tool; nothing is taken into force.
    #[command(subcommand)]
    Import(import::Import),
    /// Print a completion script for a shell.
    Completions(completions::Completions),
    /// Print the manual page.
    Man(man::Man),
}

/// How a verb ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Ok,
    Refused,
    Usage,
    Config,
    Remote,
    Plugin,
    Bug,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Refused => 1,
            Exit::Usage => 2,
            Exit::Config => 3,
            Exit::Remote => 4,
            Exit::Plugin => 5,
            Exit::Bug => 70,
        })
    }
}

/// Says that the process could not be protected, and ends it.
pub(crate) fn unprotected(error: &std::io::Error) -> ExitCode {
    console::fault(
        &format!("the process cannot be kept from leaving a core dump: {error}"),
        "",
    );
    Exit::Bug.into()
}

/// Reads the arguments and does what they say.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return console::usage(&error).into(),
    };
    let exit = match cli.verb {
        Verb::Demo(verb) => demo::main(&verb),
        Verb::Serve(verb) => serve::main(&cli.places, &verb),
        Verb::Check(verb) => check::main(&cli.places, &verb),
        Verb::Doctor(verb) => doctor::main(&cli.places, &verb),
        Verb::Plan(verb) => plan::main(&cli.places, &verb),
        Verb::Run(verb) => run::main(&cli.places, &verb),
        Verb::Hosts(verb) => hosts::main(&cli.places, &verb),
        Verb::Task(verb) => task::main(&cli.places, &verb),
        Verb::RunTask(verb) => task::run(&cli.places, &verb),
        Verb::Output(verb) => output::main(&cli.places, &verb),
        Verb::Redact(verb) => redact::main(&cli.places, &verb),
        Verb::Audit(verb) => audit::main(&cli.places, &verb),
        Verb::Policy(verb) => policy::main(&verb),
        Verb::Config(verb) => config::main(&verb),
        Verb::Plugin(verb) => plugin::main(&cli.places, &verb),
        Verb::Compile(verb) => compile::main(&verb),
        Verb::Import(verb) => import::main(&verb),
        Verb::Completions(verb) => completions::main(&verb),
        Verb::Man(verb) => man::main(&verb),
    };
    exit.into()
}
