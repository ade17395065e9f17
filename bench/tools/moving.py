"""Moving in: what an import of many accounts takes, and whether a login tells who has one."""
import base64, hashlib, json, os, shutil, statistics, subprocess, time, urllib.error, urllib.request

from harness import AUTH, PASSWORD, ROOT, Server, Table, auth_env, cli, fresh_database, free_port, say

ACCOUNTS = int(os.environ.get("BENCH_ACCOUNTS", "100000"))
ROUNDS = 200
FORMATS = ["pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "bcrypt", "scrypt", "md5"]
# What is asked for, on this machine.
LEAST_PER_SECOND, MOST_MIB = 20_000, 100


def project(folder):
    """A Django project with so many accounts over all formats, and its dump."""
    venv = subprocess.run([os.path.join(ROOT, "scripts/django-venv")], check=True, capture_output=True, text=True).stdout.strip()
    python = os.path.join(ROOT, venv, "bin/python")
    source = os.path.join(ROOT, "system-tests/tests/it/moving")
    shutil.copy(os.path.join(source, "project.py"), folder)
    database = os.path.join(folder, "django.db")
    config = {"database": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}, "odd": False}
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file)

    def manage(*arguments):
        subprocess.run([python, "project.py", "config.json", *arguments], cwd=folder, check=True)

    say(f"making {ACCOUNTS:,} accounts in Django...")
    manage("seed", str(ACCOUNTS))
    dump = os.path.join(folder, "dump.json")
    manage("dumpdata", "contenttypes", "auth", "token_blacklist", "--output", dump)
    url_file = os.path.join(folder, "django.url")
    with open(url_file, "w") as file:
        file.write(f"sqlite://{database}")
    return dump, url_file


def measured_import(env, *source):
    """The report, with the peak of the process in MiB and its CPU time."""
    process = subprocess.Popen([AUTH, "--json", "import", "django", *source], env={**os.environ, **env},
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    report = json.load(process.stdout)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"bench: the import failed: {report}")
    return report, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def log_in(url, name, password):
    body = json.dumps({"username": name, "password": password}).encode()
    request = urllib.request.Request(f"{url}/api/token/", body, {"Content-Type": "application/json"})
    begun = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()
            return answer.status, time.monotonic() - begun
    except urllib.error.HTTPError as error:
        error.read()
        return error.code, time.monotonic() - begun


def imports(folder):
    dump, url_file = project(folder)
    say(f"\n### Moving in ({ACCOUNTS:,} accounts; asked for: {LEAST_PER_SECOND:,} a second, {MOST_MIB} MiB)\n")
    table = Table("into", "from", "accounts", "seconds", "accounts/s", "CPU s", "peak MiB", "new, changed, as before")
    for database in ("SQLite", "PostgreSQL"):
        home = os.path.join(folder, database)
        os.mkdir(home)
        url = f"sqlite://{home}/signet.db" if database == "SQLite" else fresh_database("moving")
        ports = [free_port(), free_port()]
        env = auth_env(home, url, ports)
        for what, source in (("a dump", [dump]), ("the dump again", [dump]), ("Django's database", ["--database-url-file", url_file])):
            report, peak, cpu = measured_import(env, *source)
            counts = f"{report['new']:,}, {report['changed']:,}, {report['unchanged']:,}"
            table.row(database, what, f"{report['accounts']:,}", f"{report['seconds']:.2f}", f"{report['per_second']:,.0f}",
                      f"{cpu:.2f}", f"{peak:.0f}", counts)
            assert report["left_out"] == 0 and report["accounts"] == ACCOUNTS, report
        server = Server([AUTH], env, ports[0])
        for number in range(0, 70, 3):
            status, _ = log_in(server.url, f"{FORMATS[number % 7]}-{number}", PASSWORD)
            assert status == 200, f"{database}: {FORMATS[number % 7]}-{number}: {status}"
        server.stop()
    say("24 of them, of all formats, have logged in on each.")


def enumeration(folder):
    """Medians of logins that fail for different reasons, in turns."""
    say(f"\n### Who has an account? (medians of {ROUNDS} logins each, in turns; asked for: within 5 %)\n")
    table = Table("hashes of the accounts", "unknown", "wrong password", "disabled, right password", "apart")
    for what in ("argon2id", "pbkdf2_sha256"):
        home = os.path.join(folder, f"enumeration-{what}")
        os.mkdir(home)
        ports = [free_port(), free_port()]
        none = {f"AUTH__LIMITS__{name}": "0" for name in ("PAIR", "ACCOUNT", "CLIENT_IP")}
        env = {**auth_env(home, f"sqlite://{home}/signet.db", ports), **none}
        people(home, env, what)
        server = Server([AUTH], env, ports[0])
        kinds = [("nobody", PASSWORD), ("somebody", "wrong"), ("disabled", PASSWORD)]
        times = [[] for _ in kinds]
        for _ in range(ROUNDS):
            for (name, password), seen in zip(kinds, times):
                status, took = log_in(server.url, name, password)
                assert status == 401, status
                seen.append(took * 1000)
        server.stop()
        medians = [statistics.median(seen) for seen in times]
        apart = max(medians) / min(medians) - 1
        table.row(what, *[f"{median:.2f} ms" for median in medians], f"{apart * 100:.1f} %")


def people(home, env, what):
    """Somebody, and somebody whose account is disabled, with hashes of ours or of Django's."""
    if what == "argon2id":
        for name in ("somebody", "disabled"):
            cli(env, "user", "create", name, "--password-stdin", stdin=PASSWORD)
        cli(env, "user", "disable", "disabled")
        return
    derived = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), b"saltsalt", 100000)
    hashed = "pbkdf2_sha256$100000$saltsalt$" + base64.b64encode(derived).decode()
    rows = [
        {"model": "auth.user", "pk": number, "fields": {"username": name, "password": hashed, "is_active": name != "disabled"}}
        for number, name in enumerate(["somebody", "disabled"], 1)
    ]
    dump = os.path.join(home, "dump.json")
    with open(dump, "w") as file:
        json.dump(rows, file)
    measured_import(env, dump)
