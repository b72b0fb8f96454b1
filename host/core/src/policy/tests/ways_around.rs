//! Claims about ways around the rules: each was open once.

use super::*;

fn rules(globs: &str) -> String {
    format!("{NO_TEXTS}rules: [{{action: allow, commands: [{globs}]}}]")
}

#[test]
fn a_programs_name_grants_what_each_of_its_uses_does_and_no_more() {
    check(
        &rules("'tar *', 'unzip *', 'crontab *', 'openssl *', 'rsync *', 'swapoff *', 'tar -xf *'"),
        &[
            "tar -tf x",
            "unzip -l x",
            "crontab -l",
            "swapoff -a",
            "tar -xf x",
        ],
        &[
            ("tar xf x", Code::Capability),
            ("tar --extract -f x", Code::Capability),
            ("unzip x", Code::Capability),
            // Alone, they read what to do from their input.
            ("crontab", Code::Wrapper),
            ("crontab -u root", Code::Wrapper),
            ("openssl", Code::Wrapper),
            ("rsync -e 'sh -c id' a b:", Code::Wrapper),
        ],
    );
    check(
        &rules("'make', 'crontab -u root', 'tar xf /srv/x.tar'"),
        &["make", "crontab -u root", "tar xf /srv/x.tar"],
        &[("tar xf /srv/y.tar", Code::NoRule)],
    );
}

#[test]
fn a_double_dash_ends_no_expression_of_find() {
    check(
        &rules("'find *'"),
        &["find -- . -name x"],
        &[
            ("find -- . -delete", Code::Capability),
            ("find -- . -fprint /tmp/x", Code::Capability),
        ],
    );
}

#[test]
fn a_name_is_an_expression_where_a_builtin_computes() {
    check(
        &rules("'test *', '[ *', 'printf *', 'echo *'"),
        &[
            "[ 5 -gt 3 ]",
            "for i in 1 2; do [ \"$i\" -eq 1 ]; done",
            "[ -v HOME ]",
            "[ \"$a\" = \"$b\" ]",
            "printf '%s=%d' name 5",
        ],
        &[
            (
                "for x in 'a[$(id)]'; do test -v 'b[x]'; done",
                Code::Wrapper,
            ),
            ("for x in 'a[$(id)]'; do [ x -eq 0 ]; done", Code::Wrapper),
            (
                "for x in 'a[$(id)]'; do printf %s%d y x; done",
                Code::Wrapper,
            ),
            (
                "for x in 'a[$(id)]'; do printf '%*s' x y; done",
                Code::Wrapper,
            ),
            ("test \"$a\" \"$b\"", Code::Wrapper),
            ("LC_X='a[$(id)]' test -f x", Code::Assignment),
        ],
    );
}

#[test]
fn what_xargs_puts_in_or_reads_is_not_known() {
    check(
        &rules("'xargs *', 'ls *', 'echo *', 'docker *'"),
        &["xargs -I % ls x%", "xargs -a /srv/list echo", "xargs ls"],
        &[
            ("xargs -I ls ls", Code::Wrapper),
            ("xargs -Is ls", Code::Wrapper),
            ("xargs -I inspect docker inspect foo", Code::Wrapper),
            ("xargs -a /etc/shadow echo", Code::Capability),
            ("xargs -a ~/x echo", Code::Capability),
            ("xargs -a /etc/shadow", Code::Wrapper),
        ],
    );
}

#[test]
fn who_moves_takes_relative_paths_along() {
    check(
        &rules("'env *', 'sh *', 'cd *', 'find *', './run.sh', 'cat *', 'sudo *'"),
        &["./run.sh", "env -C /tmp cat /srv/x", "sh -c 'cat x'"],
        &[
            ("env -C /tmp ./run.sh", Code::Wrapper),
            ("sudo -D /tmp ./run.sh", Code::Wrapper),
            ("find /tmp -execdir ./run.sh ';'", Code::Wrapper),
            ("sh -c 'cd /tmp; ./run.sh'", Code::Wrapper),
            ("sh -c 'cd /root/.ssh; cat mine'", Code::Wrapper),
        ],
    );
}

#[test]
fn a_group_is_not_forgotten_for_a_user() {
    check(
        &format!("{NO_TEXTS}rules: [{{action: allow, commands: [id], run_as: [www]}}]"),
        &["sudo -u www id", "sudo -u root -u www id"],
        &[
            ("sudo -g root -u www id", Code::NoRule),
            ("sudo -u www -g root id", Code::NoRule),
            ("sudo -u www -R /tmp id", Code::NoRule),
        ],
    );
}

#[test]
fn a_sequence_begins_where_nothing_decides_whether_it_does() {
    check(
        &rules("'cd /srv && ./run.sh', 'true', 'cd /a; ./b'"),
        &[
            "cd /srv && ./run.sh",
            "true; cd /srv && ./run.sh",
            "true && cd /srv && ./run.sh",
        ],
        &[
            ("true || cd /srv && ./run.sh", Code::NoRule),
            ("true | cd /srv && ./run.sh", Code::NoRule),
            ("! cd /srv && ./run.sh", Code::NoRule),
            ("true && cd /a; ./b", Code::NoRule),
        ],
    );
}

#[test]
fn dots_behind_a_link_lead_elsewhere() {
    check(
        &rules("'head *'"),
        &["head /var/log/../lib/x"],
        &[
            ("head /var/run/../etc/shadow", Code::Capability),
            ("head /dev/fd/../environ", Code::Capability),
            ("head /proc/self/cwd/../etc/shadow", Code::Capability),
        ],
    );
}

#[test]
fn an_address_names_the_host_of_its_pattern() {
    check(
        &rules("'curl http://localhost:*'"),
        &[
            "curl http://localhost:80/x",
            "curl 'http://localhost:80/?a=b@c'",
        ],
        &[("curl http://localhost:x@example.org/", Code::NoRule)],
    );
}

#[test]
fn a_wrapper_that_reads_its_words_in_another_way_elsewhere_is_not_followed() {
    check(
        &rules("'timeout *', 'ls *', 'exec *', 'psql *', 'head *', 'xargs *'"),
        &["timeout 5 ls", "timeout 1.5m ls", "exec ls"],
        &[
            ("timeout rm ls", Code::Wrapper),
            ("exec <<'E'\n\\! id\nE\npsql", Code::Wrapper),
            // What is added is no option because the word before it is one.
            ("xargs head -5", Code::Wrapper),
        ],
    );
}

#[test]
fn an_operand_lies_where_an_option_says() {
    check(
        &rules("'tar *', 'git *'"),
        &["tar -C /srv -cf - app", "git show HEAD:src/main.rs"],
        &[
            ("tar -C /root/.aws -cf - credentials", Code::Capability),
            ("git show HEAD:.env", Code::Capability),
            ("git log -L 1,5:.env", Code::Capability),
        ],
    );
}

#[test]
fn a_program_that_its_directory_tells_what_to_do_runs_where_the_rule_says() {
    check(
        &rules("'cd /srv/app && make', 'cd sub && git status', 'cd *', 'make', 'git *'"),
        &[
            "cd /srv/app && make",
            "cd /tmp; cd /srv/app && make",
            "make",
        ],
        &[
            ("cd /tmp && make", Code::Wrapper),
            ("cd /tmp; cd sub && git status", Code::Wrapper),
            ("cd /srv/app && cd x && make", Code::Wrapper),
            ("cd /srv/app; make", Code::Wrapper),
        ],
    );
}
