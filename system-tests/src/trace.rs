//! strace on a running process: what it asks of the disk, and what it is answered instead.

use std::fs::{File, read_to_string};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::eventually;

/// Watches until it is dropped.
pub struct Trace {
    child: Child,
    out: PathBuf,
}

impl Trace {
    /// Watches the calls that force a file to the disk, and does to them what `inject` says.
    ///
    /// # Panics
    /// Without strace, or the right to use it.
    pub async fn attach(pid: u32, folder: &Path, inject: &[&str]) -> Self {
        Self::of(pid, folder, &[&["-e", "trace=fdatasync,fsync"], inject].concat()).await
    }

    /// The same for other calls, as strace is told them.
    ///
    /// # Panics
    /// Without strace, or the right to use it.
    pub async fn of(pid: u32, folder: &Path, what: &[&str]) -> Self {
        let (out, err) = (folder.join("strace.out"), folder.join("strace.err"));
        let child = Command::new("strace")
            .args(["-f", "-y", "-o"])
            .arg(&out)
            .args(["-p", &pid.to_string()])
            .args(what)
            .stderr(File::create(&err).expect("a file"))
            .stdin(Stdio::null())
            .spawn()
            .expect("no strace: apt-get install strace");
        let trace = Self { child, out };
        eventually("strace is attached", || async {
            let said = read_to_string(&err).expect("its words");
            assert!(!said.contains("not permitted"), "strace needs root: {said}");
            said.contains("attached").then_some(())
        })
        .await;
        trace
    }

    /// What was seen so far, a call a line.
    ///
    /// # Panics
    /// When strace has written nothing.
    #[must_use]
    pub fn seen(&self) -> String {
        read_to_string(&self.out).expect("its output")
    }

    /// Times that the log of the database was forced to the disk.
    #[must_use]
    pub fn forced(&self) -> usize {
        let forces = |line: &&str| line.contains("sync(") && line.contains("signet.db-wal");
        self.seen().lines().filter(forces).count()
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}
