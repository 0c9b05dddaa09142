#!/bin/sh
# Shows both commands of the README working on a bare Debian 12: a fresh root with gcc,
# make and git, and this repository's HEAD cloned into it.
#
#   bare-root.sh [run] [test]     default: both
#
# Needs root. Prints what the commands print, then a line each with its status. The root
# lies under $TMPDIR (/var/tmp) and is removed at the end, also after Ctrl-C.
set -eu

# The outer half: a directory, namespaces, and the removal of both.
if [ "${1-}" != --inside ]; then
    for command in "$@"; do
        case $command in
        run | test) ;;
        *) echo "bare-root.sh: no command '$command'; there are: run test" >&2; exit 2 ;;
        esac
    done
    if [ "$(id -u)" -ne 0 ]; then
        echo "bare-root.sh: this needs to be root, to chroot and to mount" >&2
        exit 1
    fi
    cd "$(dirname "$0")/.."
    scripts/install.sh bare
    place=$(mktemp -d "${TMPDIR:-/var/tmp}/bare-root.XXXXXX")
    child=
    remove_place()
    {
        [ -z "$child" ] || kill -KILL "$child" 2>/dev/null || :
        # Once more where one of the killed was still writing.
        rm -rf --one-file-system "$place" 2>/dev/null ||
            { sleep 2; rm -rf --one-file-system "$place"; }
    }
    trap remove_place EXIT
    trap 'exit 130' INT TERM HUP

    # Mounts and processes live in namespaces of their own. Whatever happens, the kernel
    # undoes them, and the removal cannot reach this machine's /dev through a mount.
    unshare --mount --pid --fork --kill-child scripts/bare-root.sh --inside "$place" "$@" &
    child=$!
    status=0
    wait $child || status=$?
    child=
    exit $status
fi

place=$2
root=$place/root
shift 2
[ $# -gt 0 ] || set -- run test

# The mirror that this machine's apt uses, and how apt gets there.
mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' \
             'Identifier: Packages' | sed -n 's/^bookworm main //p' | head -n 1)
if [ -z "$mirror" ]; then
    echo "bare-root.sh: apt on this machine knows no source of Debian 12, bookworm main" >&2
    exit 1
fi
eval "$(apt-config shell proxy Acquire::http::Proxy)"
[ -z "${proxy-}" ] || export http_proxy="$proxy"

echo "bare-root.sh: a root with gcc, make and git, by debootstrap"
if ! debootstrap --variant=minbase --include=gcc,make,git bookworm "$root" "$mirror" \
        >"$place/log" 2>&1; then
    tail -n 20 "$place/log" >&2
    exit 1
fi
# How to reach the mirror, and no more: hooks of this machine's apt may call programs
# that are not there.
apt-config dump | grep '^Acquire::' >"$root/etc/apt/apt.conf.d/99host"
for file in /etc/hosts /etc/resolv.conf /etc/apt/auth.conf; do
    [ ! -f $file ] || cp $file "$root$file"
done
[ ! -d /etc/apt/auth.conf.d ] || cp -R /etc/apt/auth.conf.d "$root/etc/apt/"
case $mirror in
https:*) cp -RL /etc/ssl/certs "$root/etc/ssl/" ;;
esac

git clone --quiet . "$root/repository"
echo "bare-root.sh: $(git log -1 --format='%h %s')"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sys "$root/sys"
mount --rbind /dev "$root/dev"

failed=0
results=
for command in "$@"; do
    status=0
    echo "bare-root.sh: make $command"
    env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TERM="${TERM-dumb}" \
        ${http_proxy:+http_proxy="$http_proxy"} \
        chroot "$root" sh -c "cd /repository && exec make $command" </dev/null 2>&1 ||
        status=$?
    [ $status -eq 0 ] || failed=1
    results="$results
bare-root.sh: make $command: status $status"
done
echo "${results#?}"
exit $failed
