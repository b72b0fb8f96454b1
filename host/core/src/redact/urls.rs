//! Secrets in addresses: userinfo, signatures in queries, webhook paths, Go data source names.

use super::source::{Found, Label, Source, is_word};
use super::values::{self, Form, Value, Written};
use std::ops::Range;

const PASSWORD: Label<'static> = Label {
    rule: "url-userinfo",
    kind: "url-password",
};
const TOKEN: Label<'static> = Label {
    rule: "url-userinfo",
    kind: "url-token",
};
const SIGNATURE: Label<'static> = Label {
    rule: "url-signature",
    kind: "url-signature",
};
const DATA_SOURCE: Label<'static> = Label {
    rule: "data-source",
    kind: "url-password",
};
const PGPASS: Label<'static> = Label {
    rule: "pgpass",
    kind: "password",
};
const ORACLE: Label<'static> = Label {
    rule: "oracle-login",
    kind: "url-password",
};
const WEBHOOK: Label<'static> = Label {
    rule: "webhook",
    kind: "webhook",
};

/// Longest userinfo, in bytes.
const USERINFO_BYTES_MAX: usize = 1_024;
/// Shortest user that may be a key, in bytes.
const KEY_BYTES_MIN: usize = 32;
/// How far an @ is looked for past the first sign that should have ended the userinfo, in bytes.
const UNESCAPED_BYTES_MAX: usize = 256;

/// The literals by which addresses with secrets are found.
pub(super) const STARTS: &[&str] = &[
    "://",
    "@tcp(",
    "@unix(",
    "@(",
    ":5432:",
    ":5433:",
    ":6432:",
    ":*:",
    "oracle:thin:",
    "sqlplus ",
    "hooks.slack.com/",
    "/api/webhooks/",
    "webhook.office.com/",
    "X-Amz-Signature=",
    "X-Goog-Signature=",
];

/// What was read ahead for the last @, so that addresses back to back are read once.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// All of it may stand in an address.
    read: Range<usize>,
    /// The last @ in it.
    at: Option<usize>,
}

impl Ahead {
    /// The last @ in what stands from `start` on, as far as an unescaped sign may cut it short. Places come
    /// in ascending order.
    fn last_at(&mut self, source: Source<'_>, start: usize) -> Option<usize> {
        if !self.read.contains(&start) {
            *self = Self {
                read: start..start,
                at: None,
            };
        }
        let limit = start.saturating_add(UNESCAPED_BYTES_MAX);
        let from = self.read.end;
        let end = source.run(from, limit.saturating_sub(from), in_address);
        self.at = last_at(source, from, end).or(self.at);
        self.read.end = end;
        self.at.filter(|at| *at >= start)
    }
}

/// The secret whose literal (of [`STARTS`]) stands at `start`.
pub(super) fn at(
    source: Source<'_>,
    start: usize,
    literal: &str,
    ahead: &mut Ahead,
) -> Option<Found<'static>> {
    let after = start + literal.len();
    match literal {
        "://" => userinfo(source, after, ahead),
        "@tcp(" | "@unix(" | "@(" => data_source(source, start),
        ":5432:" | ":5433:" | ":6432:" | ":*:" => password_file(source, start),
        "oracle:thin:" | "sqlplus " => oracle(source, after),
        "X-Amz-Signature=" | "X-Goog-Signature=" => {
            let end = source.run(after, 1_024, |byte| {
                byte.is_ascii_alphanumeric() || byte == b'%'
            });
            if end - after >= 16 {
                Found::new(after, end, SIGNATURE)
            } else {
                None
            }
        }
        _ => webhook(source, after),
    }
}

/// Whether behind an escaped end of a scheme a login may stand: an @, plain or escaped, before what ends the address.
pub(super) fn is_login_escaped(source: Source<'_>, start: usize) -> bool {
    let end = source.run(start, UNESCAPED_BYTES_MAX, in_address);
    ["@", "%40", "u0040"]
        .iter()
        .any(|sign| source.find(start, end - start, sign).is_some())
}

fn in_address(byte: u8) -> bool {
    byte > b' ' && !matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>')
}

