"""Logins by the authorization code grant of users who are logged in already, beside node-oidc-provider with all in memory."""
import base64, hashlib, os, re, shutil, sqlite3, subprocess, sys, urllib.error, urllib.parse, urllib.request

from harness import (
    AUTH, CONNECTIONS, FORM, PASSWORD, ROOT, ROUNDS, SECONDS, Server, Table, auth_env, cli, cluster_cpu, fresh_database, free_port, measured,
    medians, outcome, post_script, psql, say, token_form, wrk,
)

CALLBACK = "https://app.test/callback"
VERIFIER = "a-verifier-of-forty-three-characters-or-more"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")

AUTHORIZE = """
local codes = io.open("FILE.codes", "w")
codes:setvbuf("full", 65536)
local users, turn = {}, 0
for line in io.lines("FILE.cookies") do users[#users + 1] = line end
function request()
  turn = turn % #users + 1
  return wrk.format(nil, nil, { Cookie = users[turn] })
end
local left = 0
function response(status, headers, body)
  for name, value in pairs(headers) do
    if name:lower() == "location" then codes:write(value:match("[?&]code=([^&]+)"), "\\n") end
  end
  left = left + 1
  if left % 64 == 0 then codes:flush() end
end
"""

REDEEM = """
local codes, head = {}, 0
for line in io.lines("FILE.codes") do codes[#codes + 1] = line end
wrk.method = "POST"
wrk.headers["Content-Type"] = "FORM"
function request()
  head = head + 1
  return wrk.format(nil, nil, nil, "BODY&code=" .. codes[head])
end
function response()
  -- Each connection asks for one more at once.
  if head + CONNECTIONS >= #codes then wrk.thread:stop() end
end
"""


class Browser:
    """Its cookies, and no redirect that it follows by itself."""

    def __init__(self, base, cookies=None):
        self.base, self.cookies = base, dict(cookies or {})

    def __call__(self, path, form=None):
        url = urllib.parse.urljoin(self.base, path)
        headers = {"Cookie": self.cookie(), "Sec-Fetch-Site": "same-origin"}
        body = urllib.parse.urlencode(form).encode() if form else None
        request = urllib.request.Request(url, data=body, headers=headers)
        try:
            answer = urllib.request.build_opener(NoRedirect).open(request)
        except urllib.error.HTTPError as redirect:
            answer = redirect
        for line in answer.headers.get_all("Set-Cookie") or ():
            name, value = line.split(";")[0].split("=", 1)
            self.cookies[name] = value
        return answer.headers.get("Location"), answer.read().decode()

    def cookie(self):
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items() if value)


