"""What TLS of its own costs the authority: per request of a kept connection, and per connection."""
import os, subprocess

from harness import AUTH, ROUNDS, Server, Table, accounts, auth_env, free_port, measured, medians, outcome, post_script, say, wrk


def certificate(folder):
    """A key and a self-signed certificate: wrk asks no authority."""
    files = os.path.join(folder, "tls.pem"), os.path.join(folder, "tls.key")
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subprocess.run([*command, *subject, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    os.chmod(files[1], 0o600)
    return {"AUTH__TLS__CERTIFICATE_FILE": files[0], "AUTH__TLS__KEY_FILE": files[1]}


def cost(folder):
    """The same server twice, without and with TLS, in turns."""
    servers = {}
    for name, extra in (("plain", {}), ("tls", certificate(folder))):
        ports = [free_port() for _ in range(2)]
        env = {**auth_env(folder, f"sqlite://{folder}/{name}.db", ports), **extra}
        form = accounts(env)
        server = Server([AUTH], env, ports[0])
        server.url = server.url if name == "plain" else server.url.replace("http:", "https:")
        servers[name] = server, post_script(folder, name, form)
    say("measuring the cost of TLS...")
    say()
    table = Table("what", "plain, us", "TLS, us", "difference, us", "ratio")
    kept, closed = None, "Connection: close"
    for title, path, posts, header in (
        ("client token, kept connections", "/oauth2/token", True, kept),
        ("key set, kept connections", "/.well-known/jwks.json", False, kept),
        ("key set, a connection each", "/.well-known/jwks.json", False, closed),
    ):
        rounds = {name: [] for name in servers}
        for _ in range(ROUNDS):
            for name, (server, script) in servers.items():
                load = lambda: outcome(wrk(server.url + path, script if posts else None, header))  # noqa: E731, B023
                rounds[name].append(measured(server.cpu, load))
        plain, tls = (medians(rounds[name])["us"] for name in ("plain", "tls"))
        table.row(title, plain, tls, tls - plain, f"{tls / plain:.2f}")
    say()
    for server, _ in servers.values():
        server.stop()
