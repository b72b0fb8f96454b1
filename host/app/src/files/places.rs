//! Where the directories are looked for. Pure but for one question: whether a directory exists.
//!
//! Must not: open or read anything.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Answers for environment variables.
pub(crate) type Env<'e> = dyn Fn(&str) -> Option<OsString> + 'e;

const CONFIG_VARIABLES: [&str; 2] = ["PORTCULLIS_CONFIG_DIR", "MCP_SSH_CONFIG_DIR"];
const STATE_VARIABLES: [&str; 1] = ["PORTCULLIS_STATE_DIR"];
/// Where configuration lies on a machine that is set up as a whole, and in the seed system's container.
const CONFIG_PLACES: [&str; 2] = ["/etc/portcullis", "/app/config"];
const STATE_PLACE_OF_ROOT: &str = "/var/lib/portcullis";
const NAME: &str = "portcullis";

/// The first of some variables that is set to more than nothing.
pub(super) fn variable(names: &[&str], env: &Env<'_>) -> Option<PathBuf> {
    names
        .iter()
        .filter_map(|name| env(name))
        .find(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// The user's home directory.
pub(super) fn home(env: &Env<'_>) -> Option<PathBuf> {
    variable(&["HOME"], env).filter(|path| path.is_absolute())
}

/// A directory of the XDG kind: the variable where it is absolute, else its default beneath the home.
fn xdg(name: &str, default: &str, env: &Env<'_>) -> Option<PathBuf> {
    variable(&[name], env)
        .filter(|path| path.is_absolute())
        .or_else(|| home(env).map(|home| home.join(default)))
        .map(|path| path.join(NAME))
}

/// Where configuration is looked for when nobody names a place.
pub(super) fn config_candidates(env: &Env<'_>) -> Vec<PathBuf> {
    let user = xdg("XDG_CONFIG_HOME", ".config", env);
    user.into_iter()
        .chain(CONFIG_PLACES.iter().map(PathBuf::from))
        .collect()
}

/// The configuration directory: the argument, a variable, or the first usual place that exists. A place that
/// was named is returned even if nothing is there, so that the fault is about that place.
pub(crate) fn config_dir(argument: Option<&Path>, env: &Env<'_>) -> Option<PathBuf> {
    argument
        .map(Path::to_owned)
        .or_else(|| variable(&CONFIG_VARIABLES, env))
        .or_else(|| {
            config_candidates(env)
                .into_iter()
                .find(|path| path.is_dir())
        })
}

/// The state directory, existing or not.
pub(super) fn state_dir(argument: Option<&Path>, env: &Env<'_>) -> Option<PathBuf> {
    let named = argument
        .map(Path::to_owned)
        .or_else(|| variable(&STATE_VARIABLES, env));
    let root = || {
        let no_xdg = variable(&["XDG_STATE_HOME"], env).is_none();
        (no_xdg && rustix::process::geteuid().is_root()).then(|| PathBuf::from(STATE_PLACE_OF_ROOT))
    };
    named
        .or_else(root)
        .or_else(|| xdg("XDG_STATE_HOME", ".local/state", env))
}

/// A directory that belongs to a configuration: inside it or, as the seed system has it, beside it; the
/// place inside where neither exists.
pub(super) fn beside(config: &Path, name: &str) -> PathBuf {
    let inside = config.join(name);
    if inside.is_dir() {
        return inside;
    }
    config
        .parent()
        .map(|parent| parent.join(name))
        .filter(|path| path.is_dir())
        .unwrap_or(inside)
}
