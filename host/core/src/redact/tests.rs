//! What native redaction promises about any text, and the attacks on it that were thought of.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use super::*;
use proptest::prelude::*;

const VALUE: &str = "q9sUujZcL9PBQu";
const TOKEN: &str = "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";

/// Each `@` in a line stands for a secret, which must go; everything else must stay. Says what went
/// wrong.
fn fault(line: &str) -> Option<String> {
    let text = line.replace('@', VALUE);
    let masked = Redactor::default().mask(&text).0;
    if masked.contains(VALUE) {
        return Some(format!("leaks: {text} -> {masked}"));
    }
    let mut rest = masked.as_str();
    for piece in line.split('@') {
        let Some(at) = rest.find(piece) else {
            return Some(format!("changed beside the secret: {text} -> {masked}"));
        };
        rest = &rest[at + piece.len()..];
    }
    None
}

fn check(lines: &[&str]) {
    let faults: Vec<String> = lines.iter().filter_map(|line| fault(line)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn keep(lines: &[&str]) {
    let faults: Vec<String> = lines
        .iter()
        .map(|line| (line, Redactor::default().mask(line).0))
        .filter(|(line, masked)| *line != masked)
        .map(|(line, masked)| format!("{line} -> {masked}"))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn settings_in_every_dialect() {
    check(&[
        "password=@",
        "password = @",
        "PASSWORD: @",
        "Password:@",
        "db.password=@",
        "dbPassword: '@'",
        "export DB_PASS=@",
        "set PASSWORD=@",
        "$env:API_TOKEN = \"@\"",
        "{\"password\":\"@\"}",
        "{\"password\" : \"@\", \"a\": 1}",
        "{\\\"password\\\":\\\"@\\\"}",
        "{\"a\":\"{\\\\\\\"apiKey\\\\\\\":\\\\\\\"@\\\\\\\"}\"}",
        "'password' => '@',",
        "config['password'] = '@'",
        "config[\"password\"] = \"@\"",
        "<password>@</password>",
        "<ns:password type=\"x\">@</ns:password>",
        "<add key=\"DbPassword\" value=\"@\"/>",
        "<property name=\"password\" value=\"@\"/>",
        "<name>db.password</name><value>@</value>",
        "<name>db.password</name>\n  <value>@</value>",
        "- name: DB_PASSWORD\n  value: @\n",
        "- name: DB_PASSWORD\n  value: \"@\"",
        "{\"Name\": \"DbPassword\", \"Value\": \"@\"}",
        "{\"name\":\"API_TOKEN\",\"value\":\"@\"}",
        "password := \"@\"",
        "let password = \"@\";",
        "password: string = \"@\"",
        "const apiKey: &str = \"@\";",
        "password: |\n  @\nnext: 1",
        "  password: >-\n    @\n  user: x",
        "\"password\":\n  \"@\"",
        "password:\n  @\n",
        "Server=db;User Id=sa;Password=@;Encrypt=yes",
        "Password=@,ssl=true",
        "user=a&password=@&x=1",
        "https://h/?user=a&access_token=@&x=1",
        "--password @",
        "--password=@ --port 1",
        "--api-key '@' x",
        "-password @",
        "--db-password @",
        "curl -H 'X-Api-Key: @' http://h",
        "X-Auth-Token: @",
        "\"Env\":[\"A=b\",\"DB_PASSWORD=@\"]",
        "ENV PASSWORD @\nENV TOKEN=@",
        "password=b\"@\"",
        "line\\nDB_PASSWORD=@\\nOTHER=1",
        "PGPASSWORD=@ psql",
        "AccountKey=@;EndpointSuffix=x",
        "passwd: @",
        "the_secret: @",
        "spring.datasource.password=@",
        "ansible_become_pass: @",
        "ansible_ssh_pass=@",
        "MYSQL_PWD=@ mysql",
        "Unseal Key 3: @",
        "Initial Root Token: @",
        "API key: @",
        "password\u{a0}= @",
        "GRANT ALL ON x.* TO u IDENTIFIED BY '@'",
        "CREATE USER x WITH ENCRYPTED PASSWORD '@';",
        "SET PASSWORD FOR x = '@'",
        "IDENTIFIED WITH mysql_native_password BY '@'",
        "bindpw @",
        "set_password(\"@\")",
        "{\"auths\":{\"r\":{\"password\":\"@\"}}}",
        "vnc_password=@",
        "secret=@",
        "client_secret: @",
        "hmac_key=@",
        "wpa_passphrase=@",
        "psk=@",
        "passphrase: @",
        "CSRF-Token: @",
        "Password : @",
        "password is set\npassword=@",
        "define( 'DB_PASSWORD', '@' );",
        "it's password='@'",
        "setenv DB_PASSWORD @",
        "set -gx API_TOKEN @",
        "fastcgi_param DB_PASSWORD @;",
        "Environment=\"DB_PASSWORD=@\" x",
        "Key         Value\n---         -----\npassword    @\nuser        bob",
        "| user | bob |\n| db_password | @ |\n",
        "headers.set(\"X-Api-Key\", \"@\")",
        "db:5432:app:bob:@",
        "*:*:*:postgres:@",
        "machine x\nlogin bob\npassword @",
        "password = '''@'''",
        "Your new password is @",
        "A temporary password is generated for root: @",
        "ConvertTo-SecureString \"@\" -AsPlainText",
        "pre-shared-key ascii-text @",
    ]);
}

#[test]
fn commands_in_their_forms() {
    check(&[
        "mysql -u root -p@ db",
        "mysqldump -p'@' db",
        "/usr/bin/mysql -uroot -p@",
        "sshpass -p @ ssh h",
        "sshpass -p'@' ssh h",
        "curl -u admin:@ https://h",
        "curl --user 'a:@' h",
        "curl -ua:@ h",
        "redis-cli -h x -a @ ping",
        "docker login -u x -p @ r.io",
        "echo '@' | docker login --password-stdin",
        "echo @ | sudo -S ls",
        "echo root:@ | chpasswd",
        "printf '%s' '@' | passwd --stdin bob",
        "ldapsearch -x -w @ -b x",
        "smbclient -U bob%@ //h/s",
        "openssl rsa -passin pass:@ -in k",
        "snmpwalk -v2c -c @ h",
        "ipmitool -H h -U a -P @ power",
        "htpasswd -bB file bob @",
        "rabbitmqctl add_user bob @",
        "zip -P @ a.zip b",
        "7z x -p@ a.7z",
        "requirepass @",
        "masterauth @",
        "machine h login bob password @",
        "enable password 7 @",
        "username bob password 0 @",
        "snmp-server community @ RO",
        "vault login @",
        "mongodump -u a -p @ --host h",
        "sudo -S ls <<< @",
        "kubeadm join h:1 --token @",
        "keytool -storepass @ -keypass @",
        "gpg --passphrase @ x",
        "net user bob @ /add",
        "lftp -u bob,@ h",
        "ps: 7 ? S 0:00 mysqld --password=@",
        "plink -pw @ h",
        "wget --http-password=@ h",
    ]);
}

#[test]
fn addresses_headers_and_hashes() {
    check(&[
        "Authorization: Basic @",
        "Authorization: @",
        "Proxy-Authorization: Bearer @",
        "curl -H \"Authorization: token @\" h",
        "Cookie: sid=@; a=b",
        "Set-Cookie: session=@; Path=/",
        "\"Authorization\": \"Bearer @\"",
        "\\\"Cookie\\\": \\\"sid=@\\\"",
        "authorization=Bearer @",
        "-H 'Cookie: a=b; token=@'",
    ]);
    let redactor = Redactor::default();
    for (text, masked) in [
        (
            "password: 'it''s q9sUuj' x",
            "password: '[REDACTED:password]' x",
        ),
        (
            "password='it'\\''s q9sUuj' x",
            "password='[REDACTED:password]' x",
        ),
        (
            "sqlplus scott/q9sUuj@db",
            "sqlplus scott/[REDACTED:url-password]@db",
        ),
        (
            "id MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs",
            "id [REDACTED:discord-token]",
        ),
        (
            "sk-ant-api03-abcdefghijklmnop1234567890",
            "[REDACTED:anthropic-key]",
        ),
        (
            "postgres://u:q9sUuj@h/d",
            "postgres://u:[REDACTED:url-password]@h/d",
        ),
        (
            "postgres://u:q9s/Uuj#x@h/d",
            "postgres://u:[REDACTED:url-password]@h/d",
        ),
        (
            "amqp://u:p@ss@h:5672",
            "amqp://u:[REDACTED:url-password]@h:5672",
        ),
        ("redis://:q9sUuj@h", "redis://:[REDACTED:url-password]@h"),
        (
            "bob:q9sUuj@tcp(db:3306)/x",
            "bob:[REDACTED:url-password]@tcp(db:3306)/x",
        ),
        (
            "https://2f94ce3013e4cd2f3f0894b7bb6c8807@o1.ingest.sentry.io/4",
            "https://[REDACTED:url-token]@o1.ingest.sentry.io/4",
        ),
    ] {
        assert_eq!(redactor.mask(text).0, masked);
    }
    for hash in [
        "$6$salt$abcdefghij0123456789abcdefghij",
        "$2b$12$abcdefghijklmnopqrstuuABCDEFGHIJ0123456789",
        "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2gx",
        "{SSHA}abcDEF0123456789abcDEF0123456789",
        "pbkdf2_sha256$260000$abc$DEFghi0123456789=",
        "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19",
    ] {
        let (masked, counts) = Redactor::default().mask(&format!("root:{hash}:19000:0:99999:7:::"));
        assert_eq!(counts.len(), 1, "{masked}");
        assert!(
            masked.starts_with("root:[REDACTED:") && masked.contains("]:19000")
                || hash.starts_with('{')
                || hash.starts_with("pbkdf2"),
            "{masked}"
        );
    }
}

#[test]
fn blocks_are_masked_to_their_end() {
    let body = "MIIEowIBAAKCAQEAxyzQmFzZTY0Ym9keTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";
    for (text, rest) in [
        (
            format!(
                "a\n-----BEGIN RSA PRIVATE KEY-----\n{body}\n{body}\n-----END RSA PRIVATE KEY-----\nz"
            ),
            "a\n[REDACTED:private-key]\nz",
        ),
        (
            format!("a\n-----BEGIN PRIVATE KEY-----\n{body}\n$ ls\nz"),
            "a\n[REDACTED:private-key]",
        ),
        (
            format!(
                "{{\"k\":\"-----BEGIN PRIVATE KEY-----\\n{body}\\n-----END PRIVATE KEY-----\\n\",\"u\":1}}"
            ),
            "{\"k\":\"[REDACTED:private-key]\\n\",\"u\":1}",
        ),
        (
            format!("x y\n{body}\n{body}\n-----END OPENSSH PRIVATE KEY-----\nz"),
            "x y\n[REDACTED:private-key]\nz",
        ),
        (
            format!(
                "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n{body}\n---- END SSH2 ENCRYPTED PRIVATE KEY ----"
            ),
            "[REDACTED:private-key]",
        ),
        (
            format!(
                "PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\n{body}\nPrivate-MAC: 0123\nz"
            ),
            "[REDACTED:private-key]\nz",
        ),
        (
            "x: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6638643965\n  3761343965\ny: 1".to_owned(),
            "x: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n[REDACTED:ansible-vault]\ny: 1",
        ),
    ] {
        assert_eq!(Redactor::default().mask(&text).0, rest, "{text}");
    }
    keep(&["-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQ\n-----END PUBLIC KEY-----"]);
    keep(&["-----BEGIN CERTIFICATE-----\nMIIBIjANBgkqhkiG9w0BAQ\n-----END CERTIFICATE-----"]);
}

#[test]
fn marks_inside_a_secret_hide_nothing() {
    for at in 0..=TOKEN.len() {
        for mark in ["<U+200B>", "[12 invisible characters removed]"] {
            let text = format!("x {}{mark}{} y", &TOKEN[..at], &TOKEN[at..]);
            let masked = Redactor::default().mask(&text).0;
            assert!(
                !TOKEN
                    .as_bytes()
                    .windows(8)
                    .any(|window| masked.as_bytes().windows(8).any(|found| found == window)),
                "{masked}"
            );
        }
    }
    assert_eq!(
        Redactor::default().mask("pass<U+200B>word=hunter22zz").0,
        "pass<U+200B>word=[REDACTED:password]"
    );
}

#[test]
fn what_the_host_knows_goes_in_every_form() {
    let redactor = Redactor::with_exact(["Tr0ub4dor&3 \"x\"", "short", "line one\nline two"]);
    for text in [
        "say Tr0ub4dor&3 \"x\" now",
        "say Tr0ub4dor%263%20%22x%22 now",
        "say Tr0ub4dor&3 \\\"x\\\" now",
        "say VHIwdWI0ZG9yJjMgIngi now",
        "say dTpUcjB1YjRkb3ImMyAieCI= now",
        "say eHg6VHIwdWI0ZG9yJjMgIngi now",
        "line one\nline two",
    ] {
        let (masked, counts) = redactor.mask(text);
        assert!(counts.contains_key("known-secret"), "{text} -> {masked}");
    }
    assert_eq!(redactor.mask("short texts stay").0, "short texts stay");
    assert!(!format!("{redactor:?}").contains("Tr0ub"));
}

#[test]
fn ordinary_text_stays() {
    keep(&[
        "PWD=/home/bob",
        "OLDPWD=/var/log",
        "SSH_AUTH_SOCK=/tmp/ssh-x/agent.1",
        "password authentication failed for user \"bob\"",
        "Enter password: ",
        "token_type: bearer",
        "max_tokens: 4096",
        "prompt_tokens=128",
        "secretName: web-tls",
        "secret: web-tls-cert",
        "kind: Secret",
        "key: value",
        "keyboard=us",
        "monkey: banana",
        "author: bob",
        "authority: 10.0.0.1",
        "auth: basic",
        "session opened for user root(uid=0)",
        "Accepted publickey for bob from 10.0.0.1 port 4711 ssh2: ED25519 SHA256:abcDEF0123456789abcDEF0123456789abcDEF01234",
        "if token == None:",
        "token = get_token()",
        "password = getpass.getpass()",
        "password: process.env.DB_PASSWORD,",
        "PASSWORD=$DB_PASSWORD",
        "password: ${DB_PASSWORD:-}",
        "--password-stdin",
        "--token-ttl 24h",
        "docker run -p 8080:80 nginx",
        "mkdir -p /a/b",
        "ps -u root",
        "curl -u https://h",
        "sort -k 2",
        "cp -a x y",
        "https://user@host/path",
        "http://10.0.0.1:8080/@x",
        "git@github.com:a/b.git",
        "user@host:~$ ls",
        "sha256:7e34238316dd7ecaac9a940b5ac18ec492debbf32c30149381c205515372a92e",
        "id=d84e87c1-0115-4bc0-a639-c2b85e0b1b98",
        "cache_key: node-modules",
        "primary_key: id",
        "sk-learn is a package",
        "task-force-alpha-and-some-more-words-here",
        "disk-usage-monitoring-and-some-more-words",
        "passes: 12",
        "compass: north",
        "bypass=true",
        "tokens: 12",
        "Bearer of bad news and more",
        "The secret is out",
        "password reset requested",
        "password: required",
        "secret: null",
        "api_key: <your key>",
        "PasswordAuthentication: yes",
        "credentials: include",
        "password:  16 bytes",
        "token:      1024 bytes",
        "[\"password\", \"username\"]",
        "daemon:*:19000:0:99999:7:::",
        "PASS: test_login (0.02s)",
        "# Standard Un*x password updating.",
        "allow loading username and password from ~/.netrc file",
        "def ask(prompt='Password: ', stream=None):",
        "private_key = $dir/private/cakey.pem",
        "fn set(&mut self, token: ProgressToken) {",
        "pub client_secret: Option<String>,",
        "async fn load(&self) -> Result<Option<StoredCredentials>, Error>;",
        "password_encryption = scram-sha-256",
        "self.open(member, pwd=pwd)",
        "secret \"db-credentials\" created",
        "cache key: npm-linux-598017d1a61559def9217f3104ecc767ce9e2150",
        "s3 key: backups/2024/05/01/db-598017d1.tar.gz",
        "secretsmanager:GetSecretValue",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdEf",
        "password is required for bob",
        "default-token-abc12   kubernetes.io/service-account-token   3      12d",
        "secrets   web1",
        "Set-Cookie: a=b; Path=/",
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=10.0.0.9",
        "password for bob expires in 12 days",
        "drwxr-xr-x 2 root root 4096 May  1 10:11 secrets",
        "echo hello | grep h",
        "printf '%s' x | sort",
    ]);
}

#[test]
fn the_worst_inputs_finish() {
    for unit in [
        "password",
        "token=",
        "token:",
        "A",
        "QUJD",
        "ghp_",
        "sk-",
        "eyJ",
        "eyJa.",
        "://",
        "://a:b",
        "\"",
        "password=\"",
        "password=\\\"",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "QUJD\n-----END PRIVATE KEY-----\n",
        "mysql ",
        "mysql -p",
        "echo | chpasswd ",
        "cookie: a=",
        "cookie: ",
        "authorization: ",
        "$6$",
        "*0",
        "\x1b",
        "<U+200B>",
        "key ",
        "[REDACTED:",
        "[REDACTED:x]",
        "name: token\n",
        "secret:\n",
        "password: |\n",
        "Q~",
        ":AA",
        "$ANSIBLE_VAULT",
        "identified ",
        "password ",
        "LS0tLS1CRUdJTi",
        "Z2hwX",
        "a@tcp(",
        "<password ",
        "=",
        "; ",
        "key=",
        "key:",
        ":key>",
        "key\u{a0}",
        ":token:",
        "token=http://",
        "[REDACTED:a]pw=abc\n",
    ] {
        let long = matches!(unit, "password" | "QUJD" | "\x1b");
        let size = if long { 1_048_576 } else { 65_536 };
        let text = unit.repeat(size / unit.len());
        let masked = Redactor::default().mask(&text).0;
        assert!(masked.len() <= text.len() * 8, "{unit}");
    }
}

#[test]
fn a_long_secret_is_followed_to_its_end() {
    for signs in ["a1", "a1,", "))1", "é1"] {
        let secret = signs.repeat(2_000) + "9tail9";
        for text in [
            format!("password={secret}\n"),
            format!("x?password={secret}&y=1\n"),
            format!("\"password\": \"{secret}\"\n"),
            format!("<password>{secret}</password>\n"),
            format!("password:\n  {secret}\n"),
            format!("password: str = {secret}\n"),
        ] {
            let masked = Redactor::default().mask(&text).0;
            assert!(masked.contains("[REDACTED:password]"), "{text}");
            assert!(masked.len() < 64 && !masked.contains('9'), "{masked}");
        }
    }
}

/// Text rich in everything that the rules have a branch for.
fn rich() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => proptest::sample::select(vec![
            "password", "token", "secret", "api_key", "key", "=", ":", ": ", " = ", "\"", "'", "\\\"", "\\n", "\n", " ", "{", "}", "<", ">", "</", "&", ";", ",", "|", "@", "://", "u:", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----",
            "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", "ghp_", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI2MDkzIn0.abc", "AKIAWHP2E6FUJFONXAW3", "hunter22zz", "Authorization: Bearer ", "Cookie: a=", "mysql -p", "curl -u ", "--password ", "name: ", "value: ", "$6$abc$", "*", "é", "日本", "<U+200B>", "[3 invisible characters removed]", "[REDACTED:x]", "[REDACTED:", "]", "echo ", " | chpasswd",
            "IDENTIFIED BY ", "password 7 ", "Z2hwX3ZSVXVMOEtreXlxN3NRQ204ZW5ZaDUyYkg4VUpxYTB4RnVyTA==", "$ANSIBLE_VAULT;1.1\n6638\n", "xxxx", "null", "${X}", "/etc/passwd",
        ]).prop_map(str::to_owned),
        1 => "[a-zA-Z0-9=+/._-]{0,24}",
        1 => "\\PC{0,6}",
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn spans_are_sorted_apart_and_on_borders(text in rich()) {
        let mut last = 0;
        for span in Redactor::default().find(&text) {
            prop_assert!(span.start >= last && span.start < span.end);
            prop_assert!(text.get(span.start..span.end).is_some());
            last = span.end;
        }
    }

    #[test]
    fn masking_again_may_cover_more_and_shows_nothing_new(text in rich()) {
        let once = Redactor::default().mask(&text).0;
        let twice = Redactor::default().mask(&once).0;
        let mut at = 0;
        for mask in masks::all(&twice) {
            prop_assert!(once.contains(&twice[at..mask.start]), "{}", twice);
            at = mask.end;
        }
        prop_assert!(once.contains(&twice[at..]), "{}", twice);
    }

    #[test]
    fn applying_spans_shows_nothing_that_they_cover(text in rich(), spans in proptest::collection::vec((0usize..200, 0usize..60), 0..6)) {
        let spans: Vec<Span> = spans.into_iter().map(|(start, length)| Span { start, end: start + length, kind: "k".to_owned(), ..Span::default() }).collect();
        let covered = |at: usize| spans.iter().any(|span| span.start <= at && at < span.end);
        let united = unite(&text, spans.clone());
        let masks = masks::all(&text);
        for at in (0..text.len()).filter(|at| covered(*at)) {
            let gone = united.iter().any(|span| span.start <= at && at < span.end);
            prop_assert!(gone || masks.iter().any(|mask| mask.contains(&at)), "{}", at);
        }
        let kept: usize = text.len() - united.iter().map(|span| span.end - span.start).sum::<usize>();
        let masked = apply(&text, &spans).0;
        prop_assert_eq!(masked.len(), kept + united.len() * "[REDACTED:k]".len());
    }

    #[test]
    fn a_token_goes_wherever_it_stands(before in rich(), after in "[^A-Za-z0-9]\\PC{0,20}") {
        let masked = Redactor::default().mask(&format!("{before} {TOKEN}{after}")).0;
        prop_assert!(!masked.contains(TOKEN) || before.contains(TOKEN));
        prop_assert!(!masked.contains("GwCz55yi5ZaU"));
    }
}
