# What the cluster promises, tried through nginx. Sourced by scripts/test-compose.

site=https://localhost:8443
profiles=(--profile observe --profile login)
state=$work/state # What one check leaves to the next: certificate, passwords, tokens.

try_cluster() {
    rm -rf "$state"
    mkdir -m 700 -p "$state"
    check "it comes up, and all of it is healthy" up docker compose
    check "setup's certificate, the administrator's password" learn docker compose
    check "only setup and PostgreSQL's entry point run as root" nobody_is_root
    check "TLS and HTTP/2" http2
    check "login, a token, a note" walk
    check "tokens name the address outside as issuer" issuer
    check "the key set comes from nginx's cache, for a second" jwks_cached
    check "metrics and readiness are not for outside" not_outside
    check "the application: 401 without a token, with one it receives the caller" guarded
    check "X-Signet-Subject of the caller's own does not get through" forged
    check "the web application logs a user in, and out" web_application
    check "a body of 70 kB: 413" large_body
    check "half a request is cut off" slow_request
    check "failed logins count for the caller, not for nginx" callers
    check "gRPC behind TLS: grpc.health.v1 says SERVING" grpc_health
    check "a revocation reaches everybody within a second" revoked
    check "an authority stopped and started, the other created again: no request fails" rolling
    check "a flood of logins: 429, and the rest goes on" flood
    check "setup, run again, changes nothing" setup_again
    check "no secret in logs, images or settings of containers" no_secret
}

