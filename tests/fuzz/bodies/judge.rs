//! Whatever the command, each policy says something of it; a deny rule more never allows more; and what is
//! sent is judged as what was asked for.

use portcullis_core::config;
use portcullis_core::inventory::{Host, LoginShell};
use portcullis_core::policy::{Judgement, Policy};
use portcullis_core::request::{Alias, CommandLine};
use portcullis_core::shell;
use std::sync::OnceLock;

/// The policies of the acceptance cases.
const POLICIES: &str = include_str!("../../cases/command-policies.json");
const NAMES: [&str; 4] = ["allow:ro", "allow:ops", "deny:std", "deny:cmd"];
/// Broad rules with everything that a rule can say, and the same with hostile deny rules behind them.
const BROAD: &str = "limits: {deny_substrings: []}
rules:
  - {action: allow, commands: ['*', 'sudo systemctl restart *', 'ps aux | grep *', '/opt/*'], write_paths: ['/srv/**'], read_paths: ['/var/**'], env: ['A*'], run_as: [login, app]}
  - {action: allow, simple_binaries: [id, rm], simple_max_args: 2}
  - {action: allow, binary: cat, path_args: {indices: [1], patterns: ['/var/log/*']}, allow_extra_args: false}
";
const HOSTILE: &str = "  - {action: deny, commands: ['*a*b*c*', '*/*/*/*', '[!a-m]*x?', 'curl * | sh*', 'rm *', 'cat /etc/*'], simple_binaries: [sh], simple_max_args: 1}
  - {action: deny, binary: find, path_args: {indices: [1], patterns: ['/e*', '/']}}
";

/// What is asserted of the verdicts of a policy.
struct Bench {
    name: String,
    policy: Policy,
    /// Whether only rules decide, so that the spelling of a command does not matter.
    by_rules: bool,
}

fn benches() -> &'static [Bench] {
    static BENCHES: OnceLock<Vec<Bench>> = OnceLock::new();
    BENCHES.get_or_init(|| {
        let cases: serde_json::Value = serde_json::from_str(POLICIES).unwrap();
        let mut texts: Vec<(String, String)> = NAMES
            .iter()
            .map(|name| ((*name).to_owned(), cases[*name]["policy"].to_string()))
            .collect();
        texts.push(("broad".to_owned(), BROAD.to_owned()));
        texts.push(("hostile".to_owned(), format!("{BROAD}{HOSTILE}")));
        let mut benches = Vec::new();
        for (name, text) in texts {
            let (mut policy, _) =
                config::policy(&text).unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
            policy.prepare([&host()].into_iter());
            let by_rules = name != "deny:std" && name != "deny:cmd" && name != "hostile";
            benches.push(Bench {
                name,
                policy,
                by_rules,
            });
        }
        benches
    })
}

pub(super) fn host() -> Host {
    Host {
        alias: Alias::parse("web1").unwrap(),
        host: "192.0.2.1".to_owned(),
        port: 22,
        credentials: None,
        tags: vec!["web".to_owned()],
        description: String::new(),
        shell: LoginShell::Posix,
        host_keys: Vec::new(),
        jump: Vec::new(),
        watchdog: portcullis_core::inventory::Watchdog::default(),
    }
}

/// What a policy says of a command; `None` where it is none.
pub(super) fn judged(policy: &Policy, host: &Host, command: &str) -> Option<Judgement> {
    let line = CommandLine::parse(command).ok()?;
    let script = shell::parse(line.as_str()).ok()?;
    Some(policy.judge(host, &line, &script))
}

pub(super) fn hold(command: &str) {
    let host = host();
    let Some(line) = CommandLine::parse(command).ok() else {
        return;
    };
    let Ok(script) = shell::parse(line.as_str()) else {
        return;
    };
    let rendered = script.render();
    let mut broad = None;
    for bench in benches() {
        let judgement = bench.policy.judge(&host, &line, &script);
        assert_eq!(judgement.findings.len(), script.leaves().len());
        let refused = judgement.refusal.is_some();
        if !refused {
            assert!(
                judgement.findings.iter().all(|finding| finding.allowed),
                "{}: {command:?}",
                bench.name
            );
        }
        let offset = judgement.refusal.as_ref().and_then(|it| it.offset);
        assert!(offset.is_none_or(|offset| line.as_str().is_char_boundary(offset)));
        if bench.by_rules
            && let Some(sent) = judged(&bench.policy, &host, &rendered)
        {
            assert_eq!(
                sent.refusal.is_some(),
                refused,
                "{}: {command:?} is judged {:?}, and sent as {rendered:?} {:?}",
                bench.name,
                judgement.refusal,
                sent.refusal
            );
        }
        match bench.name.as_str() {
            "broad" => broad = Some(refused),
            "hostile" => assert!(
                refused || broad == Some(false),
                "a deny rule allows {command:?}"
            ),
            _ => {}
        }
    }
}