/// The password of `user:password@`, or the user where it stands alone and looks random.
fn userinfo(source: Source<'_>, start: usize, ahead: &mut Ahead) -> Option<Found<'static>> {
    let authority = source.run(start, USERINFO_BYTES_MAX, |byte| {
        in_address(byte) && !matches!(byte, b'/' | b'?' | b'#')
    });
    let at = last_at(source, start, authority).or_else(|| {
        // An unescaped `/`, `?` or `#` in a password cuts the authority short: what follows the colon
        // is then no port, and the @ comes later.
        let colon = find_colon(source, start, authority)?;
        let port = source.slice(colon + 1, authority);
        let is_port = !port.is_empty() && port.iter().all(u8::is_ascii_digit);
        if is_port {
            None
        } else {
            ahead.last_at(source, start)
        }
    })?;
    let (from, label) = match find_colon(source, start, at) {
        // Where the user looks random it opens something as well, with or without the password.
        Some(colon) if is_random_user(source, start, colon) => (start, PASSWORD),
        Some(colon) => (colon + 1, PASSWORD),
        None => (start, TOKEN),
    };
    let value = Value {
        start: from,
        end: at,
        form: Form::Quoted,
    };
    if values::is_placeholder(source, value, Written::Environment) {
        return None;
    }
    if label == TOKEN && !values::looks_random(source, value) {
        return None;
    }
    Found::new(from, at, label)
}

/// Whether the user of an address is a key, as of an error collector or a token that stands for a login.
fn is_random_user(source: Source<'_>, start: usize, end: usize) -> bool {
    let user = Value {
        start,
        end,
        form: Form::Quoted,
    };
    end - start >= KEY_BYTES_MIN && values::looks_random(source, user)
}

fn last_at(source: Source<'_>, start: usize, end: usize) -> Option<usize> {
    source
        .slice(start, end)
        .iter()
        .rposition(|byte| *byte == b'@')
        .map(|offset| start + offset)
}

fn find_colon(source: Source<'_>, start: usize, end: usize) -> Option<usize> {
    source
        .slice(start, end)
        .iter()
        .position(|byte| *byte == b':')
        .map(|offset| start + offset)
}

/// `user:password@tcp(host:port)/name`.
fn data_source(source: Source<'_>, at: usize) -> Option<Found<'static>> {
    let start = source.back(at, UNESCAPED_BYTES_MAX, |byte| {
        in_address(byte) && byte != b'='
    });
    let colon = find_colon(source, start, at)?;
    Found::new(colon + 1, at, DATA_SOURCE)
}

/// The last field of a line of `.pgpass`: `host:port:database:user:password`.
fn password_file(source: Source<'_>, at: usize) -> Option<Found<'static>> {
    let start = source.line_start(at, UNESCAPED_BYTES_MAX);
    let end = source.run(at, UNESCAPED_BYTES_MAX, |byte| byte > b' ');
    let line = source.str(start, end);
    let mut fields = line.splitn(5, ':');
    let (_, port, _, user) = (
        fields.next()?,
        fields.next()?,
        fields.next()?,
        fields.next()?,
    );
    let password = fields.next()?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // Lines of a shadow file have numbers where this one has a user.
    let fits = (port == "*" || is_number(port))
        && !user.is_empty()
        && !is_number(user)
        && !line.contains([' ', '/', '[']);
    if fits {
        Found::new(end - password.len(), end, PGPASS)
    } else {
        None
    }
}

/// `user/password@service`, as Oracle writes it.
fn oracle(source: Source<'_>, start: usize) -> Option<Found<'static>> {
    let end = source.run(start, UNESCAPED_BYTES_MAX, in_address);
    let slash = source
        .slice(start, end)
        .iter()
        .position(|byte| *byte == b'/')?
        + start;
    let at = last_at(source, slash, end)?;
    let value = Value {
        start: slash + 1,
        end: at,
        form: Form::Quoted,
    };
    if values::is_placeholder(source, value, Written::Environment) {
        return None;
    }
    Found::new(slash + 1, at, ORACLE)
}

/// The path of a chat webhook, which is all that is needed to post.
fn webhook(source: Source<'_>, start: usize) -> Option<Found<'static>> {
    let end = source.run(start, USERINFO_BYTES_MAX, |byte| {
        is_word(byte) || matches!(byte, b'/' | b'-' | b'@' | b'%')
    });
    let path = source.slice(start, end);
    let is_secret = path.len() >= 30 && path.iter().any(u8::is_ascii_digit);
    if is_secret {
        Found::new(start, end, WEBHOOK)
    } else {
        None
    }
}
