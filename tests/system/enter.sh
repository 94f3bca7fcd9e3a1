#!/bin/sh
# enter.sh ROOT COMMAND…: runs a command inside a Debian root, through
#   unshare --mount --pid --fork --kill-child enter.sh …
# Its mounts and its processes are of namespaces that go when it ends, or is killed: nothing is left mounted, nothing left running.
# With LAYER set to an empty folder, the root is not changed: what is written goes there.
set -eu

root=$1
shift
if [ -n "${LAYER:-}" ]; then
    mkdir -p "$LAYER/root" "$LAYER/upper" "$LAYER/work"
    mount -t overlay pgusher-test -o "lowerdir=$root,upperdir=$LAYER/upper,workdir=$LAYER/work" "$LAYER/root"
    root=$LAYER/root
fi
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
! [ -f /etc/resolv.conf ] || cat /etc/resolv.conf >"$root/etc/resolv.conf"
chroot "$root" env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TERM=dumb "$@"
