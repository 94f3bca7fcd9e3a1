#!/bin/sh
# deps.sh [demo | system | fuzz]: finds what the build, the demo and (without "demo") the tests need, with "system" also those that boot a
# machine, with "fuzz" clang and its libFuzzer, and installs what is missing with apt (Debian, Ubuntu). DEPS=skip turns it off. Elsewhere it prints the package names and stops.
# deps.sh [demo | system | coverage]: finds what the build, the demo and (without "demo") the tests need, with "system" also those that boot a
# machine, with "coverage" gcovr, and installs what is missing with apt
# deps.sh [demo | system | lint | valgrind]: finds what the build, the demo and (without "demo") the tests need, with "system" also those
# that boot a machine, with "lint" the linters, with "valgrind" that, and installs what is missing with apt
# (Debian, Ubuntu). DEPS=skip turns it off. Elsewhere it prints the package names and stops.
set -eu

[ "${DEPS:-}" != skip ] || exit 0

missing_apt=
missing_dnf=
missing_apk=
optional_apt= # what is tested with it is skipped without it

need() { # need APT DNF APK: all three are missing
    missing_apt="$missing_apt $1"
    missing_dnf="$missing_dnf $2"
    missing_apk="$missing_apk $3"
}

have() {
    command -v "$1" >/dev/null 2>&1
}

library() { # library PKG-CONFIG-NAME APT DNF APK
    { have pkg-config && pkg-config --exists "$1"; } || need "$2" "$3" "$4"
}

server() { # the newest server programs of PostgreSQL, which Debian keeps out of PATH
    have initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

python_module() {
    [ -x /usr/bin/python3 ] && /usr/bin/python3 -c "import $1" >/dev/null 2>&1
}

libfuzzer() {
    have clang && ls "$(clang -print-resource-dir)"/lib/*/libclang_rt.fuzzer* >/dev/null 2>&1
}

clang_runtime() { # of the clang that is here, or would be installed; older ones have it within
    version=$(clang -dumpversion 2>/dev/null || apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p')
    ! apt-cache show "libclang-rt-${version%%.*}-dev" >/dev/null 2>&1 || echo "libclang-rt-${version%%.*}-dev"
}

have cc || need gcc gcc gcc
[ -f /usr/include/stdio.h ] || need libc6-dev glibc-devel musl-dev
have pkg-config || need pkg-config pkgconf-pkg-config pkgconf
library libpq libpq-dev libpq-devel libpq-dev
library hiredis libhiredis-dev hiredis-devel hiredis-dev
library jansson libjansson-dev jansson-devel jansson-dev
library libxxhash libxxhash-dev xxhash-devel xxhash-dev
library libmicrohttpd libmicrohttpd-dev libmicrohttpd-devel libmicrohttpd-dev
have apk || library libsystemd libsystemd-dev systemd-devel '' # the build works without
[ -f /usr/include/ev.h ] || [ -f /usr/include/libev/ev.h ] || need libev-dev libev-devel libev-dev
server || need postgresql postgresql-server postgresql
have psql || need postgresql-client postgresql postgresql-client
have pgbench || [ -n "$(ls /usr/lib/postgresql/*/bin/pgbench 2>/dev/null)" ] || need postgresql-contrib postgresql-contrib postgresql-contrib
have redis-server || need redis-server redis redis
have redis-cli || need redis-tools redis redis
have runuser || have su || need util-linux util-linux runuser
if [ "${1:-}" != demo ]; then
    library check check check-devel check-dev
    python_module pytest || need python3-pytest python3-pytest py3-pytest
    python_module psycopg2 || need python3-psycopg2 python3-psycopg2 py3-psycopg2
    python_module redis || need python3-redis python3-redis py3-redis
    have spin || need spin spin spin
    have groonga || optional_apt=" groonga-bin"
    [ "${1:-}" != system ] || have systemd-nspawn || optional_apt="$optional_apt systemd-container"
    [ "${1:-}" != system ] || have debootstrap || optional_apt="$optional_apt debootstrap"
    [ "${1:-}" != fuzz ] || libfuzzer || optional_apt="$optional_apt clang $(clang_runtime)"
    [ "${1:-}" != coverage ] || have gcovr || need gcovr gcovr gcovr
fi

if [ "${1:-}" = lint ]; then
    have luacheck || optional_apt="$optional_apt lua-check"
    have shellcheck || optional_apt="$optional_apt shellcheck"
    have cppcheck || optional_apt="$optional_apt cppcheck"
    have clang-tidy || optional_apt="$optional_apt clang-tidy"
fi
[ "${1:-}" != valgrind ] || have valgrind || optional_apt="$optional_apt valgrind"

[ -n "$missing_apt$optional_apt" ] || exit 0

if ! have apt-get; then
    [ -n "$missing_apt" ] || exit 0
    echo "These packages are missing; install them and run make again (or DEPS=skip make …):"
    ! have dnf || echo "  dnf install$missing_dnf"
    ! have apk || echo "  apk add$missing_apk"
    have dnf || have apk || echo " $missing_apt"
    exit 1
fi

sudo=
if [ "$(id -u)" != 0 ]; then
    if ! have sudo; then
        [ -n "$missing_apt" ] || exit 0
        echo "Missing packages and neither root nor sudo; as root: apt-get install$missing_apt"
        exit 1
    fi
    sudo=sudo
    echo "Missing packages will be installed with sudo; it may ask for your password (DEPS=skip turns this off)."
fi
echo "Installing:$missing_apt$optional_apt"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The server packages shall neither create a cluster nor start anything: tests and demo start their own servers.
keep_quiet() {
    $sudo sh -c "mkdir -p /etc/postgresql-common/createcluster.d &&
        echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.d/pgusher.conf"
}
# shellcheck disable=SC2086 # a list of words
install_all() {
    $sudo env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $1
}
if ! { keep_quiet && $sudo apt-get update -qq && { [ -z "$missing_apt" ] || install_all "$missing_apt"; }; } >"$log" 2>&1; then
    [ -n "$missing_apt" ] || exit 0
    cat "$log"
    echo "The packages could not be installed."
    exit 1
fi
[ -z "$optional_apt" ] || install_all "$optional_apt" >"$log" 2>&1 ||
    echo "$optional_apt could not be installed; what is tested with it will be skipped."
