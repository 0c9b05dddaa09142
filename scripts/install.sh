#!/bin/sh
# Installs the Debian packages that a group of commands needs, if any are missing.
#
#   install.sh GROUP...     groups: build test plot bench peers
#
# As root, or by sudo if that asks for no password. Where neither can be, it prints
# the one line to type and stops with status 1.
set -eu

packages_of()
{
    case $1 in
    build) echo gcc make libc6-dev binutils libhwloc-dev libjemalloc-dev ;;
    test) echo libcmocka-dev python3-minimal ;;
    plot) echo python3-matplotlib ;;
    bench) echo g++ libbenchmark-dev ;;
    peers) echo python3 ;;
    *) echo "install.sh: no group '$1'; there are: build test plot bench peers" >&2; return 2 ;;
    esac
}

missing=
for group in "$@"; do
    packages=$(packages_of "$group")
    for package in $packages; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
            missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null; then
    as_root=sudo
else
    echo "Some Debian packages are missing. Type this once, then the command again:" >&2
    echo "    su -c '$install'" >&2
    exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
$as_root $install -qq >/dev/null
