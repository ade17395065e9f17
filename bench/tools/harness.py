"""What the measurements share: servers, loads, tables."""
import atexit, glob, json, os, re, signal, socket, statistics, subprocess, sys, time, urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
RELEASE = os.path.join(TARGET, "release")
SECONDS = int(os.environ.get("BENCH_SECONDS", "5"))
CONNECTIONS = 16
ROUNDS = 3
TICKS = os.sysconf("SC_CLK_TCK")
FORM = "application/x-www-form-urlencoded"
PASSWORD = "correct horse battery staple"
LOGIN = f"username=bench&password={PASSWORD.replace(' ', '+')}"
AUTH = os.path.join(RELEASE, "auth-service")


def say(text=""):
    print(text, flush=True)


PACKAGES = ("auth-service", "resource-service", "signet-gateway", "bench")


def build(packages=PACKAGES):
    say("building the release binaries...")
    chosen = [argument for package in packages for argument in ("-p", package)]
    subprocess.run(["cargo", "build", "--release", "--locked", *chosen, "--bins"], cwd=ROOT, check=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_of(pid, with_ended_children=False):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11:15 if with_ended_children else 13]) / TICKS


def family(parent, measure):
    """The sum over the children of a process of what is measured of each; one may end meanwhile."""
    total = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                is_child = f.read().rsplit(")", 1)[1].split()[1] == str(parent)
            total += measure(pid) if is_child else 0
        except OSError:
            pass
    return total


def cluster_cpu(parent):
    """A process and its children, also those that have ended: PostgreSQL, nginx."""
    return cpu_of(parent, with_ended_children=True) + family(parent, cpu_of)


def resident_mib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) / 1024


class Server:
    """A process, ready when its log says so, or when it answers where it logs nothing."""

    def __init__(self, command, env, port, says_ready=True):
        self.url, self.port = f"http://127.0.0.1:{port}", port
        started = time.monotonic()
        self.process = subprocess.Popen(
            command, env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        atexit.register(self.process.kill)
        if says_ready:
            for line in self.process.stderr:
                if " ready http=" in line:
                    break
            else:
                sys.exit(f"bench: {command[0]} ended")
        while not says_ready and self.process.poll() is None and time.monotonic() - started < 20:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.005)
        self.ready_after = time.monotonic() - started
        # Whatever it logs later must not fill the pipe.
        self.drain = subprocess.Popen(["cat"], stdin=self.process.stderr, stdout=subprocess.DEVNULL)

    def cpu(self):
        return cpu_of(self.process.pid)

    def resident_mib(self):
        return resident_mib(self.process.pid)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)
        self.drain.wait(timeout=5)


def milliseconds(text):
    number, unit = re.match(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def wrk(url, script=None, header=None, seconds=SECONDS, connections=CONNECTIONS):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "20s"]
    command += ["-s", script] if script else []
    command += ["-H", header] if header else []
    return subprocess.Popen(command + [url], stdout=subprocess.PIPE, text=True)


def outcome(process, tolerate_refusals=False):
    out = process.communicate()[0]
    if process.returncode != 0 or ("Non-2xx" in out and not tolerate_refusals):
        sys.exit(f"bench: a load did not get its answers:\n{out}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    return {
        "requests": int(re.search(r"(\d+) requests in", out).group(1)) - int(refused.group(1) if refused else 0),
        "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)),
        "p50": milliseconds(re.search(r"^\s+50%\s+(\S+)", out, re.M).group(1)),
        "p99": milliseconds(re.search(r"^\s+99%\s+(\S+)", out, re.M).group(1)),
    }


def measured(cpu, load):
    """One round; `us` is CPU time of the server per request."""
    before = cpu()
    result = load()
    result["us"] = (cpu() - before) / result["requests"] * 1e6
    return result


def medians(rounds):
    return {key: statistics.median(result[key] for result in rounds) for key in rounds[0]}


def measure(cpu, load):
    return medians([measured(cpu, load) for _ in range(ROUNDS)])


def http(server, path, script=None, header=None, extra_cpu=lambda: 0.0):
    return measure(lambda: server.cpu() + extra_cpu(), lambda: outcome(wrk(server.url + path, script, header)))


def grpc(server, address, method, credentials=("none", "none")):
    def load():
        command = [os.path.join(RELEASE, "grpc_load"), address, method, str(CONNECTIONS), str(SECONDS), *credentials]
        answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        calls = answer["calls"]
        return {"requests": calls, "rate": calls / SECONDS, "p50": answer["p50_us"] / 1e3, "p99": answer["p99_us"] / 1e3}

    return measure(server.cpu, load)


