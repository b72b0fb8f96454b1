//! Secrets in wrong places, names of files with escapes in them, and files that ask for too much.

use super::*;

const TOKEN: &str = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";

/// Everything that a proposal says.
fn everything(proposal: &Proposal) -> String {
    format!(
        "{}{}{proposal:?}",
        proposal.servers_yml(),
        proposal.credentials_yml()
    )
}

#[test]
fn a_secret_in_a_wrong_place_of_an_ssh_config_is_never_repeated() {
    let one_line = "-----BEGIN OPENSSH PRIVATE KEY-----b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ";
    for (text, secret, said) in [
        (
            "Host a\n  ProxyJump bob:Passw0rd@jump,eve:Passw0rd@[::1]:22\n",
            "Passw0rd",
            "proxyjump jump,[::1]:22",
        ),
        (
            "Host a\n  ProxyJump bob:Pass@w0rd@jump\n",
            "w0rd",
            "proxyjump jump",
        ),
        (
            "Host a\n  ProxyCommand \"sshpass -p Passw0rd nc\"\n",
            "Passw0rd",
            "proxycommand sshpass",
        ),
        (
            "Host a\n  ProxyCommand SSHPASS=Passw0rd nc %h\n",
            "Passw0rd",
            "proxycommand with a program",
        ),
        (
            "Host a\n  IdentityFile TOKEN\n",
            TOKEN,
            "it looks like a secret",
        ),
        (
            "Host a\n  IdentityFile id\n  IdentityFile TOKEN\n",
            TOKEN,
            "not taken: IdentityFile [REDACTED",
        ),
        (
            "Host a\n  IdentityFile /keys/TOKEN\n",
            TOKEN,
            "it looks like a secret",
        ),
        (
            "Host a\n  IdentityFile \"KEY\"\n",
            "b3BlbnNzaC1r",
            "it looks like a secret",
        ),
        (
            "Host a\n  User TOKEN\n",
            TOKEN,
            "the user looks like a secret",
        ),
        ("Host a\n  HostName TOKEN\n", TOKEN, "looks like a secret"),
        ("Host TOKEN\n", TOKEN, "Not proposed: [REDACTED"),
        (
            "Host TOKEN\n  HostName a.example.com\n",
            TOKEN,
            "renamed from",
        ),
        (
            "Host bob:Passw0rd@a\n  HostName a.example.com\n",
            "bob:Passw0rd@",
            "renamed from",
        ),
        ("Host bob:Passw0rd@a\n", "Passw0rd", "Not proposed"),
        (
            "Host a\n  TOKEN secret\n  Another word\n",
            TOKEN,
            "2 lines that begin with no keyword",
        ),
        (
            "Host a\nMatch host TOKEN\n",
            TOKEN,
            "stands on a Match line",
        ),
        ("Host a\nInclude TOKEN\n", TOKEN, "no file is there"),
    ] {
        let text = text.replace("TOKEN", TOKEN).replace("KEY", one_line);
        let proposal = ssh(&text);
        loads(&proposal);
        let everything = everything(&proposal);
        let lower = everything.to_ascii_lowercase();
        assert!(
            !lower.contains(&secret.to_ascii_lowercase()),
            "{text:?}: {everything}"
        );
        assert!(everything.contains(said), "{text:?}: {everything}");
    }
    // A file of one line that holds a token and is included.
    let files = Files(vec![(
        "~/.ssh/token",
        "glpat-AbCdEfGhIjKlMnOpQrSt x\nAKIAIOSFODNN7EXAMPLE x\n",
    )]);
    let config = SshConfig::read(&of("config", "Host a\nInclude token\n"), owner(), &files);
    let everything = everything(&config.unwrap().propose().unwrap());
    let lower = everything.to_ascii_lowercase();
    assert!(
        !lower.contains("glpat-a") && !lower.contains("akiaio"),
        "{everything}"
    );
    assert!(
        everything.contains("2 lines that begin with no keyword"),
        "{everything}"
    );
    // A keyword of OpenSSH is named, whatever it sounds like.
    let proposal = ssh("Host a\n  PasswordAuthentication no\n  IdentityAgent none\n");
    let text = proposal.servers_yml();
    assert!(
        text.contains("passwordauthentication (config:2), identityagent (config:3)"),
        "{text}"
    );
}

