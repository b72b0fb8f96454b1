//! Hosts that break the rules of channels, and exchange keys anew.

use crate::scripts::{begun, finish, request_status, run};
use crate::wire::{Message, Names, PACKET, WINDOW, number};
use portcullis_ssh::{End, Termination};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_without_output_end_at_the_time_limit() {
    let floods = |message: fn(u32) -> Message| {
        begun(move |mut wire, channel| async move {
            loop {
                let packet = wire.packet(&message(channel).0);
                wire.write(&packet).await?;
            }
        })
    };
    for (name, host) in [
        (
            "data of no bytes",
            floods(|channel| Message::on(number::DATA, channel).string("")),
        ),
        (
            "data of a kind that nobody knows",
            floods(|channel| {
                Message::on(number::EXTENDED_DATA, channel)
                    .u32(7)
                    .string("x".repeat(1_000))
            }),
        ),
        (
            "window for ever",
            floods(|channel| Message::on(number::WINDOW_ADJUST, channel).u32(u32::MAX)),
        ),
        (
            "success for ever",
            floods(|channel| Message::on(number::SUCCESS, channel)),
        ),
        (
            "questions for ever, no answer read",
            floods(|channel| {
                Message::on(number::REQUEST, channel)
                    .string("who@knows")
                    .flag(true)
            }),
        ),
        (
            "questions of all for ever, no answer read",
            floods(|_| {
                Message::new(number::GLOBAL_REQUEST)
                    .string("keepalive@openssh.com")
                    .flag(true)
            }),
        ),
        (
            "channels for ever, no answer read",
            floods(|_| {
                Message::new(number::OPEN)
                    .string("session")
                    .u32(9)
                    .u32(WINDOW)
                    .u32(PACKET)
            }),
        ),
        (
            "forwarded connections for ever",
            floods(|_| {
                Message::new(number::OPEN)
                    .string("forwarded-tcpip")
                    .u32(9)
                    .u32(WINDOW)
                    .u32(PACKET)
                    .string("a")
                    .u32(1)
                    .string("b")
                    .u32(2)
            }),
        ),
        (
            "ends of output for ever",
            floods(|channel| Message::on(number::EOF, channel)),
        ),
        (
            "ignored messages for ever",
            floods(|_| Message::new(number::IGNORE).string("x".repeat(1_000))),
        ),
    ] {
        let met = run(name, "max_seconds: 1", host).await;
        let ended = matches!(
            met.ended.end,
            End::TimedOut(Termination::LeftRunning) | End::Unknown
        );
        assert!(ended, "{name}: {:?} {}", met.ended.end, met.code);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_heeds_no_window_is_counted_and_stopped() {
    let past = begun(|mut wire, channel| async move {
        // Eight times the window, in packets of more than the gate allows.
        for _ in 0..80 {
            wire.print(channel, &vec![b'x'; 200_000]).await?;
        }
        finish(wire, channel).await
    });
    let met = run("past the window", "max_seconds: 30", past).await;
    let total = met.ended.raw.stdout.total();
    assert!(
        met.state == "completed" && total == 16_000_006 || met.state == "unknown",
        "{} {total}",
        met.state
    );
    let endless = begun(|mut wire, channel| async move {
        loop {
            wire.print(channel, &[b'x'; 32_768]).await?;
        }
    });
    let limits = "max_seconds: 30, output_hard_stop_bytes: 3000000";
    let met = run("without end", limits, endless).await;
    assert!(
        matches!(met.ended.end, End::OutputHardStop(_) | End::Unknown),
        "{:?}",
        met.ended.end
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_for_channels_that_are_not_there_change_nothing_or_end_the_connection() {
    let odd = |message: fn(u32) -> Message| {
        begun(move |mut wire, channel| async move {
            wire.send(message(channel)).await?;
            finish(wire, channel).await
        })
    };
    for (name, host) in [
        (
            "data",
            odd(|channel| Message::on(number::DATA, channel + 9).string("x")),
        ),
        (
            "data of the other stream",
            odd(|channel| {
                Message::on(number::EXTENDED_DATA, channel + 9)
                    .u32(1)
                    .string("x")
            }),
        ),
        (
            "window",
            odd(|channel| Message::on(number::WINDOW_ADJUST, channel + 9).u32(1)),
        ),
        (
            "an end",
            odd(|channel| Message::on(number::EOF, channel + 9)),
        ),
        (
            "a close",
            odd(|channel| Message::on(number::CLOSE, channel + 9)),
        ),
        (
            "a close of the last number",
            odd(|_| Message::on(number::CLOSE, u32::MAX)),
        ),
        (
            "success",
            odd(|channel| Message::on(number::SUCCESS, channel + 9)),
        ),
        (
            "failure",
            odd(|channel| Message::on(number::FAILURE, channel + 9)),
        ),
        ("a status", odd(|channel| request_status(channel + 9))),
        (
            "a yes",
            odd(|channel| {
                Message::on(number::OPEN_CONFIRMATION, channel + 9)
                    .u32(0)
                    .u32(1)
                    .u32(1)
            }),
        ),
        (
            "a yes again",
            odd(|channel| {
                Message::on(number::OPEN_CONFIRMATION, channel)
                    .u32(5)
                    .u32(0)
                    .u32(0)
            }),
        ),
        (
            "a no again",
            odd(|channel| {
                Message::on(number::OPEN_FAILURE, channel + 9)
                    .u32(1)
                    .string("")
                    .string("")
            }),
        ),
        (
            "more window than a number holds",
            odd(|channel| Message::on(number::WINDOW_ADJUST, channel).u32(u32::MAX)),
        ),
        ("an unknown message", odd(|_| Message::new(192))),
        ("an answer to no question", odd(|_| Message::new(81))),
        ("a login again", odd(|_| Message::new(number::AUTH_SUCCESS))),
        (
            "a late question",
            odd(|_| {
                Message::new(number::AUTH_60)
                    .string("")
                    .string("")
                    .string("")
                    .u32(0)
            }),
        ),
        (
            "host keys",
            odd(|_| {
                Message::new(number::GLOBAL_REQUEST)
                    .string("hostkeys-00@openssh.com")
                    .flag(false)
                    .u32(u32::MAX)
            }),
        ),
        (
            "a terminal",
            odd(|channel| {
                Message::on(number::REQUEST, channel)
                    .string("pty-req")
                    .flag(true)
            }),
        ),
    ] {
        let met = run(name, "max_seconds: 20", host).await;
        let completed = met.state == "completed" && met.ended.raw.stdout.total() == 6;
        let lost = met.ended.end == End::Unknown && met.code == "connection_lost";
        assert!(completed || lost, "{name}: {} {}", met.state, met.code);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_exchanged_anew_in_the_middle_and_only_with_the_same_host() {
    let anew = begun(|mut wire, channel| async move {
        for _ in 0..3 {
            wire.print(channel, b"hello\n").await?;
            wire.exchange().await?;
        }
        finish(wire, channel).await
    });
    let met = run("anew", "max_seconds: 20", anew).await;
    assert_eq!((met.state, met.ended.raw.stdout.total()), ("completed", 24));
    let other_key = begun(|mut wire, channel| async move {
        wire.exchange_with(Names::default(), |half| half.key[30] ^= 1)
            .await?;
        finish(wire, channel).await
    });
    let other_value = begun(|mut wire, channel| async move {
        wire.exchange_with(Names::default(), |half| half.value.truncate(31))
            .await?;
        finish(wire, channel).await
    });
    for (name, host) in [("another key", other_key), ("a short value", other_value)] {
        let met = run(name, "max_seconds: 20", host).await;
        assert_eq!(
            (&met.ended.end, met.code),
            (&End::Unknown, "connection_lost"),
            "{name}"
        );
    }
}
