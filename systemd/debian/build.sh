#!/bin/bash
# build.sh STAGE OUT VERSION: makes the packages of control out of what `make install` has put into STAGE, with dpkg-deb alone;
# each file goes to the package that `files` says. Prints their names.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
stage=$1 out=$2 version=$3-1
maintainer=${DEB_MAINTAINER:-"The pgusher authors <pgusher@pgusher.invalid>"}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
architecture=$(dpkg --print-architecture)
epoch=${SOURCE_DATE_EPOCH:-$(git -C "$here" log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH=$epoch
umask 022

packages() {
    sed -n 's/^Package: //p' "$here/control"
}

# ---- files ----

package_of() { # package_of FILE
    local package patterns pattern
    set -f
    while read -r package patterns; do
        for pattern in $patterns; do
            # shellcheck disable=SC2053 # a pattern
            [[ $package != "#" && $1 == $pattern ]] && echo "$package" && return
        done
    done <"$here/files"
}

distribute() {
    local file package place
    while IFS= read -r -d '' file; do
        package=$(package_of "$file")
        place=$work/$package/$file
        mkdir -p "${place%/*}"
        cp -a "$stage/$file" "$place"
    done < <(cd "$stage" && find . -mindepth 1 -not -type d -printf '%P\0')
}

strip_all() {
    strip --strip-unneeded --remove-section=.comment --remove-section=.note "$work"/pgusher*/usr/bin/* "$work"/libpgusher-queue0/usr/lib/*/*.so.*.*
    strip --strip-debug --enable-deterministic-archives "$work"/libpgusher-queue-dev/usr/lib/*/*.a
}

add_papers() { # add_papers PACKAGE: what every package must say
    local doc=$work/$1/usr/share/doc/$1
    mkdir -p "$doc"
    install -m 644 "$here/copyright" "$doc/copyright"
    {
        echo "pgusher ($version) unstable; urgency=medium"
        printf '\n  * See NEWS.md.\n\n'
        echo " -- $maintainer  $(LC_ALL=C date -u -R -d "@$epoch")"
    } | gzip -9n >"$doc/changelog.Debian.gz"
    find "$work/$1/usr/share" -path '*/man/man*' -type f -exec gzip -9n {} +
    ! [ -f "$doc/NEWS.md" ] || { gzip -9n "$doc/NEWS.md" && mv "$doc/NEWS.md.gz" "$doc/changelog.gz"; }
}

# ---- control ----

shlibs_of() { # shlibs_of PACKAGE: what its programs and libraries need
    local files
    mapfile -t files < <(find "$work/$1" -type f \( -path '*/usr/bin/*' -o -name '*.so.*' \))
    [ ${#files[@]} != 0 ] || return 0
    mkdir -p "$work/shlibs/debian"
    printf 'Source: pgusher\n\nPackage: %s\nArchitecture: any\n' "$1" >"$work/shlibs/debian/control"
    (cd "$work/shlibs" && dpkg-shlibdeps -O --warnings=0 "${files[@]}" | sed -n 's/^shlibs:Depends=//p')
}

control_of() { # control_of PACKAGE
    sed -n "/^Package: $1\$/,/^\$/p" "$here/control" |
        sed -e "s/@VERSION@/$version/" -e "s/@SHLIBS@/$(shlibs_of "$1")/" -e '/^$/d' \
            -e "/^Package:/a Source: pgusher\nVersion: $version\nArchitecture: $architecture\nMaintainer: $maintainer\nPriority: optional\nInstalled-Size: $(du -ks "$work/$1" | cut -f 1)"
}

add_control() { # add_control PACKAGE
    local control=$work/$1/DEBIAN script
    mkdir -p "$control"
    control_of "$1" >"$control/control"
    for script in postinst prerm postrm; do
        [ ! -f "$here/$1.$script" ] || install -m 755 "$here/$1.$script" "$control/$script"
    done
    (cd "$work/$1" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$control/md5sums"
}

# ---- what only some have ----

finish_pgusher() {
    install -D -m 644 "$here/../../examples/pgusher.json" "$work/pgusher/etc/pgusher/pgusher.json"
    mkdir -p "$work/pgusher/DEBIAN"
    echo /etc/pgusher/pgusher.json >"$work/pgusher/DEBIAN/conffiles"
}

finish_pgusher-queue() {
    install -d -m 750 "$work/pgusher-queue/etc/pgusher/credentials"
}

finish_libpgusher-queue0() {
    mkdir -p "$work/libpgusher-queue0/DEBIAN"
    echo "libpgusher-queue 0 libpgusher-queue0 (>= $version)" >"$work/libpgusher-queue0/DEBIAN/shlibs"
    echo "activate-noawait ldconfig" >"$work/libpgusher-queue0/DEBIAN/triggers"
}

finish_libpgusher-queue-dev() {
    install -D -m 644 "$here/../../examples/consumer.c" "$work/libpgusher-queue-dev/usr/share/doc/libpgusher-queue-dev/examples/consumer.c"
}

distribute
strip_all
mkdir -p "$out"
for package in $(packages); do
    "finish_$package"
    add_papers "$package"
    add_control "$package"
    find "$work/$package" -newermt "@$epoch" -exec touch -h -d "@$epoch" {} +
    dpkg-deb --root-owner-group -Zxz --build "$work/$package" "$out/${package}_${version}_$architecture.deb" >/dev/null
    echo "$out/${package}_${version}_$architecture.deb"
done
