//! What takes long: each test runs a small count in every CI run, and a large one under `cargo xtask soak`.

use portcullis_core::config;
use portcullis_core::inventory::{Host, Target};
use portcullis_core::policy::{Case, Hearing, Jury, Opinion, Outcome};
use portcullis_core::request::{Alias, CommandLine, Principal};
use portcullis_core::shell;

/// How often a random test tries.
fn tries(test: u64, soak: u64) -> u64 {
    if std::env::var_os("PORTCULLIS_SOAK").is_some() {
        soak
    } else {
        test
    }
}

/// A small generator, so that a seed replays everything.
struct Random(u64);

impl Random {
    fn seeded() -> Self {
        let seed = std::env::var("PORTCULLIS_SEED")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| {
                let now = std::time::SystemTime::now()
                    .duration_since(std::time::UNIX_EPOCH)
                    .unwrap();
                u64::from(now.subsec_nanos()) | 1
            });
        eprintln!("replay with PORTCULLIS_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).unwrap()
    }
}

/// Pieces that lie near the edges of the language.
const PIECES: [&str; 34] = [
    "uptime",
    "id",
    " ",
    " ",
    ";",
    "&&",
    "||",
    "|",
    "&",
    "\n",
    "'",
    "\"",
    "\\",
    "$",
    "$(",
    ")",
    "`",
    ">",
    "<",
    "2>&1",
    ">/dev/null",
    "*",
    "?",
    "[",
    "]",
    "{",
    "}",
    "~",
    "#",
    "!",
    "=",
    "/",
    "-h",
    "é",
];

struct NoJury;

impl Jury for NoJury {
    fn hear(&self, _: &Hearing<'_>) -> Vec<Opinion> {
        Vec::new()
    }
}

#[test]
fn soak_only_the_listed_program_is_ever_granted() {
    let text =
        "limits: {deny_substrings: []}\nrules: [{action: allow, simple_binaries: [uptime]}]\n";
    let policy = config::policy(text)
        .map_err(|faults| format!("{faults:?}"))
        .unwrap()
        .0;
    let mut random = Random::seeded();
    let mut granted = 0_u64;
    for _ in 0..tries(20_000, 20_000_000) {
        let pieces = 1 + random.next(12);
        let line: String = (0..pieces)
            .map(|_| PIECES[random.next(PIECES.len())])
            .collect();
        let Ok(line) = CommandLine::parse(&line) else {
            continue;
        };
        let host = Host {
            alias: Alias::parse("web1").unwrap(),
            host: "127.0.0.1".to_owned(),
            port: 22,
            credentials: None,
            tags: Vec::new(),
            description: String::new(),
            shell: portcullis_core::inventory::LoginShell::default(),
            host_keys: Vec::new(),
            jump: Vec::new(),
            watchdog: portcullis_core::inventory::Watchdog::default(),
        };
        let shown = line.as_str().to_owned();
        let case = Case::new(
            Principal::local(0),
            Target {
                hops: Vec::new(),
                host,
                credential: None,
            },
            line,
        );
        if let Outcome::Granted(authorized) =
            policy.decide(case, Vec::new()).conclude(&NoJury, false)
        {
            granted += 1;
            let rendered = authorized.action().rendered();
            let script = shell::parse(rendered)
                .unwrap_or_else(|fault| panic!("{shown:?} -> {rendered:?}: {fault:?}"));
            for leaf in script.leaves() {
                assert_eq!(
                    leaf.words[0].text, "uptime",
                    "{shown:?} was granted as {rendered:?}"
                );
            }
            assert_eq!(
                script.render(),
                rendered,
                "rendering is not stable: {shown:?}"
            );
        }
    }
    assert!(
        granted > 10,
        "only {granted} were granted: the test has gone blind"
    );
}
