#!/bin/bash
# make_chroot.sh DIR [SUITE] [PACKAGE...]: a Debian with GIMP 3 (or what is named) in DIR, from the mirror that this machine's
# own apt uses. Needs root, and mmdebstrap.
set -eu
DIR=$1
SUITE=${2:-trixie}
shift $(($# < 2 ? $# : 2))
PACKAGES="ca-certificates fonts-dejavu-core procps ${*:-gimp python3-gi-cairo}"
KEY=/usr/share/keyrings/debian-archive-keyring.gpg
# The mirror as deb822 or as the older one-line form has it.
MIRROR=$(sed -n 's/^URIs: *\(\S*\/debian\)\/*$/\1/p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -1)
[ -n "$MIRROR" ] || MIRROR=$(awk '$1 == "deb" {for (i = 2; i <= NF; i++) if ($i ~ /^http/) {print $i; exit}}' \
    /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null)
[ -n "$MIRROR" ] || { echo "this machine's apt names no mirror" >&2; exit 1; }
SETTINGS=$(mktemp)
trap 'rm -f "$SETTINGS"' EXIT
cat > "$SETTINGS" <<C
Acquire::Check-Valid-Until "false";
Acquire::Check-Date "false";
Acquire::Retries "3";
Acquire::Languages "none";
APT::Install-Recommends "false";
C
rm -rf "$DIR" "$DIR.part"
# No page is flushed to the disk for what can be made again; no documentation, no translations.
mmdebstrap --quiet --mode=root --variant=essential --format=directory --aptopt="$SETTINGS" --keyring="$KEY" \
    --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' --include="${PACKAGES// /,}" \
    "$SUITE" "$DIR.part" "deb [signed-by=$KEY] $MIRROR $SUITE main"
mv "$DIR.part" "$DIR" # whole or not at all
