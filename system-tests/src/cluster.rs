//! A PostgreSQL of one test's own, which it may stop, freeze and fail over without hurting another test.

use std::fs;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::database::execute;
use crate::processes::free_address;

const NODES: [&str; 2] = ["primary", "standby"];

/// Servers in a folder of their own, gone with the test.
pub struct Cluster {
    folder: TempDir,
    bin: PathBuf,
    owner: &'static str,
    ports: Vec<u16>,
}

impl Cluster {
    /// One server.
    #[must_use]
    pub fn start() -> Self {
        let cluster = Self::prepare(1);
        cluster.start_node(0, "");
        cluster
    }

    /// A primary and a standby to which every commit goes before it is acknowledged.
    #[must_use]
    pub fn pair() -> Self {
        let cluster = Self::prepare(2);
        cluster.start_node(0, "-c synchronous_standby_names=*");
        let (port, standby) = (cluster.ports[0].to_string(), cluster.data(1));
        let base = ["-h", "127.0.0.1", "-p", &port, "-U", "signet", "-D", &standby, "-R", "-c", "fast"];
        cluster.run("pg_basebackup", &base);
        cluster.start_node(1, "");
        cluster
    }

    fn prepare(nodes: usize) -> Self {
        let folder = tempfile::Builder::new().prefix("signet-cluster").tempdir_in("/tmp").expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
        let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
            .expect("no PostgreSQL server: apt-get install postgresql")
            .map(|entry| entry.expect("an entry").path().join("bin"))
            .filter(|bin| bin.join("pg_ctl").is_file())
            .collect();
        versions.sort();
        let known = Command::new("id").arg("postgres").output().expect("id runs").status.success();
        let ports = (0..nodes).map(|_| free_address().port()).collect();
        let bin = versions.pop().expect("no PostgreSQL server: apt-get install postgresql");
        let cluster = Self { folder, bin, owner: if known { "postgres" } else { "nobody" }, ports };
        let data = cluster.data(0);
        cluster.run(
            "initdb",
            &["-D", &data, "-A", "trust", "-U", "signet", "--no-sync", "-E", "UTF8", "--locale=C"],
        );
        cluster
    }

    /// Starts a server and waits until it takes connections.
    pub fn start_node(&self, node: usize, more: &str) {
        let (port, folder) = (self.ports[node], self.folder.path().display());
        let options = format!("-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off {more}");
        let log = format!("{}.log", self.data(node));
        self.run("pg_ctl", &["-D", &self.data(node), "-w", "-s", "-l", &log, "-o", &options, "start"]);
    }

    /// Ends a server without a goodbye.
    pub fn cut(&self, node: usize) {
        self.run("pg_ctl", &["-D", &self.data(node), "-m", "immediate", "-s", "stop"]);
    }

    /// Makes the standby the primary.
    pub fn promote(&self) {
        self.run("pg_ctl", &["-D", &self.data(1), "-w", "-s", "promote"]);
    }

    /// Lets the first server stay up, and take no writes any more: a switchover by hand.
    ///
    /// # Panics
    /// When it refuses.
    pub fn demote(&self) {
        let url = format!("postgres://signet@127.0.0.1:{}/postgres", self.ports[0]);
        for statement in ["ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"] {
            execute(&url, statement).expect("it is the superuser's");
        }
    }

    /// Sends a signal to the first server and each process of it.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, signal: Signal) {
        let pid_file = fs::read_to_string(format!("{}/postmaster.pid", self.data(0))).expect("it runs");
        let postmaster = pid_file.lines().next().expect("its first line is a number").to_owned();
        // The parent first: nobody is born meanwhile.
        let mut family = vec![postmaster.clone()];
        let children = format!("/proc/{postmaster}/task/{postmaster}/children");
        let send = |pid: &String| {
            let pid = Pid::from_raw(pid.parse().expect("a number")).expect("not 0");
            // A child may have ended since.
            let _ = kill_process(pid, signal);
        };
        send(&postmaster);
        let children = fs::read_to_string(children).expect("its children are listed");
        family.extend(children.split_whitespace().map(str::to_owned));
        family.iter().skip(1).for_each(send);
    }

    /// Where the first server listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.ports[0]
    }

    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let writable = if hosts.len() > 1 { "?target_session_attrs=read-write" } else { "" };
        format!("postgres://signet@{}/postgres{writable}", hosts.join(","))
    }

    fn data(&self, node: usize) -> String {
        format!("{}/{}", self.folder.path().display(), NODES[node])
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new("runuser");
        command.args(["-u", self.owner, "--"]).arg(self.bin.join(program)).args(arguments);
        let output = command.current_dir("/tmp").output().expect("it starts");
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in 0..self.ports.len() {
            if node == 0 && fs::exists(format!("{}/postmaster.pid", self.data(0))).unwrap_or_default() {
                // A test that failed may have left it frozen.
                self.signal(Signal::CONT);
            }
            let mut command = Command::new("runuser");
            command.args(["-u", self.owner, "--"]).arg(self.bin.join("pg_ctl"));
            let _ = command.args(["-D", &self.data(node), "-m", "immediate", "-s", "stop"]).output();
        }
    }
}
