//! Hosts that answer the gate's question whether signals work: wrongly, so that the watchdog stays, or rightly and then do
//! not as they said.

use crate::harness::{Place, engine};
use crate::wire::{Fields, Host, Message, PACKET, Script, WINDOW, Wire, number, script};
use portcullis_ssh::{End, Ended, Guard, Termination};
use std::io;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What the question prints of a login shell `sh`, and what its child says when it was signalled.
const READY: &str = "sh\nit's \\ \"!\" $x `y` # ~ * {a,b} <&|>; %s\t\u{e9}\nready\n";
const HEARD: &str = "heard\n";
/// How a command names its process group.
const LEADS: &str = "portcullis: the process group is 4711\n";

/// How a host answers.
#[derive(Clone, Copy)]
struct Answer {
    leads: &'static str,
    ready: &'static str,
    heard: &'static str,
    /// The signal that it says has ended the question; nothing for an exit status.
    signal: Option<&'static str>,
    /// What a command that lasts prints on standard error when it is signalled; it goes on.
    lasting: &'static str,
}

const RIGHT: Answer = Answer {
    leads: LEADS,
    ready: READY,
    heard: HEARD,
    signal: Some("TERM"),
    lasting: "",
};

/// A host of one connection that exits with 0 from each command but those that `lasts`, and answers the question.
fn answers(answer: Answer) -> Script {
    script(move |mut wire: Wire| async move {
        wire.log_in().await?;
        let mut peers = Vec::new();
        loop {
            let payload = wire.receive().await?;
            let mut fields = Fields(&payload[1..]);
            match payload[0] {
                number::OPEN => {
                    fields.string();
                    let peer = fields.u32();
                    let ours = peers.len() as u32;
                    peers.push((peer, false));
                    let message = Message::on(number::OPEN_CONFIRMATION, peer).u32(ours);
                    wire.send(message.u32(WINDOW).u32(PACKET)).await?;
                }
                number::REQUEST => {
                    let (peer, asked) = &mut peers[fields.u32() as usize];
                    let (kind, _) = (fields.string(), fields.flag());
                    if kind == b"exec" {
                        let text = String::from_utf8_lossy(fields.string()).into_owned();
                        *asked = text.contains("echo heard");
                        let (peer, asked) = (*peer, *asked);
                        begin(&mut wire, peer, asked, &text, answer).await?;
                    } else if kind == b"signal" && !*asked {
                        let stderr = Message::on(number::EXTENDED_DATA, *peer).u32(1);
                        wire.send(stderr.string(answer.lasting)).await?;
                    } else if kind == b"signal" {
                        let peer = *peer;
                        wire.print(peer, answer.heard.as_bytes()).await?;
                        match answer.signal {
                            Some(name) => {
                                let message =
                                    Message::on(number::REQUEST, peer).string("exit-signal");
                                let message = message.flag(false).string(name).flag(false);
                                wire.send(message.string("").string("")).await?;
                            }
                            None => wire.exit(peer, 0).await?,
                        }
                        wire.close(peer).await?;
                    }
                }
                _ => {}
            }
        }
    })
}

async fn begin(
    wire: &mut Wire,
    peer: u32,
    asked: bool,
    text: &str,
    answer: Answer,
) -> io::Result<()> {
    wire.send(Message::on(number::SUCCESS, peer)).await?;
    let leads = if asked { answer.leads } else { LEADS };
    let stderr = Message::on(number::EXTENDED_DATA, peer).u32(1);
    wire.send(stderr.string(leads)).await?;
    if asked {
        return wire.print(peer, answer.ready.as_bytes()).await;
    }
    if text.contains("lasts") {
        return Ok(());
    }
    wire.exit(peer, 0).await?;
    wire.close(peer).await
}

/// Runs a few times in a row, and then a command that lasts until its time limit.
async fn runs(answer: Answer) -> (Vec<(Guard, bool)>, Ended) {
    let (place, engine) = (Place::new(), engine());
    let host = Host::start(answers(answer)).await;
    let access = place.access(&host.known_hosts);
    let mut seen = Vec::new();
    for _ in 0..8 {
        let journaled = place.journaled(host.port, "anyone", "echo hello", "").await;
        let ended = engine
            .run(journaled, &access, CancellationToken::new(), None)
            .await;
        assert_eq!(ended.end, End::Exited(0), "{:?}", ended.fault);
        assert_eq!(ended.raw.stderr.total(), 0);
        seen.push((ended.guard.unwrap(), ended.asked));
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let limits = "max_seconds: 1";
    let journaled = place
        .journaled(host.port, "anyone", "echo lasts", limits)
        .await;
    let last = engine
        .run(journaled, &access, CancellationToken::new(), None)
        .await;
    (seen, last)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_whole_answer_spares_the_watchdog() {
    let (seen, _) = runs(RIGHT).await;
    assert_eq!(
        seen[..2],
        [(Guard::Watchdog, false), (Guard::Watchdog, true)]
    );
    assert_eq!(seen[7], (Guard::Signals, false));
    for (name, answer) in [
        ("the child was not reached", Answer { heard: "", ..RIGHT }),
        (
            "another word",
            Answer {
                heard: "heard \n",
                ..RIGHT
            },
        ),
        (
            "an exit status",
            Answer {
                signal: None,
                ..RIGHT
            },
        ),
        (
            "another signal",
            Answer {
                signal: Some("KILL"),
                ..RIGHT
            },
        ),
        ("no group", Answer { leads: "", ..RIGHT }),
        (
            "a shell that reads quotes in another way",
            Answer {
                ready: "its ready\n",
                ..RIGHT
            },
        ),
        (
            "more than was asked for",
            Answer {
                ready: LONG,
                ..RIGHT
            },
        ),
    ] {
        let (seen, _) = runs(answer).await;
        assert!(
            seen.iter().all(|(guard, _)| *guard == Guard::Watchdog),
            "{name}"
        );
        assert_eq!(seen.iter().filter(|(_, asked)| *asked).count(), 1, "{name}");
    }
}

/// Longer than anything that is read of an answer.
const LONG: &str = {
    const BYTES: [u8; 5_000] = [b'x'; 5_000];
    match std::str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => "",
    }
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_promised_signals_and_heeds_none_is_said_to_be_left_running() {
    let (_, last) = runs(RIGHT).await;
    assert_eq!(last.guard, Some(Guard::Signals));
    assert_eq!(last.end, End::TimedOut(Termination::LeftRunning));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_without_a_watchdog_cannot_say_that_it_has_ended() {
    // The last word of a watchdog is only a text where none stands beside the command.
    let lasting = "portcullis: the process group has ended\n";
    let (_, last) = runs(Answer { lasting, ..RIGHT }).await;
    assert_eq!(last.guard, Some(Guard::Signals));
    assert_eq!(last.end, End::TimedOut(Termination::LeftRunning));
    assert!(last.raw.stderr.total() >= lasting.len() as u64);
}
