//! The project's own commands: `cargo xtask demo | test | bench | soak | reference | guests`.
//!
//! Each does its own set-up on a fresh machine: the WebAssembly target, Debian packages (as root, when they
//! are missing), a Python environment for the real MCP client, and the guests, built from source. Nothing
//! that was installed by hand is needed.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a build tool speaks to a person on a terminal; no protocol runs over its standard output"
)]

mod fuzz;
mod guests;
mod setup;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo     the main job on loopback, without configuration
  test     the whole test suite (set-up, guests, Rust tests, real SSH servers, a real MCP client)
  bench [NAME]...  measure the parts of a run beside their peers; JSON Lines, then a table; all benchmarks where
           none is named (gate, ssh, plugins, journal, config, redaction)
  soak     the tests that take long, with larger counts, then the fuzz targets, 15 or 30 minutes each; with
           PORTCULLIS_FUZZ_SECONDS for another time, 0 for none
  reference  write config/schema and config/reference.md anew, from the descriptions in the sources
  guests   build the example and hostile plugins into target/guests
";

fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    let result = match command.as_str() {
        "demo" => demo(),
        "test" => test(Tier::Test),
        "soak" => test(Tier::Soak).and_then(|()| fuzz::run(&root())),
        "bench" => bench(),
        "reference" => reference(),
        "guests" => setup::all_guests(&root()).map(|_| ()),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("xtask {command}: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// How much a run of the suite does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tier {
    /// What every CI run does.
    Test,
    /// Larger counts, and only the tests that have one.
    Soak,
}

/// The tests of the core that draw more samples in a soak.
const COUNTED: [&str; 5] = [
    "glob_fnmatch",
    "import_ssh",
    "naive",
    "shell_differential",
    "shell_properties",
];

/// The root of the workspace: two folders above this crate.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The cargo that runs this command.
fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}

/// Runs a command to its end and fails when it does.
fn run(command: &mut Command) -> Result<(), String> {
    let shown = format!("{command:?}");
    let status = command
        .status()
        .map_err(|error| format!("{shown}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{shown}: {status}"))
    }
}

fn demo() -> Result<(), String> {
    let root = root();
    let guests = setup::guests(&root)?;
    // The whole selection, so that the suite finds nearly everything built.
    run(cargo(&root).args(["build", "--quiet", "--workspace", "--bins"]))?;
    run(Command::new(setup::binary(&root, "debug"))
        .arg("demo")
        .arg("--plugins")
        .arg(guests))
}

fn test(tier: Tier) -> Result<(), String> {
    let root = root();
    setup::packages()?;
    let guests = setup::all_guests(&root)?;
    let python = setup::python(&root)?;
    let node = setup::node(&root)?;
    // The same selection of packages as the tests, so that nothing is compiled twice.
    run(cargo(&root).args(["build", "--workspace", "--all-targets"]))?;
    let mut tests = cargo(&root);
    tests.args(["test", "--workspace"]);
    if tier == Tier::Soak {
        tests.args(["--", "soak_"]).env("PORTCULLIS_SOAK", "1");
    }
    tests
        .env("PORTCULLIS_GUESTS", &guests)
        .env("PORTCULLIS_BIN", setup::binary(&root, "debug"))
        .env("PORTCULLIS_PYTHON", &python)
        .env("PORTCULLIS_NODE", &node);
    run(&mut tests)?;
    if tier == Tier::Soak {
        // Tests of the core that have larger counts keep their names.
        let mut counted = cargo(&root);
        counted.args(["test", "--package", "portcullis-core"]);
        for suite in COUNTED {
            counted.args(["--test", suite]);
        }
        run(counted
            .args(["--", "--nocapture"])
            .env("PORTCULLIS_SOAK", "1"))?;
    }
    if tier == Tier::Test {
        // The guests' own logic is tested natively, without a host.
        let plugins = root.join("plugins");
        run(cargo(&plugins).args(["test", "--workspace"]))?;
        // What authors will depend on can be published as it is: packed, unpacked and built from what was packed.
        run(cargo(&plugins).args([
            "package",
            "--package",
            "portcullis-plugin-sdk",
            "--allow-dirty",
        ]))?;
    }
    Ok(())
}

/// The files that a schema is written for.
const CONFIGURATION: [&str; 6] = [
    "servers",
    "credentials",
    "policy",
    "plugins",
    "portcullis",
    "companions",
];

/// Writes what editors and people read about the configuration files anew.
fn reference() -> Result<(), String> {
    let root = root();
    run(cargo(&root).args(["build", "--quiet", "--workspace", "--bins"]))?;
    let write = |arguments: &[&str], to: &Path| {
        let shown = format!("portcullis {}", arguments.join(" "));
        let output = Command::new(setup::binary(&root, "debug"))
            .args(arguments)
            .output()
            .map_err(|error| format!("{shown}: {error}"))?;
        if !output.status.success() {
            return Err(format!("{shown}: {}", output.status));
        }
        std::fs::write(to, output.stdout).map_err(|error| format!("{}: {error}", to.display()))
    };
    let config = root.join("config");
    for name in CONFIGURATION {
        let to = config.join("schema").join(format!("{name}.json"));
        write(&["config", "schema", &format!("{name}.yml")], &to)?;
    }
    write(&["config", "reference"], &config.join("reference.md"))
}

fn bench() -> Result<(), String> {
    let root = root();
    setup::packages()?;
    let guests = setup::measured_guests(&root)?;
    let python = setup::measured_python(&root)?;
    let (extism, extism_guest) = guests::extism(&root)?;
    let mut which: Vec<String> = std::env::args()
        .skip(2)
        .flat_map(|name| ["--bench".to_owned(), name])
        .collect();
    if which.is_empty() {
        which.push("--benches".to_owned());
    }
    // The same selection of packages for both, so that nothing is compiled twice.
    run(cargo(&root)
        .args(["build", "--release", "--workspace", "--bins"])
        .args(&which))?;
    run(cargo(&root)
        .args(["bench", "--workspace"])
        .args(&which)
        .env("PORTCULLIS_EXTISM", &extism)
        .env("PORTCULLIS_EXTISM_GUEST", &extism_guest)
        .env("PORTCULLIS_GUESTS", &guests)
        .env("PORTCULLIS_BIN", setup::binary(&root, "release"))
        .env("PORTCULLIS_PYTHON", &python))
}
