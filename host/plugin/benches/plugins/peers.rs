//! What plugins are compared with: programs that are started for each question, and Extism.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

/// The verdict of the same rule, as an operator would write a hook today: JSON in, JSON out.
const HOOK: &str = r#"
import json, posixpath, re, sys
question = json.load(sys.stdin)
forbidden = [posixpath.normpath(path) for path in json.loads(question["settings"])["deny"]]
verdict = {"verdict": "no-objection"}
for leaf in question["leaves"]:
    for word in leaf["argv"]:
        for start in re.finditer(r"(?:^|[=:,@ ])(/.*)", word):
            path = posixpath.normpath(start[1])
            if any(path == root or path.startswith(root + "/") for root in forbidden):
                verdict = {"verdict": "objection", "code": "path_forbidden", "reason": "A word lies beneath it."}
print(json.dumps(verdict))
"#;

/// Time of starting a program that does nothing, and of waiting for its end.
pub(crate) fn spawned() -> u64 {
    let began = Instant::now();
    let status = Command::new("/bin/true").status().unwrap();
    let ns = ns(began);
    assert!(status.success());
    ns
}

/// A hook in Python: a file, and the interpreter behind whatever stands on the path.
pub(crate) struct Hook {
    python: PathBuf,
    file: tempfile::TempPath,
}

impl Hook {
    pub(crate) fn new() -> Self {
        // A wrapper of a version manager would be measured as well, and it takes longer than the interpreter.
        let said = Command::new("python3")
            .args([
                "-c",
                "import sys; print(getattr(sys, '_base_executable', sys.executable))",
            ])
            .output()
            .unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(HOOK.as_bytes()).unwrap();
        Self {
            python: PathBuf::from(said.trim()),
            file: file.into_temp_path(),
        }
    }

    pub(crate) fn ask(&self, question: &str, expected: &str) -> u64 {
        let began = Instant::now();
        let mut child = Command::new(&self.python)
            .arg(&*self.file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(question.as_bytes())
            .unwrap();
        let answer = child.wait_with_output().unwrap();
        let ns = ns(began);
        let answer = String::from_utf8(answer.stdout).unwrap();
        assert!(answer.contains(expected), "{answer:?}");
        ns
    }
}

/// The program that holds Extism, which takes its turns when it is told to.
pub(crate) struct Extism {
    child: Child,
    ask: ChildStdin,
    answer: BufReader<ChildStdout>,
}

impl Extism {
    /// Starts it, or says why it is not measured.
    pub(crate) fn start(question: &str) -> Result<Self, &'static str> {
        let program = std::env::var_os("PORTCULLIS_EXTISM")
            .ok_or("not built; cargo xtask bench builds it")?;
        let guest = std::env::var_os("PORTCULLIS_EXTISM_GUEST").ok_or("its guest is not built")?;
        let mut child = Command::new(program)
            .arg(guest)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|_| "cannot be started")?;
        let mut ask = child.stdin.take().ok_or("has no input")?;
        let answer = BufReader::new(child.stdout.take().ok_or("has no output")?);
        writeln!(ask, "{question}").map_err(|_| "does not read")?;
        Ok(Self { child, ask, answer })
    }

    /// So many calls of that kind: `fresh` or `reused`.
    pub(crate) fn calls(&mut self, kind: &str, count: usize) -> Vec<u64> {
        writeln!(self.ask, "{kind} {count}").unwrap();
        let mut line = String::new();
        self.answer.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Extism {
    fn drop(&mut self) {
        let _ = writeln!(self.ask, "end");
        let _ = self.child.wait();
    }
}

pub(crate) fn ns(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
