//! A server whose gate is scripted: the command says what happens. For tests of the protocol's edges,
//! and for trying clients by hand. Runs nothing anywhere.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a program for tests: a broken script must end it"
)]

use portcullis_core::BoxFuture;
use portcullis_core::answer::{
    Denied, Fault, Page, PageRequest, Paging, Plan, Ran, Reload, Run, RunFault, Timing,
};
use portcullis_core::audit::Closing;
use portcullis_core::inventory::Host;
use portcullis_core::output::Shown;
use portcullis_core::policy::{
    Code, Finding, Limits, Opinion, PluginFailure, Refusal, RuleRef, Verdict,
};
use portcullis_core::request::{Alias, Principal, RunRequest, sha256_hex};
use portcullis_mcp::gate::{Caller, EdgeRefusal, Gate, Progress};
use portcullis_mcp::{ServeSettings, serve_stdio};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[derive(Default)]
struct FakeGate {
    started: AtomicU64,
    stopped: AtomicU64,
}

fn host(alias: &str) -> Host {
    Host {
        alias: Alias::parse(alias).unwrap(),
        host: "10.0.0.1".to_owned(),
        port: 22,
        credentials: Some("secret-name".to_owned()),
        tags: vec!["web".to_owned()],
        description: "a host".to_owned(),
        shell: portcullis_core::inventory::LoginShell::default(),
        host_keys: Vec::new(),
        jump: Vec::new(),
        watchdog: portcullis_core::inventory::Watchdog::default(),
    }
}

fn known(alias: &str) -> Result<Host, Fault> {
    let alias = Alias::parse(alias)?;
    match alias.as_str() {
        "test1" | "test2" => Ok(host(alias.as_str())),
        _ => Err(Fault::UnknownAlias(alias)),
    }
}

fn refusal(code: Code) -> Refusal {
    Refusal {
        code,
        detail: "no rule allows it".to_owned(),
        hint: "Use ssh_plan to see what is allowed, or ask the operator.".to_owned(),
        capability: None,
        part: None,
        rule: None,
        offset: None,
        plugin: None,
        network: Vec::new(),
    }
}

fn refusal_of(command: &str) -> Option<Refusal> {
    match command {
        "refused" => Some(refusal(Code::NoRule)),
        "refused part" => Some(Refusal {
            part: Some("rm -rf /".to_owned()),
            rule: Some(RuleRef {
                index: 2,
                name: Some("never".to_owned()),
            }),
            offset: Some(7),
            ..refusal(Code::DenyRule)
        }),
        "refused network" => Some(Refusal {
            detail: "No resolved IPs allowed by policy.network".to_owned(),
            network: vec!["network.block_cidrs: 10.0.0.0/8".to_owned()],
            ..refusal(Code::NetworkNotAllowed)
        }),
        "refused plugin" => Some(Refusal {
            plugin: Some(("guard".to_owned(), "night".to_owned())),
            ..refusal(Code::Objection)
        }),
        _ => None,
    }
}

fn opinion(verdict: Verdict) -> Opinion {
    Opinion {
        plugin: "guard".to_owned(),
        verdict,
        observe: false,
    }
}

fn plan_of(alias: &str, command: &str) -> Result<Plan, Fault> {
    let host = known(alias)?;
    let request = RunRequest::parse(alias, command)?;
    let refusal = refusal_of(request.line.as_str());
    let failure = PluginFailure {
        code: "plugin_fuel",
        detail: "out of fuel".to_owned(),
    };
    Ok(Plan {
        alias: host.alias,
        command: request.line.as_str().to_owned(),
        hash: request.line.hash16(),
        allowed: refusal.is_none(),
        network: "allowed",
        findings: vec![Finding {
            source: request.line.as_str().to_owned(),
            argv: vec![request.line.as_str().to_owned()],
            canonical: request.line.as_str().to_owned(),
            allowed: refusal.is_none(),
            rule: Some(RuleRef {
                index: 0,
                name: None,
            }),
            needs: Vec::new(),
            runs: Vec::new(),
        }],
        refusal,
        opinions: vec![
            opinion(Verdict::NoObjection),
            opinion(Verdict::Failed(failure)),
        ],
        rendered: request.line.as_str().to_owned(),
        rendered_sha256: sha256_hex(request.line.as_str().as_bytes()),
        limits: Limits {
            host_key_auto_add: true,
            require_known_host: false,
            ..Limits::default()
        },
    })
}

