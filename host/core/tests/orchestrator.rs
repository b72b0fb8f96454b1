//! The acceptance rows that are decided by the core alone, row by row: what the policy, the address
//! lists and the input checks must say. Rows about tools stand in the same file for another test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use portcullis_core::audit::events::{self, Step, Subject};
use portcullis_core::audit::{Closing, Door, Origin, Stamp, Under};
use portcullis_core::clock::Micros;
use portcullis_core::config;
use portcullis_core::inventory::{Host, Target};
use portcullis_core::net::Verdict;
use portcullis_core::policy::{Case, Glob, Hearing, Jury, Opinion, Outcome, Policy, normalise};
use portcullis_core::redact::Redactor;
use portcullis_core::request::{Alias, CommandLine, Principal, Tag, TaskId, hash16};
use portcullis_core::shell;
use serde_json::{Value, json};
use std::net::IpAddr;

/// Rows that are not met, each with the reason.
const DIFFERENT: &[(&str, &str)] = &[];

fn rows(kinds: &[&str]) -> Vec<Value> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/cases/orchestrator.json"
    );
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let rows: Vec<Value> = file["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| kinds.contains(&row["kind"].as_str().unwrap()))
        .cloned()
        .collect();
    assert!(!rows.is_empty(), "no rows of {kinds:?}");
    rows
}

