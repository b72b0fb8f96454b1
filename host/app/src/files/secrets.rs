//! A secret by its name: from the environment, from `.env`, or from its file.
//!
//! Must not: look anything up under a name that was not checked, fall through to another source after a
//! fault, or keep a copy.

use super::fault::{FileFault, Kind, Why};
use super::{Place, reading};
use cap_std::fs::Dir;
use portcullis_core::config::{secret_name, secret_variable};
use portcullis_core::limits::SECRET_FILE_BYTES_MAX;
use portcullis_core::secret::Secret;
use rustix::fs::Mode;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

const ENV_FILE: &str = ".env";
/// Largest `.env`, in bytes.
const ENV_FILE_BYTES_MAX: u64 = 102_400;

/// Finds a secret.
pub(super) fn read(
    place: &Place,
    name: &str,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Secret, FileFault> {
    let fault = |why| FileFault::new(Kind::Secret, name, &place.path, why);
    secret_name(name).map_err(|why| fault(Why::Name(why)))?;
    if let Some(value) = env(&secret_variable(name)) {
        return taken(value.into_vec()).ok_or_else(|| fault(Why::Empty));
    }
    let dir = place.dir.as_ref().ok_or_else(|| fault(Why::Missing))?;
    match env_file(place, dir) {
        Ok(bytes) => {
            let text = Secret::new(bytes);
            if let Some(value) = from_env_file(text.expose(), name) {
                return (!value.expose().is_empty())
                    .then_some(value)
                    .ok_or_else(|| fault(Why::Empty));
            }
        }
        Err(Why::Missing) => {}
        Err(why) => return Err(FileFault::new(Kind::EnvFile, ENV_FILE, &place.path, why)),
    }
    let bytes = reading::read(dir, Path::new(name), SECRET_FILE_BYTES_MAX).map_err(fault)?;
    taken(bytes).ok_or_else(|| fault(Why::Empty))
}

/// The bytes without the blanks at both ends, in their own buffer; `None` where nothing is left.
fn taken(mut bytes: Vec<u8>) -> Option<Secret> {
    bytes.truncate(bytes.trim_ascii_end().len());
    let blanks = bytes.len() - bytes.trim_ascii_start().len();
    // Shifting leaves the last bytes behind the end; the whole buffer is wiped with the secret.
    bytes.drain(..blanks);
    let secret = Secret::new(bytes);
    (!secret.expose().is_empty()).then_some(secret)
}

/// The value of a name in the text of `.env`: by the name itself, in upper case, or by its variable; of one
/// key's lines the last.
fn from_env_file(text: &[u8], name: &str) -> Option<Secret> {
    [
        name.to_owned(),
        name.to_ascii_uppercase(),
        secret_variable(name),
    ]
    .iter()
    .find_map(|key| value_of(text, key.as_bytes()))
    .map(|value| Secret::new(value.to_vec()))
}

fn value_of<'t>(text: &'t [u8], key: &[u8]) -> Option<&'t [u8]> {
    let mut found = None;
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if line.starts_with(b"#") {
            continue;
        }
        let Some(equals) = line.iter().position(|byte| *byte == b'=') else {
            continue;
        };
        let (left, right) = line.split_at_checked(equals).unwrap_or((line, b""));
        if left.trim_ascii_end() == key {
            found = Some(unquote(right.get(1..).unwrap_or_default().trim_ascii()));
        }
    }
    found
}

/// Without one pair of the same quotes around the whole.
fn unquote(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => value,
    }
}

/// The bytes of `.env`. One that everybody may write is refused: whoever can write it says which password
/// is tried where. One that others may read is used, as the seed system does, and complained of.
fn env_file(place: &Place, dir: &Dir) -> Result<Vec<u8>, Why> {
    let agrees = |mode: Mode| {
        if mode.contains(Mode::WOTH) {
            let mode = mode.as_raw_mode();
            return Err(Why::Permissions { mode });
        }
        if mode.intersects(Mode::RWXG | Mode::RWXO) {
            let dir = place.path.display();
            tracing::warn!(%dir, "insecure_file_permissions: others may read .env (chmod 600)");
        }
        Ok(())
    };
    reading::read_if(dir, Path::new(ENV_FILE), ENV_FILE_BYTES_MAX, agrees)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn value<'t>(text: &'t str, key: &str) -> Option<&'t str> {
        value_of(text.as_bytes(), key.as_bytes()).map(|value| std::str::from_utf8(value).unwrap())
    }

    #[test]
    fn the_lines_of_an_env_file_are_read_as_the_seed_system_reads_them() {
        let text = "# c\nKEY1=a\n\n K2 = \"b c\" \nK3='d'\nK4=\"e'\nK5=x=y\nKEY1=z\n=q\nnoequals\nK6=\"\nexport K7=v\r\n";
        for (key, expected) in [
            ("KEY1", Some("z")),
            ("K2", Some("b c")),
            ("K3", Some("d")),
            ("K4", Some("\"e'")),
            ("K5", Some("x=y")),
            ("K6", Some("\"")),
            ("K7", None),
            ("noequals", None),
            ("c", None),
            ("# c", None),
        ] {
            assert_eq!(value(text, key), expected, "{key}");
        }
        assert_eq!(value("", "K"), None);
        assert_eq!(value("K=", "K"), Some(""));
    }

    #[test]
    fn only_the_ends_of_a_secret_are_trimmed() {
        assert_eq!(taken(b" \n a b \r\n".to_vec()).unwrap().expose(), b"a b");
        assert!(taken(b" \n".to_vec()).is_none());
        assert!(taken(Vec::new()).is_none());
    }
}