up() { # COMPOSE...: everything but Grafana
    local services
    mapfile -t services < <("$@" "${profiles[@]}" config --services | grep -v grafana)
    "$@" "${profiles[@]}" up -d "${services[@]}" >"$work/up.log" 2>&1 || { tail "$work/up.log"; return 1; }
    # All but setup and web-client, which end.
    echo $((${#services[@]} - 2)) >"$state/services"
    within 120 healthy "$@" || { why_not; return 1; }
}
healthy() { # COMPOSE...
    local states
    states=$("$@" "${profiles[@]}" ps -q | xargs docker inspect -f '{{.Name}} {{with .State.Health}}{{.Status}}{{end}}')
    is "$(<"$state/services")" "$(grep -c ' healthy$' <<<"$states")" || { echo "$states"; return 1; }
}

why_not() { # of whoever is not healthy
    docker ps -q --filter health=unhealthy --filter health=starting | while read -r container; do
        docker inspect -f '{{.Name}} {{with .State.Health}}{{json (index .Log 0)}}{{end}}' "$container"
        docker logs --tail 10 "$container" 2>&1
    done
}

learn() { # COMPOSE...
    "$@" exec -T nginx cat /tls/server.crt >"$state/server.crt"
    "$@" run --rm -T --entrypoint cat setup /for/authority/admin-password >"$state/password"
    is 1 "$(wc -l <"$state/password")"
}

ask() { curl -sS -m 10 --cacert "$state/server.crt" "$@"; }
code() { ask -o /dev/null -w '%{http_code}' "$@"; }
login() { keep_pair "$(ask $site/api/token/ -d username=admin -d "password=$(<"$state/password")")"; }
refresh() { keep_pair "$(ask $site/api/token/refresh/ -d "refresh=$(<"$state/refresh")")"; }
keep_pair() {
    has '"access"' "$1" || return 1
    sed -E 's/.*"access":"([^"]+)".*/\1/' <<<"$1" >"$state/access"
    sed -E 's/.*"refresh":"([^"]+)".*/\1/' <<<"$1" >"$state/refresh"
}
bearer() { printf 'Authorization: Bearer %s' "$(<"$state/access")"; }
claim() { # NAME: of the access token
    cut -d . -f 2 "$state/access" | python3 -c 'import base64, json, sys
print(json.loads(base64.urlsafe_b64decode(sys.stdin.read().strip() + "=="))[sys.argv[1]])' "$1"
}
kids() { ask $site/.well-known/jwks.json | grep -o '"kid":"[^"]*"' | sort; }

nobody_is_root() {
    local service container user processes
    # PostgreSQL's entry point begins as root, and so does its health check.
    for service in $(docker compose "${profiles[@]}" ps --services | grep -v postgres); do
        container=$(docker compose "${profiles[@]}" ps -q "$service")
        user=$(docker inspect -f '{{.Config.User}}' "$container")
        has ':[1-9]' "$service:${user:-root}"
        processes=$(docker top "$container" -eo pid,uid)
        is "$service: 0" "$service: $(grep -c ' 0$' <<<"$processes" || true)"
    done
}

http2() { is "2 200" "$(ask --http2 -o /dev/null -w '%{http_version} %{http_code}' $site/healthz)"; }

walk() {
    login
    is 201 "$(code $site/notes -H "$(bearer)" -H 'Content-Type: application/json' -d '{"text":"kept in the cluster"}')"
    has 'kept in the cluster' "$(ask $site/notes -H "$(bearer)")"
}

issuer() {
    is $site "$(claim iss)"
    has "\"issuer\":\"$site\"" "$(ask $site/.well-known/openid-configuration)"
}

jwks_cached() {
    local seen
    cache() { ask -o /dev/null -D - $site/.well-known/jwks.json | tr -d '\r' | sed -n 's/^x-cache: //p'; }
    # nginx counts whole seconds: what it keeps for one may be two seconds old.
    sleep 2.2
    seen="$(cache) $(cache)"
    sleep 2.2
    seen+=" $(cache)"
    echo "$seen"
    has '^[EM][A-Z]* HIT [EM][A-Z]*$' "$seen"
}

not_outside() {
    is 404 "$(code $site/metrics)"
    is 404 "$(code $site/readyz)"
    is 404 "$(code $site/_signet/verify -H "$(bearer)")"
    # Only nginx, the web application and Prometheus are published, and to this machine's loopback alone.
    is "127.0.0.1:8090 127.0.0.1:8443 127.0.0.1:9090 127.0.0.1:9443" \
        "$(docker ps --format '{{.Ports}}' | grep -o '[0-9.]*:[0-9]*->' | tr -d '>-' | sort | xargs)"
}

guarded() {
    is 401 "$(code $site/app/)"
    is "subject=$(claim sub) authorization=" "$(ask $site/app/ -H "$(bearer)")"
}

forged() {
    # With dashes the request is refused as a whole; with underscores the header is dropped.
    is 400 "$(code $site/app/ -H "$(bearer)" -H 'X-Signet-Subject: somebody')"
    is "subject=$(claim sub) authorization=" "$(ask $site/app/ -H "$(bearer)" -H 'X_Signet_Subject: somebody')"
    is 401 "$(code $site/app/ -H 'X_Signet_Subject: somebody')"
}

# A browser without a window: its cookies, one page after the other.
web_application() {
    local app=http://localhost:8090 page
    browse() { ask -b "$state/cookies" -c "$state/cookies" "$@"; }
    led_to() { browse -o /dev/null -w '%{redirect_url}' "$@"; } # URL...: where it leads
    field() { sed -nE "s/.*name=\"$1\" value=\"([^\"]*)\".*/\1/p" <<<"$page" | head -n 1; }
    has 'nobody is signed in' "$(browse $app/)"
    page=$(browse "$(led_to $app/login)")
    page=$(browse $site/login/password --data-urlencode "interaction=$(field interaction)" -d username=admin \
        --data-urlencode "password=$(<"$state/password")")
    page=$(browse $site/login/consent --data-urlencode "interaction=$(field interaction)" -d decision=allow)
    page=$(sed -nE 's/.*http-equiv="refresh" content="0;url=([^"]*)".*/\1/p' <<<"$page" | sed 's/&#38;/\&/g; s/&amp;/\&/g')
    is "$app/" "$(led_to "$page")"
    has 'signed in as' "$(browse $app/)"
    is "$app/" "$(led_to "$(led_to $app/logout)")"
    has 'nobody is signed in' "$(browse $app/)"
}

# By nginx: the authority has a bound of its own, and other words.
large_body() { has '413 .*<center>nginx' "$(head -c 70000 /dev/zero | ask --data-binary @- $site/oauth2/token | xargs)"; }

slow_request() {
    python3 - "$state/server.crt" <<'PY'
import socket, ssl, sys, time
began = time.monotonic()
tls = ssl.create_default_context(cafile=sys.argv[1])
with tls.wrap_socket(socket.create_connection(("127.0.0.1", 8443), 15), server_hostname="localhost") as peer:
    peer.sendall(b"GET / HTTP/1.1\r\nHost: loc")
    while peer.recv(4096):
        pass
took = time.monotonic() - began
assert 4 < took < 8, took
print(f"after {took:.1f} s")
PY
}

callers() {
    local attempt last
    docker compose exec -T auth-1 auth-service user create alice --json |
        sed -E 's/.*"password":"([^"]+)".*/\1/' >"$state/alice"
    for attempt in $(seq 12); do
        last=$(code $site/api/token/ -d username=alice -d password=wrong -H "X-Forwarded-For: 203.0.113.$attempt")
    done
    is 429 "$last"
    is 429 "$(code $site/api/token/ -d username=alice -d "password=$(<"$state/alice")")"
    is 200 "$(docker compose exec -T nginx curl -sk -o /dev/null -w '%{http_code}' https://127.0.0.1:8443/api/token/ \
        -d username=alice -d "password=$(<"$state/alice")")"
}

grpc_health() {
    local answer
    answer=$(head -c 5 /dev/zero | ask --http2 -H 'Content-Type: application/grpc' -H 'TE: trailers' --data-binary @- \
        https://localhost:9443/grpc.health.v1.Health/Check | od -An -tx1)
    is " 00 00 00 00 02 08 01" "$answer"
}

revoked() {
    local began row=0
    login
    is "200 200" "$(code $site/app/ -H "$(bearer)") $(code $site/notes -H "$(bearer)")"
    is 200 "$(code $site/api/token/blacklist/ -d "refresh=$(<"$state/refresh")")"
    began=$EPOCHREALTIME
    # Requests go to both gateways in turn: four refusals in a row are both of them, twice.
    until [ $row = 4 ]; do
        if [ "$(code $site/app/ -H "$(bearer)")" = 401 ]; then row=$((row + 1)); else row=0; fi
        awk "BEGIN { exit !($EPOCHREALTIME - $began < 1) }" || { echo "still let through after a second"; return 1; }
    done
    is 401 "$(code $site/notes -H "$(bearer)")"
    awk "BEGIN { printf \"after %.2f s at the latest\n\", $EPOCHREALTIME - $began }"
}

flood() {
    local codes
    codes=$(at_once -d x=1 "$site/api/token/?[1-200]")
    is 200 "$(code $site/.well-known/openid-configuration)"
    has '^[0-9]* 400 [0-9]* 429$' "$codes"
    echo "how many of which: $codes"
    # Over gRPC too: one limit for both protocols.
    has ' 429' "$(at_once --http2 -d x=1 "https://localhost:9443/signet.auth.v1.TokenService/ObtainPair?[1-100]")"
    # Until the next login is let in again.
    sleep 6
}

at_once() { # CURL-OPTION...: how many of which status
    ask -Z --parallel-max 40 -o /dev/null -w '%{http_code}\n' "$@" 2>/dev/null | sort | uniq -c | xargs
}

rolling() {
    local traffic
    login
    rm -f "$state/enough" "$state/lost"
    traffic &
    traffic=$!
    trap 'touch "$state/enough"' EXIT
    sleep 1
    docker compose stop auth-1 2>/dev/null
    sleep 3
    docker compose start auth-1 2>/dev/null
    within 60 healthy docker compose
    # As docs/operations.md has it: the next one when nginx has taken this one back. This one as for a new version.
    sleep 2
    docker compose up -d --no-deps --force-recreate auth-2 2>/dev/null
    within 60 healthy docker compose
    sleep 2
    touch "$state/enough"
    wait $traffic || true
    is "" "$(cat "$state/lost" 2>/dev/null)"
    echo "$(wc -l <"$state/times") requests, the slowest took $(sort -n "$state/times" | tail -n 1) s"
}
# Until told that it is enough: refreshes, each with the token of the one before, and what they are for.
traffic() {
    : >"$state/times"
    while [ ! -e "$state/enough" ]; do
        one $site/api/token/refresh/ -d "refresh=$(<"$state/refresh")"
        keep_pair "$(<"$state/answer")" >/dev/null || return 1
        one $site/notes -H "$(bearer)"
        one $site/app/ -H "$(bearer)"
        one $site/.well-known/openid-configuration
    done
}
one() { # URL...
    local seen
    seen=$(ask -o "$state/answer" -w '%{http_code} %{time_total}' "$@" || true)
    echo "${seen#* }" >>"$state/times"
    [ "${seen% *}" = 200 ] || echo "$1: $seen: $(<"$state/answer")" >>"$state/lost"
}

setup_again() {
    local before
    found() {
        docker compose run --rm -T --entrypoint sh setup -c 'cd /for; find . -type f -exec stat -c "%n %u %a" {} + | sort
            find . -type f -exec stat -c "%n %Y" {} + -exec sha256sum {} + | sort' 2>/dev/null
    }
    before=$(found)
    is "./authority/admin-password 65532 600
./authority/database-url 65532 600
./authority/master.key 65532 600
./nginx/server.crt 101 600
./nginx/server.key 101 600
./postgres/password 999 600
./web/client-secret 65532 600
./web/server.crt 65532 600" "$(head -n 8 <<<"$before")"
    is "" "$(docker compose run --rm -T setup 2>/dev/null)"
    is "$before" "$(found)"
}

no_secret() {
    docker compose run --rm -T --entrypoint sh setup -c 'cat /for/postgres/password /for/authority/master.key
        cat /for/web/client-secret
        sed 1d /for/nginx/server.key | head -n 1' 2>/dev/null >"$state/secrets"
    is 4 "$(wc -l <"$state/secrets")"
    cat "$state/alice" "$state/access" "$state/refresh" "$state/password" >>"$state/secrets"
    docker compose "${profiles[@]}" logs >"$state/logs" 2>&1
    is 0 "$(grep -cFf "$state/secrets" "$state/logs" || true)"
    is 0 "$(docker ps -aq | xargs docker inspect | grep -cFf "$state/secrets" || true)"
    is 0 "$(docker save signet-setup signet-auth-service signet-resource-service signet-gateway signet-example-web | grep -acFf "$state/secrets" || true)"
}
