"""The whole cluster on this machine: nginx, two authorities on one PostgreSQL, two resource services."""
import os, statistics, subprocess, time

from harness import (
    AUTH, CONNECTIONS, LOGIN, RELEASE, ROOT, ROUNDS, SECONDS, Server, Table, accounts, auth_env, cli, cluster_cpu, family,
    fresh_database, free_port, introspection_form, medians, outcome, post, post_script, psql, refresh_script, resident_mib, say,
    wrk,
)

SESSIONS = """
INSERT INTO sessions (id, user_id, client_id, scope, audience, auth_time, amr, created_at, idle_expires_at, expires_at, generation, rotated_at)
SELECT 'other-' || number, users.id, 'simplejwt', 'notes:read', 'notes', 1, 'pwd', 1, 9999999999999, 9999999999999, 0, 1
FROM users, generate_series(1, 100000) AS number;
ANALYZE sessions;
"""
MACHINE, LOGINS, REFRESH, INTROSPECTION, NOTES = (
    "client token", "login", "refresh", "introspection, token seen before", "authenticated request",
)
PATHS = {
    MACHINE: "/oauth2/token",
    LOGINS: "/api/token/",
    REFRESH: "/api/token/refresh/",
    INTROSPECTION: "/oauth2/introspect",
    NOTES: "/notes",
}


