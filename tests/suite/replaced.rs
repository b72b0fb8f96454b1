//! What somebody can put in the place of what the gate was started with: a directory of the configuration, or a program
//! that is asked for a secret.

use crate::audit::{Server, journal};
use portcullis_tests::sshd::{GateFolder, free_port};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

const LOOKS_MAX: usize = 500;

fn outcomes(gate: &GateFolder) -> Vec<Value> {
    let records = journal(gate);
    let reloads = records.iter().filter(|it| it["kind"] == "reload");
    reloads.map(|it| it["outcome"].clone()).collect()
}

fn allowed(server: &mut Server, id: u64) -> bool {
    let plan = json!({"alias": "web1", "command": "uptime"});
    let answer = server.call(json!(id), "ssh_plan", plan);
    let allowed = &answer["result"]["structuredContent"]["allowed"];
    allowed.as_bool().unwrap_or_else(|| panic!("{answer}"))
}

#[test]
fn a_replaced_configuration_is_said_by_the_tool_and_read_by_the_signal() {
    let gate = GateFolder::new(free_port(), "demo", b"", "");
    let mut server = Server::start(&gate);
    assert!(allowed(&mut server, 1));

    let (config, old) = (gate.config(), gate.config().with_file_name("old"));
    fs::rename(&config, &old).unwrap();
    let copied = Command::new("cp").arg("-a").arg(&old).arg(&config).status();
    assert!(copied.unwrap().success());
    let policy = config.join("policy.yml");
    let text = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, text.replace("\"uptime*\", ", "")).unwrap();

    let told = server.call(json!(2), "ssh_reload_config", json!({}));
    assert!(told.to_string().contains("opened at start"), "{told}");
    assert!(allowed(&mut server, 3));
    assert_eq!(outcomes(&gate), ["kept"]);

    server.hang_up();
    let mut id = 4;
    for _ in 0..LOOKS_MAX {
        if !allowed(&mut server, id) {
            break;
        }
        id += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!allowed(&mut server, id + 1));
    assert_eq!(outcomes(&gate), ["kept", "reloaded"]);
    // From then on the tool reads what stands there.
    let told = server.call(json!(id + 2), "ssh_reload_config", json!({}));
    assert!(!told.to_string().contains("opened at start"), "{told}");
    let events = server.end();
    let replaced = |event: &&Value| event["reason"] == "directory_replaced";
    assert_eq!(events.iter().filter(replaced).count(), 1);
}

#[test]
fn check_names_a_program_that_others_can_exchange() {
    let gate = GateFolder::new(free_port(), "demo", b"", "");
    let open = gate.state().with_file_name("open");
    fs::create_dir(&open).unwrap();
    let program = open.join("vault");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let checked = |program: &str, mode: u32| {
        let settings = format!("secrets: {{providers: {{vault: {{command: [{program}]}}}}}}\n");
        fs::write(gate.config().join("portcullis.yml"), settings).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(mode)).unwrap();
        let output = gate
            .portcullis(&["check", "--format", "json"])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), text)
    };
    let vault = program.to_str().unwrap();
    assert_eq!(checked(vault, 0o755).0, Some(0));
    let (code, text) = checked(vault, 0o777);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("secret provider vault"), "{text}");
    assert!(text.contains("only its owner can write"), "{text}");
    // On the machine of whoever checks it the program need not be there.
    let (code, text) = checked("/nonexistent/vault", 0o755);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("secret provider vault"), "{text}");
}
