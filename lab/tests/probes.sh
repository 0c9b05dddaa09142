#!/bin/sh
# Probes for tracers of the system: that the program names them. TAP, the program in $LAB.
. scripts/tap.sh

echo '#include <sys/sdt.h>' | ${CC:-gcc} -E - >/dev/null 2>&1 ||
    skip_rest "probes" "there is no sys/sdt.h; Debian's package is systemtap-sdt-dev"

# Of each note three lines of interest: provider, name and arguments.
run readelf -n "$LAB"
is "its notes can be read" [ "$status" -eq 0 ]
tr -d '\n' <"$out" | sed 's/Provider:/\nProvider:/g' | grep '^Provider: lab ' >"$dir/probes"
for name in attach yield got detach released request; do
    is "there is a probe gil_$name, with an argument" \
        grep -Eq "Name: gil_$name .*Arguments: -?8@[^ ]" "$dir/probes"
done
is "and no other" [ "$(grep -vEc 'Name: gil_(attach|yield|got|detach|released|request) ' "$dir/probes")" -eq 0 ]
plan
