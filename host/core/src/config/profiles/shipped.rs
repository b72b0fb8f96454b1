//! The shipped data on programs, as texts.
//!
//! Must not: read them; `profiles` does.

/// The shipped data, by file.
pub(super) const SHIPPED: &[(&str, &str)] = &[
    (
        "text.yml",
        include_str!("../../policy/profile/data/text.yml"),
    ),
    (
        "files.yml",
        include_str!("../../policy/profile/data/files.yml"),
    ),
    (
        "languages.yml",
        include_str!("../../policy/profile/data/languages.yml"),
    ),
    (
        "databases.yml",
        include_str!("../../policy/profile/data/databases.yml"),
    ),
    (
        "system.yml",
        include_str!("../../policy/profile/data/system.yml"),
    ),
    (
        "services.yml",
        include_str!("../../policy/profile/data/services.yml"),
    ),
    (
        "network.yml",
        include_str!("../../policy/profile/data/network.yml"),
    ),
    (
        "containers.yml",
        include_str!("../../policy/profile/data/containers.yml"),
    ),
    (
        "packages.yml",
        include_str!("../../policy/profile/data/packages.yml"),
    ),
    (
        "disks.yml",
        include_str!("../../policy/profile/data/disks.yml"),
    ),
    (
        "unsafe.yml",
        include_str!("../../policy/profile/data/unsafe.yml"),
    ),
    (
        "secrets.yml",
        include_str!("../../policy/profile/data/secrets.yml"),
    ),
];
