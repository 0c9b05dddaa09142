#!/bin/sh
# setup.sh - run once by Gradescope, as root, when the image is made (scripts/gradescope): installs what
# the lab needs, and builds it by grading the solution. An image in which that does not get its
# points is not made.
#
# With LAB_TREE that tree is used, which is built already.
set -eu

cd "$(dirname "$0")"
[ -f tree.tar.gz ] || cd /autograder/source
chmod 600 settings.json
if [ -z "${LAB_TREE-}" ]; then
    rm -rf tree
    mkdir tree
    tar -xzf tree.tar.gz -C tree
fi
assignment=$(sed -n 's/^ *"assignment": "\(.*\)",*$/\1/p' settings.json)
cd "${LAB_TREE-tree}"

scripts/install.sh build test
liburing=$(dpkg-query -W -f '${Version}' liburing-dev)
if dpkg --compare-versions "$liburing" lt 2.2; then
    echo "setup.sh: liburing is $liburing here, and 2.2 is needed: choose an image of Debian 12" \
        "or Ubuntu 24.04 (docs/course.md, Gradescope)" >&2
    exit 1
fi
[ -z "${LAB_TREE-}" ] || exit 0

# The command with the solution in it has all that a grading measures, and no more.
scripts/cut.py --whole --to build/solution "$assignment"
make -j"$(nproc)" ASSIGNMENT=build/solution OF="$assignment"
cp build/release/of/build+solution/lab build/release/lab
# Where other containers were too loud, speed is not known; all that is built is built.
scripts/course_check.py --solution build/release/lab "$assignment" >build/solution.tap ||
    grep -q '^# run again' build/solution.tap ||
    { cat build/solution.tap >&2; exit 1; }
cat build/solution.tap
