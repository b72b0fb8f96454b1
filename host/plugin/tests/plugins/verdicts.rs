//! What validators say and how the jury hands it on.

use crate::guests::{guest, load, question, validator};
use portcullis_core::config::PluginMode;
use portcullis_core::inventory::{Host, Target};
use portcullis_core::policy::{Case, Hearing, Judgement, Jury, Limits, Verdict};
use portcullis_core::request::{Alias, CommandLine, Principal};
use portcullis_plugin::Plugins;
use std::sync::OnceLock;

const SETTINGS: &str = r#"{"deny": ["/etc/shadow", "/root"]}"#;

fn plugins() -> &'static Plugins {
    static PLUGINS: OnceLock<Plugins> = OnceLock::new();
    PLUGINS.get_or_init(|| {
        let guard = guest("path-guard");
        let hostile = guest("hostile-validator");
        let mut watched = validator("watched", "\"panic\"");
        watched.mode = PluginMode::Observe;
        load(vec![
            (validator("guard", SETTINGS), guard.clone()),
            (validator("approver", "\"approve\""), hostile.clone()),
            (watched, hostile.clone()),
            (
                validator("broken", r#"{"deny": "everything"}"#),
                guard.clone(),
            ),
            (validator("bare", "{}"), guard),
            (validator("echo", "\"echo\""), hostile),
        ])
    })
}

fn verdict(name: &str, words: &[&str]) -> Verdict {
    let trial = plugins().try_validator(name, &question(words)).unwrap();
    trial.result.unwrap_or_else(Verdict::Failed)
}

#[test]
fn a_guard_objects_to_what_its_settings_name() {
    let expected = Verdict::Objection {
        code: "path_forbidden".to_owned(),
        reason: "A word of the command lies beneath /etc/shadow.".to_owned(),
    };
    assert_eq!(verdict("guard", &["cat", "/var/../etc//shadow"]), expected);
}

#[test]
fn a_guard_has_no_objection_to_the_rest() {
    assert_eq!(
        verdict("guard", &["cat", "/etc/hostname"]),
        Verdict::NoObjection
    );
}

#[test]
fn broken_settings_fail_whatever_the_command() {
    for name in ["broken", "bare"] {
        let Verdict::Failed(failure) = verdict(name, &["uptime"]) else {
            panic!("{name} answered");
        };
        assert_eq!(failure.code, "plugin_error");
        assert!(failure.detail.contains("settings"), "{}", failure.detail);
    }
}

#[test]
fn opinions_come_in_order_one_for_each_validator() {
    let opinions = plugins().ask(&question(&["cat", "/root/x"]));
    let names: Vec<&str> = opinions
        .iter()
        .map(|opinion| opinion.plugin.as_str())
        .collect();
    assert_eq!(
        names,
        ["guard", "approver", "watched", "broken", "bare", "echo"]
    );
    assert_eq!(names, plugins().validators());
    assert!(matches!(opinions[0].verdict, Verdict::Objection { .. }));
    assert_eq!(
        opinions[1].verdict,
        Verdict::RequireApproval {
            reason: "a human should look".to_owned()
        }
    );
    assert!(
        matches!(&opinions[2].verdict, Verdict::Failed(failure) if failure.code == "plugin_trap")
    );
}

#[test]
fn only_an_observed_validator_is_marked_so() {
    let observed: Vec<bool> = plugins()
        .ask(&question(&["uptime"]))
        .iter()
        .map(|opinion| opinion.observe)
        .collect();
    assert_eq!(observed, [false, false, true, false, false, false]);
}

#[test]
fn a_validator_is_shown_the_whole_question() {
    let mut asked = question(&["df", "-h"]);
    asked.dry_run = true;
    let trial = plugins().try_validator("echo", &asked).unwrap();
    let Ok(Verdict::Objection { reason, .. }) = trial.result else {
        panic!("expected an objection");
    };
    for part in [
        r#"alias: "web1""#,
        r#"tags: ["web", "prod"]"#,
        r#"principal: "local:1000""#,
        r#"command: "df -h""#,
        r#"argv: ["df", "-h"], canonical: "df -h", capabilities: ["operate"], open-words: []"#,
        "dry-run: true",
        r#"facts: [("source", "df -h")]"#,
    ] {
        assert!(reason.contains(part), "{part} is missing in {reason}");
    }
}

#[test]
fn a_command_that_cannot_be_analysed_is_failed_by_every_validator() {
    let alias = Alias::parse("web1").unwrap();
    let host = Host {
        alias,
        host: "192.0.2.1".to_owned(),
        port: 22,
        credentials: None,
        tags: Vec::new(),
        description: String::new(),
        shell: portcullis_core::inventory::LoginShell::default(),
        host_keys: Vec::new(),
        jump: Vec::new(),
        watchdog: portcullis_core::inventory::Watchdog::default(),
    };
    let target = Target {
        hops: Vec::new(),
        host,
        credential: None,
    };
    let line = CommandLine::parse("cat 'unfinished").unwrap();
    let case = Case::new(Principal::local(1000), target, line);
    let judgement = Judgement {
        findings: Vec::new(),
        refusal: None,
        bypass_attempt: None,
    };
    let opinions = plugins().hear(&Hearing {
        case: &case,
        judgement: &judgement,
        rendered: "",
        limits: &Limits::default(),
        dry_run: false,
    });
    assert_eq!(opinions.len(), plugins().validators().len());
    assert!(
        opinions
            .iter()
            .all(|opinion| matches!(opinion.verdict, Verdict::Failed(_)))
    );
}

#[test]
fn no_plugins_have_no_opinion() {
    assert_eq!(Plugins::empty().ask(&question(&["uptime"])), Vec::new());
    assert_eq!(Plugins::empty().validators(), Vec::<String>::new());
}