fn ran(request: &RunRequest, stdout: &str) -> Ran {
    Ran {
        task_id: format!("{}:{}:1-00", request.alias, request.line.hash16()),
        alias: request.alias.clone(),
        hash: request.line.hash16(),
        rendered_sha256: sha256_hex(request.line.as_str().as_bytes()),
        closing: Closing {
            exit_code: 0,
            state: "completed",
            termination: None,
            guard: Some("watchdog"),
            probed: false,
            duration_ms: 5,
            bytes_out: stdout.len() as u64,
            bytes_err: 0,
            cancelled: false,
            timeout: false,
            target_ip: "10.0.0.1".to_owned(),
            redactions: std::collections::BTreeMap::new(),
            observed: Default::default(),
        },
        signal: None,
        shown: Shown {
            stdout: stdout.into(),
            stdout_bytes: stdout.len() as u64,
            ..Shown::default()
        },
        paging: None,
        fault: None,
        timing: Timing {
            remote_us: 5000,
            ..Timing::default()
        },
        journal_fault: false,
    }
}

/// Ended by the gate: by its time limit or because the caller took it back.
fn ended(request: &RunRequest, state: &'static str) -> Ran {
    let mut ran = ran(request, "");
    ran.closing.exit_code = -1;
    ran.closing.state = state;
    ran.closing.cancelled = state == "cancelled";
    ran.closing.timeout = state == "timed_out";
    ran.closing.termination = Some("confirmed");
    ran.signal = Some("TERM".to_owned());
    ran
}

impl FakeGate {
    async fn play(&self, caller: Caller, request: RunRequest) -> Ran {
        let line = request.line.as_str();
        match line {
            "wait" => {
                let _ = writeln!(std::io::stderr(), "started");
                caller.stop.cancelled().await;
                self.stopped.fetch_add(1, Ordering::SeqCst);
                let _ = writeln!(std::io::stderr(), "stopped");
                ended(&request, "cancelled")
            }
            "deaf" => {
                let _ = writeln!(std::io::stderr(), "started");
                tokio::time::sleep(Duration::from_secs(600)).await;
                ran(&request, "")
            }
            "count" => {
                let started = self.started.load(Ordering::SeqCst);
                let stopped = self.stopped.load(Ordering::SeqCst);
                ran(&request, &format!("{started} {stopped}"))
            }
            "principal" => ran(&request, caller.principal.as_str()),
            "progress" => {
                for elapsed_ms in [0, 0, 700, 600, 59_000] {
                    let note = Progress {
                        phase: "running",
                        bytes_read: elapsed_ms,
                        elapsed_ms,
                        limit_ms: 60_000,
                    };
                    if let Some(notes) = &caller.progress {
                        notes.send(note).await.unwrap();
                    }
                }
                ran(
                    &request,
                    match caller.progress {
                        Some(_) => "noted",
                        None => "not asked",
                    },
                )
            }
            "panic" => panic!("scripted"),
            "timeout" => ended(&request, "timed_out"),
            "both" => {
                let mut ran = ran(&request, "out\n");
                ran.shown.stderr = "err\n".into();
                ran
            }
            "paged" => {
                let mut ran = ran(&request, "head");
                ran.paging = Some(Paging {
                    stdout_bytes: 9,
                    stderr_bytes: 0,
                    complete: true,
                    seconds: 300,
                });
                ran
            }
            "truncated" => {
                let mut ran = ran(&request, "head\n[… 5 bytes left out …]\ntail");
                ran.shown.truncated = true;
                ran.shown.redactions.insert("github-pat".to_owned(), 2);
                ran.shown.sanitised.insert("escape".to_owned(), 1);
                ran
            }
            "withheld" => {
                let mut ran = ran(&request, "");
                let failure = PluginFailure {
                    code: "plugin_trap",
                    detail: "trapped".to_owned(),
                };
                ran.shown.withheld = Some(("scrub".to_owned(), failure));
                ran.journal_fault = true;
                ran
            }
            "unreachable" => {
                let mut ran = ran(&request, "");
                ran.closing.exit_code = -1;
                ran.closing.state = "unreachable";
                ran.closing.target_ip = String::new();
                ran.fault = Some(RunFault {
                    at: None,
                    code: "connection_refused",
                    message: "SSH connection refused: Port may be closed or firewall blocking",
                });
                ran
            }
            _ => ran(&request, "done\n"),
        }
    }
}

