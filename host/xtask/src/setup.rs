//! What a fresh machine lacks: packages, a Python environment, guests.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Programs that the suite starts, and the Debian packages that bring them.
const PROGRAMS: [(&str, &str); 7] = [
    ("sshd", "openssh-server"),
    ("ssh", "openssh-client"),
    ("dropbear", "dropbear-bin"),
    ("busybox", "busybox"),
    ("dash", "dash"),
    ("node", "nodejs"),
    ("npm", "npm"),
];

/// What the Python environment holds: the real MCP client, a schema validator, an SSH peer to measure beside, the
/// program that says what an Ansible inventory means, and the one that makes plugins of Python.
const PYTHON_PACKAGES: [&str; 5] = [
    "mcp==2.3.0",
    "jsonschema==4.25.1",
    "paramiko==5.1.0",
    "ansible-core==2.19.14",
    "componentize-py==0.25.1",
];
/// A peer that is measured only, with what it is built on.
const MEASURED_PYTHON_PACKAGES: [&str; 2] =
    ["parallel-ssh==2.16.0.post1", "ssh2-python==1.2.0.post1"];
/// What makes plugins of JavaScript; the version is that of the template of `plugin new`.
const NODE_PACKAGE: &str = "@bytecodealliance/componentize-js@0.23.0";

/// Where cargo puts its work.
pub(crate) fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// The built binary of a profile.
pub(crate) fn binary(root: &Path, profile: &str) -> PathBuf {
    target(root).join(profile).join("portcullis")
}

/// Builds the guests in Rust and returns their folder.
pub(crate) fn guests(root: &Path) -> Result<PathBuf, String> {
    let out = target(root).join("guests");
    crate::guests::build(root, &out)?;
    Ok(out)
}

/// The same with the guests in JavaScript and Python, whose toolchains have to be there.
pub(crate) fn all_guests(root: &Path) -> Result<PathBuf, String> {
    let out = guests(root)?;
    crate::guests::build_interpreted(root, crate::guests::EXAMPLES, &out)?;
    Ok(out)
}

/// The same with the guests that are measured only.
pub(crate) fn measured_guests(root: &Path) -> Result<PathBuf, String> {
    let out = all_guests(root)?;
    crate::guests::build_interpreted(root, crate::guests::MEASURED, &out)?;
    Ok(out)
}

/// Installs what is missing, as root; otherwise says what to install.
pub(crate) fn packages() -> Result<(), String> {
    let missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !installed(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !is_root() || !installed("apt-get") {
        return Err(format!(
            "these packages are missing: {list}\nhint: apt-get install {list}"
        ));
    }
    eprintln!("installing {list}");
    let apt = |args: &[&str]| {
        super::run(
            Command::new("apt-get")
                .args(args)
                .env("DEBIAN_FRONTEND", "noninteractive")
                .stdin(Stdio::null())
                .stdout(Stdio::null()),
        )
    };
    apt(&["update", "-qq"])?;
    let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
    install.extend(missing);
    apt(&install)
}

/// Makes the Python environment once and returns its interpreter.
pub(crate) fn python(root: &Path) -> Result<PathBuf, String> {
    let home = target(root).join("python");
    let (python, stamp) = (home.join("bin/python"), home.join("packages"));
    let wanted = PYTHON_PACKAGES.join("\n");
    if python.exists() && std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(python);
    }
    eprintln!("preparing the Python environment");
    let _ = std::fs::remove_dir_all(&home);
    if super::run(Command::new("python3").args(["-m", "venv"]).arg(&home)).is_err() {
        if !is_root() {
            return Err(
                "python3 with venv is missing\nhint: apt-get install python3-venv".to_owned(),
            );
        }
        super::run(
            Command::new("apt-get")
                .args(["install", "-y", "-qq", "python3-venv"])
                .stdin(Stdio::null()),
        )?;
        super::run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
    }
    pip(&python, &PYTHON_PACKAGES)?;
    std::fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(python)
}

/// The same with the peers that are measured only.
pub(crate) fn measured_python(root: &Path) -> Result<PathBuf, String> {
    let python = python(root)?;
    // Whoever makes the environment anew makes this file go too.
    let stamp = target(root).join("python").join("measured");
    let wanted = MEASURED_PYTHON_PACKAGES.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(python);
    }
    pip(&python, &MEASURED_PYTHON_PACKAGES)?;
    std::fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(python)
}

fn pip(python: &Path, packages: &[&str]) -> Result<(), String> {
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    super::run(Command::new(python).args(install).args(packages))
}

/// Installs what makes plugins of JavaScript once, and returns the folder beneath which it is found.
pub(crate) fn node(root: &Path) -> Result<PathBuf, String> {
    let home = target(root).join("node");
    let stamp = home.join("packages");
    if std::fs::read_to_string(&stamp).is_ok_and(|have| have == NODE_PACKAGE) {
        return Ok(home);
    }
    eprintln!("preparing the Node packages");
    let _ = std::fs::remove_dir_all(&home);
    let said = |error: std::io::Error| format!("{}: {error}", home.display());
    std::fs::create_dir_all(&home).map_err(said)?;
    std::fs::write(home.join("package.json"), "{\"private\": true}\n").map_err(said)?;
    super::run(
        Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--loglevel=error"])
            .arg(NODE_PACKAGE)
            .current_dir(&home)
            .stdin(Stdio::null()),
    )?;
    std::fs::write(&stamp, NODE_PACKAGE).map_err(said)?;
    Ok(home)
}

/// Whether a program is found on the path or where Debian keeps servers.
fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .any(|dir| dir.join(program).is_file())
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout == b"0\n")
}
