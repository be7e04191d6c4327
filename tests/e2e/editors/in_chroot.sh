#!/bin/bash
# in_chroot.sh DIR BINDS COMMAND...: run a command in a chroot. BINDS: folders, separated by ":", that it sees under the same
# paths. The environment is passed on. Mounts and processes live in namespaces of their own and vanish with the command; the
# loopback network is shared.
set -eu
export C_DIR=$(realpath "$1") C_BINDS=$2 C_CWD=$PWD
shift 2
exec unshare --mount --pid --fork --kill-child --propagation private bash -eu -c '
mount --bind "$C_DIR" "$C_DIR"
mount -t proc proc "$C_DIR/proc"
mount --rbind /dev "$C_DIR/dev"
mount -t tmpfs tmpfs "$C_DIR/tmp"
IFS=:
for folder in $C_BINDS; do
    mkdir -p "$C_DIR$folder"
    mount --bind "$folder" "$C_DIR$folder"
done
unset IFS C_BINDS
exec chroot "$C_DIR" "$@"' bash "$@"
