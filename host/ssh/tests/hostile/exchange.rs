//! Hosts that go wrong before keys are exchanged.

use crate::bounds::unreachable_with;
use crate::scripts::{asked, identified, repeats, says};
use crate::wire::{self, Message, Names, Wire, number, script};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_does_not_introduce_itself_is_unreachable() {
    for (name, host) in [
        ("an endless banner", repeats(b"welcome\r\n")),
        (
            "a banner of binary bytes",
            repeats(&[0xff, 0x00, 0x80, 0x1b]),
        ),
        ("binary lines", repeats(b"\xff\xfe\x00\n")),
        (
            "a line that never ends",
            repeats(b"SSH-2.0-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ),
        ("line ends only", repeats(b"\n")),
        (
            "a version without end after a banner",
            says([b"hello\r\nSSH-2.0-".to_vec(), vec![b'a'; 100_000]].concat()),
        ),
    ] {
        unreachable_with(
            name,
            "max_seconds: 8",
            host,
            &["connection_failed", "connection_timeout"],
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_that_are_none_end_the_connection() {
    let plain = |length: u32, rest: usize| {
        let bytes = [&length.to_be_bytes()[..], &vec![0; rest]].concat();
        script(move |mut wire: Wire| {
            let bytes = bytes.clone();
            async move {
                wire.identify().await?;
                wire.act();
                wire.write(&bytes).await?;
                wire.repeat(&[0; 4_096]).await
            }
        })
    };
    let sealed = |length: u32| {
        script(move |mut wire: Wire| async move {
            wire.identify().await?;
            wire.exchange().await?;
            wire.act();
            wire.write(&length.to_be_bytes()).await?;
            wire.repeat(&[0; 4_096]).await
        })
    };
    let padded = identified(|mut wire| async move {
        // Padding longer than the packet.
        wire.write(&[0, 0, 0, 12, 255, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
            .await?;
        wire.hold().await
    });
    let flipped = asked(|mut wire| async move {
        let mut packet = wire.packet(&Message::new(number::AUTH_SUCCESS).0);
        let last = packet.len() - 1;
        packet[last] ^= 1;
        wire.write(&packet).await?;
        wire.hold().await
    });
    for (name, host) in [
        ("the longest packet", plain(u32::MAX, 0)),
        ("a packet of 2 GiB", plain(0x7fff_ffff, 100_000)),
        ("a packet of no bytes", plain(0, 64)),
        ("a packet of one byte", plain(1, 64)),
        ("padding past the end", padded),
        ("the longest sealed packet", sealed(u32::MAX)),
        ("a sealed packet of 2 GiB", sealed(0x7fff_fff0)),
        ("a sealed packet of no bytes", sealed(0)),
        ("a seal that does not fit", flipped),
    ] {
        unreachable_with(name, "max_seconds: 10", host, &["connection_failed"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_cannot_be_used_end_the_connection() {
    let offers = |change: fn(&mut Names)| {
        script(move |mut wire: Wire| async move {
            wire.identify().await?;
            wire.act();
            let mut names = Names::default();
            change(&mut names);
            wire.exchange_with(names, |_| {}).await?;
            wire.hold().await
        })
    };
    let raw = |message: fn() -> Message| {
        script(move |mut wire: Wire| async move {
            wire.identify().await?;
            wire.act();
            wire.send(message()).await?;
            wire.hold().await
        })
    };
    for (name, host, code) in [
        (
            "no common exchange",
            offers(|names| names.exchange = "diffie-hellman-group1-sha1".into()),
            "no_common_algorithm",
        ),
        (
            "no common cipher",
            offers(|names| names.cipher = "arcfour".into()),
            "no_common_algorithm",
        ),
        (
            "no encryption",
            offers(|names| names.cipher = "none".into()),
            "no_common_algorithm",
        ),
        (
            "a cipher without a MAC",
            offers(|names| {
                names.cipher = "aes256-ctr".into();
                names.mac = "none".into();
            }),
            "no_common_algorithm",
        ),
        (
            "a cipher with an unknown MAC",
            offers(|names| {
                names.cipher = "aes256-ctr".into();
                names.mac = "hmac-md5".into();
            }),
            "no_common_algorithm",
        ),
        (
            "compression only",
            offers(|names| names.compression = "zlib@openssh.com".into()),
            "no_common_algorithm",
        ),
        (
            "another type of key",
            offers(|names| names.key = "ssh-rsa".into()),
            "host_key_mismatch",
        ),
        (
            "no names",
            offers(|names| {
                *names = Names {
                    exchange: String::new(),
                    key: String::new(),
                    cipher: String::new(),
                    mac: String::new(),
                    compression: String::new(),
                }
            }),
            "no_common_algorithm",
        ),
        (
            "a list longer than its packet",
            raw(|| Message::new(number::KEXINIT).bytes(&[7; 16]).u32(u32::MAX)),
            "connection_failed",
        ),
        (
            "names that are no text",
            raw(|| {
                let names = Message::new(number::KEXINIT).bytes(&[7; 16]);
                (0..10)
                    .fold(names, |names, _| names.string([0xff, 0x00, 0xfe]))
                    .flag(false)
                    .u32(0)
            }),
            "no_common_algorithm",
        ),
        (
            "a list of 200 KB",
            raw(|| {
                let names = Message::new(number::KEXINIT)
                    .bytes(&[7; 16])
                    .string("a,".repeat(100_000));
                (1..10)
                    .fold(names, |names, _| names.string(""))
                    .flag(false)
                    .u32(0)
            }),
            "no_common_algorithm",
        ),
    ] {
        unreachable_with(name, "max_seconds: 10", host, &[code, "connection_failed"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_of_the_exchange_that_is_not_right_ends_the_connection() {
    let half = |change: fn(&mut wire::Half)| {
        script(move |mut wire: Wire| async move {
            wire.identify().await?;
            wire.act();
            wire.exchange_with(Names::default(), change).await?;
            wire.hold().await
        })
    };
    for (name, host) in [
        ("a value of no bytes", half(|half| half.value = Vec::new())),
        ("a value of one byte", half(|half| half.value = vec![9])),
        (
            "a value short of a byte",
            half(|half| half.value.truncate(31)),
        ),
        (
            "a value with a byte too many",
            half(|half| half.value.push(0)),
        ),
        (
            "a value of 200 KB",
            half(|half| half.value = vec![9; 200_000]),
        ),
        ("the value zero", half(|half| half.value = vec![0; 32])),
        (
            "a value of small order",
            half(|half| half.value = [&[1][..], &[0; 31]].concat()),
        ),
        (
            "another value than the signed one",
            half(|half| half.value[0] ^= 1),
        ),
        ("no signature", half(|half| half.signature = Vec::new())),
        (
            "a signature of zeros",
            half(|half| {
                let from = half.signature.len() - 64;
                half.signature[from..].fill(0);
            }),
        ),
        (
            "a signature short of a byte",
            half(|half| half.signature.truncate(82)),
        ),
        (
            "a signature of another type",
            half(|half| half.signature[5] ^= 1),
        ),
        ("no key", half(|half| half.key = Vec::new())),
        ("a key short of a byte", half(|half| half.key.truncate(50))),
        (
            "a key with a length past its end",
            half(|half| half.key[15] = 0xff),
        ),
        ("a key with bytes behind it", half(|half| half.key.push(0))),
        ("another key", half(|half| half.key[30] ^= 1)),
    ] {
        let codes = ["connection_failed", "host_key_mismatch"];
        unreachable_with(name, "max_seconds: 10", host, &codes).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_out_of_their_turn_end_the_connection() {
    let early = |message: fn() -> Message| {
        script(move |mut wire: Wire| async move {
            wire.identify().await?;
            wire.send(Names::default().message()).await?;
            wire.act();
            wire.send(message()).await?;
            wire.hold().await
        })
    };
    // A strict exchange takes nothing between its messages, which is what an attacker in the middle would insert.
    for (name, host) in [
        (
            "an ignored message",
            early(|| Message::new(number::IGNORE).string("x")),
        ),
        (
            "a remark",
            early(|| {
                Message::new(number::DEBUG)
                    .flag(true)
                    .string("x")
                    .string("")
            }),
        ),
        (
            "extensions",
            early(|| Message::new(number::EXT_INFO).u32(0)),
        ),
        (
            "new keys before any",
            early(|| Message::new(number::NEWKEYS)),
        ),
        ("names again", early(|| Names::default().message())),
        (
            "a login before keys",
            early(|| Message::new(number::AUTH_SUCCESS)),
        ),
        (
            "data before keys",
            early(|| Message::on(number::DATA, 0).string("x")),
        ),
        ("an unknown message", early(|| Message::new(200))),
        (
            "an answer that is cut",
            early(|| Message::new(number::ECDH_REPLY).u32(51).bytes(&[0; 7])),
        ),
        (
            "an answer with a length past its end",
            early(|| Message::new(number::ECDH_REPLY).u32(u32::MAX)),
        ),
        (
            "a goodbye",
            early(|| {
                Message::new(number::DISCONNECT)
                    .u32(2)
                    .string("go away")
                    .string("")
            }),
        ),
    ] {
        unreachable_with(name, "max_seconds: 10", host, &["connection_failed"]).await;
    }
}
