#!/bin/sh
# Installs the Debian packages that a group of commands needs, if any are missing.
#
#   install.sh GROUP...     groups: build test plot browser examples bench peers bare fuzz foreign
#
# As root, or by sudo if that asks for no password. Where neither can be, it prints
# the one line to type and stops with status 1.
set -eu

packages_of()
{
    case $1 in
    build) echo gcc make libc6-dev binutils libhwloc-dev libjemalloc-dev libmimalloc-dev \
        libsqlite3-dev libyaml-dev libjansson-dev libmd-dev liburing-dev libssl-dev \
        systemtap-sdt-dev ;;
    test) echo libcmocka-dev python3 python3-greenlet python3-h11 curl openssl wrk ;;
    plot) echo python3 python3-matplotlib hwloc-nox ;;
    browser) echo chromium-headless-shell ;;
    examples) echo python3-pandas gnuplot-nox sqlite3 ;;
    bench) echo g++ libbenchmark-dev ;;
    peers) echo python3 pkg-config libglib2.0-dev libboost-context-dev libuv1-dev libev-dev \
        python3-greenlet python3-gevent python3-uvloop python3-tornado ;;
    bare) echo debootstrap git ;;
    fuzz) echo clang libclang-rt-14-dev ;;
    foreign) echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static ;;
    *)
        echo "install.sh: no group '$1'; there are: build test plot browser examples bench peers bare fuzz foreign" >&2
        return 2
        ;;
    esac
}

# Another apt may hold the lock, as Debian does by itself after a boot. The wait that apt
# knows is for dpkg's lock; for the lock of the lists we have to ask again.
update()
{
    tries=24
    until $as_root apt-get update -qq >"$log" 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] && grep -q 'get lock' "$log" || return 1
        sleep 5
    done
}

missing=
for group in "$@"; do
    packages=$(packages_of "$group")
    for package in $packages; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) missing="$missing $package" ;;
        esac
    done
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "install.sh: this is not Debian; by its names these are missing:$missing" >&2
    exit 1
fi
install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null; then
    as_root=sudo
else
    echo "Some Debian packages are missing. Type this once, then the command again:" >&2
    echo "    su -c 'apt-get update && $install'" >&2
    exit 1
fi

echo "installing:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Old lists, or a mirror that cannot be reached, may still do: the installation decides.
update || sed 's/^/apt-get update: /' "$log" >&2
if ! $as_root env DEBIAN_FRONTEND=noninteractive \
        $install -qq -o DPkg::Lock::Timeout=120 >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    echo "install.sh: could not install$missing" >&2
    exit 1
fi