class Nginx:
    """The example of deploy/nginx in front of the authorities, and a plain server in front of the resource services."""

    def __init__(self, folder, authorities, resources):
        self.port, self.notes_port = free_port(), free_port()
        self.url, self.notes_url = f"https://127.0.0.1:{self.port}", f"https://127.0.0.1:{self.notes_port}"
        with open(os.path.join(ROOT, "deploy/nginx/authority.conf")) as file:
            conf = file.read()
        conf = conf.replace("127.0.0.1:8443", f"127.0.0.1:{self.port}")
        conf = conf.replace("server_name auth.example;", "server_name 127.0.0.1;")
        for written, server in zip(("127.0.0.1:8080", "127.0.0.1:8082"), authorities):
            conf = conf.replace(written, f"127.0.0.1:{server.port}")
        # A load comes from one address, and is no guessing.
        conf = conf.replace("rate=10r/s", "rate=100000r/s")
        servers = " ".join(f"server 127.0.0.1:{server.port};" for server in resources)
        text = f"""
daemon off; worker_processes auto; pid {folder}/nginx.pid; error_log {folder}/nginx.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off; proxy_temp_path {folder}/proxy; client_body_temp_path {folder}/body;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    {conf}
    upstream resources {{ {servers} keepalive 64; }}
    server {{
        listen 127.0.0.1:{self.notes_port} ssl http2;
        ssl_certificate server.crt; ssl_certificate_key server.key;
        location / {{ proxy_pass http://resources; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""
        with open(f"{folder}/nginx.conf", "w") as file:
            file.write(text)
        certificate = (
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
            f"-keyout {folder}/server.key -out {folder}/server.crt"
        )
        subprocess.run(certificate.split(), check=True, capture_output=True)
        command = ["nginx", "-p", folder, "-c", f"{folder}/nginx.conf", "-e", f"{folder}/nginx.log"]
        self.server = Server(command, {}, self.port, says_ready=False)

    def cpu(self):
        return cluster_cpu(self.server.process.pid)

    def resident_mib(self):
        pid = self.server.process.pid
        return resident_mib(pid) + family(pid, resident_mib)


class Cluster:
    def __init__(self, folder):
        self.folder, self.postgres = folder, int(os.environ["SIGNET_TEST_POSTGRES_PID"])
        lone = auth_env(folder, f"sqlite://{folder}/lone.db", (free_port(), free_port()))
        url = fresh_database("cluster")
        twins = [auth_env(folder, url, (free_port(), free_port())) for _ in range(2)]
        for env in twins:
            env["AUTH__KEYS__MASTER_KEY_FILE"] = f"{folder}/cluster.key"
        self.forms = {"SQLite": accounts(lone), "PostgreSQL": accounts(twins[0])}
        # A table of a few rows is read as a whole, and grows by every rotation: no cluster is like that.
        psql(SESSIONS, url)
        start = lambda env: Server([AUTH], env, int(env["AUTH__HTTP__BIND"].rsplit(":", 1)[1]))
        self.lone, self.twins = start(lone), [start(env) for env in twins]
        feed = cli(twins[0], "client", "create", "verifier", "--scope", "signet:watch")["client_secret"]
        self.resources = [self.resource(number, twins[number], feed) for number in range(2)]
        time.sleep(1)
        self.idle = self.memory()
        self.nginx = Nginx(folder, self.twins, self.resources)

    def resource(self, number, authority, secret):
        port = free_port()
        env = {
            "RESOURCE__HTTP__BIND": f"127.0.0.1:{port}",
            "RESOURCE__GRPC__BIND": "127.0.0.1:0",
            "RESOURCE__METRICS__BIND": "127.0.0.1:0",
            "RESOURCE__AUTHORITY__URL": f"http://{authority['AUTH__HTTP__BIND']}",
            "RESOURCE__AUTHORITY__GRPC_URL": f"http://{authority['AUTH__GRPC__BIND']}",
            "RESOURCE__AUTHORITY__CLIENT_ID": "verifier",
            "RESOURCE__AUTHORITY__CLIENT_SECRET": secret,
            "RESOURCE__AUTHORITY__ISSUER": "https://auth.test",
            "RESOURCE__DATA_DIR": f"{self.folder}/resource-{number}",
            "RESOURCE__LOG__LEVEL": "warn,resource_service::startup=info",
        }
        return Server([os.path.join(RELEASE, "resource-service")], env, port)

    def memory(self):
        servers = {"authority, SQLite": self.lone, "authority, PostgreSQL": self.twins[0], "resource service": self.resources[0]}
        return {name: server.resident_mib() for name, server in servers.items()}

    def script(self, what, database, connections=CONNECTIONS, name="load"):
        """The load's script, and a header where it needs one."""
        authority, form = self.lone if database == "SQLite" else self.twins[0], self.forms[database]
        if what == REFRESH:
            return refresh_script(authority, self.folder, name, connections), None
        if what == NOTES:
            return None, f"Authorization: Bearer {post(authority.url + '/oauth2/token', form)['access_token']}"
        body = {MACHINE: form, LOGINS: LOGIN}.get(what) or introspection_form(authority.url, form)
        return post_script(self.folder, name, body), None

    def measure(self, what, url, servers, database, behind_nginx):
        """Medians of the rounds, with the CPU time of each kind of process in microseconds a request."""
        rounds = []
        for _ in range(ROUNDS):
            script, header = self.script(what, database)
            parts = {
                "services": lambda: sum(server.cpu() for server in servers),
                "nginx": self.nginx.cpu if behind_nginx else lambda: 0.0,
                "postgres": (lambda: cluster_cpu(self.postgres)) if database == "PostgreSQL" else lambda: 0.0,
            }
            before = {name: cpu() for name, cpu in parts.items()}
            result = outcome(wrk(url + PATHS[what], script, header))
            for name, cpu in parts.items():
                result[name] = (cpu() - before[name]) / result["requests"] * 1e6
            rounds.append(result)
        return medians(rounds)

    def stop(self):
        for server in (*self.resources, *self.twins, self.lone):
            server.stop()
        self.nginx.server.process.terminate()
        self.nginx.server.process.wait(timeout=10)