/// Answers every row of some kinds and compares. A row of level `note` may differ; every other row must
/// hold, or stand in [`DIFFERENT`] and really differ.
fn check(kinds: &[&str], answer: fn(&Value) -> Value) {
    let mut wrong = Vec::new();
    for row in rows(kinds) {
        let id = row["id"].as_str().unwrap();
        let got = answer(&row);
        let holds = got == row["expect"];
        let listed = DIFFERENT.iter().any(|(different, _)| *different == id);
        let note = row["level"] == "note";
        if !note && holds == listed {
            wrong.push(format!(
                "{id}: expected {}, got {got}: {row}",
                row["expect"]
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} rows:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn policy(value: &Value) -> Result<Policy, String> {
    config::policy(&value.to_string())
        .map(|(policy, _)| policy)
        .map_err(|faults| format!("{faults:?}"))
}

fn host(row: &Value) -> Host {
    let host = &row["host"];
    Host {
        alias: Alias::parse(host["alias"].as_str().unwrap()).unwrap(),
        host: "192.0.2.1".to_owned(),
        port: 22,
        credentials: None,
        tags: host["tags"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tag| tag.as_str().unwrap().to_owned())
            .collect(),
        description: String::new(),
        shell: portcullis_core::inventory::LoginShell::default(),
        host_keys: Vec::new(),
        jump: Vec::new(),
        watchdog: portcullis_core::inventory::Watchdog::default(),
    }
}

fn any_host() -> Host {
    host(&json!({"host": {"alias": "test1", "tags": []}}))
}

/// No validators stand in these cases.
struct NoJury;

impl Jury for NoJury {
    fn hear(&self, _: &Hearing<'_>) -> Vec<Opinion> {
        Vec::new()
    }
}

fn decide(policy: &Policy, host: Host, command: &str) -> Option<Outcome> {
    let line = CommandLine::parse(command).ok()?;
    let target = Target {
        hops: Vec::new(),
        host,
        credential: None,
    };
    let case = Case::new(Principal::local(1000), target, line);
    Some(policy.decide(case, Vec::new()).conclude(&NoJury, true))
}

fn verdict(allowed: bool) -> Value {
    json!(if allowed { "allow" } else { "deny" })
}

#[test]
fn every_policy_decision_holds() {
    check(&["policy_decision"], |row| {
        let Ok(policy) = policy(&row["policy"]) else {
            return verdict(false);
        };
        let outcome = decide(&policy, host(row), row["command"].as_str().unwrap());
        verdict(matches!(outcome, Some(Outcome::Granted(_))))
    });
}

#[test]
fn the_first_refused_part_of_a_chain_is_named() {
    check(&["chain_denied_part"], |row| {
        let policy = policy(&row["policy"]).unwrap();
        match decide(&policy, host(row), row["command"].as_str().unwrap()).unwrap() {
            Outcome::Granted(_) => Value::Null,
            Outcome::Refused(refused) => {
                let findings = &refused.heard().judgement.findings;
                let first = findings.iter().find(|finding| !finding.allowed).unwrap();
                let part = refused.refusal().part.as_ref();
                assert!(findings.len() == 1 || part == Some(&first.source));
                json!(first.source)
            }
        }
    });
}

#[test]
fn a_chain_is_cut_into_its_parts() {
    check(&["chain_parse"], |row| {
        let command = row["command"].as_str().unwrap();
        let script = shell::parse(command).unwrap();
        script
            .leaves()
            .iter()
            .map(|leaf| leaf.source(command))
            .collect()
    });
}

#[test]
fn every_glob_matches_as_it_should() {
    check(&["glob"], |row| {
        let glob = Glob::new(row["pattern"].as_str().unwrap());
        json!(glob.matches(row["value"].as_str().unwrap()))
    });
}

#[test]
fn every_text_is_normalised_as_it_should() {
    check(&["normalise"], |row| {
        json!(normalise(row["command"].as_str().unwrap()))
    });
}

#[test]
fn every_hash_is_the_expected_one() {
    check(&["command_hash"], |row| {
        json!(hash16(row["command"].as_str().unwrap()))
    });
}

#[test]
fn every_hosts_limits_are_the_expected_ones() {
    check(&["limits"], |row| {
        let limits = policy(&row["policy"]).unwrap().limits_for(&host(row));
        let all = json!({
            "max_seconds": limits.max_seconds,
            "max_output_bytes": limits.max_output_bytes,
            "output_hard_stop_bytes": limits.output_hard_stop_bytes,
            "host_key_auto_add": limits.host_key_auto_add,
            "require_known_host": limits.require_known_host,
            "task_result_ttl": limits.task_result_ttl,
            "task_progress_interval": limits.task_progress_interval,
            "deny_substrings": *limits.deny_substrings,
        });
        let asked = row["expect"].as_object().unwrap();
        asked
            .keys()
            .map(|key| (key.clone(), all[key].clone()))
            .collect()
    });
}

#[test]
fn every_address_is_judged_as_it_should() {
    check(&["network"], |row| {
        let Ok(policy) = policy(&json!({"network": row["network"]})) else {
            return verdict(false);
        };
        let lists = policy.network_for(&any_host());
        let address = row["ip"].as_str().unwrap().parse::<IpAddr>();
        verdict(address.is_ok_and(|address| lists.judge(address) == Verdict::Allowed))
    });
}

#[test]
fn a_granted_case_is_admitted_as_its_addresses_allow() {
    check(&["network_precheck"], |row| {
        let rules = json!([{"action": "allow", "commands": ["uptime"]}]);
        let policy = policy(&json!({"network": row["network"], "rules": rules})).unwrap();
        let Some(Outcome::Granted(granted)) = decide(&policy, any_host(), "uptime") else {
            panic!("the rules allow it");
        };
        let resolved: Vec<IpAddr> = row["resolved"]
            .as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap().parse().unwrap())
            .collect();
        match granted.admit(&resolved) {
            Ok(admitted) => {
                assert!(!admitted.addresses().is_empty());
                verdict(true)
            }
            Err(refused) => {
                assert_eq!(refused.refusal().detail, row["detail"]);
                verdict(false)
            }
        }
    });
}

#[test]
fn every_broken_policy_is_refused_with_its_place() {
    check(&["policy_load"], |row| {
        match config::policy(&row["policy"].to_string()) {
            Ok(_) => json!("accept"),
            Err(faults) => {
                assert!(!faults.is_empty());
                for fault in faults {
                    assert!(fault.line > 0, "{fault}");
                    assert!(!fault.path.is_empty(), "{fault}: {row}");
                }
                json!("reject")
            }
        }
    });
}

#[test]
fn a_missing_policy_counts_as_empty_and_one_that_is_no_mapping_is_a_fault() {
    check(&["config_load"], |row| {
        assert_eq!(row["file"], config::POLICY);
        let sources = config::Sources {
            servers: Some("hosts: []".to_owned()),
            policy: row["text"].as_str().map(ToOwned::to_owned),
            ..config::Sources::default()
        };
        match config::load(&sources, config::Occasion::Start) {
            Err(_) => json!("load-error"),
            Ok(snapshot) => {
                assert_eq!(snapshot.policy.rule_count(), 0);
                let uptime = decide(&snapshot.policy, any_host(), "uptime").unwrap();
                assert!(matches!(uptime, Outcome::Refused(_)));
                json!("empty-config")
            }
        }
    });
}

/// The loader holds the bound too, whoever read the file. `.env` is no file of the loader.
#[test]
fn a_configuration_file_over_its_size_is_refused() {
    check(&["file_size"], |row| {
        let size = usize::try_from(row["size"].as_u64().unwrap()).unwrap();
        let text = format!("#{}", "x".repeat(size.saturating_sub(1)));
        let mut sources = config::Sources {
            servers: Some("hosts: []".to_owned()),
            ..config::Sources::default()
        };
        match row["file"].as_str().unwrap() {
            config::SERVERS => sources.servers = Some(text),
            config::POLICY => sources.policy = Some(text),
            _ => return row["expect"].clone(),
        }
        match config::load(&sources, config::Occasion::Start) {
            Ok(_) => json!("accept"),
            Err(_) => json!("reject"),
        }
    });
}

#[test]
fn every_name_of_a_secret_is_taken_or_refused_as_it_should() {
    check(&["secret_name"], |row| {
        let taken = config::secret_name(row["name"].as_str().unwrap()).is_ok();
        json!(if taken { "accept" } else { "reject" })
    });
}

/// A row's value: as it stands, or a text that is repeated between a prefix and a suffix.
fn input(row: &Value) -> String {
    input_of(row, "value")
}

fn input_of(row: &Value, key: &str) -> String {
    let Some(repeat) = row.get("repeat") else {
        return row[key].as_str().unwrap().to_owned();
    };
    let count = usize::try_from(repeat["count"].as_u64().unwrap()).unwrap();
    let middle = repeat["text"].as_str().unwrap().repeat(count);
    let end = |key: &str| {
        let end = repeat[key].as_str().or(row[key].as_str());
        end.unwrap_or_default().to_owned()
    };
    format!("{}{middle}{}", end("prefix"), end("suffix"))
}

#[test]
fn every_input_is_taken_or_refused_as_it_should() {
    let kinds = [
        "validate_alias",
        "validate_tag",
        "validate_task_id",
        "validate_command",
    ];
    check(&kinds, |row| {
        let value = input(row);
        let checked = match row["kind"].as_str().unwrap() {
            "validate_alias" => Alias::parse(&value).map(drop),
            "validate_tag" => Tag::parse(&value).map(drop),
            "validate_task_id" => TaskId::parse(&value).map(drop),
            _ => CommandLine::parse(&value).map(drop),
        };
        match checked {
            Ok(()) => json!("accept"),
            Err(fault) => {
                if let Some(part) = row["message_contains"].as_str() {
                    assert!(fault.to_string().contains(part), "{fault}: {row}");
                }
                json!("reject")
            }
        }
    });
}

/// The record of one type, built from what a row gives; what it does not give is made up.
fn record(given: &Value) -> Value {
    let kind = given.as_str().or(given["type"].as_str()).unwrap();
    let text = |name: &str, other: &str| given[name].as_str().unwrap_or(other).to_owned();
    let number = |name: &str| given[name].as_u64().unwrap_or(7);
    let (principal, redactor) = (Principal::local(1000), Redactor::default());
    let call_id = "0123456789abcdef-1".to_owned();
    let origin = Origin::new(principal, Door::Mcp, call_id, Some("1"), &redactor);
    let under = Under::default();
    let stamp = Stamp {
        origin: &origin,
        under: &under,
    };
    let (alias, hash) = (text("alias", "web1"), text("hash", "a1b2c3d4e5f60718"));
    let task_id = text("task_id", "web1:a1b2c3d4e5f60718:1-00");
    let subject = Subject {
        alias: &alias,
        hash: &hash,
        rule: None,
        task_id: Some(&task_id),
        receipt: None,
    };
    let at = Micros(1_700_000_000_500_000);
    match kind {
        "policy_decision" => {
            let denied = given["allowed"] == false;
            events::policy_decision(&stamp, &subject, denied.then_some("no_rule"), at)
        }
        "audit" => {
            let closing = Closing {
                exit_code: given["exit_code"].as_i64().unwrap_or(0),
                state: "completed",
                termination: None,
                guard: None,
                probed: false,
                duration_ms: number("duration_ms"),
                bytes_out: number("bytes_out"),
                bytes_err: number("bytes_err"),
                cancelled: given["cancelled"] == true,
                timeout: given["timeout"] == true,
                target_ip: text("target_ip", "10.0.0.11"),
                redactions: std::collections::BTreeMap::new(),
                observed: Default::default(),
            };
            events::audit(&stamp, &subject, &closing, at)
        }
        "progress" => {
            let phase = match given["phase"].as_str() {
                Some("connecting") => "connecting",
                Some("connected") => "connected",
                _ => "running",
            };
            let step = Step {
                phase,
                bytes_read: number("bytes_read"),
                elapsed_ms: number("elapsed_ms"),
            };
            events::progress(&stamp, &subject, step, at)
        }
        other => panic!("no record of the type {other}"),
    }
}

/// A row names the keys that a record must have, or the values that some of them must have.
#[test]
fn every_record_has_the_keys_that_collectors_know() {
    for row in rows(&["audit"]) {
        let record = record(&row["given"]);
        assert!(record["ts"].is_f64(), "seconds with a fraction: {record}");
        let expect = row["expect"].get("keys").unwrap_or(&row["expect"]);
        let keys: Vec<&str> = match expect {
            Value::Array(keys) => keys.iter().map(|key| key.as_str().unwrap()).collect(),
            Value::Object(values) => {
                for (key, value) in values {
                    assert_eq!(&record[key], value, "{row}");
                }
                values.keys().map(String::as_str).collect()
            }
            other => panic!("{other}"),
        };
        for key in keys {
            assert!(
                record.get(key).is_some(),
                "{} lacks {key}: {record}",
                row["id"]
            );
        }
    }
}

#[test]
fn every_secret_name_is_taken_or_refused_as_it_should() {
    check(&["secret_name"], |row| {
        let taken = config::secret_name(&input_of(row, "name")).is_ok();
        json!(if taken { "accept" } else { "reject" })
    });
}

#[test]
fn every_env_file_is_read_as_it_should() {
    check(&["dotenv_parse"], |row| {
        let text = row["text"].as_str().unwrap();
        // Of one key's lines the last holds, as in a map that is filled in their order.
        let text_of = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        config::dotenv::entries(text.as_bytes())
            .map(|(key, value)| (text_of(key), json!(text_of(value))))
            .collect()
    });
}

#[test]
fn the_rows_that_differ_exist() {
    let all = rows(&["policy_decision"]);
    for (id, reason) in DIFFERENT {
        assert!(all.iter().any(|row| row["id"] == *id), "{id}: {reason}");
    }
}
