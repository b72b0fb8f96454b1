//! What the tools say: their list, their answers, and that each answer fits the schema that the list
//! promises.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod session;

use serde_json::{Value, json};
use session::Session;

/// Whether a value fits a schema of the plain subset that the server publishes. An unknown keyword
/// panics, so a schema that this check does not understand is not waved through. Keys that no schema
/// names do not fit.
fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    let schema = schema.as_object().unwrap();
    for keyword in schema.keys() {
        let known = [
            "$schema",
            "title",
            "description",
            "type",
            "properties",
            "required",
            "anyOf",
            "items",
            "enum",
            "const",
            "minimum",
            "maximum",
            "additionalProperties",
        ];
        assert!(
            known.contains(&keyword.as_str()),
            "unknown keyword {keyword}"
        );
    }
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        let faults: Vec<String> = choices
            .iter()
            .filter_map(|choice| fits(choice, value).err())
            .collect();
        if faults.len() == choices.len() {
            return Err(faults.join("; "));
        }
        return Ok(());
    }
    let right_type = match schema.get("type").and_then(Value::as_str) {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        None => schema.contains_key("const"),
        other => panic!("unknown type {other:?}"),
    };
    if !right_type {
        return Err(format!("{value} is not of {:?}", schema.get("type")));
    }
    if schema.get("const").is_some_and(|only| only != value)
        || schema
            .get("enum")
            .is_some_and(|all| !all.as_array().unwrap().contains(value))
    {
        return Err(format!("{value} is not possible"));
    }
    for required in schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        if value.get(required.as_str().unwrap()).is_none() {
            return Err(format!("{required} is missing"));
        }
    }
    for (key, part) in value.as_object().into_iter().flatten() {
        let of_key = schema
            .get("properties")
            .and_then(|properties| properties.get(key));
        let of_key = of_key.or(schema
            .get("additionalProperties")
            .filter(|more| more.is_object()));
        let Some(of_key) = of_key else {
            return Err(format!("{key} is not described"));
        };
        fits(of_key, part).map_err(|fault| format!("{key}: {fault}"))?;
    }
    for item in value.as_array().into_iter().flatten() {
        fits(&schema["items"], item)?;
    }
    Ok(())
}

fn tools(session: &mut Session) -> Vec<Value> {
    let reply = session.ask(json!("list"), "tools/list", json!({}));
    reply["result"]["tools"].as_array().unwrap().clone()
}

fn run(command: &str) -> Value {
    json!({"alias": "test1", "command": command})
}

#[test]
fn the_list_of_tools_is_the_same_bytes_each_time() {
    let one = tools(&mut Session::legacy());
    let mut session = Session::legacy();
    let two = tools(&mut session);
    assert_eq!(json!(one).to_string(), json!(two).to_string());
    session.call("ssh_reload_config", json!({}));
    assert_eq!(
        json!(tools(&mut session)).to_string(),
        json!(one).to_string()
    );
    let names: Vec<&str> = one
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "ssh_ping",
            "ssh_list_hosts",
            "ssh_describe_host",
            "ssh_plan",
            "ssh_run",
            "ssh_read_output",
            "ssh_reload_config"
        ]
    );
}

#[test]
fn every_tool_is_described_and_hinted_in_full() {
    for tool in tools(&mut Session::legacy()) {
        let name = tool["name"].as_str().unwrap().to_owned();
        assert!(
            tool["title"].is_string() && tool["description"].is_string(),
            "{name}"
        );
        for hint in [
            "readOnlyHint",
            "destructiveHint",
            "idempotentHint",
            "openWorldHint",
        ] {
            let expected = match (name.as_str(), hint) {
                ("ssh_run", "destructiveHint" | "openWorldHint") => true,
                ("ssh_run", _) | (_, "destructiveHint" | "openWorldHint") => false,
                ("ssh_reload_config", "readOnlyHint") => false,
                _ => true,
            };
            assert_eq!(tool["annotations"][hint], expected, "{name} {hint}");
        }
        assert_eq!(tool["inputSchema"]["additionalProperties"], false);
        for (_, property) in tool["inputSchema"]["properties"].as_object().unwrap() {
            assert!(
                property["description"].as_str().unwrap().len() > 20,
                "{name}"
            );
        }
        assert_eq!(tool["outputSchema"]["type"], "object");
        let text = tool.to_string();
        assert!(!text.contains("\"format\"") && !text.contains("null") && !text.contains("$ref"));
    }
}

