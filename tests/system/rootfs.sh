#!/bin/sh
# rootfs.sh SUITE KIND: prints the folder of a Debian root to be copied, made once and kept outside the tree.
#   bare    what a minimal machine has: packages must bring the rest
#   build   bare, and what builds the packages
#   system  bare, and systemd, PostgreSQL and Redis, to be booted
# Another text of this script makes another root.
# Ends with 77 and a reason when it cannot be had here. As root.
set -eu

suite=$1 kind=$2
cache=${XDG_CACHE_HOME:-$HOME/.cache}/pgusher-system
rootfs=$cache/$suite-$kind-$(cksum <"$0" | cut -d ' ' -f 1)
log=$cache/$suite-$kind.log

cannot() {
    echo "$1" >&2
    exit 77
}

[ "$(id -u)" = 0 ] || cannot "not root"
command -v debootstrap >/dev/null || cannot "debootstrap is missing"

# The machine's own mirror knows where packages can be had from here.
mirror() {
    sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb [^h]*\(http[^ ]*\).*/\1/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        grep -v security | head -n 1
}

no_daemons() { # in a chroot nothing may be started, and no cluster is wanted yet
    printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
    chmod 755 "$1/usr/sbin/policy-rc.d"
}

make_bare() { # make_bare FOLDER
    debootstrap --variant=minbase "$suite" "$1" "$(mirror)" >"$log" 2>&1 || cannot "debootstrap of $suite failed: $log"
}

add_to_bare() { # add_to_bare FOLDER PACKAGE...
    folder=$1
    shift
    bare=$("$0" "$suite" bare) || exit $?
    cp -a "$bare" "$folder"
    no_daemons "$folder"
    chroot "$folder" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >"$log" 2>&1 ||
        cannot "packages of $suite cannot be had: $log"
    rm -f "$folder/usr/sbin/policy-rc.d"
}

libraries="libhiredis-dev libjansson-dev libev-dev libxxhash-dev libmicrohttpd-dev"

make_build() { # make_build FOLDER
    # shellcheck disable=SC2086 # a list of words
    add_to_bare "$1" gcc libc6-dev make pkg-config dpkg-dev git libpq-dev libssl-dev libsystemd-dev $libraries
}

make_system() { # make_system FOLDER
    # shellcheck disable=SC2086 # a list of words
    add_to_bare "$1" systemd systemd-sysv dbus procps postgresql redis-server $libraries
}

mkdir -p "$cache"
exec 9>"$cache/lock-$suite-$kind"
flock 9
if [ ! -d "$rootfs" ]; then
    [ -z "${CACHED_ROOTS_ONLY:-}" ] || cannot "$rootfs is not there yet; make check-systemd makes it"
    rm -rf "$cache/$suite-$kind" "$cache/$suite-$kind"-*
    trap 'rm -rf "$rootfs.new"' EXIT
    "make_$kind" "$rootfs.new"
    mv "$rootfs.new" "$rootfs"
fi
echo "$rootfs"
