//! What the fuzz targets hold of every input, as plain functions, so that a test can replay a corpus without
//! the fuzzer. An input that breaks a law panics.
//!
//! Must not: measure time, or use anything of the core that is not public.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "each target uses one body, and a broken law is reported by a panic"
)]

mod dotenv;
mod files;
mod glob;
mod import;
mod judge;
mod masker;
mod policy;
mod recogniser;
mod redact;
mod render;
mod sanitiser;
mod spans;

/// Longest input that is looked at, in bytes; twice the longest command counted in ASCII.
const INPUT_BYTES_MAX: usize = 20_000;

fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data.get(..data.len().min(INPUT_BYTES_MAX))?).ok()
}

/// What is held of an input.
pub(crate) type Body = fn(&[u8]);

/// The targets by name.
pub(crate) const TARGETS: [(&str, Body); 17] = [
    ("recogniser", recogniser),
    ("render", render),
    ("glob", glob),
    ("policy", policy),
    ("judge", judge),
    ("import_ssh", import_ssh),
    ("import_ansible", import_ansible),
    ("dotenv", dotenv),
    ("redact", redact),
    ("spans", spans),
    ("masker", masker),
    ("servers", servers),
    ("credentials", credentials),
    ("plugins", plugins),
    ("portcullis", portcullis),
    ("companions", companions),
    ("sanitiser", sanitiser),
];

/// Reading a command.
pub(crate) fn recogniser(data: &[u8]) {
    if let Some(text) = text(data) {
        recogniser::hold(text);
    }
}

/// Making output safe to be read.
pub(crate) fn sanitiser(data: &[u8]) {
    sanitiser::hold(
        data.get(..data.len().min(INPUT_BYTES_MAX))
            .unwrap_or_default(),
    );
}

/// What is sent for a command.
pub(crate) fn render(data: &[u8]) {
    if let Some(text) = text(data) {
        render::hold(text);
    }
}

/// A pattern on the first line, a text behind it.
pub(crate) fn glob(data: &[u8]) {
    if let Some((pattern, text)) = text(data).and_then(|text| text.split_once('\n')) {
        glob::hold(pattern, text);
    }
}

/// Loading a policy.
pub(crate) fn policy(data: &[u8]) {
    if let Some(text) = text(data) {
        policy::hold(text);
    }
}

/// Judging a command.
pub(crate) fn judge(data: &[u8]) {
    if let Some(text) = text(data) {
        judge::hold(text);
    }
}

/// Proposing from an ssh_config.
pub(crate) fn import_ssh(data: &[u8]) {
    if let Some(text) = text(data) {
        import::ssh(text);
    }
}

/// Proposing from an Ansible inventory.
pub(crate) fn import_ansible(data: &[u8]) {
    if let Some(text) = text(data) {
        import::ansible(text);
    }
}

/// Reading a file of secrets, which may hold any bytes.
pub(crate) fn dotenv(data: &[u8]) {
    dotenv::hold(data.get(..INPUT_BYTES_MAX).unwrap_or(data));
}

/// Redaction: the first bytes say how the text behind them is cut.
pub(crate) fn redact(data: &[u8]) {
    if let Some((sizes, rest)) = data.split_at_checked(4)
        && let Some(text) = text(rest)
    {
        redact::hold(sizes, text);
    }
}

/// Masking: the first bytes are places, a text stands behind them.
pub(crate) fn spans(data: &[u8]) {
    if let Some((places, rest)) = data.split_at_checked(12)
        && let Some(text) = text(rest)
    {
        spans::hold(places, text);
    }
}

/// Output past a redactor: the first bytes are its spans, the output stands behind them.
pub(crate) fn masker(data: &[u8]) {
    if let Some((places, rest)) = data.split_at_checked(16) {
        masker::hold(places, rest.get(..INPUT_BYTES_MAX).unwrap_or(rest));
    }
}

/// Loading `servers.yml`.
pub(crate) fn servers(data: &[u8]) {
    if let Some(text) = text(data) {
        files::hold(portcullis_core::config::SERVERS, text);
    }
}

/// Loading `credentials.yml`.
pub(crate) fn credentials(data: &[u8]) {
    if let Some(text) = text(data) {
        files::hold(portcullis_core::config::CREDENTIALS, text);
    }
}

/// Loading `plugins.yml`.
pub(crate) fn plugins(data: &[u8]) {
    if let Some(text) = text(data) {
        files::hold(portcullis_core::config::PLUGINS, text);
    }
}

/// Loading `portcullis.yml`.
pub(crate) fn portcullis(data: &[u8]) {
    if let Some(text) = text(data) {
        files::hold(portcullis_core::config::PORTCULLIS, text);
    }
}

/// Loading `companions.yml`.
pub(crate) fn companions(data: &[u8]) {
    if let Some(text) = text(data) {
        files::hold(portcullis_core::config::COMPANIONS, text);
    }
}