#[test]
fn every_answer_fits_the_schema_of_its_tool() {
    let mut session = Session::legacy();
    let tools = tools(&mut session);
    let mut calls = vec![
        ("ssh_ping", json!({})),
        ("ssh_ping", json!({"x": 1})),
        ("ssh_list_hosts", json!({})),
        ("ssh_describe_host", json!({"alias": "test2"})),
        ("ssh_describe_host", json!({"alias": "nobody"})),
        ("ssh_plan", run("uptime")),
        ("ssh_plan", run("refused")),
        ("ssh_plan", run("refused part")),
        ("ssh_plan", run("refused plugin")),
        ("ssh_plan", run("")),
        (
            "ssh_read_output",
            json!({"task_id": "known", "stream": "stderr", "offset": 7}),
        ),
        ("ssh_read_output", json!({"task_id": "nobody's"})),
        (
            "ssh_read_output",
            json!({"task_id": "known", "bytes": 99_999_999}),
        ),
        ("ssh_reload_config", json!({})),
        ("ssh_reload_config", json!({})),
        (
            "ssh_run",
            json!({"alias": "test1", "command": "both", "streams": "split"}),
        ),
    ];
    for command in [
        "uptime",
        "both",
        "truncated",
        "paged",
        "withheld",
        "timeout",
        "unreachable",
        "refused",
        "refused part",
        "refused network",
        "refused plugin",
        "no key",
        "panic",
        "",
    ] {
        calls.push(("ssh_run", run(command)));
    }
    for (name, arguments) in calls {
        let tool = tools.iter().find(|tool| tool["name"] == name).unwrap();
        let result = session.call(name, arguments.clone());
        let structured = &result["structuredContent"];
        fits(&tool["outputSchema"], structured).unwrap_or_else(|fault| {
            panic!("{name} {arguments}: {fault}");
        });
        assert!(!result.to_string().contains("secret-name"));
    }
}

#[test]
fn a_key_that_the_schema_does_not_name_would_be_found() {
    let mut session = Session::legacy();
    let tools = tools(&mut session);
    let ping = &tools[0]["outputSchema"];
    assert!(fits(ping, &json!({"status": "pong"})).is_ok());
    assert!(fits(ping, &json!({"status": "ping"})).is_err());
    assert!(fits(ping, &json!({"status": "pong", "more": 1})).is_err());
    assert!(fits(ping, &json!({})).is_err());
}

