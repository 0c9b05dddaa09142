#!/bin/sh
# colour.sh - colour on a terminal, and nowhere else. Prints TAP.
. scripts/tap.sh

escape=$(printf '\033')

# terminal COMMAND: runs it on a terminal; what that gets is in $out, its line ends plain.
terminal()
{
    timeout 120 script -qec "$1" /dev/null </dev/null | tr -d '\r' >"$out"
}

# coloured, plain: which of both $out is; it has something in it.
coloured()
{
    grep -q "$escape\\[" "$out"
}
plain()
{
    [ -s "$out" ] && ! coloured
}

unset NO_COLOR
export TERM=xterm

terminal "$LAB list" && coloured
result "colour on a terminal"
grep -qx "$escape\\[1mlocks$escape\\[0m" "$out"
result "headings are bold"
"$LAB" list >"$dir/piped"
sed "s/$escape\\[[0-9]*m//g" "$out" | cmp -s - "$dir/piped"
result "without it the text is the same"

terminal "NO_COLOR=1 $LAB list" && plain
result "none with NO_COLOR=1"
terminal "NO_COLOR= $LAB list" && coloured
result "colour with an empty NO_COLOR"
terminal "TERM=dumb $LAB list" && plain
result "none on a dumb terminal"
terminal "env -u TERM $LAB list" && plain
result "none on a terminal that has no name"
cp "$dir/piped" "$out" && plain
result "none in a pipe or a file"
terminal "$LAB list --json" && plain
result "none in JSON"

terminal "$LAB lsit" ; grep -q "^$escape\\[31mlab:$escape\\[0m unknown command" "$out"
result "a mistake's command is red"
terminal "$LAB lsit 2>$err"; [ -s "$err" ] && ! grep -q "$escape" "$err"
result "not if the terminal is standard output only"

plan