#[test]
fn a_secret_in_a_wrong_place_of_an_inventory_is_never_repeated() {
    for text in [
        "TOKEN\n",
        "a ansible_user=TOKEN\n",
        "a ansible_host=TOKEN\n",
        "a ansible_ssh_private_key_file=/keys/TOKEN\n",
        "a ansible_TOKEN=x\n",
        "[TOKEN]\na\n",
        "TOKEN ansible_host=a.example.com\n",
    ] {
        let text = text.replace("TOKEN", TOKEN);
        let proposal = ansible("hosts", &text);
        loads(&proposal);
        assert!(
            !everything(&proposal).contains(TOKEN),
            "{text:?}: {proposal:?}"
        );
    }
    let yaml = format!("all:\n  {TOKEN}: x\n  hosts: {{a: }}\n");
    assert!(!everything(&ansible("hosts.yml", &yaml)).contains(TOKEN));
    for start in [
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "PuTTY-User-Key-File-3: ssh-ed25519",
    ] {
        let fault = refused(
            "hosts",
            &format!("a\n{start}\nb3BlbnNzaC1rZXktdjEAAAAABG5v\n"),
        );
        assert!(
            fault.text.contains("private key") && fault.place.line == 2,
            "{fault}"
        );
    }
}

#[test]
fn what_is_shown_of_a_foreign_text_is_one_clean_line_without_a_secret() {
    assert_eq!(shown("a\u{1b}[31mb\nc\u{202e}d"), "ab cd");
    // Hidden characters do not split a secret, and no part of one is left at the end of the line's bound.
    let split = format!("ghp_abcdefghijkl\u{200b}{}", "mnopqrstuvwxyz0123456789");
    assert!(shown(&split).contains("[REDACTED") && !shown(&split).contains("mnop"));
    let late = format!("{} {TOKEN}", "x".repeat(480));
    assert!(!shown(&late).contains("ghp_"), "{}", shown(&late));
    assert_eq!(
        shown("ssh to bob:Passw0rd@jump:22"),
        "ssh to bob:[REDACTED:url-password]@jump:22"
    );
    let fault = ImportFault::new(Place::default(), format!("\u{1b}]0;x\u{7}{TOKEN}"), "");
    let said = fault.to_string();
    assert!(
        !said.contains(|c: char| c.is_control()) && !said.contains(TOKEN),
        "{said:?}"
    );
}

#[test]
fn what_includes_ask_for_is_bounded() {
    let refused = |text: &str| {
        SshConfig::read(&of("config", text), owner(), &NoShelf)
            .unwrap_err()
            .text
    };
    let many = format!("Include {}\n", "x* ".repeat(20_000));
    assert!(refused(&many).contains("512 patterns"));
    assert!(refused(&"Include x*\n".repeat(513)).contains("512 patterns"));
    assert!(refused(&format!("Include {}\n", "*".repeat(4_097))).contains("4096 bytes"));
    assert!(refused(&"Port 22\n".repeat(200_001)).contains("200000 lines"));

    /// Tells how much room it was given.
    struct Rooms(std::cell::RefCell<Vec<Room>>);
    impl Shelf for Rooms {
        fn find(&self, pattern: &str, room: Room) -> Result<Vec<Text>, String> {
            self.0.borrow_mut().push(room);
            Ok(vec![of(pattern, "# four\n")])
        }
    }
    let rooms = Rooms(Default::default());
    let outer = "Include a b\n";
    SshConfig::read(&of("config", outer), owner(), &rooms).unwrap();
    let rooms: Vec<(usize, usize)> = rooms
        .0
        .borrow()
        .iter()
        .map(|room| (room.files, room.bytes))
        .collect();
    let bytes = IMPORT_BYTES_MAX - outer.len();
    assert_eq!(
        rooms,
        [
            (IMPORT_FILES_MAX - 1, bytes),
            (IMPORT_FILES_MAX - 2, bytes - 7)
        ]
    );
}

#[test]
fn names_that_become_one_are_numbered_without_counting_anew() {
    // As many as there may be, each another user whose name is cleaned to the same word.
    let users = (0..IMPORT_HOSTS_MAX).map(|n| {
        let odd = |n: usize| char::from_u32(0x4E00 + n as u32).unwrap();
        format!("Host h{n}\n  User {}{}\n", odd(n / 100), odd(n % 100))
    });
    let proposal = ssh(&users.collect::<String>());
    loads(&proposal);
    assert_eq!(proposal.logins.len(), IMPORT_HOSTS_MAX);
    assert_eq!(proposal.logins[4_999].name, "login-5000");
}