#[test]
fn bad_arguments_are_answers_that_name_their_field() {
    let mut session = Session::legacy();
    for (tool, arguments, text) in [
        (
            "ssh_run",
            json!({"alias": "", "command": ""}),
            "Error: alias is required",
        ),
        ("ssh_run", json!({}), "Error: alias is required"),
        (
            "ssh_run",
            json!({"alias": "test1"}),
            "Error: command is required",
        ),
        (
            "ssh_plan",
            json!({"alias": 5, "command": "x"}),
            "Error: alias must be a string",
        ),
        (
            "ssh_plan",
            json!({"alias": "test1", "command": null}),
            "Error: command must be a string",
        ),
        (
            "ssh_run",
            json!("uptime"),
            "Error: arguments must be an object",
        ),
        ("ssh_run", json!([1]), "Error: arguments must be an object"),
        (
            "ssh_run",
            json!({"alias": "test1", "command": "uptime", "sudo": true}),
            "Error: unknown argument: sudo (this tool takes alias, command, streams)",
        ),
        (
            "ssh_ping",
            json!({"x": 1}),
            "Error: unknown argument: x (this tool takes no arguments)",
        ),
        (
            "ssh_run",
            json!({"alias": "test1", "command": "uptime", "streams": "both"}),
            "Error: streams must be one of: joined, split",
        ),
        (
            "ssh_describe_host",
            json!({"alias": "a b"}),
            "Error: alias contains invalid characters (only alphanumeric, dot, dash, underscore allowed)",
        ),
        (
            "ssh_plan",
            json!({"alias": "nobody", "command": "x"}),
            "Error: Host alias not found: nobody",
        ),
    ] {
        let result = session.call(tool, arguments);
        assert_eq!(result["isError"], true);
        assert_eq!(result["content"], json!([{"type": "text", "text": text}]));
        assert_eq!(result["structuredContent"]["status"], "error");
        assert_eq!(result["structuredContent"]["error"], text);
        assert!(result["structuredContent"]["code"].is_string());
    }
    assert_eq!(session.counts(), (0, 0));
}

#[test]
fn arguments_may_be_left_out_where_none_are_needed() {
    let mut session = Session::legacy();
    let answer = session.ask(json!(1), "tools/call", json!({"name": "ssh_list_hosts"}));
    assert_eq!(
        answer["result"]["structuredContent"],
        json!({"hosts": ["test1", "test2"]})
    );
    let answer = session.ask(
        json!(2),
        "tools/call",
        json!({"name": "ssh_ping", "arguments": null}),
    );
    assert_eq!(
        answer["result"]["structuredContent"],
        json!({"status": "pong"})
    );
}

#[test]
fn a_host_is_described_without_the_name_of_its_credentials() {
    let result = Session::legacy().call("ssh_describe_host", json!({"alias": " test1 "}));
    assert_eq!(
        result["structuredContent"],
        json!({
            "alias": "test1", "host": "10.0.0.1", "port": 22, "tags": ["web"],
            "description": "a host", "has_credentials_ref": true,
        })
    );
}

#[test]
fn a_plan_shows_limits_leaves_and_validators() {
    let plan = Session::legacy().call("ssh_plan", run(" uptime "))["structuredContent"].clone();
    assert_eq!(
        (&plan["allowed"], &plan["command"]),
        (&json!(true), &json!("uptime"))
    );
    assert_eq!(plan["hash"], "dd291cd6294bafef");
    // What holds, whatever the policy's file says.
    assert_eq!(
        plan["limits"],
        json!({
            "max_seconds": 60, "max_output_bytes": 1_048_576,
            "host_key_auto_add": false, "require_known_host": true,
        })
    );
    assert_eq!(plan["leaves"][0]["rule"], json!({"index": 0}));
    assert_eq!(plan["validators"][1]["code"], "plugin_fuel");
    assert!(plan.get("why").is_none() && plan.get("hint").is_none());
}

#[test]
fn a_refused_plan_says_why_and_which_part() {
    let mut session = Session::legacy();
    let whole = session.call("ssh_plan", run("refused"));
    assert_eq!(whole["isError"], false);
    let whole = &whole["structuredContent"];
    assert_eq!(
        (&whole["allowed"], &whole["code"]),
        (&json!(false), &json!("no_rule"))
    );
    assert_eq!(whole["why"], "Policy blocked this command.");
    assert!(whole["hint"].as_str().unwrap().contains("ssh_plan"));
    assert!(whole.get("denied_command").is_none());
    let part = session.call("ssh_plan", run("refused part"))["structuredContent"].clone();
    assert_eq!(part["why"], "Policy blocked command in chain: 'rm -rf /'");
    assert_eq!(part["denied_command"], "rm -rf /");
    assert_eq!(part["rule"], json!({"index": 2, "name": "never"}));
}

