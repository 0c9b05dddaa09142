#!/bin/sh
# man.sh - the manual page is one, and says what --help says. Prints TAP.
set -u

LAB=${LAB:-build/release/lab}
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
page=$folder/lab.1
text=$folder/text
number=0

# result NAME: by the status of the command before.
result()
{
    if [ $? -eq 0 ]; then verdict=ok; else verdict='not ok'; fi
    number=$((number + 1))
    echo "$verdict $number - $1"
}

# section TITLE: of the page, as plain text, without troff's escapes for hyphens and fonts.
section()
{
    awk -v title="$1" '/^\.S[SH] / { inside = $0 ~ "^\\.S[SH] " title "$"; next } inside' "$page" |
        sed 's/\\-/-/g; s/\\f.//g; s/\\&//g'
}

options_in()
{
    grep -oE '(^|[ ,])--[a-z-]+' | tr -d ' ,' | grep -vx -e --help | sort -u
}

# shows TEXT: the page has this line when it is rendered.
shows()
{
    sed 's/^ *//' "$text" | grep -qxF -e "$1"
    result "it shows $1"
}

"$LAB" man >"$page" 2>"$folder/err" && [ ! -s "$folder/err" ]
result "lab man"

commands=$("$LAB" --help | sed -n 's/^  \([a-z]*\)  *[^ ].*/\1/p' | grep -vx lab)
[ "$(echo "$commands" | wc -l)" -ge 4 ] &&
    [ "$(sed -n 's/^\.SS lab //p' "$page")" = "$commands" ]
result "it has the commands of lab --help"
for command in $commands; do
    "$LAB" "$command" --help >"$folder/help"
    grep -E '^ +-' "$folder/help" | options_in >"$folder/expected"
    section "lab $command" | grep -E '^(-., )?--' | options_in | cmp -s - "$folder/expected"
    result "lab $command: the options of --help"
    sed -n '/^Examples:/,/^$/s/^  \([^ ]\)/\1/p' "$folder/help" >"$folder/expected"
    section EXAMPLES | sed "s/\\\\(aq/'/g" >"$folder/got"
    ! grep -vxF -f "$folder/got" "$folder/expected" >/dev/null
    result "lab $command: the examples of --help"
done
section "lab run" | grep -q -e '^-w, --workload=LIST$'
result "an option has its letter and its value"
section "lab run" | grep -A1 -e '^-o, --csv=FILE$' | grep -q '^write every sample'
result "and what it is for"
! grep -qE 'lab cell|child' "$page"
result "what is not for people is left out"
section 'EXIT STATUS' | grep -qx 'of lab run: interrupted; .*'
result "the exit statuses of a command"

# Debian's groff forgives what others do not.
grep -qxF '\fBlab list \-\-json | jq \-r \(aq\&.policies[]\&.name\(aq\fR' "$page"
result "what troff would read otherwise is escaped"

grep -ohE 'getenv\("[A-Z_]+"' lab/*.c lab/command/*.c | cut -d'"' -f2 | sort -u >"$folder/read"
section ENVIRONMENT >"$folder/got"
[ -s "$folder/read" ] && ! grep -vxF -f "$folder/got" "$folder/read" >/dev/null
result "every variable that the lab reads"

if ! command -v groff >/dev/null; then
    echo "ok $((number + 1)) - how it looks # skip groff is not installed"
    echo "1..$((number + 1))"
    exit
fi
groff -man -ww -z "$page" 2>"$folder/err" && [ ! -s "$folder/err" ]
result "groff has no warning"
# As wide as every line, so that none is broken.
groff -man -Tutf8 -P-cbou -rLL=300n "$page" >"$text"
shows "HWLOC_SYNTHETIC='pack:2 core:8 pu:2' lab topo"
shows 'HWLOC_SYNTHETIC or HWLOC_XMLFILE shows another machine.'
shows 'lab list [OPTION...] [modes|policies|locks|workloads|heaps|demos|micros]'
shows "lab list --json | jq -r '.policies[].name'"
echo "1..$number"
