//! Hosts that are not plain about how a command ended: what is not known to have succeeded is never success.

use crate::bounds::{meet, unreachable_with};
use crate::scripts::{begun, finish, opened_with, request_status, run};
use crate::wire::{Message, Names, PACKET, Script, WINDOW, Wire, number, script};
use portcullis_ssh::{End, Termination};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_host_completes_and_so_does_one_that_trickles() {
    let met = run("honest", "max_seconds: 20", begun(finish)).await;
    assert_eq!((met.state, met.ended.raw.stdout.total()), ("completed", 6));
    let trickles = script(|mut wire: Wire| async move {
        wire.trickles = true;
        let channel = wire.begun().await?;
        wire.act();
        finish(wire, channel).await
    });
    let met = run("a byte at a time", "max_seconds: 20", trickles).await;
    assert_eq!((met.state, met.ended.raw.stdout.total()), ("completed", 6));
    let small = begun(|mut wire, channel| async move {
        for _ in 0..5_000 {
            wire.print(channel, b"x").await?;
        }
        finish(wire, channel).await
    });
    let met = run("a byte a message", "max_seconds: 20", small).await;
    assert_eq!(
        (met.state, met.ended.raw.stdout.total()),
        ("completed", 5_006)
    );
    let status_first = begun(|mut wire, channel| async move {
        wire.exit(channel, 0).await?;
        finish(wire, channel).await
    });
    let met = run("status before data", "max_seconds: 20", status_first).await;
    assert_eq!((met.state, met.ended.raw.stdout.total()), ("completed", 6));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_known_to_have_succeeded_is_not_success() {
    let request = |channel, kind: &str| {
        Message::on(number::REQUEST, channel)
            .string(kind)
            .flag(false)
    };
    let no_status = begun(|mut wire, channel| async move {
        wire.print(channel, b"hello\n").await?;
        wire.close(channel).await?;
        wire.hold().await
    });
    let hangs_up = begun(|mut wire, channel| async move { wire.print(channel, b"hello\n").await });
    let status_and_gone = begun(|mut wire, channel| async move {
        wire.print(channel, b"hel").await?;
        wire.exit(channel, 0).await
    });
    let goodbye = begun(|mut wire, _| async move {
        let goodbye = Message::new(number::DISCONNECT)
            .u32(11)
            .string("bye")
            .string("");
        wire.send(goodbye).await?;
        wire.hold().await
    });
    let cut_status = begun(move |mut wire, channel| async move {
        wire.send(request(channel, "exit-status").bytes(&[0, 0]))
            .await?;
        wire.close(channel).await?;
        wire.hold().await
    });
    let cut_signal = begun(move |mut wire, channel| async move {
        wire.send(request(channel, "exit-signal").u32(u32::MAX))
            .await?;
        wire.close(channel).await?;
        wire.hold().await
    });
    let status_elsewhere = begun(|mut wire, channel| async move {
        wire.exit(channel + 1, 0).await?;
        wire.close(channel).await?;
        wire.hold().await
    });
    let flipped = begun(|mut wire, channel| async move {
        let status = request_status(channel);
        let mut packet = wire.packet(&status.0);
        packet[9] ^= 1;
        wire.write(&packet).await?;
        wire.hold().await
    });
    let long_data = begun(|mut wire, channel| async move {
        let data = Message::on(number::DATA, channel).u32(u32::MAX).bytes(b"x");
        wire.send(data).await?;
        wire.exit(channel, 0).await?;
        wire.hold().await
    });
    let refused_late = begun(|mut wire, channel| async move {
        wire.print(channel, b"hello\n").await?;
        wire.send(Message::on(number::FAILURE, channel)).await?;
        wire.close(channel).await?;
        wire.hold().await
    });
    for (name, host) in [
        ("no status", no_status),
        ("a lost connection", hangs_up),
        ("a status, and then a lost connection", status_and_gone),
        ("a goodbye", goodbye),
        ("half a status", cut_status),
        ("half a signal", cut_signal),
        ("the status of another channel", status_elsewhere),
        ("a seal that does not fit", flipped),
        ("data past its packet", long_data),
        ("a refusal after the command has begun", refused_late),
    ] {
        let met = run(name, "max_seconds: 20", host).await;
        assert_eq!(
            (&met.ended.end, met.ended.end.exit_code()),
            (&End::Unknown, -1),
            "{name}"
        );
        assert!(
            ["exit_status_missing", "connection_lost"].contains(&met.code),
            "{name}: {}",
            met.code
        );
    }
    for (name, signal, shown) in [
        ("a signal", "KILL", "KILL"),
        ("an escape for a signal", "\u{1b}[2J", "UNKNOWN"),
        ("a signal of 100 KB", LONG_NAME, "UNKNOWN"),
    ] {
        let host = begun(move |mut wire, channel| async move {
            let name = if signal == LONG_NAME {
                "K".repeat(100_000)
            } else {
                signal.to_owned()
            };
            let message = request(channel, "exit-signal").string(name).flag(false);
            wire.send(message.string("").string("")).await?;
            // What comes second does not count.
            wire.exit(channel, 0).await?;
            wire.close(channel).await?;
            wire.hold().await
        });
        let met = run(name, "max_seconds: 20", host).await;
        assert_eq!(
            (met.state, met.ended.end.signal().as_deref()),
            ("signalled", Some(shown)),
            "{name}"
        );
    }
}

const LONG_NAME: &str = "long";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_opens_no_channel_started_nothing() {
    let at_open = |message: fn(u32) -> Message| {
        script(move |mut wire: Wire| async move {
            wire.log_in().await?;
            let channel = wire.opened().await?;
            wire.act();
            wire.send(message(channel)).await?;
            wire.hold().await
        })
    };
    let refuses = opened_at_exec(|channel| Message::on(number::FAILURE, channel));
    for (name, host, code) in [
        (
            "no",
            at_open(|channel| {
                Message::on(number::OPEN_FAILURE, channel)
                    .u32(1)
                    .string("no")
                    .string("")
            }),
            "session_refused",
        ),
        (
            "a long no",
            at_open(|channel| {
                Message::on(number::OPEN_FAILURE, channel)
                    .u32(4)
                    .string("n".repeat(200_000))
                    .string("")
            }),
            "session_refused",
        ),
        (
            "no for a reason that nobody knows",
            at_open(|channel| {
                Message::on(number::OPEN_FAILURE, channel)
                    .u32(u32::MAX)
                    .string("")
                    .string("")
            }),
            "session_refused",
        ),
        (
            "a no that is cut",
            at_open(|channel| Message::on(number::OPEN_FAILURE, channel).bytes(&[0])),
            "connection_failed",
        ),
        (
            "a yes that is cut",
            at_open(|channel| Message::on(number::OPEN_CONFIRMATION, channel).u32(0)),
            "connection_failed",
        ),
        (
            "a goodbye",
            at_open(|_| {
                Message::new(number::DISCONNECT)
                    .u32(11)
                    .string("")
                    .string("")
            }),
            "connection_failed",
        ),
        ("a no to the command", refuses, "session_refused"),
    ] {
        unreachable_with(name, "max_seconds: 20", host, &[code]).await;
    }
    let silent = script(|mut wire: Wire| async move {
        wire.log_in().await?;
        wire.opened().await?;
        wire.act();
        wire.hold().await
    });
    let met = meet("silence", "max_seconds: 2", silent, None).await;
    assert_eq!((met.state, met.code), ("timed_out", "connection_timeout"));
    let other = at_open(|channel| {
        Message::on(number::OPEN_CONFIRMATION, channel + 7)
            .u32(0)
            .u32(WINDOW)
            .u32(PACKET)
    });
    let met = meet("a yes to another channel", "max_seconds: 2", other, None).await;
    assert!(
        ["timed_out", "unreachable"].contains(&met.state),
        "{}",
        met.state
    );
}

/// A script that answers the command with one message.
fn opened_at_exec(message: fn(u32) -> Message) -> Script {
    script(move |mut wire: Wire| async move {
        wire.log_in().await?;
        let channel = wire.opened().await?;
        wire.confirm(channel, WINDOW, PACKET).await?;
        wire.told().await?;
        wire.act();
        wire.send(message(channel)).await?;
        wire.hold().await
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_goes_silent_after_the_command_is_said_to_be_left_running() {
    let silent = begun(|wire, _| async move { wire.hold().await });
    // Nothing is read any more, so that nothing can be sent either.
    let deaf = begun(|wire, _| async move {
        std::future::pending::<()>().await;
        wire.hold().await
    });
    let no_window = opened_with(0, PACKET, |wire, _| async move { wire.hold().await });
    let no_packet = opened_with(WINDOW, 0, |wire, _| async move { wire.hold().await });
    let nothing = opened_with(0, 0, |wire, _| async move { wire.hold().await });
    let endless = opened_with(
        u32::MAX,
        u32::MAX,
        |wire, _| async move { wire.hold().await },
    );
    let stuck_exchange = begun(|mut wire, _| async move {
        wire.send(Names::default().message()).await?;
        wire.hold().await
    });
    for (name, host) in [
        ("half-open", silent),
        ("deaf", deaf),
        ("no window", no_window),
        ("an endless window", endless),
        ("an exchange of keys that stands still", stuck_exchange),
    ] {
        let met = run(name, "max_seconds: 1", host).await;
        assert_eq!(
            met.ended.end,
            End::TimedOut(Termination::LeftRunning),
            "{name}"
        );
    }
    for (name, host) in [("packets of no bytes", no_packet), ("neither", nothing)] {
        let met = meet(name, "max_seconds: 10", host, None).await;
        assert_eq!(
            (met.state, met.code),
            ("unreachable", "connection_failed"),
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_after_the_end_is_not_taken() {
    let after_close = begun(|mut wire, channel| async move {
        wire.print(channel, b"hello\n").await?;
        wire.exit(channel, 3).await?;
        wire.close(channel).await?;
        for _ in 0..100 {
            wire.print(channel, b"late").await?;
        }
        wire.exit(channel, 0).await?;
        wire.hold().await
    });
    let met = run("after close", "max_seconds: 20", after_close).await;
    assert_eq!(
        (&met.ended.end, met.ended.raw.stdout.total()),
        (&End::Exited(3), 6)
    );
    let second_status = begun(|mut wire, channel| async move {
        wire.exit(channel, 3).await?;
        finish(wire, channel).await
    });
    let met = run("a second status", "max_seconds: 20", second_status).await;
    assert_eq!(met.ended.end, End::Exited(3));
}