def load(folder):
    cluster = Cluster(folder)
    say(f"measuring the cluster, {ROUNDS} rounds of {SECONDS} s each...")
    say()
    table = Table("what", "way", "requests/s", "p50 / p99, ms", "CPU s per 1,000: services", "nginx", "PostgreSQL")
    for what in PATHS:
        notes = what == NOTES
        twins, lone = (cluster.resources, cluster.resources[:1]) if notes else (cluster.twins, [cluster.lone])
        edge = cluster.nginx.notes_url if notes else cluster.nginx.url
        ways = [] if notes else [("one, SQLite", lone[0].url, lone, "SQLite", False)]
        ways += [
            ("one" if notes else "one, PostgreSQL", twins[0].url, twins[:1], "PostgreSQL", False),
            ("two behind nginx, TLS", edge, twins, "PostgreSQL", True),
        ]
        for way, url, servers, database, behind_nginx in ways:
            got = cluster.measure(what, url, servers, database, behind_nginx)
            share = lambda name: f"{got[name] / 1000:.4f}" if got[name] else ""
            table.row(
                what, way, f"{got['rate']:,.0f}", f"{got['p50']:.2f} / {got['p99']:.2f}", share("services"),
                share("nginx"), share("postgres"),
            )
    say()
    table = Table("process", "idle, MiB", "after the load, MiB")
    after = cluster.memory()
    for name, idle in cluster.idle.items():
        table.row(name, idle, after[name])
    table.row("nginx, all its processes", "", cluster.nginx.resident_mib())
    say()
    scaling(cluster)
    cluster.stop()


# A share of one core that leaves room for PostgreSQL and the loads on a machine of two.
SHARE = 0.15
# Enough that somebody always waits for it.
MANY = 64
# A tenth of a second: within a shorter one a caller would come round but twice.
PERIOD_US = 100_000


def scaling(cluster):
    """One authority against two on one PostgreSQL, each held to a share of a core: this machine has too few of them."""
    groups = [hold(server.process.pid, number) for number, server in enumerate(cluster.twins)]
    if not all(groups):
        say("Two authorities against one: no cgroup to hold them to a share of a core (run it as root).")
        return
    table = Table(f"held to {SHARE:.0%} of a core each", "one, requests/s", "two, requests/s", "of one")
    for what in (MACHINE, REFRESH):
        # In turns: what else the machine does hits both.
        turns = [(together(cluster, what, 1), together(cluster, what, 2)) for _ in range(5)]
        one, two = (statistics.median(turn[place] for turn in turns) for place in (0, 1))
        ratio = statistics.median(two / one for one, two in turns)
        table.row(what, f"{one:,.0f}", f"{two:,.0f}", f"{ratio:.2f}")
    say()
    for group in groups:
        release(group)


def together(cluster, what, count):
    """The rate of so many authorities, each with a load of its own."""
    servers = cluster.twins[:count]
    scripts = [cluster.script(what, "PostgreSQL", MANY, f"load-{number}")[0] for number in range(count)]
    loads = [wrk(server.url + PATHS[what], script, connections=MANY) for server, script in zip(servers, scripts)]
    return sum(outcome(each)["rate"] for each in loads)


def hold(pid, number):
    """Puts a process into a cgroup of its own with a quota: the cgroup, or nothing where that cannot be had."""
    for root, quota in (("/sys/fs/cgroup/cpu", None), ("/sys/fs/cgroup", "cpu.max")):
        group = f"{root}/signet-bench-{os.getpid()}-{number}"
        try:
            os.mkdir(group)
            allowed = str(int(SHARE * PERIOD_US))
            limits = {quota: f"{allowed} {PERIOD_US}"} if quota else {
                "cpu.cfs_period_us": str(PERIOD_US), "cpu.cfs_quota_us": allowed,
            }
            for name, value in limits.items():
                with open(f"{group}/{name}", "w") as file:
                    file.write(value)
            with open(f"{group}/cgroup.procs", "w") as file:
                file.write(str(pid))
            return group
        except OSError:
            if os.path.isdir(group):
                os.rmdir(group)
    return None


def release(group):
    with open(f"{group}/cgroup.procs") as file:
        pids = file.read().split()
    for pid in pids:
        with open(f"{os.path.dirname(group)}/cgroup.procs", "w") as file:
            file.write(pid)
    os.rmdir(group)