def cli(env, *arguments, stdin="", binary=AUTH):
    command = [binary, *arguments, "--json"]
    done = subprocess.run(command, env={**os.environ, **env}, input=stdin, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"bench: {done.stderr}")
    return json.loads(done.stdout)


def accounts(env, binary=AUTH):
    """Makes the user and the client of a load: the form with which the client gets a token."""
    cli(env, "user", "create", "bench", "--password-stdin", stdin=PASSWORD, binary=binary)
    client = ["client", "create", "bench", "--audience", "notes", "--scope", "notes:read"]
    return token_form("bench", cli(env, *client, binary=binary)["client_secret"])


def token_form(client, secret):
    return f"grant_type=client_credentials&client_id={client}&client_secret={secret}"


def introspection_form(url, form):
    """The form with which the client of `form` asks about a token of its own, which it gets at `url`."""
    token = post(url + "/oauth2/token", form)["access_token"]
    return f"token={token}&{form.split('&', 1)[1]}"


def post(url, body):
    with urllib.request.urlopen(urllib.request.Request(url, data=body.encode())) as answer:
        return json.load(answer)


def psql(statement, url=None):
    """Runs a statement as the superuser of the cluster that this runs beside, in its own database or that of `url`."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/psql"))
    if not found:
        sys.exit("bench: no psql: apt-get install postgresql-client")
    subprocess.run([found[-1], "-q", url or os.environ["SIGNET_TEST_POSTGRES_URL"], "-c", statement], check=True)


def fresh_database(name):
    """The URL of a new database of the cluster."""
    psql(f"CREATE DATABASE {name}")
    return os.environ["SIGNET_TEST_POSTGRES_URL"].rsplit("/", 1)[0] + "/" + name


def post_script(folder, name, body):
    path = os.path.join(folder, name + ".lua")
    with open(path, "w") as f:
        f.write(f'wrk.method = "POST"\nwrk.body = [[{body}]]\nwrk.headers["Content-Type"] = "{FORM}"\n')
    return path


# Each connection refreshes with what an earlier answer gave it: wrk asks for a request when a connection is
# free, so a queue of tokens is enough.
REFRESH = """
local tokens, head, tail = {}, 1, 0
for line in io.lines("FILE") do tail = tail + 1; tokens[tail] = line end
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
function request()
  local token = tokens[head]; tokens[head] = nil; head = head + 1
  return wrk.format(nil, nil, nil, "refresh=" .. token)
end
function response(status, headers, body)
  local token = body:match('"refresh":"([^"]+)"')
  if token then tail = tail + 1; tokens[tail] = token end
end
"""


def refresh_script(auth, folder, name, connections=CONNECTIONS):
    """A load of refreshes, with sessions that begin at `auth`."""
    path = os.path.join(folder, name)
    with open(path + ".tokens", "w") as f:
        for _ in range(connections + 8):
            pair = post(auth.url + "/api/token/", LOGIN)
            f.write(pair["refresh"] + "\n")
    with open(path + ".lua", "w") as f:
        f.write(REFRESH.replace("FILE", path + ".tokens"))
    return path + ".lua"


def refreshes(auth, folder, name, extra_cpu=lambda: 0.0):
    def round():
        script = refresh_script(auth, folder, name)
        return measured(lambda: auth.cpu() + extra_cpu(), lambda: outcome(wrk(auth.url + "/api/token/refresh/", script)))

    return medians([round() for _ in range(ROUNDS)])


def auth_env(folder, database, ports):
    return {
        "AUTH__HTTP__BIND": f"127.0.0.1:{ports[0]}",
        "AUTH__GRPC__BIND": f"127.0.0.1:{ports[1]}",
        "AUTH__METRICS__BIND": "127.0.0.1:0",
        "AUTH__ISSUER": "https://auth.test",
        "AUTH__DATABASE__URL": database,
        "AUTH__KEYS__MASTER_KEY_FILE": f"{folder}/master-{ports[0]}.key",
        "AUTH__LOG__LEVEL": "warn,auth_service::startup=info",
    }


class Table:
    def __init__(self, *columns):
        say("| " + " | ".join(columns) + " |")
        say("|" + "---|" * len(columns))

    def row(self, *cells):
        say("| " + " | ".join(cell if isinstance(cell, str) else f"{cell:,.1f}" for cell in cells) + " |")
