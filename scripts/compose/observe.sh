# Metrics, a restart of everything, and the older Compose. Sourced by scripts/test-compose.

prometheus=http://127.0.0.1:9090

try_observe() {
    check "Prometheus reaches every replica" within 30 all_targets_up
    check "the dashboard's questions are answered, each with data" python3 scripts/compose/ask_dashboard.py $prometheus
}

all_targets_up() {
    local up
    up=$(curl -sS -m 5 "$prometheus/api/v1/query?query=sum(up)")
    has ',"6"\]' "$up"
}

try_again() {
    check "a session, a note and the keys outlive it" outlive
    check "\`down -v\` leaves nothing" gone docker compose
}

outlive() {
    local keys
    login
    keys=$(kids)
    cp "$state/access" "$state/access-before"
    docker compose "${profiles[@]}" down >"$work/down.log" 2>&1
    up docker compose
    is "$keys" "$(kids)"
    refresh
    has 'kept in the cluster' "$(ask $site/notes -H "Authorization: Bearer $(<"$state/access-before")")"
}

gone() { # COMPOSE...
    "$@" "${profiles[@]}" down -v >"$work/down.log" 2>&1
    is "" "$(docker ps -aq)$(docker volume ls -q)$(docker network ls -q --filter type=custom)"
}

try_old_compose() {
    check "it accepts the file" docker-compose config -q
    check "it comes up, and all of it is healthy" up docker-compose
    check "setup's certificate, the administrator's password" learn docker-compose
    check "login, a token, a note" walk
    check "\`down -v\` leaves nothing" gone docker-compose
}