#[test]
fn a_refused_run_is_an_answer_and_no_fault() {
    let mut session = Session::legacy();
    let result = session.call("ssh_run", run("refused network"));
    assert_eq!(result["isError"], false);
    let denied = &result["structuredContent"];
    let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(&text, denied);
    assert_eq!(denied["status"], "denied");
    assert_eq!(
        (&denied["reason"], &denied["alias"]),
        (&json!("network"), &json!("test1"))
    );
    assert_eq!(denied["hostname"], "10.0.0.1");
    assert_eq!(
        denied["detail"],
        "No resolved IPs allowed by policy.network"
    );
    let denied = session.call("ssh_run", run("refused plugin"))["structuredContent"].clone();
    assert_eq!(denied["reason"], "validator");
    assert_eq!(denied["plugin"], json!({"name": "guard", "code": "night"}));
    assert!(denied.get("hostname").is_none() && denied.get("part").is_none());
    assert_eq!(session.counts(), (0, 0));
}

#[test]
fn a_run_gives_its_output_joined_or_split() {
    let mut session = Session::legacy();
    let joined = session.call("ssh_run", run("both"))["structuredContent"].clone();
    assert_eq!(joined["output"], "out\nerr");
    assert!(joined.get("stdout").is_none() && joined.get("stderr").is_none());
    let mut arguments = run("both");
    arguments["streams"] = json!("split");
    let split = session.call("ssh_run", arguments)["structuredContent"].clone();
    assert_eq!(
        (&split["stdout"], &split["stderr"]),
        (&json!("out\n"), &json!("err\n"))
    );
    assert!(split.get("output").is_none());
    let cut = session.call("ssh_run", run("truncated"))["structuredContent"].clone();
    assert_eq!(
        (&cut["truncated"], &cut["redactions"]),
        (&json!(true), &json!({"github-pat": 2}))
    );
    assert_eq!(cut["sanitised"], json!({"escape": 1}));
}

#[test]
fn an_unreachable_host_is_a_fault_with_the_keys_of_a_run() {
    let result = Session::legacy().call("ssh_run", run("unreachable"));
    assert_eq!(result["isError"], true);
    let run = &result["structuredContent"];
    assert_eq!(
        (&run["exit_code"], &run["state"]),
        (&json!(-1), &json!("unreachable"))
    );
    assert_eq!(
        (&run["target_ip"], &run["code"]),
        (&json!(""), &json!("connection_refused"))
    );
    assert_eq!(
        run["output"],
        "SSH connection refused: Port may be closed or firewall blocking"
    );
}

#[test]
fn a_run_that_timed_out_is_no_fault() {
    let result = Session::legacy().call("ssh_run", run("timeout"));
    assert_eq!(result["isError"], false);
    let run = &result["structuredContent"];
    assert_eq!(
        (&run["timeout"], &run["state"]),
        (&json!(true), &json!("timed_out"))
    );
    assert_eq!(
        (&run["signal"], &run["termination"]),
        (&json!("TERM"), &json!("confirmed"))
    );
}

#[test]
fn a_run_is_made_on_behalf_of_the_principal_of_the_session() {
    let run = Session::legacy().call("ssh_run", run("principal"));
    assert_eq!(run["structuredContent"]["output"], "local:1000");
}

#[test]
fn a_reload_says_what_holds() {
    let mut session = Session::legacy();
    let first = session.call("ssh_reload_config", json!({}));
    assert_eq!(first["structuredContent"]["status"], "reloaded");
    assert_eq!(
        (&first["isError"], &first["structuredContent"]["hosts"]),
        (&json!(false), &json!(2))
    );
    let second = session.call("ssh_reload_config", json!({}));
    assert_eq!(second["isError"], true);
    assert_eq!(second["structuredContent"]["status"], "error");
    assert_eq!(
        second["structuredContent"]["faults"],
        json!(["policy.yml:3:5: unknown key"])
    );
}
