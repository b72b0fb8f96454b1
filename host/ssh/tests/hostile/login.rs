//! Hosts that go wrong on the way to a login.

use crate::bounds::{meet, unreachable_with};
use crate::scripts::{asked, identified, says};
use crate::wire::{Fields, Message, Names, Script, Wire, number, script};
use portcullis_ssh::Methods;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_says_too_little_costs_the_time_limit_and_no_more() {
    let trickle = script(|mut wire: Wire| async move {
        wire.act();
        loop {
            wire.write(b"x").await?;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    });
    let stuck_exchange = identified(|mut wire| async move {
        wire.send(Names::default().message()).await?;
        wire.hold().await
    });
    let empty = identified(|mut wire| async move {
        wire.send(Message(Vec::new())).await?;
        wire.hold().await
    });
    let no_new_keys = identified(|mut wire| async move {
        let packet = wire.packet(&Names::default().message().0);
        wire.write(&packet[..packet.len() - 1]).await?;
        wire.hold().await
    });
    let no_answer = asked(|wire| async move { wire.hold().await });
    for (name, host) in [
        ("silence", says(Vec::new())),
        (
            "the first version of SSH",
            says(b"SSH-1.5-old\r\n".to_vec()),
        ),
        (
            "another protocol",
            says(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ),
        ("an empty message", empty),
        ("a byte now and then", trickle),
        ("half an exchange", stuck_exchange),
        ("a packet short of a byte", no_new_keys),
        ("no answer to the login", no_answer),
    ] {
        let met = meet(name, "max_seconds: 1", host, None).await;
        assert_eq!(
            (met.state, met.code),
            ("timed_out", "connection_timeout"),
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn extensions_of_any_size_cost_no_memory() {
    let extends = |message: fn() -> Message, times: usize| {
        script(move |mut wire: Wire| async move {
            wire.identify().await?;
            wire.exchange().await?;
            wire.act();
            for _ in 0..times {
                wire.send(message()).await?;
            }
            wire.asked().await?;
            wire.send(Message::new(number::AUTH_FAILURE).string("").flag(false))
                .await?;
            wire.hold().await
        })
    };
    for (name, host) in [
        (
            "a count past all bounds",
            extends(
                || {
                    Message::new(number::EXT_INFO)
                        .u32(u32::MAX)
                        .string("a")
                        .string("b")
                },
                1,
            ),
        ),
        (
            "a name past its packet",
            extends(|| Message::new(number::EXT_INFO).u32(1).u32(u32::MAX), 1),
        ),
        (
            "many extensions",
            extends(
                || {
                    (0..20_000).fold(Message::new(number::EXT_INFO).u32(20_000), |m, _| {
                        m.string("a").string("b")
                    })
                },
                1,
            ),
        ),
        (
            "200 KB of algorithms",
            extends(
                || {
                    Message::new(number::EXT_INFO)
                        .u32(1)
                        .string("server-sig-algs")
                        .string("a,".repeat(100_000))
                },
                1,
            ),
        ),
        (
            "extensions a thousand times",
            extends(
                || {
                    Message::new(number::EXT_INFO)
                        .u32(1)
                        .string("server-sig-algs")
                        .string("a,".repeat(50_000))
                },
                1_000,
            ),
        ),
    ] {
        let codes = ["connection_failed", "authentication_failed"];
        unreachable_with(name, "max_seconds: 10", host, &codes).await;
    }
}

/// The start of a round of questions.
fn ask() -> Message {
    Message::new(number::AUTH_60)
        .string("")
        .string("")
        .string("")
}

/// Questions of a host that is asked with `keyboard-interactive`.
fn questions(message: fn() -> Message, again: bool) -> Script {
    script(move |mut wire: Wire| async move {
        wire.identify().await?;
        wire.exchange().await?;
        let request = wire.asked().await?;
        let mut fields = Fields(&request[1..]);
        let (_, _, way) = (fields.string(), fields.string(), fields.string());
        assert_eq!(way, b"keyboard-interactive");
        wire.act();
        loop {
            wire.send(message()).await?;
            if !again {
                return wire.hold().await;
            }
            wire.receive().await?;
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_without_end_are_not_answered() {
    let asks: [(&str, Script, &[&str]); 6] = [
        (
            "a count past all bounds",
            questions(|| ask().u32(u32::MAX), false),
            &["connection_failed"],
        ),
        (
            "a count past its packet",
            questions(|| ask().u32(3).string("?").flag(false), false),
            &["connection_failed"],
        ),
        (
            "ten thousand questions",
            questions(
                || (0..10_000).fold(ask().u32(10_000), |m, _| m.string("?").flag(false)),
                false,
            ),
            &["connection_failed", "question_unexpected"],
        ),
        (
            "a question of 200 KB",
            questions(
                || ask().u32(1).string("?".repeat(200_000)).flag(true),
                false,
            ),
            &["connection_failed", "question_unexpected"],
        ),
        (
            "rounds of no questions for ever",
            questions(|| ask().u32(0), true),
            &["question_unexpected"],
        ),
        (
            "the same question for ever",
            questions(|| ask().u32(1).string("Password:").flag(false), true),
            &["question_unexpected"],
        ),
    ];
    for (name, host, codes) in asks {
        let secret = portcullis_core::secret::Secret::new(b"correct horse".to_vec());
        let method = portcullis_ssh::Method::KeyboardInteractive(std::sync::Arc::new(secret));
        let methods = Methods::new(vec![method]);
        let met = meet(name, "max_seconds: 10", host, Some(methods)).await;
        assert_eq!(met.state, "unreachable", "{name}");
        assert!(codes.contains(&met.code), "{name}: {}", met.code);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_is_drawn_out_is_no_login() {
    let failing = asked(|mut wire| async move {
        loop {
            wire.send(
                Message::new(number::AUTH_FAILURE)
                    .string("publickey")
                    .flag(false),
            )
            .await?;
            wire.receive().await?;
        }
    });
    let long_failure = asked(|mut wire| async move {
        wire.send(
            Message::new(number::AUTH_FAILURE)
                .string("publickey,".repeat(20_000))
                .flag(true),
        )
        .await?;
        wire.hold().await
    });
    let broken_failure = asked(|mut wire| async move {
        wire.send(Message::new(number::AUTH_FAILURE).u32(u32::MAX))
            .await?;
        wire.hold().await
    });
    let other_service = script(|mut wire: Wire| async move {
        wire.identify().await?;
        wire.exchange().await?;
        wire.expect(number::SERVICE_REQUEST).await?;
        wire.act();
        wire.send(Message::new(number::SERVICE_ACCEPT).string("ssh-connection"))
            .await?;
        wire.send(Message::new(number::AUTH_FAILURE).string("").flag(false))
            .await?;
        wire.hold().await
    });
    for (name, host) in [
        ("no for ever", failing),
        ("a long no", long_failure),
        ("a no with a length past its end", broken_failure),
        ("another service", other_service),
    ] {
        let codes = ["authentication_failed", "connection_failed"];
        unreachable_with(name, "max_seconds: 10", host, &codes).await;
    }
    let banners = asked(|mut wire| async move {
        let banner = Message::new(number::AUTH_BANNER)
            .string("b".repeat(30_000))
            .string("");
        loop {
            let packet = wire.packet(&banner.0);
            wire.write(&packet).await?;
        }
    });
    let ignored = asked(|mut wire| async move {
        loop {
            let packet = wire.packet(&Message::new(number::IGNORE).string("x".repeat(30_000)).0);
            wire.write(&packet).await?;
        }
    });
    let asked_for_all = asked(|mut wire| async move {
        // The gate's answers are not read.
        loop {
            let asks = Message::new(number::GLOBAL_REQUEST)
                .string("who@knows")
                .flag(true);
            let packet = wire.packet(&asks.0);
            wire.write(&packet).await?;
        }
    });
    for (name, host) in [
        ("banners for ever", banners),
        ("ignored messages for ever", ignored),
        ("requests for ever, no answer read", asked_for_all),
    ] {
        let met = meet(name, "max_seconds: 1", host, None).await;
        assert!(
            matches!(
                (met.state, met.code),
                ("timed_out", "connection_timeout") | ("unreachable", "connection_failed")
            ),
            "{name}: {} {}",
            met.state,
            met.code
        );
    }
}
