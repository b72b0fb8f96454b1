//! The demo's host: an SSH server inside this process that knows two commands and one temporary folder. It
//! starts no program.

use cap_std::fs::Dir;
use portcullis_ssh::target::{Reply, Target, ThrowawayKey};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// The secret that the demo's host prints and nobody may see. Made up, in the form of a real one.
pub(super) const SECRET: &str = "ghp_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8";

/// A running host and the key that it lets in.
pub(super) struct Host {
    target: Target,
    key: ThrowawayKey,
}

impl Host {
    pub(super) fn port(&self) -> u16 {
        self.target.address().port()
    }

    /// The private key that it lets in, in OpenSSH's form.
    pub(super) fn client_key(&self) -> &str {
        self.key.private()
    }

    /// Its line for known_hosts.
    pub(super) fn known_hosts_line(&self) -> String {
        self.target.known_hosts_line()
    }
}

/// Makes the folder's files and starts the host over it.
pub(super) async fn start(folder: &Path) -> Result<Host, String> {
    let fail = |error: std::io::Error| error.to_string();
    for dir in ["srv/app", "srv/private"] {
        std::fs::create_dir_all(folder.join(dir)).map_err(fail)?;
    }
    let settings = format!("APP_PORT=8080\nAPP_TOKEN={SECRET}\n# rotate it, see OPS-4711\n");
    std::fs::write(folder.join("srv/app/app.env"), settings).map_err(fail)?;
    std::fs::write(folder.join("srv/private/plan.txt"), "not for agents\n").map_err(fail)?;
    let dir = Dir::open_ambient_dir(folder, cap_std::ambient_authority()).map_err(fail)?;
    let began = Instant::now();
    let key = ThrowawayKey::generate().map_err(|fault| fault.to_string())?;
    let answer = Arc::new(move |command: &str| answer(&dir, began, command));
    let target = Target::start(key.public(), answer)
        .await
        .map_err(|fault| fault.to_string())?;
    Ok(Host { target, key })
}

/// What the host says to a command. The text is a rendered script, so plain words are split by one blank.
fn answer(dir: &Dir, began: Instant, command: &str) -> Reply {
    let words: Vec<&str> = command.split(' ').collect();
    match words.as_slice() {
        ["uptime"] => Reply::text(&format!(
            "up {} ms, a throwaway target\n",
            began.elapsed().as_millis()
        )),
        ["cat", path] => match dir.read_to_string(path.trim_start_matches('/')) {
            Ok(text) => Reply::text(&text),
            Err(error) => failed(1, &format!("cat: {path}: {error}\n")),
        },
        _ => failed(127, &format!("{command}: not found\n")),
    }
}

fn failed(exit: u32, stderr: &str) -> Reply {
    Reply {
        stderr: stderr.as_bytes().to_vec(),
        exit,
        ..Reply::text("")
    }
}
