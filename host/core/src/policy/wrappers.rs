//! The programs that run other programs, and where in their words the other program stands.
//!
//! A rule that names only such a program says nothing of what it runs. So [`inner`] tells how far a
//! rule must spell a command word by word before it is allowed; whoever cannot tell says
//! [`Inner::Whole`] or [`Inner::Unseen`], which are the strictest answers.
//!
//! Must not: decide, or judge the inner command by rules of its own.
//!
//! Limits: an option that stands in no table makes the whole command something to be spelled, also
//! where it is harmless. Programs that can be made to run something in rarer ways (editors, pagers,
//! archivers, version control) are not in this table.

use super::path;
use crate::shell::Word;

/// What a command runs besides its own program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inner {
    /// Nothing.
    Nothing,
    /// What stands at this word: it and all words before it have to be spelled.
    At(usize),
    /// It cannot be told which words are run, so all of them have to be spelled.
    Whole,
    /// What does not stand in the words at all, e.g. its input. No rule can spell that.
    Unseen,
}

/// What a program does when its words name nothing to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alone {
    /// It prints something, or fails.
    Harmless,
    /// It opens a shell.
    Shell,
}

/// How a program finds what it runs.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// The words behind its own options and operands are a command.
    Prefix {
        /// Short options without a value, by letter.
        flags: &'static str,
        /// Short options whose value is the next word or the rest of the word, by letter.
        values: &'static str,
        /// Long options whose value is the next word.
        long_values: &'static [&'static str],
        /// Long options without a value.
        long_flags: &'static [&'static str],
        /// Operands before the command.
        operands: usize,
        /// Whether it is harmless without a command.
        alone: Alone,
    },
    /// As `Prefix` without options, but it adds words of its own to the command.
    Appending {
        flags: &'static str,
        values: &'static str,
    },
    /// The first word is a program text's file; with options it may be the text itself, and without
    /// words the text is read from the input. The words here, alone, only ask for a version.
    Interpreter(&'static [&'static str]),
    /// A command stands behind one of the first words; one of the second words writes or removes.
    Clauses(&'static [&'static str], &'static [&'static str]),
    /// A program text among the words may run commands or write files.
    Awk,
    /// It hands its words to a shell, or has too many ways to name a command.
    Whole(Alone),
}

/// One program of the table.
struct Wrapper {
    name: &'static str,
    /// Why it stands here; the text is shown to operators.
    why: &'static str,
    shape: Shape,
    /// First words that make it answer a question and run nothing, whatever follows.
    asks: &'static [&'static str],
}

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
const WRAPPERS: &[Wrapper] = &[
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

/// The table's entry for a program, whatever directory or version stands in its name.
fn find(program: &str) -> Option<&'static Wrapper> {
    let name = path::base(program);
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
    WRAPPERS
        .iter()
        .find(|wrapper| wrapper.name == name || wrapper.name == plain && !plain.is_empty())
}

/// Why a program stands in the table, if it does.
pub(super) fn why(program: &str) -> Option<&'static str> {
    find(program).map(|wrapper| wrapper.why)
}

