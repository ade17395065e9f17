use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpSocket;

use crate::{PATIENCE, eventually};

/// A running binary of this workspace, killed when it is dropped.
pub struct Service {
    child: Owned,
    log: PathBuf,
    pub http: SocketAddr,
    pub grpc: SocketAddr,
    /// None where they are switched off.
    pub metrics: Option<SocketAddr>,
}

/// Environment variables for a binary, and nothing of the test's own `AUTH__` or `RESOURCE__`.
pub type Env = BTreeMap<String, String>;

impl Service {
    /// Starts a binary and waits until it has said where it listens.
    ///
    /// # Panics
    /// When it ends instead.
    pub async fn start(name: &str, folder: &Path, env: &Env) -> Self {
        Self::start_with(name, &[], folder, env).await
    }

    /// The same, with arguments.
    ///
    /// # Panics
    /// When it ends instead.
    pub async fn start_with(name: &str, arguments: &[&str], folder: &Path, env: &Env) -> Self {
        let started = Self::try_start(&binary(name), arguments, folder, env).await;
        started.unwrap_or_else(|(status, text)| panic!("{name} ended: {status}: {text}"))
    }

    /// The same, started by another program that becomes it: `prlimit --nofile=128`.
    ///
    /// # Panics
    /// When it ends instead.
    pub async fn start_under(wrapper: &[&str], name: &str, folder: &Path, env: &Env) -> Self {
        let mut command = Command::new(wrapper[0]);
        clean(&mut command, folder, env).args(&wrapper[1..]).arg(binary(name));
        let started = Self::launch(name, &mut command, folder).await;
        started.unwrap_or_else(|(status, text)| panic!("{name} ended: {status}: {text}"))
    }

    /// The same for a binary that lies elsewhere, or may refuse to start.
    ///
    /// # Errors
    /// How it ended, and what it said.
    ///
    /// # Panics
    /// When it neither ends nor says that it is ready.
    pub async fn try_start(
        program: &Path,
        arguments: &[&str],
        folder: &Path,
        env: &Env,
    ) -> Result<Self, (ExitStatus, String)> {
        let name = program.file_name().expect("a file").to_string_lossy().into_owned();
        let mut command = Command::new(program);
        clean(&mut command, folder, env).args(arguments);
        Self::launch(&name, &mut command, folder).await
    }

    async fn launch(name: &str, command: &mut Command, folder: &Path) -> Result<Self, (ExitStatus, String)> {
        let log = folder.join(format!("{name}.log"));
        let out = folder.join(format!("{name}.out"));
        let stderr = File::options().create(true).append(true).open(&log).expect("the log opens");
        let stdout = File::options().create(true).append(true).open(out).expect("the output opens");
        let begins_at = stderr.metadata().expect("the log has a size").len();
        let mut child = Owned(command.stdout(stdout).stderr(stderr).spawn().expect("it starts"));
        let ready = eventually(&format!("{name} is ready"), || {
            let ended = child.0.try_wait().expect("the child is ours");
            let text = read_from(&log, begins_at);
            async move {
                let ready =
                    |line: &&str| line.contains(" ready http=") || line.contains("\"message\":\"ready\"");
                match (text.lines().find(ready).map(str::to_owned), ended) {
                    (Some(line), _) => Some(Ok(line)),
                    (None, ended) => ended.map(|status| Err((status, text))),
                }
            }
        })
        .await?;
        let address = |key: &str| {
            let json = format!("\"{key}\":\"");
            let rest = ready.split(&json).nth(1).or_else(|| ready.split(&format!(" {key}=")).nth(1));
            let value = rest.and_then(|rest| rest.split([' ', '"']).next());
            value.and_then(|text| text.parse().ok())
        };
        let known = |key: &str| address(key).expect("the address is logged");
        Ok(Self { http: known("http"), grpc: known("grpc"), metrics: address("metrics"), child, log })
    }

    /// Everything that it has logged, over all its runs.
    #[must_use]
    pub fn log(&self) -> String {
        read_from(&self.log, 0)
    }

    /// What it tells Prometheus.
    ///
    /// # Panics
    /// Where that is switched off.
    pub async fn metrics_text(&self) -> String {
        let address = self.metrics.expect("it says where its metrics are");
        let answer = reqwest::get(format!("http://{address}/metrics")).await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.text().await.expect("text")
    }

    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// Memory that it holds now, in KiB.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        self.memory_kib("VmRSS:")
    }

    /// The most memory that it has held since [`Self::forget_peak`], in KiB.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn peak_kib(&self) -> u64 {
        self.memory_kib("VmHWM:")
    }

    /// Lets the peak be what it holds now, and says how much that is, in KiB.
    ///
    /// # Panics
    /// When it has ended.
    pub fn forget_peak(&self) -> u64 {
        fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").expect("root may, while it runs");
        self.peak_kib()
    }

    fn memory_kib(&self, which: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(which)).expect("it has memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Files and sockets that it has open.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("it runs").count()
    }

    /// Processor time that all its threads have used.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn cpu_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("it runs");
        // Behind the name, which may hold spaces; in hundredths of a second on every Linux.
        let (_, fields) = stat.rsplit_once(") ").expect("a name");
        let ticks = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("ticks"));
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }

    /// SIGTERM, and the wait for the end.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// The wait for the end of a service that was told to stop, or killed.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn ended(&mut self) -> ExitStatus {
        eventually("the service stops", || {
            let status = self.child.0.try_wait().expect("the child is ours");
            async move { status }
        })
        .await
    }

    /// SIGKILL: no goodbye.
    pub fn kill(mut self) {
        self.child.0.kill().expect("the child is ours");
        self.child.0.wait().expect("the child is ours");
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child.0);
        kill_process(pid, signal).expect("the child is ours");
    }
}

