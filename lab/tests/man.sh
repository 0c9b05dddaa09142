#!/bin/sh
# man.sh - the manual page is one, and says what --help says. Prints TAP.
. scripts/tap.sh

page=$dir/lab.1
text=$dir/text

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

"$LAB" man >"$page" 2>"$err" && [ ! -s "$err" ]
result "lab man"

commands=$("$LAB" --help | sed -n 's/^  \([a-z]*\)  *[^ ].*/\1/p' | grep -vx lab)
[ "$(echo "$commands" | wc -l)" -ge 4 ] &&
    [ "$(sed -n 's/^\.SS lab //p' "$page")" = "$commands" ]
result "it has the commands of lab --help"
for command in $commands; do
    "$LAB" "$command" --help >"$dir/help"
    grep -E '^ +-' "$dir/help" | options_in >"$dir/expected"
    section "lab $command" | grep -E '^(-., )?--' | options_in | cmp -s - "$dir/expected"
    result "lab $command: the options of --help"
    sed -n '/^Examples:/,/^$/s/^  \([^ ]\)/\1/p' "$dir/help" >"$dir/expected"
    section EXAMPLES | sed "s/\\\\(aq/'/g" >"$dir/got"
    ! grep -vxF -f "$dir/got" "$dir/expected" >/dev/null
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

grep -ohE 'getenv\("[A-Z_]+"' lab/*.c lab/command/*.c | cut -d'"' -f2 | sort -u >"$dir/read"
section ENVIRONMENT >"$dir/got"
[ -s "$dir/read" ] && ! grep -vxF -f "$dir/got" "$dir/read" >/dev/null
result "every variable that the lab reads"

command -v groff >/dev/null || skip_rest "how it looks" "groff is not installed"
groff -man -ww -z "$page" 2>"$err" && [ ! -s "$err" ]
result "groff has no warning"
# As wide as every line, so that none is broken.
groff -man -Tutf8 -P-cbou -rLL=300n "$page" >"$text"
shows "HWLOC_SYNTHETIC='pack:2 core:8 pu:2' lab topo"
shows 'HWLOC_SYNTHETIC or HWLOC_XMLFILE shows another machine.'
shows 'lab list [OPTION...] [modes|policies|locks|workloads|units|heaps|demos|micros]'
shows "lab list --json | jq -r '.policies[].name'"
plan