/// What a command runs besides its own program.
pub(super) fn inner(words: &[Word]) -> Inner {
    let Some((program, arguments)) = words.split_first() else {
        return Inner::Nothing;
    };
    let Some(wrapper) = find(&program.text) else {
        return Inner::Nothing;
    };
    let first = arguments.first().map(|word| word.text.as_str());
    let asks = first.is_some_and(|first| wrapper.asks.contains(&first));
    if asks || arguments.len() == 1 && matches!(first, Some("--version" | "--help")) {
        return Inner::Nothing;
    }
    match wrapper.shape {
        Shape::Prefix { alone, .. } => match command_at(&wrapper.shape, words) {
            Some(Found::At(index)) => nested(words, index),
            Some(Found::End) if alone == Alone::Harmless => Inner::Nothing,
            Some(Found::End) => Inner::Unseen,
            None => Inner::Whole,
        },
        Shape::Appending { .. } => match command_at(&wrapper.shape, words) {
            Some(Found::At(index)) => appended(words, index),
            Some(Found::End) => Inner::Nothing,
            None => Inner::Whole,
        },
        Shape::Interpreter(versions) => interpreter(versions, arguments),
        Shape::Clauses(run, act) => clauses(run, act, words),
        Shape::Awk if arguments.iter().any(|word| awk_acts(&word.text)) => Inner::Whole,
        Shape::Awk => Inner::Nothing,
        Shape::Whole(Alone::Shell) if arguments.is_empty() => Inner::Unseen,
        Shape::Whole(_) if arguments.is_empty() => Inner::Nothing,
        Shape::Whole(_) => Inner::Whole,
    }
}

/// The command that stands at a word may be a wrapper itself.
fn nested(words: &[Word], index: usize) -> Inner {
    match inner(words.get(index..).unwrap_or_default()) {
        Inner::Nothing => Inner::At(index),
        Inner::At(deeper) => Inner::At(index + deeper),
        Inner::Whole => Inner::Whole,
        Inner::Unseen => Inner::Unseen,
    }
}

/// As [`nested`], where words from elsewhere follow: whatever a wrapper makes of those is not in sight.
fn appended(words: &[Word], index: usize) -> Inner {
    let wrapped = words.get(index).and_then(|word| find(&word.text));
    if wrapped.is_some() {
        Inner::Unseen
    } else {
        Inner::At(index)
    }
}

enum Found {
    At(usize),
    End,
}

/// Steps over options, assignments and operands. `None` where an option is not known.
fn command_at(shape: &Shape, words: &[Word]) -> Option<Found> {
    let (flags, values, long_values, long_flags, operands): (_, _, &[&str], &[&str], _) =
        match shape {
            Shape::Prefix {
                flags,
                values,
                long_values,
                long_flags,
                operands,
                ..
            } => (*flags, *values, long_values, long_flags, *operands),
            Shape::Appending { flags, values } => (*flags, *values, &[], &[], 0),
            Shape::Interpreter(_) | Shape::Clauses(..) | Shape::Awk | Shape::Whole(_) => {
                return None;
            }
        };
    let mut left = operands;
    let mut options = true;
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let text = word.text.as_str();
        at += 1;
        if options && text == "--" {
            options = false;
        } else if options && text.starts_with("--") {
            let is_long_value = long_values.contains(&text);
            if is_long_value {
                at += 1;
            } else if !long_flags.contains(&text) && !text.contains('=') {
                return None;
            }
        } else if options && text.len() > 1 && text.starts_with('-') {
            at += value_words(text.get(1..)?, flags, values)?;
        } else if is_assignment(text) {
            // A value for the command's environment; it has to be spelled like everything before it.
        } else if left > 0 {
            left -= 1;
        } else {
            return Some(Found::At(at - 1));
        }
    }
    // LIMIT: an option whose value is missing ends here too; such a command fails on the host.
    Some(Found::End)
}

/// How many further words a cluster of short options takes: its last one may need a value.
fn value_words(letters: &str, flags: &str, values: &str) -> Option<usize> {
    for (index, letter) in letters.char_indices() {
        if values.contains(letter) {
            let is_last = index + letter.len_utf8() == letters.len();
            return Some(usize::from(is_last));
        }
        if !flags.contains(letter) {
            return None;
        }
    }
    Some(0)
}

fn is_assignment(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| {
        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
    })
}

fn interpreter(versions: &[&str], arguments: &[Word]) -> Inner {
    match arguments.split_first() {
        None => Inner::Unseen,
        Some((only, [])) if versions.contains(&only.text.as_str()) => Inner::Nothing,
        Some((first, _)) if first.text.starts_with(['-', '+']) => {
            if arguments.iter().any(|word| reads_input(&word.text)) {
                Inner::Unseen
            } else {
                Inner::Whole
            }
        }
        Some(_) => Inner::At(1),
    }
}