/// An address that nobody listens at: for what must be told one before it starts. Not one of those that systems give to connections,
/// and to listeners that take any: it would be theirs by the time that a program has started.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_address() -> SocketAddr {
    let random = RandomState::new();
    let ports = (0..1000_u32).map(|number| 12_000 + random.hash_one(number) % 20_000);
    let mut addresses =
        ports.map(|port| SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).expect("a port"))));
    addresses.find(|address| TcpListener::bind(address).is_ok()).expect("a free port")
}

/// Keeps the address of a service that has ended from those that other tests start: who connects is refused, until this is dropped.
///
/// # Panics
/// When it is taken already.
#[must_use]
pub fn hold(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("an option of sockets");
    socket.bind(address).expect("it was free a moment ago");
    socket
}

/// A child from its first moment on, killed when it is dropped: a test that fails before it is ready leaves nothing running.
pub struct Owned(pub Child);

impl Drop for Owned {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a binary to its end, which must come within the patience of a test.
///
/// # Panics
/// When it does not end.
#[must_use]
pub fn run(name: &str, arguments: &[&str], folder: &Path, env: &Env, stdin: &str) -> Output {
    run_command(Command::new(binary(name)).args(arguments), folder, env, stdin)
}

/// The same for any program, or a binary under another one that watches it.
///
/// # Panics
/// When it does not end.
#[must_use]
pub fn run_command(command: &mut Command, folder: &Path, env: &Env, stdin: &str) -> Output {
    use std::io::Write;
    let mut child = clean(command, folder, env)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut pipe = child.stdin.take().expect("its input is a pipe");
    // A command that does not read its input closes the pipe.
    let _ = pipe.write_all(stdin.as_bytes());
    drop(pipe);
    // Read while it runs: a pipe holds 64 KiB, and a command that prints more would wait for ever.
    let outputs = [read_to_end(child.stdout.take()), read_to_end(child.stderr.take())];
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child is ours") {
            break status;
        }
        if started.elapsed() > PATIENCE {
            child.kill().expect("the child is ours");
            panic!("{command:?} did not end");
        }
        pause();
    };
    let [stdout, stderr] = outputs.map(|output| output.join().expect("its output is read"));
    Output { status, stdout, stderr }
}

fn read_to_end(pipe: Option<impl std::io::Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    let mut pipe = pipe.expect("it is a pipe");
    std::thread::spawn(move || {
        let mut content = Vec::new();
        pipe.read_to_end(&mut content).expect("a pipe can be read");
        content
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the wait for a child's end has no other form without a runtime"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

/// In a folder, with no settings but those of `env`.
pub fn clean<'a>(command: &'a mut Command, folder: &Path, env: &Env) -> &'a mut Command {
    command.current_dir(folder).stdin(Stdio::null());
    for (key, _) in std::env::vars_os() {
        let key = key.to_string_lossy().into_owned();
        if ["AUTH__", "RESOURCE__", "GATEWAY__"].iter().any(|prefix| key.starts_with(prefix)) {
            command.env_remove(key);
        }
    }
    command.envs(env)
}

/// A binary beside the test's own, or the tool's: cargo puts both into one target folder.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let path = profile_folder().join(name);
    assert!(path.is_file(), "{} is not built: run `cargo build --workspace` first", path.display());
    path
}

/// What a script has installed below `target`.
///
/// # Panics
/// When it is not there, with the script to run.
#[must_use]
pub fn installed_by(script: &str, path: &str) -> PathBuf {
    let path = profile_folder().parent().expect("target").join(path);
    assert!(path.exists(), "{} is not there: run {script}", path.display());
    path
}

fn profile_folder() -> PathBuf {
    let own = std::env::current_exe().expect("the test has a path");
    let beside = own.parent().expect("it lies in target/PROFILE, and a test in target/PROFILE/deps");
    let folder = if beside.ends_with("deps") { beside.parent().expect("target/PROFILE") } else { beside };
    folder.to_path_buf()
}

fn read_from(path: &Path, offset: u64) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    let offset = usize::try_from(offset).expect("a log fits the memory");
    String::from_utf8_lossy(bytes.get(offset..).unwrap_or_default()).into_owned()
}
