//! Every row of the table of attacks on paths, through the real code: what may be read is read, everything else is
//! refused with its event, and no byte of what lies outside comes back in any way.

use super::*;

#[path = "../../../../../tests/harness/attacks.rs"]
mod table;

use crate::journal::{Journal, Keep};
use table::{Attack, CANARY, Ground, INSIDE};

/// Largest plugin here, in bytes.
const PLUGIN_BYTES_MAX: u64 = 65_536;
/// Rows that the table has at least, each for one kind or more.
const ROWS_MIN: usize = 200;

fn directory(kind: &str) -> &str {
    match kind {
        "key" | "known_hosts" => "keys",
        "secret" => "secrets",
        "plugin" => "plugins",
        "config" | "state" => kind,
        kind => panic!("no such kind: {kind}"),
    }
}

/// A folder for one row, with files that may be read in the directory that it is about.
fn stage(filled: &str) -> Stage {
    let stage = Stage {
        folder: tempfile::tempdir().unwrap(),
        env: HashMap::new(),
    };
    for name in ["config", "keys", "secrets", "plugins", "state", "home"] {
        fs::create_dir(stage.path(name)).unwrap();
    }
    let dir = stage.path(filled);
    fs::create_dir_all(dir.join("sub/deep")).unwrap();
    for file in ["inside", "real.yml", "sub/inside", "sub/deep/inside"] {
        private(&dir.join(file), INSIDE);
    }
    let home = stage.path("home");
    stage.set("HOME", &home)
}

/// What came of a row: the outcome as the table writes it, and every text that was made on the way.
fn tried(stage: &Stage, kind: &str, ask: &str) -> (String, String) {
    let dirs = match stage.try_dirs() {
        Ok(dirs) => dirs,
        Err(fault) => return told(&fault),
    };
    let complaints = std::cell::RefCell::new(String::new());
    let complain = |fault: &FileFault| {
        complaints
            .borrow_mut()
            .push_str(&recorded(fault).to_string());
    };
    let read = match kind {
        "key" => dirs.key(ask).map(|secret| secret.expose().to_vec()),
        "secret" => secrets::Sources {
            env: &|_| None,
            place: &dirs.secrets,
            credentials: None,
            complain: &complain,
        }
        .find(ask)
        .map(|secret| secret.expose().to_vec()),
        "plugin" => dirs.plugin(ask, PLUGIN_BYTES_MAX),
        "known_hosts" => dirs.known_hosts(Some(ask)),
        "config" => match dirs.config_file("policy.yml") {
            Ok(Some(text)) => Ok(text.into_bytes()),
            Ok(None) => return ("missing".to_owned(), String::new()),
            Err(fault) => Err(fault),
        },
        _ => return state(&dirs),
    };
    match read {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let read = if text == INSIDE {
                "read"
            } else {
                "read what it should not"
            };
            (read.to_owned(), text + &complaints.into_inner())
        }
        Err(fault) => told(&fault),
    }
}

fn state(dirs: &Dirs) -> (String, String) {
    let state = match dirs.state() {
        Ok(state) => state,
        Err(fault) => {
            let (outcome, text) = told(&fault);
            let io = outcome.ends_with("file_not_readable");
            return (if io { "refused".to_owned() } else { outcome }, text);
        }
    };
    match Journal::open(&state, Keep::default()) {
        Ok(journal) => {
            journal.close();
            ("read".to_owned(), String::new())
        }
        Err(fault) => ("refused".to_owned(), format!("{fault} {fault:?}")),
    }
}

/// A refusal as the table writes it.
fn told(fault: &FileFault) -> (String, String) {
    let (event_type, reason) = event(fault);
    (
        format!("{event_type}/{reason}"),
        format!("{fault} {fault:?} {} {}", recorded(fault), fault.hint()),
    )
}

/// One row for one kind; what is wrong with it, if anything is. `None` where this machine cannot prepare it.
fn checked(attack: &Attack, kind: &str, expected: &str) -> Option<Result<(), String>> {
    let stage = stage(directory(kind));
    let (root, out) = (stage.folder.path(), stage.path("out"));
    let dir = stage.path(directory(kind));
    let ground = Ground {
        root,
        dir: &dir,
        out: &out,
    };
    ground.plant();
    let _prepared = attack.prepare(&ground)?;
    let (outcome, text) = tried(&stage, kind, &attack.ask(&ground));
    let id = &attack.id;
    Some(if outcome != expected {
        Err(format!(
            "{id} {kind}: expected {expected}, got {outcome}: {text}"
        ))
    } else if text.contains(CANARY) {
        Err(format!("{id} {kind}: what lies outside came back: {text}"))
    } else if !ground.is_untouched() {
        Err(format!("{id} {kind}: something outside was changed"))
    } else {
        Ok(())
    })
}

#[test]
fn no_attack_on_a_path_leads_out() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (mut tried, mut skipped, mut wrong) = (0, 0, Vec::new());
    let attacks = table::attacks(&repository);
    assert!(attacks.len() >= ROWS_MIN, "only {} rows", attacks.len());
    for attack in &attacks {
        for (kind, expected) in &attack.expect {
            match checked(attack, kind, expected) {
                Some(Ok(())) => tried += 1,
                Some(Err(fault)) => wrong.push(fault),
                None => skipped += 1,
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} rows:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    // As root nothing is left out but what the kernel does not have.
    assert!(
        tried > 900,
        "only {tried} were tried, {skipped} were left out"
    );
}
