"""This version beside another one, in turns: what came in between costs what the CPU time of the server says."""
import os, shutil, statistics, subprocess, tempfile

from harness import (
    AUTH, ROOT, ROUNDS, TARGET, Server, Table, accounts, auth_env, cluster_cpu, fresh_database, free_port, introspection_form,
    measured, medians, outcome, post_script, refresh_script, say, wrk,
)


def build(revision):
    """The release binary of a revision, from a tree of its own that stays: the next comparison finds it built."""
    commit = subprocess.run(["git", "rev-parse", revision + "^{commit}"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    target = os.path.join(TARGET, "against")
    tree = os.path.join(target, "trees", commit)
    if not os.path.isdir(tree):
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
        with tempfile.TemporaryDirectory(dir=os.path.join(ROOT, TARGET)) as part:
            subprocess.run(["tar", "-x", "-C", part], input=archive, check=True)
            os.makedirs(os.path.dirname(tree), exist_ok=True)
            # In one step: an interrupted one must not be taken for the whole.
            shutil.copytree(part, tree + ".part", dirs_exist_ok=True)
            os.rename(tree + ".part", tree)
    say(f"building {revision}...")
    command = "cargo build --release --locked -p auth-service --bins"
    subprocess.run(command.split(), cwd=tree, env={**os.environ, "CARGO_TARGET_DIR": target}, check=True)
    return os.path.join(target, "release", "auth-service")


class Version:
    """A version with an authority on each database."""

    def __init__(self, name, binary, folder):
        self.name, self.folder = name, os.path.join(folder, name)
        os.mkdir(self.folder)
        urls = {
            "SQLite": f"sqlite://{self.folder}/signet.db",
            "PostgreSQL": fresh_database(f"against_{name}"),
        }
        self.servers, forms = {}, {}
        for database, url in urls.items():
            ports = [free_port(), free_port()]
            env = auth_env(self.folder, url, ports)
            forms[database] = accounts(env, binary)
            self.servers[database] = Server([binary], env, ports[0])
        self.machine = post_script(self.folder, "machine", forms["SQLite"])
        asked = introspection_form(self.servers["SQLite"].url, forms["SQLite"])
        self.introspection = post_script(self.folder, "introspection", asked)

    def round(self, what):
        postgres = int(os.environ["SIGNET_TEST_POSTGRES_PID"])
        database = "PostgreSQL" if "PostgreSQL" in what else "SQLite"
        server = self.servers[database]
        extra = (lambda: cluster_cpu(postgres)) if database == "PostgreSQL" else (lambda: 0.0)
        if what == "client token":
            path, script = "/oauth2/token", self.machine
        elif what == "introspection":
            path, script = "/oauth2/introspect", self.introspection
        else:
            path, script = "/api/token/refresh/", refresh_script(server, self.folder, database)
        return measured(lambda: server.cpu() + extra(), lambda: outcome(wrk(server.url + path, script)))


def compare(folder, revision):
    other = Version("other", build(revision), folder)
    this = Version("this", AUTH, folder)
    turns = max(ROUNDS, 5)
    say(f"measuring this version and {revision} in {turns} turns...")
    say()
    table = Table("what", f"{revision}, us/request", "this version, us/request", "ratio", "p99, ms: before / now")
    for what in ("client token", "introspection", "refresh, SQLite", "refresh, PostgreSQL, its CPU included"):
        rounds = {other: [], this: []}
        for turn in range(turns):
            # Who goes first changes: what the machine does meanwhile hits both.
            for version in (other, this) if turn % 2 else (this, other):
                rounds[version].append(version.round(what))
        ratio = statistics.median(mine["us"] / theirs["us"] for mine, theirs in zip(rounds[this], rounds[other]))
        before, now = medians(rounds[other]), medians(rounds[this])
        table.row(
            what, f"{before['us']:.1f}", f"{now['us']:.1f}", f"{ratio:.3f}",
            f"{before['p99']:.2f} / {now['p99']:.2f}",
        )
    say()
    for version in (other, this):
        for server in version.servers.values():
            server.stop()
