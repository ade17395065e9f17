"""Where each microsecond of a request goes: samples of the server by what the code on the processor belongs to."""
import os, re, shutil, subprocess, sys, time

from harness import (
    ROOT, SECONDS, TARGET, Server, Table, accounts, auth_env, free_port, measured, outcome, post_script, refresh_script, say, wrk,
)

# The first pattern that fits the symbol on the processor; what is inlined counts where it was inlined.
GROUPS = (
    ("kernel: sockets, wake-ups, the disk", r"^\[k\]"),
    ("signature (Ed25519)", r"ed25519|x25519|fe25519|curve25519|edwards|sha512|bignum|ed25519_"),
    ("MAC and hash (SHA-256)", r"sha256|hmac|hkdf|SHA256|HMAC"),
    ("SQLite", r"sqlite3|diesel"),
    ("counting (metrics)", r"metrics|http_metrics|hashbrown|AtomicBucket"),
    ("log and traces (tracing)", r"tracing|opentelemetry|sharded_slab"),
    ("JSON, forms, base64", r"serde|json|urlencoded|base64|itoa|ryu|percent_encoding"),
    ("memory: allocator, copies", r"^_?mi_|malloc|free|memcpy|memmove|memset|memcmp|alloc::|RawVec|page_"),
    ("framework: HTTP (actix, http, h2)", r"actix|httparse|http::|h2::|hyper|bytes::|local_channel|smallvec|regex|h1"),
    ("runtime: tokio, mio, channels", r"tokio|mio::|futures|parking_lot|std::sync|crossbeam|mpmc|mpsc|thread_local|syscall|epoll"),
    ("ours (auth-service, shared-claims, service-kit)", r"auth_service|shared_claims|service_kit"),
    ("text and time of the standard library", r"core::|std::|alloc|clock_gettime|vdso"),
)


def build():
    """The release binary with its symbols."""
    say("building with symbols...")
    env = {**os.environ, "CARGO_TARGET_DIR": os.path.join(TARGET, "profile"), "CARGO_PROFILE_RELEASE_STRIP": "none"}
    subprocess.run("cargo build --release --locked -p auth-service --bins".split(), cwd=ROOT, env=env, check=True)
    return os.path.join(TARGET, "profile", "release", "auth-service")


def sampled(pid, file, run):
    """Runs a load while the server is sampled: what the load says, and the share of each group."""
    command = ["perf", "record", "-q", "-F", "1997", "-e", "cpu-clock", "-p", str(pid), "-o", file]
    perf = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    got = run()
    perf.send_signal(2)
    perf.wait(timeout=30)
    report = ["perf", "report", "-i", file, "--stdio", "--no-children", "-F", "overhead,symbol", "--percent-limit", "0"]
    text = subprocess.run(report, check=True, capture_output=True, text=True).stdout
    shares, rest = {name: 0.0 for name, _ in GROUPS}, []
    for line in text.splitlines():
        match = re.match(r"\s*([\d.]+)%\s+(\[[.k]\]) (.+?)\s*$", line)
        if not match:
            continue
        share, kind, symbol = float(match.group(1)), match.group(2), match.group(3)
        name = f"{kind} {symbol}" if kind == "[k]" else symbol
        group = next((group for group, pattern in GROUPS if re.search(pattern, name)), None)
        if group:
            shares[group] += share
        else:
            rest.append((share, symbol))
    shares["the rest"] = sum(share for share, _ in rest)
    return got, shares


def profile(folder):
    if not shutil.which("perf"):
        sys.exit("bench: no perf: apt-get install linux-perf")
    binary = build()
    env = auth_env(folder, f"sqlite://{folder}/profile.db", (free_port(), free_port()))
    form = accounts(env)
    auth = Server([binary], env, int(env["AUTH__HTTP__BIND"].rsplit(":", 1)[1]))
    loads = {
        "client token": ("/oauth2/token", lambda: post_script(folder, "machine", form)),
        "refresh, SQLite": ("/api/token/refresh/", lambda: refresh_script(auth, folder, "refresh")),
    }
    columns = {}
    for what, (path, script) in loads.items():
        ready = script()
        run = lambda: measured(auth.cpu, lambda: outcome(wrk(auth.url + path, ready, seconds=SECONDS + 3)))
        columns[what] = sampled(auth.process.pid, f"{folder}/perf.data", run)
    auth.stop()
    say()
    table = Table("where", *(f"{what}, us" for what in columns))
    for group in [name for name, _ in GROUPS] + ["the rest"]:
        table.row(group, *(f"{got['us'] * shares[group] / 100:.1f}" for got, shares in columns.values()))
    table.row("**together**", *(f"**{got['us']:.1f}**" for got, _ in columns.values()))
    say()
