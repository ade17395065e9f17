"""What services pay for tokens that are exchanged (RFC 8693), and for proofs of possession (DPoP, RFC 9449)."""
import os, subprocess, urllib.parse

from harness import AUTH, CONNECTIONS, FORM, ROOT, ROUNDS, SECONDS, Server, Table, auth_env, cli, free_port, measured, medians, outcome, post, \
    post_script, say, token_form, wrk

# Subject tokens in turn: more than one user's, and fewer than the verification cache holds.
SUBJECTS = 2000

# More than are used in a round; each is good once.
PROOFS = 12_000

IN_TURN = """
local lines, turn = {}, 0
for line in io.lines("FILE") do lines[#lines + 1] = line end
wrk.method = "POST"
wrk.headers["Content-Type"] = "FORM"
function request()
  turn = turn % #lines + 1
  return wrk.format(nil, nil, nil, "BODY" .. lines[turn])
end
"""

WITH_PROOF = """
local proofs, head = {}, 0
for line in io.lines("FILE") do proofs[#proofs + 1] = line end
wrk.method = "POST"
function request()
  head = head + 1
  return wrk.format(nil, nil, { ["Content-Type"] = "FORM", DPoP = proofs[head] }, "BODY")
end
function response()
  -- Each connection asks for one more at once.
  if head + CONNECTIONS >= #proofs then wrk.thread:stop() end
end
"""


def script(folder, name, text, body, lines):
    path = os.path.join(folder, name)
    with open(path + ".lines", "w") as f:
        f.write("\n".join(lines) + "\n")
    with open(path + ".lua", "w") as f:
        f.write(text.replace("FILE", path + ".lines").replace("FORM", FORM).replace("BODY", body).replace("CONNECTIONS", str(CONNECTIONS)))
    return path + ".lua"


def proofs(url):
    made = subprocess.run(["node", os.path.join(ROOT, "bench/tools/proofs.mjs"), url, str(PROOFS)], check=True, capture_output=True, text=True)
    return made.stdout.split()


def cost(folder):
    ports = [free_port(), free_port()]
    env = {**auth_env(folder, f"sqlite://{folder}/exchange.db", ports), "AUTH__TOKENS__ACCESS_TTL": "1h"}
    for audience in ("orders", "stock"):
        cli(env, "audience", "create", audience)
    front = cli(env, "client", "create", "front", "--audience", "orders", "--scope", "read")["client_secret"]
    orders = cli(env, "client", "create", "orders", "--audience", "stock", "--scope", "read")["client_secret"]
    cli(env, "exchange", "allow", "--client", "orders", "--from", "orders", "--to", "stock", "--scope", "read")
    server = Server([AUTH], env, ports[0])
    subjects = [post(server.url + "/oauth2/token", token_form("front", front))["access_token"] for _ in range(SUBJECTS)]
    grant = urllib.parse.quote("urn:ietf:params:oauth:grant-type:token-exchange", safe="")
    kind = urllib.parse.quote("urn:ietf:params:oauth:token-type:access_token", safe="")
    exchange = f"grant_type={grant}&client_id=orders&client_secret={orders}&subject_token_type={kind}&subject_token="
    of_client = token_form("front", front)
    scripts = {
        "client token, the yardstick": lambda _: post_script(folder, "yardstick", of_client),
        "exchange, of one token": lambda _: post_script(folder, "one", exchange + subjects[0]),
        f"exchange, of {SUBJECTS:,} tokens in turn": lambda _: script(folder, "turn", IN_TURN, exchange, subjects),
        "client token with a proof (ES256)": lambda n: script(folder, f"proof-{n}", WITH_PROOF, of_client, proofs("https://auth.test/oauth2/token")),
    }
    say(f"measuring exchanges, {ROUNDS} rounds...")
    say()
    found = {}
    for turn in range(ROUNDS):
        for what, make in scripts.items():
            lua = make(turn)
            load = lambda: outcome(wrk(server.url + "/oauth2/token", lua, seconds=SECONDS))  # noqa: E731, B023
            found.setdefault(what, []).append(measured(server.cpu, load))
    table = Table("what", "requests/s", "server CPU, us/request", "a CPU second", "in client tokens", "p50 / p99, ms")
    yardstick = medians(found["client token, the yardstick"])["us"]
    for what, rounds in found.items():
        got = medians(rounds)
        table.row(what, f"{got['rate']:,.0f}", got["us"], f"{1e6 / got['us']:,.0f}", f"{got['us'] / yardstick:.2f}",
                  f"{got['p50']:.2f} / {got['p99']:.2f}")
    say()
    server.stop()
