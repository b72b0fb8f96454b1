//! The table of programs that run other programs, as data.
//!
//! Must not: interpret itself. An option is listed only where its meaning is the same in every
//! implementation known; one that writes a file (`time -o`) or opens a shell (`sudo -s`) is left out on
//! purpose, so that it has to be spelled.

use super::{Alone, Shape, Wrapper};

const fn prefix(flags: &'static str, values: &'static str, operands: usize) -> Shape {
    Shape::Prefix {
        flags,
        values,
        long_values: &[],
        long_flags: &[],
        operands,
        alone: Alone::Harmless,
    }
}

const fn entry(name: &'static str, why: &'static str, shape: Shape) -> Wrapper {
    Wrapper {
        name,
        why,
        shape,
        asks: &[],
    }
}

const AS_ANOTHER_USER: &str = "runs its words as another user";
const AS_GIVEN: &str = "runs its words as a command";
const SHELL: &str = "a shell: runs what it is given or reads";
const LANGUAGE: &str = "an interpreter: runs the program text it is given or reads";
const HANDS_ON: &str = "hands its words to a shell";
const READS_FILE: &str = "runs the commands of a file in this shell";

/// The table. An option is listed only where its meaning is the same in every implementation known;
/// an option that writes a file (`time -o`) or opens a shell (`sudo -s`) is left out on purpose, so
/// that it has to be spelled.
pub(super) const WRAPPERS: &[Wrapper] = &[
    Wrapper {
        name: "sudo",
        why: AS_ANOTHER_USER,
        shape: Shape::Prefix {
            flags: "AbEHnPSkB",
            values: "ugpCrtTUDR",
            long_values: &[
                "--user",
                "--group",
                "--prompt",
                "--chdir",
                "--chroot",
                "--close-from",
                "--role",
                "--type",
                "--other-user",
                "--command-timeout",
            ],
            long_flags: &[
                "--non-interactive",
                "--preserve-env",
                "--set-home",
                "--background",
                "--stdin",
                "--askpass",
                "--bell",
                "--preserve-groups",
            ],
            operands: 0,
            alone: Alone::Harmless,
        },
        asks: &["-l", "--list", "-V"],
    },
    entry("doas", AS_ANOTHER_USER, prefix("n", "uC", 0)),
    entry("pkexec", AS_ANOTHER_USER, Shape::Whole(Alone::Shell)),
    entry("su", AS_ANOTHER_USER, Shape::Whole(Alone::Shell)),
    entry("runuser", AS_ANOTHER_USER, Shape::Whole(Alone::Shell)),
    entry("setpriv", AS_ANOTHER_USER, Shape::Whole(Alone::Harmless)),
    Wrapper {
        name: "env",
        why: AS_GIVEN,
        shape: Shape::Prefix {
            flags: "i0v",
            values: "uC",
            long_values: &["--unset", "--chdir"],
            long_flags: &["--ignore-environment", "--null", "--debug"],
            operands: 0,
            alone: Alone::Harmless,
        },
        asks: &[],
    },
    entry("nohup", AS_GIVEN, prefix("", "", 0)),
    Wrapper {
        name: "nice",
        why: AS_GIVEN,
        shape: Shape::Prefix {
            flags: "0123456789",
            values: "n",
            long_values: &["--adjustment"],
            long_flags: &[],
            operands: 0,
            alone: Alone::Harmless,
        },
        asks: &[],
    },
    Wrapper {
        name: "ionice",
        why: AS_GIVEN,
        shape: Shape::Prefix {
            flags: "t",
            values: "cnpPu",
            long_values: &["--class", "--classdata", "--pid", "--pgid", "--uid"],
            long_flags: &["--ignore"],
            operands: 0,
            alone: Alone::Harmless,
        },
        asks: &[],
    },
    Wrapper {
        name: "timeout",
        why: AS_GIVEN,
        shape: Shape::Prefix {
            flags: "v",
            values: "ks",
            long_values: &["--kill-after", "--signal"],
            long_flags: &["--foreground", "--preserve-status", "--verbose"],
            operands: 1,
            alone: Alone::Harmless,
        },
        asks: &[],
    },
    Wrapper {
        name: "setsid",
        why: AS_GIVEN,
        shape: Shape::Prefix {
            flags: "cfw",
            values: "",
            long_values: &[],
            long_flags: &["--ctty", "--fork", "--wait"],
            operands: 0,
            alone: Alone::Harmless,
        },
        asks: &[],
    },
    Wrapper {
        name: "stdbuf",
        why: AS_GIVEN,
        shape: Shape::Prefix {
            flags: "",
            values: "ioe",
            long_values: &["--input", "--output", "--error"],
            long_flags: &[],
            operands: 0,
            alone: Alone::Harmless,
        },
        asks: &[],
    },
    entry("time", AS_GIVEN, prefix("pqv", "f", 0)),
    entry("taskset", AS_GIVEN, prefix("c", "", 1)),
    entry("chrt", AS_GIVEN, prefix("bfior", "", 1)),
    entry("numactl", AS_GIVEN, prefix("Hs", "NCmpi", 0)),
    entry("unbuffer", AS_GIVEN, prefix("p", "", 0)),
    entry("systemd-run", AS_GIVEN, Shape::Whole(Alone::Harmless)),
    entry("start-stop-daemon", AS_GIVEN, Shape::Whole(Alone::Harmless)),
    entry("strace", AS_GIVEN, prefix("fqrtv", "eps", 0)),
    entry("ltrace", AS_GIVEN, Shape::Whole(Alone::Harmless)),
    entry("valgrind", AS_GIVEN, Shape::Whole(Alone::Harmless)),
    entry(
        "gdb",
        "a debugger: runs programs and commands",
        Shape::Whole(Alone::Shell),
    ),
    Wrapper {
        name: "command",
        why: AS_GIVEN,
        shape: prefix("p", "", 0),
        asks: &["-v", "-V"],
    },
    entry("builtin", AS_GIVEN, prefix("", "", 0)),
    entry("exec", AS_GIVEN, prefix("cl", "a", 0)),
    entry(
        "busybox",
        "is many programs, shells among them",
        prefix("", "", 0),
    ),
    entry(
        "toybox",
        "is many programs, shells among them",
        prefix("", "", 0),
    ),
    entry("flock", AS_GIVEN, prefix("senxu", "wE", 1)),
    Wrapper {
        name: "chroot",
        why: "runs its words, or a shell, below another root",
        shape: Shape::Prefix {
            flags: "",
            values: "",
            long_values: &[],
            long_flags: &[],
            operands: 1,
            alone: Alone::Shell,
        },
        asks: &[],
    },
    entry(
        "nsenter",
        "runs its words, or a shell, in other namespaces",
        Shape::Whole(Alone::Shell),
    ),
    entry(
        "unshare",
        "runs its words, or a shell, in new namespaces",
        Shape::Whole(Alone::Shell),
    ),
    entry(
        "xargs",
        "runs its words with more words from its input",
        Shape::Appending {
            flags: "0prtx",
            values: "aEILnPsd",
        },
    ),
    entry("parallel", HANDS_ON, Shape::Whole(Alone::Shell)),
    entry(
        "find",
        "can run, write and remove for each file it finds",
        Shape::Clauses(
            &["-exec", "-execdir", "-ok", "-okdir"],
            &["-delete", "-fprint", "-fprint0", "-fprintf", "-fls"],
        ),
    ),
    entry("watch", HANDS_ON, Shape::Whole(Alone::Harmless)),
    Wrapper {
        name: "ssh",
        why: "runs its words, or a shell, on another machine",
        shape: Shape::Whole(Alone::Harmless),
        asks: &["-V"],
    },
    entry("mosh", HANDS_ON, Shape::Whole(Alone::Shell)),
    entry("rsh", HANDS_ON, Shape::Whole(Alone::Shell)),
    entry("screen", HANDS_ON, Shape::Whole(Alone::Shell)),
    entry("tmux", HANDS_ON, Shape::Whole(Alone::Shell)),
    entry("script", HANDS_ON, Shape::Whole(Alone::Shell)),
    entry("at", "runs its input later", Shape::Whole(Alone::Shell)),
    entry("batch", "runs its input later", Shape::Whole(Alone::Shell)),
    entry("expect", LANGUAGE, Shape::Interpreter(&["-v"])),
    entry("eval", HANDS_ON, Shape::Whole(Alone::Harmless)),
    entry("trap", HANDS_ON, Shape::Whole(Alone::Harmless)),
    entry("source", READS_FILE, prefix("", "", 0)),
    entry(".", READS_FILE, prefix("", "", 0)),
    entry("sh", SHELL, Shape::Interpreter(&[])),
    entry("bash", SHELL, Shape::Interpreter(&[])),
    entry("rbash", SHELL, Shape::Interpreter(&[])),
    entry("dash", SHELL, Shape::Interpreter(&[])),
    entry("ash", SHELL, Shape::Interpreter(&[])),
    entry("zsh", SHELL, Shape::Interpreter(&[])),
    entry("ksh", SHELL, Shape::Interpreter(&[])),
    entry("mksh", SHELL, Shape::Interpreter(&[])),
    entry("yash", SHELL, Shape::Interpreter(&[])),
    entry("csh", SHELL, Shape::Interpreter(&[])),
    entry("tcsh", SHELL, Shape::Interpreter(&[])),
    entry("fish", SHELL, Shape::Interpreter(&["-v"])),
    entry("pwsh", SHELL, Shape::Interpreter(&["-v"])),
    entry("python", LANGUAGE, Shape::Interpreter(&["-V", "-VV"])),
    entry("pypy", LANGUAGE, Shape::Interpreter(&["-V"])),
    entry("perl", LANGUAGE, Shape::Interpreter(&["-v"])),
    entry("ruby", LANGUAGE, Shape::Interpreter(&["-v"])),
    entry("node", LANGUAGE, Shape::Interpreter(&["-v"])),
    entry("nodejs", LANGUAGE, Shape::Interpreter(&["-v"])),
    entry("deno", LANGUAGE, Shape::Interpreter(&["-V"])),
    entry("bun", LANGUAGE, Shape::Interpreter(&["-v"])),
    entry("php", LANGUAGE, Shape::Interpreter(&["-v", "-m"])),
    entry("lua", LANGUAGE, Shape::Interpreter(&["-v"])),
    entry("luajit", LANGUAGE, Shape::Interpreter(&["-v"])),
    entry("tclsh", LANGUAGE, Shape::Interpreter(&[])),
    entry("Rscript", LANGUAGE, Shape::Interpreter(&[])),
    entry("awk", LANGUAGE, Shape::Awk),
    entry("gawk", LANGUAGE, Shape::Awk),
    entry("mawk", LANGUAGE, Shape::Awk),
    entry("nawk", LANGUAGE, Shape::Awk),
];
