//! Whom a file may belong to, and who else may touch it, by kind.
//!
//! | kind | owner | others write | others read | hard links |
//! |---|---|---|---|---|
//! | private key | root or the gate's user | refused | refused, but for the group of a file of root | refused |
//! | secret, `.env` | root or the gate's user | refused | complained of, but for the group of a file of root | refused |
//! | configuration, plugin, known_hosts | anyone | refused for everybody, let through for the group | let through | let through |
//!
//! A file of another tool, from which something is proposed to a person, is read as it is.
//!
//! A second name of a key or a secret may lie in another place with other rules: what is read here would be what was
//! put there for something else.
//!
//! A gate that does not run as root can read a file of root only through its group (or an access list, which
//! shows as the group's bits): that is how orchestrators and systemd hand out keys and secrets. A key that the
//! gate's own user owns needs nobody else, so anything more is refused, as OpenSSH does.
//!
//! Must not: look at a path. What is judged is the descriptor that will be read.

use super::kind::Kind;
use super::why::Why;
use rustix::fs::Mode;

const ROOT: u32 = 0;

/// What an open file is, as far as trust goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// Its permission bits.
    pub(super) mode: Mode,
    /// Its owner.
    pub(super) owner: u32,
    /// The user that the gate runs as.
    pub(super) gate: u32,
    /// How many names it has.
    pub(super) names: u64,
}

/// A file that may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trusted {
    /// As it should be.
    Fully,
    /// With a complaint: others may read it.
    Complained {
        /// Its mode.
        mode: u32,
    },
}

/// Whether a file may be read.
pub(super) fn file(kind: Kind, standing: Standing) -> Result<Trusted, Why> {
    let Standing {
        mode,
        owner,
        gate,
        names,
    } = standing;
    if kind == Kind::Foreign {
        return Ok(Trusted::Fully);
    }
    let shown = mode.as_raw_mode() & 0o7777;
    if !kind.is_secret() {
        if mode.contains(Mode::WOTH) {
            return Err(Why::Writable { mode: shown });
        }
        return Ok(Trusted::Fully);
    }
    if owner != ROOT && owner != gate {
        return Err(Why::Owner { uid: owner });
    }
    if mode.intersects(Mode::WGRP | Mode::WOTH) {
        return Err(Why::Writable { mode: shown });
    }
    if names > 1 {
        return Err(Why::OtherNames { names });
    }
    let through_its_group = owner == ROOT && gate != ROOT;
    let more = if through_its_group {
        Mode::RWXO
    } else {
        Mode::RWXG | Mode::RWXO
    };
    match (mode.intersects(more), kind) {
        (false, _) => Ok(Trusted::Fully),
        (true, Kind::Key) => Err(Why::Readable { mode: shown }),
        (true, _) => Ok(Trusted::Complained { mode: shown }),
    }
}

/// Whether a directory may hold what is read. Where everybody can write and nobody's files are protected
/// from everybody, the names in it mean nothing.
pub(super) fn directory(kind: Kind, mode: Mode) -> Result<(), Why> {
    if kind != Kind::Foreign && mode.contains(Mode::WOTH) && !mode.contains(Mode::SVTX) {
        return Err(Why::Exposed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(kind: Kind, mode: u32, owner: u32, gate: u32) -> &'static str {
        let standing = Standing {
            mode: Mode::from_raw_mode(mode),
            owner,
            gate,
            names: 1,
        };
        match file(kind, standing) {
            Ok(Trusted::Fully) => "read",
            Ok(Trusted::Complained { .. }) => "complained",
            Err(Why::Writable { .. }) => "writable",
            Err(Why::Readable { .. }) => "readable",
            Err(Why::Owner { .. }) => "owner",
            Err(_) => "other",
        }
    }

    /// The gate's user is 10001 where it is not root.
    #[test]
    fn a_private_key_is_its_owners_alone() {
        for (mode, owner, gate, expected) in [
            (0o600, 10001, 10001, "read"),
            (0o400, 10001, 10001, "read"),
            (0o700, 10001, 10001, "read"),
            (0o600, 0, 0, "read"),
            (0o640, 10001, 10001, "readable"),
            (0o604, 10001, 10001, "readable"),
            (0o644, 10001, 10001, "readable"),
            (0o610, 10001, 10001, "readable"),
            (0o620, 10001, 10001, "writable"),
            (0o602, 10001, 10001, "writable"),
            (0o640, 0, 0, "readable"),
            // Of root, read through the group: what an orchestrator mounts for the user of a container.
            (0o440, 0, 10001, "read"),
            (0o640, 0, 10001, "read"),
            (0o444, 0, 10001, "readable"),
            (0o660, 0, 10001, "writable"),
            // Of somebody else, who could exchange it.
            (0o600, 1000, 10001, "owner"),
            (0o600, 1000, 0, "owner"),
            (0o444, 1000, 10001, "owner"),
        ] {
            assert_eq!(
                verdict(Kind::Key, mode, owner, gate),
                expected,
                "{mode:o} of {owner} for {gate}"
            );
        }
    }

    #[test]
    fn a_secret_that_others_read_is_complained_of_and_one_that_others_write_is_refused() {
        for kind in [Kind::Secret, Kind::EnvFile] {
            for (mode, owner, gate, expected) in [
                (0o600, 10001, 10001, "read"),
                (0o440, 0, 10001, "read"),
                (0o444, 0, 10001, "complained"),
                (0o644, 10001, 10001, "complained"),
                (0o640, 10001, 10001, "complained"),
                (0o660, 10001, 10001, "writable"),
                (0o606, 10001, 10001, "writable"),
                (0o600, 1000, 10001, "owner"),
            ] {
                assert_eq!(verdict(kind, mode, owner, gate), expected, "{mode:o}");
            }
        }
    }

    #[test]
    fn what_is_no_secret_may_be_read_by_all_and_written_by_few() {
        for kind in [Kind::File("policy.yml"), Kind::Plugin, Kind::KnownHosts] {
            for (mode, expected) in [(0o644, "read"), (0o664, "read"), (0o666, "writable")] {
                assert_eq!(verdict(kind, mode, 1000, 10001), expected, "{mode:o}");
            }
        }
    }

    #[test]
    fn a_directory_that_everybody_writes_holds_nothing_unless_names_are_their_owners() {
        for (mode, held) in [(0o755, true), (0o775, true), (0o1777, true), (0o777, false)] {
            assert_eq!(
                directory(Kind::Key, Mode::from_raw_mode(mode)).is_ok(),
                held,
                "{mode:o}"
            );
        }
    }
}
