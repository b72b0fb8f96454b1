//! A state directory whose disk is full, cannot be written, or is gone: runs stop, reads go on, and everything works
//! again without a restart.

use crate::audit::{Server, target, verify};
use portcullis_tests::sshd::GateFolder;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A small file system of its own in the place of the state directory; `None` where this machine does not allow
/// that.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={size},mode=700"),
                "tmpfs",
            ])
            .arg(at)
            .stderr(Stdio::null())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then(|| Self(at.to_owned()))
    }

    fn remount(&self, options: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{options}")])
            .arg(&self.0)
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Takes all the room that is left.
    fn fill(&self) -> PathBuf {
        let filler = self.0.join("filler");
        let chunk = vec![0_u8; 4_096];
        let mut file = fs::File::create(&filler).unwrap();
        while std::io::Write::write_all(&mut file, &chunk).is_ok() {}
        filler
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Removes a directory in which a server may be about to write.
fn remove(dir: &Path) {
    for _ in 0..100 {
        let _ = fs::remove_dir_all(dir);
        if !dir.exists() {
            return;
        }
    }
    panic!("{} comes back", dir.display());
}

fn run(server: &mut Server) -> Value {
    let command = json!({"alias": "web1", "command": "echo run"});
    server.call(json!("run"), "ssh_run", command)["result"]["structuredContent"].clone()
}

/// What is answered while no record can be written.
fn reads_are_answered(server: &mut Server, gate: &GateFolder) {
    let content = |answer: Value| answer["result"]["structuredContent"].clone();
    let ping = content(server.call(json!(1), "ssh_ping", json!({})));
    assert_eq!(ping["status"], "pong");
    let hosts = content(server.call(json!(2), "ssh_list_hosts", json!({})));
    assert_eq!(hosts["hosts"].as_array().unwrap().len(), 3);
    let host = content(server.call(json!(3), "ssh_describe_host", json!({"alias": "web1"})));
    assert_eq!(host["alias"], "web1");
    let plan = json!({"alias": "web1", "command": "echo plan"});
    let plan = content(server.call(json!(4), "ssh_plan", plan));
    assert_eq!(plan["allowed"], true);
    let tail = gate
        .portcullis(&["audit", "tail", "-n", "5"])
        .output()
        .unwrap();
    assert!(
        tail.status.success(),
        "{}",
        String::from_utf8_lossy(&tail.stderr)
    );
    assert!(!tail.stdout.is_empty());
    assert_eq!(verify(gate, &[])["ok"], true);
}

/// Runs until a run is refused: the newest page of a full disk may still have room for a record or two.
fn run_until_refused(server: &mut Server) {
    let mut answer = run(server);
    for _ in 0..8 {
        if answer["status"] == "denied" {
            break;
        }
        answer = run(server);
    }
    refused(&answer);
}

fn refused(answer: &Value) {
    assert_eq!(answer["status"], "denied", "{answer}");
    assert_eq!(answer["code"], "journal_unavailable", "{answer}");
    let hint = answer["hint"].as_str().unwrap();
    assert!(
        hint.contains("Nothing was sent") && hint.contains("without a restart"),
        "{hint}"
    );
}

/// Breaks the disk under a running server, looks, mends it, and looks again.
fn broken_and_mended(gate: &GateFolder, break_it: &dyn Fn(), mend_it: &dyn Fn()) {
    let mut server = Server::start(gate);
    assert_eq!(run(&mut server)["exit_code"], 0);
    break_it();
    run_until_refused(&mut server);
    reads_are_answered(&mut server, gate);
    run_until_refused(&mut server);
    mend_it();
    assert_eq!(run(&mut server)["exit_code"], 0);
    let events = server.end();
    assert_eq!(verify(gate, &[])["ok"], true);
    let of = |name: &str| events.iter().filter(|it| it["type"] == name).count();
    // Said when it begins and when it ends, however many records are missing between.
    assert!(of("audit_unavailable") >= 1, "{events:?}");
    assert_eq!(of("audit_unavailable"), of("audit_restored"), "{events:?}");
    let decided = events
        .iter()
        .filter(|it| it["type"] == "policy_decision" && it["code"] == "journal_unavailable");
    for event in decided {
        assert_eq!(event["journal_seq"], Value::Null);
    }
    let text = fs::read_to_string(gate.state().join("journal/journal.jsonl")).unwrap();
    let gap: Value = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|it| it["kind"] == "gap")
        .expect("the journal says how many records are missing");
    assert!(gap["missing"].as_u64().unwrap() >= 1, "{gap}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_runs_and_not_reads_and_runs_come_back_with_the_space() {
    let (_target, gate) = target().await;
    tokio::task::block_in_place(|| {
        let Some(disk) = Disk::mount(&gate.state(), "256k") else {
            eprintln!("not tried: this machine mounts nothing");
            return;
        };
        let filler = gate.state().join("filler");
        broken_and_mended(
            &gate,
            &|| {
                disk.fill();
            },
            &|| fs::remove_file(&filler).unwrap(),
        );
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_cannot_be_written_stops_runs_and_not_reads() {
    let (_target, gate) = target().await;
    tokio::task::block_in_place(|| {
        let Some(disk) = Disk::mount(&gate.state(), "4m") else {
            eprintln!("not tried: this machine mounts nothing");
            return;
        };
        broken_and_mended(&gate, &|| disk.remount("ro"), &|| disk.remount("rw"));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_on_a_full_disk_answers_reads_and_runs_once_there_is_space() {
    let (_target, gate) = target().await;
    tokio::task::block_in_place(|| {
        let Some(disk) = Disk::mount(&gate.state(), "256k") else {
            eprintln!("not tried: this machine mounts nothing");
            return;
        };
        let filler = disk.fill();
        let mut server = Server::start(&gate);
        refused(&run(&mut server));
        let ping = server.call(json!(1), "ssh_ping", json!({}));
        assert_eq!(ping["result"]["structuredContent"]["status"], "pong");
        fs::remove_file(filler).unwrap();
        assert_eq!(run(&mut server)["exit_code"], 0);
        server.end();
        assert_eq!(verify(&gate, &[])["ok"], true);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_is_moved_away_stops_runs_until_it_is_back() {
    let (_target, gate) = target().await;
    tokio::task::block_in_place(|| {
        let (journal, away) = (gate.state().join("journal"), gate.state().join("away"));
        let mut server = Server::start(&gate);
        assert_eq!(run(&mut server)["exit_code"], 0);
        fs::rename(&journal, &away).unwrap();
        refused(&run(&mut server));
        // An empty directory in its place is not taken for a new journal, because the key is there.
        assert!(!journal.join("journal.jsonl").exists());
        refused(&run(&mut server));
        let ping = server.call(json!(1), "ssh_ping", json!({}));
        assert_eq!(ping["result"]["structuredContent"]["status"], "pong");
        remove(&journal);
        fs::rename(&away, &journal).unwrap();
        assert_eq!(run(&mut server)["exit_code"], 0);
        // A copy from a backup, which is another directory with other files of the same content.
        let copied = Command::new("cp")
            .arg("-a")
            .arg(&journal)
            .arg(&away)
            .status()
            .unwrap();
        assert!(copied.success());
        remove(&journal);
        refused(&run(&mut server));
        remove(&journal);
        fs::rename(&away, &journal).unwrap();
        assert_eq!(run(&mut server)["exit_code"], 0);
        server.end();
        assert_eq!(verify(&gate, &[])["ok"], true);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_the_journal_put_back_under_a_server_stops_its_runs() {
    let (_target, gate) = target().await;
    tokio::task::block_in_place(|| {
        let (journal, old) = (gate.state().join("journal"), gate.state().join("old"));
        let mut server = Server::start(&gate);
        assert_eq!(run(&mut server)["exit_code"], 0);
        let copied = Command::new("cp")
            .arg("-a")
            .arg(&journal)
            .arg(&old)
            .status()
            .unwrap();
        assert!(copied.success());
        assert_eq!(run(&mut server)["exit_code"], 0);
        remove(&journal);
        fs::rename(&old, &journal).unwrap();
        // The copy verifies by itself; the server knows that there was more.
        refused(&run(&mut server));
        refused(&run(&mut server));
        server.end();
    });
}
