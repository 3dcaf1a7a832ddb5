//! What the tests of the whole share: the `opossum` binary as its users call it, and data.

#![allow(clippy::expect_used, reason = "a test may fail by panicking")]

pub mod processes;
pub mod rivals;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// The `opossum` binary of this build, built on the first call.
pub fn opossum() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let test = std::env::current_exe().expect("a test knows where it is");
        let target = test.ancestors().nth(2).expect("tests lie in target/PROFILE/deps");
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--quiet", "--package", "cli"])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        if target.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo runs").success(), "opossum does not build");
        target.join("opossum")
    })
}

/// What a call of `opossum` came to.
#[derive(Debug)]
pub struct Called {
    /// The exit status.
    pub status: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Calls `opossum` with these arguments and this standard input.
pub fn call_with_input(args: &[&str], input: &[u8]) -> Called {
    let mut child = Command::new(opossum())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("opossum starts");
    // It may end without reading its input.
    let _ = child.stdin.take().expect("its input is piped").write_all(input);
    called(child.wait_with_output().expect("opossum ends"))
}

/// Calls `opossum` with these arguments.
pub fn call(args: &[&str]) -> Called {
    call_with_input(args, b"")
}

fn called(output: Output) -> Called {
    Called {
        status: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Called {
    /// The last line of standard output, as JSON; the call must have gone well.
    pub fn json(&self) -> Value {
        assert_eq!(self.status, 0, "{self:?}");
        let last = self.out.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts that the call failed with this status and said so with these words.
    pub fn assert_failed(&self, status: i32, words: &[&str]) {
        assert_eq!(self.status, status, "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not said: {self:?}");
        }
        assert!(!self.err.contains("panicked"), "{self:?}");
    }
}

/// Three days of real invoices; see `tests/data/README.md`.
pub fn three_days() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/online-retail.csv")
}

/// The largest extract of the data set that is at hand: two weeks where they lie beside the
/// repository, else the three days within it.
pub fn most_invoices() -> PathBuf {
    let beside =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/retail/online-retail.csv");
    if beside.exists() { beside } else { three_days() }
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("test paths are UTF-8")
}
