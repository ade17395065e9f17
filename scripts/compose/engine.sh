# A Docker engine in namespaces of its own: what it does to network, mounts and processes ends with it.
# Sourced by scripts/test-compose.

export DOCKER_HOST=unix:///run/docker.sock DOCKER_CONFIG=$work/cfg
# The classic builder: BuildKit wants a plug-in, and that is in no registry that a machine without images has.
export DOCKER_BUILDKIT=0 COMPOSE_PROGRESS=quiet
cgroup=/signet-compose

# The script again, as `inside`; tini takes care of whoever loses his parent.
in_namespaces() {
    unshare --net --mount --pid --fork --kill-child --mount-proc tini -g -- "$root/scripts/test-compose" inside "$@" &
    local namespaces=$! rc=0
    # Nothing less ends `unshare`, and with it everything inside; what stays on the disk the next run takes away.
    trap 'kill -KILL $namespaces 2>/dev/null || true' INT TERM
    wait $namespaces || rc=$?
    # Whoever was killed takes a moment to be gone.
    [ $rc -le 128 ] || sleep 2
    find /sys/fs/cgroup/ -depth -path '*/signet-compose*' -type d -exec rmdir {} + 2>/dev/null || true
    return $rc
}

start_engine() {
    mount -t tmpfs tmpfs /run
    ip link set lo up
    # A name outside gets 'no such name' at once, where without an answer each would take its time.
    ip addr add 192.0.2.53/32 dev lo
    python3 "$root/scripts/compose/no_such_name.py" &
    nice dockerd --data-root "$work/docker" --exec-root /run/docker --pidfile /run/docker.pid -H "$DOCKER_HOST" \
        --storage-driver overlay2 --cgroup-parent $cgroup --dns 192.0.2.53 --shutdown-timeout 5 --log-level warn \
        >"$work/dockerd.log" 2>&1 &
    dockerd=$!
    for _ in $(seq 300); do
        docker version >/dev/null 2>&1 && { leave_nothing; return; }
        kill -0 $dockerd 2>/dev/null || break
        sleep 0.1
    done
    echo "test-compose: no Docker engine can be started here; its last words ($work/dockerd.log):" >&2
    tail -n 5 "$work/dockerd.log" >&2
    return 3
}

# Also at the start: a run that was killed leaves its database, and with it an administrator whose password was shown
# to somebody else.
leave_nothing() {
    docker ps -aq | xargs -r docker rm -f >/dev/null 2>&1 || true
    docker volume ls -q | xargs -r docker volume rm -f >/dev/null 2>&1 || true
    docker network prune -f >/dev/null 2>&1 || true
}

stop_engine() {
    leave_nothing
    kill $dockerd 2>/dev/null || true
    wait $dockerd 2>/dev/null || true
}