impl Gate for FakeGate {
    fn ping(&self, _: Caller) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn hosts(&self, _: Caller) -> BoxFuture<'_, Vec<Host>> {
        Box::pin(async { vec![host("test1"), host("test2")] })
    }

    fn describe(&self, _: Caller, alias: String) -> BoxFuture<'_, Result<Host, Fault>> {
        Box::pin(async move { known(&alias) })
    }

    fn plan(
        &self,
        _: Caller,
        alias: String,
        command: String,
    ) -> BoxFuture<'_, Result<Plan, Fault>> {
        Box::pin(async move { plan_of(&alias, &command) })
    }

    fn run(
        &self,
        caller: Caller,
        alias: String,
        command: String,
    ) -> BoxFuture<'_, Result<Run, Fault>> {
        Box::pin(async move {
            let request = RunRequest::parse(&alias, &command)?;
            let host = known(&alias)?;
            if let Some(refusal) = refusal_of(request.line.as_str()) {
                let hostname = (refusal.code.reason() == "network").then_some(host.host);
                return Ok(Run::Denied(Box::new(Denied {
                    alias: request.alias,
                    hash: request.line.hash16(),
                    command: request.line.as_str().to_owned(),
                    refusal,
                    hostname,
                })));
            }
            if request.line.as_str() == "no key" {
                return Err(Fault::Setup {
                    code: "key_missing",
                    message: "SSH key file not found: Check key path configuration",
                });
            }
            self.started.fetch_add(1, Ordering::SeqCst);
            Ok(Run::Ran(Box::new(self.play(caller, request).await)))
        })
    }

    fn page(&self, _: Caller, request: PageRequest) -> BoxFuture<'_, Result<Page, Fault>> {
        Box::pin(async move {
            if request.task != "known" {
                return Err(Fault::Setup {
                    code: "unknown_task",
                    message: "No output is kept under this task id",
                });
            }
            let text = format!(
                "{} {} {}",
                request.stream.name(),
                request.offset,
                request.bytes
            );
            Ok(Page {
                offset: request.offset,
                next: request.offset + text.len() as u64,
                total: 1_000_000,
                complete: false,
                text: text.into(),
            })
        })
    }

    fn reload(&self, _: Caller) -> BoxFuture<'_, Reload> {
        let times = self.started.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let digest = "d".repeat(64);
            match times {
                0 => Reload::Reloaded {
                    digest,
                    hosts: 2,
                    rules: 1,
                    changed: false,
                    changes: Box::default(),
                },
                _ => Reload::Kept {
                    digest,
                    faults: vec!["policy.yml:3:5: unknown key".to_owned()],
                },
            }
        })
    }

    fn refused(&self, _: EdgeRefusal) {}
}

fn main() -> Result<(), portcullis_mcp::ServeFault> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let settings = ServeSettings {
        principal: Principal::local(1000),
        stop: CancellationToken::new(),
    };
    let stop = settings.stop.clone();
    let served = runtime.block_on(async move {
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::spawn(async move {
            terminate.recv().await;
            stop.cancel();
        });
        serve_stdio(Arc::new(FakeGate::default()), settings).await
    });
    // Runs that were left behind must not hold up the end of the process.
    runtime.shutdown_background();
    served
}
