"""One service at a time, beside its yardsticks."""
import json, os, statistics, subprocess, sys, time

from harness import (
    AUTH, CONNECTIONS, LOGIN, PASSWORD, RELEASE, ROOT, ROUNDS, SECONDS, TARGET, Server, Table, accounts, auth_env, cli,
    cluster_cpu, free_port, grpc, http, introspection_form, outcome, post, post_script, refreshes, say, token_form, wrk,
)


def estimates(group, name):
    """Criterion's median, in nanoseconds."""
    path = os.path.join(TARGET, "criterion", group.replace(" ", " "), name.replace(":", "_").replace("/", "_"))
    with open(os.path.join(path, "new", "estimates.json")) as f:
        return json.load(f)["median"]["point_estimate"]


def parts():
    say("measuring the parts...")
    command = "cargo bench --locked -q -p bench --bench parts"
    subprocess.run(command.split(), cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    say()
    table = Table("algorithm", "bare check, us", "token never seen", "ratio", "seen before, ns", "jsonwebtoken", "bare signature, us", "minting", "ratio")
    for algorithm in ("EdDSA", "ES256", "RS256"):
        verify, mint = f"verify {algorithm}", f"mint {algorithm}"
        bare, unseen = estimates(verify, "bare signature check"), estimates(verify, "token never seen")
        signature, token = estimates(mint, "bare signature"), estimates(mint, "access token")
        table.row(
            algorithm, f"{bare / 1e3:.2f}", f"{unseen / 1e3:.2f}", f"{unseen / bare:.3f}",
            f"{estimates(verify, 'token seen before'):.0f}", f"{estimates(verify, 'jsonwebtoken decode') / 1e3:.2f}",
            f"{signature / 1e3:.2f}", f"{token / 1e3:.2f}", f"{token / signature:.3f}",
        )
    say()
    groups = ["seen before, clock and a million revocations", "a million revocations", "nested, X25519", "hostile"]
    for group in groups:
        for name in sorted(os.listdir(os.path.join(TARGET, "criterion", group))):
            if name != "report":
                say(f"- {group}: {name}: {estimates(group, name):,.0f} ns")
    say()


def single(folder):
    ports = [free_port() for _ in range(11)]
    cluster = int(os.environ["SIGNET_TEST_POSTGRES_PID"])
    sqlite = auth_env(folder, f"sqlite://{folder}/signet.db", ports[:2])
    postgres = auth_env(folder, os.environ["SIGNET_TEST_POSTGRES_URL"], ports[2:4])
    for env in (sqlite, postgres):
        cli(env, "user", "create", "bench", "--password-stdin", stdin=PASSWORD)
    resource_env = {
        "RESOURCE__HTTP__BIND": f"127.0.0.1:{ports[4]}",
        "RESOURCE__GRPC__BIND": f"127.0.0.1:{ports[5]}",
        "RESOURCE__METRICS__BIND": "127.0.0.1:0",
        "RESOURCE__AUTHORITY__URL": f"http://127.0.0.1:{ports[0]}",
        "RESOURCE__AUTHORITY__ISSUER": "https://auth.test",
        "RESOURCE__DATA_DIR": f"{folder}/resource",
        "RESOURCE__LOG__LEVEL": "warn,resource_service::startup=info",
    }
    gateway_env = {
        key.replace("RESOURCE__", "GATEWAY__"): value
        for key, value in resource_env.items()
    } | {
        "GATEWAY__HTTP__BIND": f"127.0.0.1:{ports[9]}",
        "GATEWAY__GRPC__BIND": f"127.0.0.1:{ports[10]}",
        "GATEWAY__DATA_DIR": f"{folder}/gateway",
        "GATEWAY__LOG__LEVEL": "warn,signet_gateway::startup=info",
    }
    floor = os.path.join(RELEASE, "floor")
    starts = []
    for _ in range(7):
        auth = Server([AUTH], sqlite, ports[0])
        starts.append(auth.ready_after)
        auth.stop()
    # Only now: the first use of P-256 waits 21 ms for aws-lc to seed itself.
    cli(sqlite, "audience", "create", "es", "--algorithm", "ES256")
    secrets = {
        name: cli(sqlite, "client", "create", name, "--audience", audience, "--scope", "notes:read")["client_secret"]
        for name, audience in (("bench", "notes"), ("bench-es", "es"))
    }
    auth = Server([AUTH], sqlite, ports[0])
    rules = os.path.join(ROOT, "deploy/nginx/gateway.toml")
    resource = Server([os.path.join(RELEASE, "resource-service")], resource_env, ports[4])
    gateway = Server([os.path.join(RELEASE, "signet-gateway"), "--config", rules], gateway_env, ports[9])
    bare = Server([floor, "http", f"127.0.0.1:{ports[6]}"], {}, ports[6], says_ready=False)
    bare_grpc = Server([floor, "grpc", f"127.0.0.1:{ports[7]}"], {}, ports[7], says_ready=False)
    bare_notes = Server([floor, "notes", f"127.0.0.1:{ports[8]}", f"{folder}/resource"], {}, ports[8], says_ready=False)
    time.sleep(1)
    idle = {"auth-service": auth.resident_mib(), "resource-service": resource.resident_mib()}

    forms = {name: token_form(name, secret) for name, secret in secrets.items()}
    token = post(auth.url + "/oauth2/token", forms["bench"])["access_token"]
    bearer = f"Authorization: Bearer {token}"
    machine, machine_es = (post_script(folder, name, forms[name]) for name in ("bench", "bench-es"))
    introspection = post_script(folder, "introspection", introspection_form(auth.url, forms["bench"]))
    bare_form = post_script(folder, "bare", forms["bench"])
    say(f"measuring, {ROUNDS} rounds of {SECONDS} s each at {CONNECTIONS} connections...")
    say()
    table = Table("what", "requests/s", "server CPU, us/request", "p50 / p99, ms", "yardstick, us", "of its rate", "aim")

    def row(name, got, floor_us=None, aim=""):
        share = f"{floor_us / got['us'] * 100:.0f} %" if floor_us else ""
        table.row(
            name, f"{got['rate']:,.0f}", f"{got['us']:.1f}", f"{got['p50']:.2f} / {got['p99']:.2f}",
            f"{floor_us:.1f}" if floor_us else "", share, aim,
        )
        return got["us"]

    empty = row("bare actix GET", http(bare, "/"))
    row("bare actix POST", http(bare, "/", bare_form))
    eddsa = row("bare actix POST that signs, EdDSA", http(bare, "/EdDSA", bare_form))
    row("client token, EdDSA", http(auth, "/oauth2/token", machine), eddsa, ">= 80 %")
    es256 = row("bare actix POST that signs, ES256", http(bare, "/ES256", bare_form))
    row("client token, ES256", http(auth, "/oauth2/token", machine_es), es256, ">= 80 %")
    row("key set", http(auth, "/.well-known/jwks.json"), empty, ">= 90 %")
    row("discovery", http(auth, "/.well-known/openid-configuration"), empty, ">= 90 %")
    row("introspection, token seen before", http(auth, "/oauth2/introspect", introspection), aim="<= 20 us")
    row("refresh, SQLite", refreshes(auth, folder, "sqlite"), aim="<= 50 us, 1 / 3 ms")
    durable = Server([AUTH], postgres, ports[2])
    row("refresh, PostgreSQL, its CPU included", refreshes(durable, folder, "postgres", lambda: cluster_cpu(cluster)), aim="<= 100 us, 1 / 3 ms")
    durable.stop()
    call = row("bare tonic call", grpc(bare_grpc, f"127.0.0.1:{ports[7]}", "verify"))
    sign = estimates("mint EdDSA", "bare signature") / 1e3 if os.path.exists(os.path.join(TARGET, "criterion", "mint EdDSA")) else 6.6
    issue = grpc(auth, f"127.0.0.1:{ports[1]}", "issue", ("bench", secrets["bench"]))
    row("client token over gRPC, EdDSA", issue, call + sign, ">= 75 % of call and signature")
    unauthenticated = row("notes without authentication", http(bare_notes, "/notes"))
    row("notes, token seen before", http(resource, "/notes", None, bearer), unauthenticated, ">= 91 %")
    asked = os.path.join(folder, "verify.lua")
    with open(asked, "w") as f:
        f.write(f'wrk.headers["Authorization"] = "Bearer {token}"\n')
        f.write('wrk.headers["X-Original-Method"] = "GET"\nwrk.headers["X-Original-URI"] = "/notes"\n')
    row("gateway, GET /verify, token seen before", http(gateway, "/verify", asked), empty)
    say()
    table = Table("binary", "size, MiB", "idle, MiB", "after the load, MiB", "start to ready, ms")
    for name, server in (("auth-service", auth), ("resource-service", resource)):
        start = statistics.median(starts) * 1000 if server is auth else resource.ready_after * 1000
        size = os.path.getsize(os.path.join(RELEASE, name)) / 2**20
        table.row(name, size, idle[name], server.resident_mib(), start)
    say()
    for server in (gateway, resource, auth, bare, bare_grpc, bare_notes):
        server.stop()


def storm(folder):
    ports = [free_port() for _ in range(2)]
    # Sixteen logins of one user at one moment are more than the limit of guesses allows.
    limits = {f"AUTH__LIMITS__{name}": "0" for name in ("PAIR", "ACCOUNT", "CLIENT_IP")}
    env = {**auth_env(folder, f"sqlite://{folder}/storm.db", ports), **limits}
    form = accounts(env)
    auth = Server([AUTH], env, ports[0])
    machine = post_script(folder, "storm-machine", form)
    login = post_script(folder, "storm-login", LOGIN)
    say("measuring logins, and client tokens beside them...")
    say()
    argon2 = os.path.join(RELEASE, "floor")
    bare = float(subprocess.run([argon2, "argon2", str(SECONDS)], check=True, capture_output=True, text=True).stdout)
    alone = outcome(wrk(auth.url + "/api/token/", login))
    again = float(subprocess.run([argon2, "argon2", str(SECONDS)], check=True, capture_output=True, text=True).stdout)
    neighbours = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count())]
    try:
        crowded = outcome(wrk(auth.url + "/api/token/", login))
    finally:
        for neighbour in neighbours:
            neighbour.kill()
            neighbour.wait()
    quiet = outcome(wrk(auth.url + "/oauth2/token", machine))
    flood = wrk(auth.url + "/api/token/", login, seconds=SECONDS + 2)
    time.sleep(1)
    beside = outcome(wrk(auth.url + "/oauth2/token", machine))
    logins = outcome(flood, tolerate_refusals=True)
    table = Table("what", "a second", "p50 / p99, ms", "share", "aim")
    latency = lambda got: f"{got['p50']:.2f} / {got['p99']:.2f}"
    table.row("bare argon2id, before and after", f"{bare:.0f}, {again:.0f}", "", "", "")
    table.row("login, 16 connections", alone["rate"], latency(alone), f"{alone['rate'] / min(bare, again) * 100:.0f} %", ">= 90 %")
    share = f"{crowded['rate'] / alone['rate'] * 100:.0f} %"
    table.row("login beside a busy loop on each core", crowded["rate"], latency(crowded), share, ">= 25 %")
    table.row("client tokens, quiet", quiet["rate"], latency(quiet), "", "")
    table.row("client tokens beside 16 loops that log in", beside["rate"], latency(beside), f"{beside['rate'] / quiet['rate'] * 100:.0f} %", ">= 70 %, p99 <= 3 ms")
    table.row("logins meanwhile", logins["requests"] / (SECONDS + 2), latency(logins), "", "")
    say()
    auth.stop()


def verifiers():
    """Many verifiers of one authority, in a process of their own."""
    count = os.environ.get("BENCH_VERIFIERS", "1000")
    say(f"measuring {count} verifiers that follow one authority...")
    say()
    command = [os.path.join(RELEASE, "verifiers"), count]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    table = Table("what", "figures")
    for line in output.splitlines():
        said = json.loads(line)
        table.row(said["what"], ", ".join(f"{name} {value}" for name, value in said["figures"].items()))
    say()