/// Whether a word tells an interpreter to read its program from the input.
fn reads_input(text: &str) -> bool {
    matches!(text, "-" | "-s" | "-i" | "--") || text == "/dev/stdin"
}

fn clauses(run: &[&str], act: &[&str], words: &[Word]) -> Inner {
    let mut deepest = Inner::Nothing;
    for (index, word) in words.iter().enumerate().skip(1) {
        let found = if run.contains(&word.text.as_str()) {
            nested(words, index + 1)
        } else if act.contains(&word.text.as_str()) {
            Inner::At(index)
        } else {
            continue;
        };
        deepest = match (deepest, found) {
            (Inner::Unseen, _) | (_, Inner::Unseen) => Inner::Unseen,
            (Inner::Whole, _) | (_, Inner::Whole) => Inner::Whole,
            (Inner::At(a), Inner::At(b)) => Inner::At(a.max(b)),
            (Inner::Nothing, found) | (found, Inner::Nothing) => found,
        };
    }
    deepest
}

/// Whether a word of an awk command may run something, write a file, reach the network, or name a
/// program text that is not in sight. A `>` counts behind `print` only, where it is never a comparison.
fn awk_acts(text: &str) -> bool {
    const OPTIONS: [&str; 6] = ["-f", "-i", "-l", "-E", "-e", "--"];
    if text.starts_with("-F") || text.starts_with("-v") {
        return false;
    }
    let option = text.len() > 1 && OPTIONS.iter().any(|option| text.starts_with(option));
    let pipe = text.replace("||", "").contains('|');
    let named = ["system", "@", "/inet", "getline"]
        .iter()
        .any(|word| text.contains(word));
    let writes = text.split("print").skip(1).any(|behind| {
        behind
            .split([';', '}', '\n'])
            .next()
            .is_some_and(|statement| statement.contains('>'))
    });
    option || pipe || named || writes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    /// Words stand between blanks; a `_` is a blank inside a word. Everything is quoted, so nothing
    /// in a word is syntax.
    fn of(line: &str) -> Inner {
        let quoted: Vec<String> = line
            .split(' ')
            .map(|text| format!("'{}'", text.replace('_', " ")))
            .collect();
        let script = crate::shell::parse(&quoted.join(" ")).unwrap();
        inner(&script.leaves()[0].words)
    }

    #[test]
    fn every_program_stands_in_the_table_once() {
        for (index, wrapper) in WRAPPERS.iter().enumerate() {
            assert!(!wrapper.why.is_empty());
            let first = WRAPPERS.iter().position(|other| other.name == wrapper.name);
            assert_eq!(first, Some(index), "{}", wrapper.name);
        }
    }

    #[test]
    fn an_ordinary_program_runs_nothing_else() {
        for line in [
            "ls -la",
            "uptime",
            "systemctl restart sudo",
            "echo sh -c id",
        ] {
            assert_eq!(of(line), Inner::Nothing, "{line}");
        }
    }

    #[test]
    fn the_inner_program_is_found_behind_options() {
        for (line, expected) in [
            ("sudo id", Inner::At(1)),
            ("/usr/bin/sudo id", Inner::At(1)),
            ("sudo -u app -n id", Inner::At(4)),
            ("sudo -uapp id", Inner::At(2)),
            ("sudo --user app id", Inner::At(3)),
            ("sudo --user=app id", Inner::At(2)),
            ("sudo PATH=x id", Inner::At(2)),
            ("sudo -- id", Inner::At(2)),
            ("env A=1 B=2 id", Inner::At(3)),
            ("nice -n 5 id", Inner::At(3)),
            ("nice -5 id", Inner::At(2)),
            ("timeout -k 1 5 id", Inner::At(4)),
            ("timeout 5 id", Inner::At(2)),
            ("flock /tmp/l id", Inner::At(2)),
            ("xargs -n 1 id", Inner::At(3)),
            ("busybox ls", Inner::At(1)),
            ("source /etc/profile", Inner::At(1)),
            ("python3 /opt/x.py a", Inner::At(1)),
            ("python3.11 /opt/x.py", Inner::At(1)),
        ] {
            assert_eq!(of(line), expected, "{line}");
        }
    }

    #[test]
    fn wrappers_are_followed_through_wrappers() {
        assert_eq!(of("sudo env A=1 nice id"), Inner::At(4));
        assert_eq!(of("sudo sh -c id"), Inner::Whole);
        assert_eq!(of("sudo sh"), Inner::Unseen);
        assert_eq!(of("busybox sh -c id"), Inner::Whole);
        assert_eq!(of("sudo env"), Inner::At(1));
    }

    #[test]
    fn an_unknown_option_has_to_be_spelled_with_everything_else() {
        for line in [
            "sudo -s id",
            "sudo -i",
            "sudo --xyz id",
            "env -S id",
            "time -o x id",
        ] {
            assert_eq!(of(line), Inner::Whole, "{line}");
        }
    }

    #[test]
    fn a_program_that_reads_its_commands_is_never_seen_through() {
        for line in [
            "bash",
            "sh -s",
            "python3 -",
            "su",
            "chroot /x",
            "sudo bash",
            "bash -i",
        ] {
            assert_eq!(of(line), Inner::Unseen, "{line}");
        }
    }

    #[test]
    fn what_is_handed_to_a_shell_has_to_be_spelled_whole() {
        for line in [
            "sh -c id",
            "eval id",
            "watch ls",
            "ssh h ls",
            "su -c id",
            "python3 -c x",
        ] {
            assert_eq!(of(line), Inner::Whole, "{line}");
        }
    }

    #[test]
    fn xargs_hands_unseen_words_to_a_wrapper() {
        assert_eq!(of("xargs sh"), Inner::Unseen);
        assert_eq!(of("xargs env"), Inner::Unseen);
        assert_eq!(of("xargs -0 rm"), Inner::At(2));
        assert_eq!(of("xargs"), Inner::Nothing);
    }

    #[test]
    fn find_is_a_reader_until_a_word_makes_it_act() {
        assert_eq!(of("find /x -name y"), Inner::Nothing);
        assert_eq!(of("find /x -delete"), Inner::At(2));
        assert_eq!(of("find /x -exec rm {} ;"), Inner::At(3));
        assert_eq!(of("find /x -exec ls {} ; -delete"), Inner::At(6));
        assert_eq!(of("find /x -exec sh -c id ;"), Inner::Whole);
        assert_eq!(of("find /x -fprintf /etc/y z"), Inner::At(2));
    }

    #[test]
    fn awk_is_a_reader_until_its_text_acts() {
        for line in [
            "awk {print_$1} /etc/hosts",
            "awk -F| {print_$1}",
            "awk $3_>_80_{print_$1}",
            "awk $1||$2",
        ] {
            assert_eq!(of(line), Inner::Nothing, "{line}");
        }
        for line in [
            "awk BEGIN{system(\"id\")}",
            "awk {print_>_\"/etc/x\"}",
            "awk {print|\"sh\"}",
            "awk -f /tmp/x",
            "awk {\"id\"|getline}",
            "gawk @load_\"x\"",
        ] {
            assert_eq!(of(line), Inner::Whole, "{line}");
        }
    }

    #[test]
    fn a_question_runs_nothing() {
        for line in [
            "command -v nginx",
            "sudo -l",
            "python3 --version",
            "python3 -V",
            "bash --version",
            "env",
            "nice",
            "time",
            "ssh -V",
        ] {
            assert_eq!(of(line), Inner::Nothing, "{line}");
        }
    }
}