def code_of(location):
    return re.search(r"[?&]code=([^&]+)", location).group(1)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def query(client):
    asked = {"client_id": client, "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid profile", "state": "s",
             "nonce": "n", "code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    return urllib.parse.urlencode(asked)


# So that the sessions of one user are about as few as they are in life.
USERS = 200


class Signet:
    authorize, token, userinfo = "/oauth2/authorize", "/oauth2/token", "/oauth2/userinfo"

    def __init__(self, name, folder, database, extra_cpu=lambda: 0.0):
        ports = [free_port(), free_port()]
        env = auth_env(folder, database, ports)
        for number in range(USERS):
            cli(env, "user", "create", f"bench{number}", "--password-stdin", stdin=PASSWORD)
        self.secrets, self.database, self.cookies = {}, database, []
        for algorithm in ("EdDSA", "RS256"):
            options = ["--redirect-uri", CALLBACK, "--first-party", "--id-token-algorithm", algorithm]
            client = f"login-{algorithm.lower()}"
            self.secrets[client] = cli(env, "client", "create", client, *options)["client_secret"]
        machine = cli(env, "client", "create", "machine", "--audience", "notes", "--scope", "notes:read")["client_secret"]
        self.yardstick = post_script(folder, f"machine-{ports[0]}", token_form("machine", machine))
        self.name, self.server, self.extra_cpu = name, Server([AUTH], env, ports[0]), extra_cpu

    def log_in(self, client):
        """The cookies of all users, and a code."""
        while len(self.cookies) < USERS:
            browser = Browser(self.server.url)
            _, page = browser(f"{self.authorize}?{query(client)}")
            interaction = re.search(r'name="interaction" value="([^"]+)"', page).group(1)
            name = f"bench{len(self.cookies)}"
            browser("/login/password", {"interaction": interaction, "username": name, "password": PASSWORD})
            self.cookies.append(browser.cookies)
        browser = Browser(self.server.url, self.cookies[0])
        location, _ = browser(f"{self.authorize}?{query(client)}")
        return [Browser(self.server.url, cookies).cookie() for cookies in self.cookies], code_of(location)

    def forget_sessions(self):
        if self.database.startswith("sqlite://"):
            with sqlite3.connect(self.database.removeprefix("sqlite://"), timeout=10) as database:
                database.execute("DELETE FROM sessions")
        else:
            psql("DELETE FROM sessions", self.database)


class OidcProvider:
    """As it is: opaque access tokens, which it keeps in memory."""

    authorize, token, userinfo = "/auth", "/token", "/me"

    def __init__(self, folder):
        modules = subprocess.run(["scripts/node-modules", "bench/oidc-provider"], cwd=ROOT, check=True, capture_output=True, text=True)
        script = shutil.copy(os.path.join(ROOT, "bench/oidc-provider/server.mjs"), os.path.join(ROOT, modules.stdout.strip()))
        port, secret = free_port(), "a-secret-of-this-bench-alone"
        self.secrets = {"login-eddsa": secret, "login-rs256": secret}
        self.name, self.extra_cpu = "oidc-provider", lambda: 0.0
        self.server = Server(["node", script, str(port), secret], {"NODE_ENV": "production"}, port, says_ready=False)

    def log_in(self, client):
        browser = Browser(self.server.url)
        location, _ = browser(f"{self.authorize}?{query(client)}")
        for _ in range(8):
            if location.startswith(CALLBACK):
                return [browser.cookie()], code_of(location)
            location, page = browser(location)
            if "interaction" in (location or "") or location is None:
                prompt = re.search(r'name="prompt" value="(\w+)"', page)
                if prompt:
                    action = re.search(r'action="([^"]+)"', page).group(1)
                    location, _ = browser(action, {"prompt": prompt.group(1), "login": "bench", "password": "x"})
        sys.exit(f"bench: the login at oidc-provider went nowhere: {location}")

    def forget_sessions(self):
        pass


def redemption(provider, client):
    return f"grant_type=authorization_code&client_id={client}&client_secret={provider.secrets[client]}" \
           f"&redirect_uri={urllib.parse.quote(CALLBACK, safe='')}&code_verifier={VERIFIER}"


def redeem_one(provider, client, code):
    _, answer = Browser(provider.server.url)(provider.token, dict(urllib.parse.parse_qsl(redemption(provider, client)), code=code))
    return re.search(r'"access_token":"([^"]+)"', answer).group(1)


def rounds_of(provider, client, folder):
    """Authorization requests of a browser that is logged in, then the redemption of their codes: a round of each."""
    cookies, code = provider.log_in(client)
    cpu = lambda: provider.server.cpu() + provider.extra_cpu()  # noqa: E731
    path = os.path.join(folder, f"{provider.name}-{client}".replace(" ", "-"))
    with open(path + ".cookies", "w") as f:
        f.write("\n".join(cookies) + "\n")
    scripts = {"authorize": AUTHORIZE, "redeem": REDEEM.replace("BODY", redemption(provider, client))}
    for name, text in scripts.items():
        with open(f"{path}-{name}.lua", "w") as f:
            f.write(text.replace("FILE", path).replace("FORM", FORM).replace("CONNECTIONS", str(CONNECTIONS)))
    target = f"{provider.server.url}{provider.authorize}?{query(client)}"
    authorized = measured(cpu, lambda: outcome(wrk(target, f"{path}-authorize.lua", seconds=SECONDS + 2)))
    redeemed = measured(cpu, lambda: outcome(wrk(provider.server.url + provider.token, f"{path}-redeem.lua")))
    bearer = f"Authorization: Bearer {redeem_one(provider, client, code)}"
    told = measured(cpu, lambda: outcome(wrk(provider.server.url + provider.userinfo, None, bearer)))
    provider.forget_sessions()
    return {"authorize, single sign-on": authorized, "code for tokens": redeemed, "userinfo": told}


def logins(folder):
    postgres = int(os.environ["SIGNET_TEST_POSTGRES_PID"])
    providers = [
        Signet("SQLite", folder, f"sqlite://{folder}/login.db"),
        Signet("PostgreSQL, its CPU included", folder, fresh_database("login"), lambda: cluster_cpu(postgres)),
        OidcProvider(folder),
    ]
    say(f"measuring logins, {ROUNDS} rounds...")
    say()
    table = Table("what", "ID token", "provider", "requests/s", "server CPU, us/request", "a CPU second", "p50 / p99, ms", "aim")
    found = {}
    for _ in range(ROUNDS):
        first = providers[0]
        token = measured(first.server.cpu, lambda: outcome(wrk(first.server.url + first.token, first.yardstick)))
        found.setdefault(("client token, the yardstick", "-", first.name), []).append(token)
        for client in ("login-eddsa", "login-rs256"):
            for provider in providers:
                for what, got in rounds_of(provider, client, folder).items():
                    found.setdefault((what, client, provider.name), []).append(got)
    aims = {("authorize, single sign-on", "login-eddsa"): ">= 25,000", ("code for tokens", "login-eddsa"): ">= 15,000",
            ("code for tokens", "login-rs256"): ">= 3,000", ("userinfo", "login-eddsa"): ">= 15,000"}
    for (what, client, provider), rounds in sorted(found.items()):
        got = medians(rounds)
        aim = aims.get((what, client), "") if provider == "SQLite" else ""
        table.row(what, client.removeprefix("login-"), provider, f"{got['rate']:,.0f}", got["us"], f"{1e6 / got['us']:,.0f}",
                  f"{got['p50']:.2f} / {got['p99']:.2f}", aim)
    say()
    for provider in providers:
        provider.server.stop()
