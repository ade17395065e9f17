//! What a newcomer does: the README's commands, word for word.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use system_tests::processes::{Env, binary, run};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// `scripts/dev` on free ports, with its data in a temporary folder.
struct Dev {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Dev {
    fn start(folder: &Path) -> Self {
        let ports: Vec<TcpListener> = (0..4).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let address = |place: usize| ports[place].local_addr().unwrap().to_string();
        let env: Env = [
            ("AUTH__HTTP__BIND", address(0)),
            ("AUTH__GRPC__BIND", address(1)),
            ("RESOURCE__HTTP__BIND", address(2)),
            ("RESOURCE__GRPC__BIND", address(3)),
            ("AUTH__METRICS__BIND", "127.0.0.1:0".to_owned()),
            ("RESOURCE__METRICS__BIND", "127.0.0.1:0".to_owned()),
            ("AUTH__DATABASE__URL", format!("sqlite://{}/signet.db", folder.display())),
            ("AUTH__KEYS__MASTER_KEY_FILE", format!("{}/master.key", folder.display())),
            ("RESOURCE__DATA_DIR", format!("{}/resource", folder.display())),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
        drop(ports);
        let log = fs::File::create(folder.join("dev.log")).unwrap();
        let mut child = Command::new(workspace().join("scripts/dev"))
            .envs(env)
            // Built beside the tests: alone they are built with other features of some crates, which takes minutes.
            .env("SIGNET_BINARIES", binary("auth-service").parent().unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// The printed walk: everything from its first command to its last.
    fn walk(&mut self) -> String {
        let mut walk = String::new();
        for line in self.output.by_ref().lines() {
            let line = line.unwrap();
            if line.starts_with("(the last answer") {
                return walk;
            }
            if line.starts_with("PASSWORD=") || !walk.is_empty() {
                walk.push_str(&line);
                walk.push('\n');
            }
        }
        panic!("scripts/dev ended without its walk");
    }

    fn stop(mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // Its own trap stops the two services.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

fn bash(script: &str) -> String {
    let output = Command::new("bash").args(["-euc", script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_walk_that_scripts_dev_prints_works_and_ctrl_c_stops_both() {
    let folder = tempfile::tempdir().unwrap();
    let mut dev = Dev::start(folder.path());
    let walk = dev.walk();
    let printed = bash(&walk);
    assert!(printed.contains("\"text\":\"hello\""), "the note is made and listed: {printed}");
    assert!(printed.contains("HTTP/1.1 401"), "and refused after the blacklist: {printed}");
    assert!(printed.contains("error=\"invalid_token\""), "{printed}");
    assert_eq!(dev.stop(), Some(0));
    let pids = Command::new("pgrep").args(["-f", folder.path().to_str().unwrap()]).output().unwrap();
    assert!(pids.stdout.is_empty(), "nothing is left running");
}

#[test]
fn the_readme_shows_the_same_walk() {
    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    let script = fs::read_to_string(workspace().join("scripts/dev")).unwrap();
    let walk = script.split("<<WALK\n").nth(1).and_then(|rest| rest.split("\nWALK\n").next()).unwrap();
    let walk = walk
        .replace("$AUTH__HTTP__BIND", "127.0.0.1:8080")
        .replace("$RESOURCE__HTTP__BIND", "127.0.0.1:8081")
        .replace("\\$", "$");
    assert!(readme.contains(&walk), "the README's walk differs from that of scripts/dev:\n{walk}");
}

#[test]
fn every_command_of_the_readme_and_of_getting_started_is_known_to_a_test() {
    // Each is run by this file, by the tests of the command line, or by continuous integration.
    let known = [
        "scripts/dev",
        "scripts/test",
        "scripts/bench",
        "cargo run",
        "docker-compose up",
        "docker-compose config",
        "resource-service encryption-key",
        "RESOURCE__DECRYPTION_KEY_FILE=data/notes.pem resource-service",
    ];
    let page = |name: &str| fs::read_to_string(workspace().join(name)).unwrap();
    let pages = [page("README.md"), page("docs/getting-started.md")].concat();
    let mut commands = 0;
    for block in pages.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap();
        if block.contains("PAIR=") || block.contains("$SECRET") {
            continue;
        }
        for line in block.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            commands += 1;
            let cli = line.strip_prefix("auth-service ").map(str::split_whitespace).map(|mut words| {
                let noun = words.next().unwrap_or("");
                [
                    "user",
                    "import",
                    "client",
                    "audience",
                    "key",
                    "master-key",
                    "audit",
                    "doctor",
                    "migrate",
                    "restored",
                    "healthcheck",
                ]
                .contains(&noun)
            });
            assert!(
                cli == Some(true) || known.iter().any(|known| line.starts_with(known)),
                "no test runs `{line}`"
            );
        }
    }
    assert!(commands > 10, "the pages have commands");
}

#[test]
fn the_settings_page_holds_what_the_commands_print() {
    let page = fs::read_to_string(workspace().join("docs/settings.md")).unwrap();
    for (binary, arguments) in [
        ("auth-service", &["config", "reference"][..]),
        ("resource-service", &["config-reference"]),
        ("signet-gateway", &["config-reference"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let printed = run(binary, arguments, folder.path(), &Env::new(), "");
        let table = String::from_utf8(printed.stdout).unwrap();
        assert!(table.lines().count() > 20, "{}", String::from_utf8_lossy(&printed.stderr));
        assert!(
            page.contains(&table),
            "docs/settings.md is not what `{binary} {arguments:?}` prints:\n{table}"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was created");
    }
}
