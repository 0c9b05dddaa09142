# make run        measure this machine: one table, three sentences, one picture
# make test       the tests of every policy, plain and with sanitizers (an hour and a quarter on two cores)
# make check      every test, in one MODE: make MODE=debug check
# make            build the command, build/release/lab
# make bench      micro-benchmarks beside the bare instructions that they cannot beat
# make bench-cells  cells of the lab as Google Benchmarks
# make figures    the figures that we set ourselves, each against its control
# make judgement  whether the lab claims what is not there, and finds what is (17 minutes)
# make soak       the long, seeded tests: SOAK_SECONDS (600) in each mode, then every submission
# make browser    see the page of `lab report` work in a headless Chromium
# make fuzz       what comes from elsewhere (matrices, results, HTTP): FUZZ_SECONDS (60) for each kind, by libFuzzer
# make peers      what other libraries take for the same, and the same experiment in CPython
# make ownership  see that a borrowed reference cannot be given away
# make assignment N=02  cut the student's files of an assignment, build its tests, run them
# make course-check     grade every submission that is kept under lab/assignments, right and wrong (N=02: of one)
# make man        the manual page, build/release/lab.1; to read it: man -l build/release/lab.1
# make clean      remove build/, and what was measured into it
# make help       this text
#
#   MODE=release|debug|asan|tsan|gcov   how to build, in build/MODE
#   POLICIES="plain biased"             build just these
#   STATS="plain"                       and of these the build that counts (release: all; none)
#   ASSIGNMENT=02                       with what was written for it; or any folder that is laid out so
#   BENCH="--benchmark_filter=pair"     flags for make bench and make bench-cells
#   CC=clang                            with locks checked by -Wthread-safety
#   V=1                                 show the commands

MODE ?= release
B    := build/$(MODE)

CPPFLAGS += -D_GNU_SOURCE -I. -I$B -MMD -MP
CFLAGS   ?= -g
clang    := $(findstring clang,$(shell $(CC) --version))
warnings := -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wno-missing-field-initializers \
            $(if $(clang),-Wthread-safety -Werror=incompatible-pointer-types-discards-qualifiers, \
                          -Werror=discarded-qualifiers)
CFLAGS   += -std=c17 -fno-common $(warnings)
mode.release := -O2 -DNDEBUG
mode.debug   := -O0
mode.asan    := -O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
mode.tsan    := -O1 -g1 -fsanitize=thread
mode.gcov    := -O0 --coverage
mode.fuzz    := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
CFLAGS   += $(or $(mode.$(MODE)),$(error MODE=$(MODE)? one of: release debug asan tsan gcov fuzz))
lab_libs := -lyaml -ljansson -lmd
# Hundreds of tests are linked: gold, of Debian's binutils, takes half the time.
gold     := $(if $(filter debug asan tsan,$(MODE)),$(if $(shell command -v ld.gold),-fuse-ld=gold))
LDLIBS   := $(gold) -lsqlite3 -lhwloc -luring -lssl -lcrypto $(if $(filter asan tsan fuzz,$(MODE)),,-ljemalloc) -lm -pthread

# Who begins with `make run` waits for what that measures, and not for all policies; whoever builds
# anything else has all of them from then on.
ifeq ($(MAKECMDGOALS)$(POLICIES),run)
ifneq ($(if $(wildcard $B/lab),,new)$(wildcard $B/gen/few),)
$(shell mkdir -p $B/gen; touch $B/gen/few)
export POLICIES := plain atomic biased
export STATS    := none
endif
else ifeq ($(POLICIES),)
$(if $(wildcard $B/gen/few),$(shell rm -f $B/gen/few))
endif

name      = $(basename $(notdir $(sort $(wildcard $1))))
policies := $(or $(POLICIES),$(call name,objects/refcount/*.h))
# PAIRWISE=1, for `make test`: every policy meets every type in some mode, and every type every
# mode under some policy; what is about counting is tested for all policies in all modes; a twin
# is seen to fail in the first mode that it names. A policy that stands in no line is new, and is
# in all of them.
pairs.debug := plain biased immortal dynamic global_mutex locked
pairs.asan  := plain atomic buffered
pairs.tsan  := atomic biased sharded biased_suspend
elsewhere := $(filter-out $(pairs.$(MODE)),$(pairs.debug) $(pairs.asan) $(pairs.tsan))
thorough := $(if $(PAIRWISE),$(filter-out $(elsewhere),$(policies)),$(policies))
# What is about scripts, to which the lab only gives numbers, or builds by itself: no sanitizer sees
# them.
about_scripts := $(addprefix lab/tests/,coroutine_peers.sh cut.sh examples.sh grade.sh plot.sh readme.sh \
                 test_course.py test_grade_all.py test_gradescope.py test_solutions.py timeline.sh)
# What is about plans, results files and what is printed of them: one thread, in which TSan sees nothing.
about_files := $(addprefix lab/tests/,advise.sh bench.sh colour.sh compare.sh crossovers.sh export.sh frontier.sh json.sh \
                 left_out.sh man.sh matrix.sh merge.sh query.sh report.sh show.sh test_results_file.py)
not_in.asan := $(about_scripts)
not_in.tsan := $(about_scripts) $(about_files)
about_counting := $(addprefix objects/tests/test_,counting weakref reclaim section collector model)
# The policies of the lab, and of what is measured: in debug all of them but one, which the next mode
# has in its tests.
in_lab   := $(if $(PAIRWISE),$(if $(filter debug,$(MODE)),$(filter-out buffered,$(policies)),$(filter plain atomic biased,$(policies))),$(policies))
# A policy that needs a GIL is built a second time, to tally what goes wrong without; for `make test`
# plain alone.
audited  := $(call name,$(shell grep -lE 'RC_NEEDS_GIL +1' /dev/null $(patsubst %,objects/refcount/%.h,$(if $(PAIRWISE),$(filter plain,$(in_lab)),$(in_lab)))))
# And each once more, to count who contends for what. Of test modes one has it in the lab, of some,
# and all test the objects.
in_stats := $(filter-out none,$(or $(STATS),$(if $(filter release,$(MODE)),$(in_lab),$(if $(filter debug,$(MODE)),$(filter atomic biased,$(in_lab))))))
stats    := $(sort $(in_stats) $(if $(filter release,$(MODE)),,$(filter atomic biased buffered sharded,$(in_lab))))
runtimes := $(in_lab) $(audited:%=%_audit) $(in_stats:%=%_stats)
# Twins: right ones with a fault. A policy is a header; a file says in its first lines instead of
# which right one it is linked, if of any, and under which policies (what is built once: none).
said      = $(shell sed -n 's,^ \* $2: ,,p' $1)
wrong    := $(sort $(wildcard objects/refcount/wrong/*.h))
wrong_files := $(sort $(wildcard gil/wrong/*.c gil/locks/wrong/*.c coroutines/switch/wrong/*.c \
                                 objects/wrong/*.c objects/heaps/wrong/*.c coroutines/wrong/*.c))
under     = $(if $(filter gil/% coroutines/switch/%,$1),once,$(filter $(policies),$(call said,$1,Under)))
# What knows no object is built once, and linked with all that counts: who may run, how to switch
# stacks, how to wait for the kernel, addresses, TLS, who asks a server, and how HTTP is taken apart.
once     := $(sort $(wildcard gil/*.c gil/locks/*.c coroutines/switch/*.c coroutines/switch/ways/*.c \
                              coroutines/reactor/*.c coroutines/interpose/*.c coroutines/net/*.c \
                              coroutines/tls/*.c benches/load/*.c) benches/http.c)
objects  := $(sort $(wildcard objects/*.c objects/heaps/*.c))
coroutines := $(sort $(wildcard coroutines/*.c))
counting := $(objects) $(coroutines) $(sort $(filter-out $(once),$(wildcard benches/*.c benches/workloads/*.c \
                                         benches/units/*.c benches/micro/*.c benches/demos/*.c)))
counted_tests := $(filter-out %/test_stats.c,$(wildcard objects/tests/test_*.c coroutines/tests/test_*.c benches/tests/test_*.c))
lab      := $(sort $(wildcard lab/*.c lab/command/*.c lab/export/*.c lab/grade/*.c))

all: $(if $(ASSIGNMENT),,$B/lab)

# For commands that build on the way: with every core, unless -j says how many.
build = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

comma := ,
# The registries: the listing of a folder, as lines X(name), in gen/ of $B or of another folder.
# Rewritten only if changed, by way of a file of this make's own: several may run at once.
define registry
$(shell mkdir -p $(or $4,$B)/gen; cd $(or $4,$B)/gen; { printf '$2(%s)\n' $3 | grep -v '()' > $1.$$$$.new; \
        cmp -s $1.$$$$.new $1 && rm $1.$$$$.new || mv $1.$$$$.new $1; })
endef
$(if $(ASSIGNMENT),,$(call registry,policies.h,POLICY,$(runtimes)))
$(call registry,known_policies.h,POLICY,$(sort $(policies) $(call name,objects/refcount/*.h)))
$(call registry,locks.h,LOCK,$(call name,gil/locks/*.c))
$(call registry,ways.h,WAY,$(call name,coroutines/switch/ways/*.c))
$(call registry,reactors.h,REACTOR,$(filter-out reactor,$(call name,coroutines/reactor/*.c)))
$(call registry,heaps.h,HEAP,$(call name,objects/heaps/*.c))
$(call registry,workloads.h,WORKLOAD,$(call name,benches/workloads/*.c))
$(call registry,units.h,UNIT,$(call name,benches/units/*.c))
$(call registry,micros.h,MICRO,$(call name,benches/micro/*.c))
# A peer's file is named after its library; where that is not installed, it is left out.
peer_header.boost := boost/context/fiber.hpp
peer_header.glib  := glib-2.0/glib-object.h
peer_header.libev := ev.h
peer_header.libuv := uv.h
peer_libs.boost   := -lboost_context
peer_libs.glib     = $$(pkg-config --libs gobject-2.0)
peer_libs.libev   := -lev
peer_libs.libuv   := -luv
peers_known := boost glib libev libuv
peers_there := $(foreach l,$(peers_known),$(if $(wildcard /usr/include/$(peer_header.$l)),$l))
peer_files   = $(filter-out $(foreach l,$(filter-out $(peers_there),$(peers_known)),benches/peers/$l% benches/peers/servers/$l%),$(wildcard $1))
$(call registry,peers.h,PEER,$(call name,$(call peer_files,benches/peers/*.c benches/peers/*.cc)))
$(call registry,peer_servers.h,SERVER,$(filter-out main,$(call name,$(call peer_files,benches/peers/servers/*.c))))
$(call registry,demos.h,DEMO,$(foreach d,$(call name,benches/demos/*.c),$d$(comma)$(subst _,-,$d)))
$(call registry,commands.h,COMMAND,$(call name,lab/command/*.c))
$(call registry,exports.h,EXPORT,$(call name,lab/export/*.c))
# What the program defines instead of the C library is to be found by its libraries, too, those as
# well that it loads later: these names alone are exported.
$(shell mkdir -p $B/gen; sed -n 's,^CALL.\([a-z0-9_]*\)\,.*,    \1;,p' coroutines/interpose/calls.h | \
        { echo '{'; cat; echo '};'; } > $B/gen/interposed.list)
LDLIBS += -Wl,--dynamic-list=$B/gen/interposed.list
# From which tree: nothing if it is not a git's own, "dirty" if it has what no commit has.
git    := GIT_CEILING_DIRECTORIES=$(abspath ..) git --no-optional-locks
commit := $(shell $(git) rev-parse HEAD 2>/dev/null && $(git) status --porcelain | grep -q . && echo dirty)
$(call registry,commit.h,COMMIT,"$(commit)")
$(call registry,flags,FLAGS,"$(CC) $(subst ",,$(CPPFLAGS) $(CFLAGS))")

# V=1 shows the commands.
say = @$(if $(V),,echo '  $1';)mkdir -p $(@D);$(if $(V),set -x;)

# A file may be compiled in several ways, each a folder ($1) and its flags ($2).
define compiled
$B/$1/%.o: %.c $B/gen/flags
	$$(call say,CC $$< ($1))$$(CC) $$(CPPFLAGS) $$(CFLAGS) $2 -c -o $$@ $$<
endef
$(eval $(call compiled,once,))

# Files that count are compiled once per policy, as ordinary files ...
counts = -DRC_POLICY=$1 -DRC_HEADER='"objects/$2.h"'
# ... then become one object file with one global symbol. The others get the policy's
# name as a suffix, which is what perf and nm show, and turn local.
define joined
	@$$(CC) -r -nostdlib -o $$@.tmp $$^
	@nm -g --defined-only $$@.tmp | awk '$$$$3 != "runtime_$1" { print $$$$3, $$$$3 ".$1" }' > $$@.syms
	@objcopy --redefine-syms=$$@.syms --keep-global-symbol=runtime_$1 $$@.tmp $$@
	@rm $$@.tmp $$@.syms
endef
define policy
$(call compiled,$1,$(call counts,$1,$2) $3)

$B/runtime_$1.o: $(counting:%.c=$B/$1/%.o)
$(call joined,$1)

$B/$1/objects/tests/%: $B/$1/objects/tests/%.o $(objects:%.c=$B/$1/%.o) $(once:%.c=$B/once/%.o)
	$$(call say,LD $$@)$$(CC) $$(CFLAGS) -o $$@ $$^ -lcmocka $$(LDLIBS)
$B/$1/%: $B/$1/%.o $(counting:%.c=$B/$1/%.o) $(once:%.c=$B/once/%.o)
	$$(call say,LD $$@)$$(CC) $$(CFLAGS) -o $$@ $$^ -lcmocka $$(LDLIBS)
endef
$(foreach p,$(policies),$(eval $(call policy,$p,refcount/$p,)))
$(foreach p,$(audited),$(eval $(call policy,$p_audit,refcount/$p,-DRC_AUDIT=1)))
# Places are found by frame pointers (objects/stats.h).
$(foreach p,$(stats),$(eval $(call policy,$p_stats,refcount/$p,-DRC_STATS=1 -fno-omit-frame-pointer -fno-optimize-sibling-calls)))
$(foreach w,$(call name,$(wrong)),$(eval $(call policy,wrong_$w,refcount/wrong/$w,)))

# The test of a wrong file $1 is linked with it under the policy $2, and compiled to know that it
# must fail, and if it is a lock or a heap, to look at that alone.
define twin
$(call compiled,$3,-DGIL_TWIN=gil_$(call name,$1) -DHEAP_TWIN=heap_$(call name,$1) $(if $(filter once,$2),,$(call counts,$2,refcount/$2)))
$B/$3/%: $B/$3/%.o $B/$2/$(1:.c=.o) $(patsubst %.c,$B/once/%.o,$(filter-out $4,$(once))) \
        $(if $(filter once,$2),,$(patsubst %.c,$B/$2/%.o,$(filter-out $4,$(objects) $(if $(filter coroutines/%,$1),$(coroutines)))))
	$$(call say,LD $$@)$$(CC) $$(CFLAGS) -o $$@ $$^ -lcmocka $$(LDLIBS)
endef
twin_folder = wrong_$(call name,$1)_$2
$(foreach w,$(wrong_files),$(foreach p,$(call under,$w),$(eval $(call twin,$w,$p,$(call twin_folder,$w,$p),$(call said,$w,Instead of)))))

# Wrong submissions of locks are twins as well. Those of other kinds, each of which is a build of its
# own, are seen to fail by `make course-check`.
wrong_locks := $(sort $(wildcard lab/assignments/*/tests/wrong/*/locks/mine.c))
submitted    = wrong_$(subst /,+,$(patsubst lab/assignments/%/locks/mine.c,%,$1))
$(foreach w,$(wrong_locks),$(eval $(call twin,$w,once,$(call submitted,$w),)))

# What is linked with tests that are graded; part of `check`, for two that grade may run side by side.
in_graded := $(patsubst %.c,$B/once/%.o,$(wildcard lab/grade/inside/*.c))

# What was written for an assignment, and what is built with it.
ifdef ASSIGNMENT
include lab/assignments/assignment.mk
endif

$B/lab: $(lab:%.c=$B/once/%.o) $(once:%.c=$B/once/%.o) $(runtimes:%=$B/runtime_%.o)
	$(call say,LD $@)$(CC) $(CFLAGS) -o $@ $^ $(lab_libs) $(LDLIBS)

man: $B/lab.1
$B/lab.1: $B/lab
	$(call say,MAN $@)$< man >$@

# The only C++ is the side of Google Benchmark's shim that faces the library.
CXX := $(if $(clang),$(CC:clang%=clang++%),$(CXX))
$B/once/%.o: %.cc $B/gen/flags
	$(call say,CXX $<)$(CXX) -std=c++17 -I. -MMD -MP -g -Wall -Wextra $(mode.$(MODE)) -c -o $@ $<
$B/once/lab/store.o: lab/schema.sql
$B/once/lab/show_frontier.o: lab/frontier.sql
$B/once/lab/bench/bench.o $B/once/lab/software.o: CPPFLAGS += -DBUILD_MODE='"$(MODE)"'
$B/bench: $(addprefix $B/once/,lab/bench/bench.o lab/runtimes.o benches/gbench.o) $(once:%.c=$B/once/%.o) $(runtimes:%=$B/runtime_%.o)
	$(call say,LD $@)$(CC) $(CFLAGS) -o $@ $^ -lbenchmark -lstdc++ $(LDLIBS)
# The same, and beside it the libraries that we are compared with. Their files alone see theirs.
peers := $(patsubst %,$B/once/%.o,$(basename $(filter-out benches/peers/servers/%,$(call peer_files,benches/peers/*.c benches/peers/*.cc benches/peers/*/*.c))))
$(peers): CPPFLAGS += $(shell pkg-config --cflags gobject-2.0 2>/dev/null)
$B/bench-peers: $(addprefix $B/once/,lab/bench/bench.o lab/bench/peers.o lab/runtimes.o benches/gbench.o) $(peers) $(once:%.c=$B/once/%.o) $(runtimes:%=$B/runtime_%.o)
	$(call say,LD $@)$(CC) $(CFLAGS) -o $@ $^ -lbenchmark $(foreach l,$(peers_there),$(peer_libs.$l)) -lstdc++ $(LDLIBS)
# Echo servers on these libraries, each alone on its thread.
$B/peer-servers: $(patsubst %.c,$B/once/%.o,$(call peer_files,benches/peers/servers/*.c))
	$(call say,LD $@)$(CC) $(CFLAGS) -o $@ $^ $(foreach l,$(filter libev libuv,$(peers_there)),$(peer_libs.$l)) -pthread
# A cell is run by the lab that stands beside it.
$B/bench-cells: $(addprefix $B/once/,lab/bench/cells.o benches/gbench.o) $(patsubst %.c,$B/once/%.o,$(filter-out lab/main.c,$(lab)) $(once)) $(runtimes:%=$B/runtime_%.o) | $B/lab
	$(call say,LD $@)$(CC) $(CFLAGS) -o $@ $^ -lbenchmark -lstdc++ $(lab_libs) $(LDLIBS)

bench:
	scripts/install.sh build bench
	+$(build) $B/bench
	$B/bench $(BENCH)

bench-cells:
	scripts/install.sh build bench
	+$(build) $B/bench-cells
	$B/bench-cells $(BENCH)

figures:
	scripts/install.sh build bench plot peers
	+$(build) $B/bench-peers $B/peer-servers $B/lab
	scripts/figures.py $B/bench-peers
	scripts/run_figures.py $B/lab
	scripts/watch_cost.py $B/lab
	scripts/plan_figures.py $B/lab
	scripts/record_figures.py $B/lab
	scripts/served_figures.py $B/lab $B/peer-servers

# Some seventeen minutes: does the lab claim what is not there, and find what is?
judgement:
	scripts/install.sh build test
	+$(build) $B/lab
	scripts/judgement.py $B/lab

# Tests stand beside what they test. A wrong twin says in its first lines which test
# sees it fail, and in which modes: `Caught by: objects/tests/test_x (debug tsan)`.
caught   = $(shell sed -n 's,.*Caught by: \([^ ]*\) ($(if $(PAIRWISE),,.*)\b$(MODE)\b.*).*,\1,p' $1)
tests   := $(patsubst %.c,$B/once/%,$(wildcard $(addsuffix /tests/test_*.c,gil coroutines/switch coroutines/tls benches/load lab))) \
           $(foreach p,$(thorough),$(patsubst %.c,$B/$p/%,$(filter-out benches/%,$(counted_tests)))) \
           $(foreach p,$(filter $(thorough),$(in_lab)),$(patsubst %.c,$B/$p/%,$(filter benches/%,$(counted_tests)))) \
           $(foreach p,$(filter-out $(thorough),$(policies)),$(addprefix $B/$p/,$(filter $(counted_tests:%.c=%),$(about_counting)))) \
           $(foreach p,$(audited),$(addprefix $B/$p_audit/,objects/tests/test_audit benches/tests/test_demos)) \
           $(stats:%=$B/%_stats/objects/tests/test_stats) \
           $(if $(filter debug,$(MODE)),scripts/ownership.sh coroutines/switch/tests/foreign.sh) \
           $(filter-out $(not_in.$(MODE)),$(wildcard lab/tests/*.sh lab/tests/test_*.py))
twins   := $(foreach w,$(wrong),$(patsubst %,$B/wrong_$(call name,$w)/%,$(call caught,$w))) \
           $(foreach w,$(wrong_files),$(foreach p,$(call under,$w),$(patsubst %,$B/$(call twin_folder,$w,$p)/%,$(call caught,$w)))) \
           $(foreach w,$(wrong_locks),$(patsubst %,$B/$(call submitted,$w)/%,$(filter gil/%,$(call caught,$w))))

define once_test
$B/once/$1/tests/%: $B/once/$1/tests/%.o $(once:%.c=$B/once/%.o)
	$$(call say,LD $$@)$$(CC) $$(CFLAGS) -o $$@ $$^ -lcmocka $$(LDLIBS)
endef
$(foreach f,gil coroutines/switch coroutines/tls benches/load,$(eval $(call once_test,$f)))
$B/once/lab/tests/%: $B/once/lab/tests/%.o $(patsubst %.c,$B/once/%.o,$(filter-out lab/main.c,$(lab)) $(once)) $(runtimes:%=$B/runtime_%.o)
	$(call say,LD $@)$(CC) $(CFLAGS) -o $@ $^ -lcmocka $(lab_libs) $(LDLIBS)

# How scripts/ownership.sh compiles.
ownership = COMPILE='$(CC) $(filter-out -MMD -MP,$(CPPFLAGS)) $(CFLAGS)'

# Where what they need is installed: it is not of the group `test`.
gbench := $(and $(shell command -v $(CXX)),$(wildcard /usr/include/benchmark/benchmark.h))

check: $B/lab $B/peer-servers $(if $(gbench),$B/bench $B/bench-cells) $(filter $B/%,$(tests)) $(twins) $(in_graded)
	@LAB=$B/lab $(ownership) scripts/run-tests.sh $(tests) $(twins:%=must-fail:%)

test:
	scripts/install.sh build test plot examples
	scripts/install.sh browser || echo 'the page of lab report is not looked at: that test is skipped'
	scripts/install.sh foreign || echo 'the switch of 64-bit ARM is not run: that test is skipped'
	rm -f build/test-results
	+for mode in debug asan tsan; do \
	    RESULTS=build/test-results $(build) MODE=$$mode PAIRWISE=1 check || exit; done
	scripts/run-tests.sh --total build/test-results

# The page that `lab report` writes, in a headless Chromium.
browser:
	scripts/install.sh build plot browser
	+$(build) $B/lab
	LAB=$B/lab scripts/run-tests.sh lab/tests/report.sh

# The same tests over and over, with other seeds, ten minutes ($SOAK_SECONDS) in each mode.
soak:
	scripts/install.sh build test
	+for mode in debug asan tsan; do \
	    TEST_SECONDS=3600 SOAK_SECONDS=$${SOAK_SECONDS:-600} $(build) MODE=$$mode check || exit; done
	+$(MAKE) course-check
	scripts/course_check.py --times 50 $B/lab $(wildcard lab/assignments/04-*)
	scripts/course_check.py --times 50 --load 2 $B/lab $(wildcard lab/assignments/04-*)

# The student's one command: from here to the first test that fails.
assignment: folder = $(firstword $(wildcard lab/assignments/$N-* $N))
assignment:
	@test -n '$(and $N,$(folder))' || { echo 'make assignment N=02: there are $(notdir $(wildcard lab/assignments/*-*))' >&2; exit 2; }
	scripts/install.sh build test
	@scripts/cut.py $(folder)
	+@$(build) MODE=debug ASSIGNMENT=$(folder) public

# Grades what is kept under tests/ of each assignment, and compares with what it must get.
course-check:
	scripts/install.sh build test
	+$(build) $B/lab
	scripts/course_check.py $B/lab $(or $(wildcard $(if $N,lab/assignments/$N-*)),$(wildcard lab/assignments/*-*))

# From lab/fuzz/seeds/NAME; what it finds on the way is kept in build/fuzz/corpus/NAME, crashes
# in build/fuzz.
fuzzers := $(call name,lab/fuzz/*.c)
$B/fuzz_%: $B/once/lab/fuzz/%.o $(patsubst %.c,$B/once/%.o,$(filter-out lab/main.c,$(lab)) $(once)) $(runtimes:%=$B/runtime_%.o)
	$(call say,LD $@)$(CC) $(CFLAGS) -fsanitize=fuzzer -o $@ $^ $(lab_libs) $(LDLIBS)

fuzz:
	scripts/install.sh build fuzz
	+$(build) MODE=fuzz CC=clang POLICIES=plain $(fuzzers:%=build/fuzz/fuzz_%)
	for name in $(fuzzers); do mkdir -p build/fuzz/corpus/$$name && \
	    build/fuzz/fuzz_$$name -max_total_time=$(or $(FUZZ_SECONDS),60) -timeout=20 \
	        -print_final_stats=1 -artifact_prefix=build/fuzz/ build/fuzz/corpus/$$name \
	        lab/fuzz/seeds/$$name || exit; done

ownership:
	@$(ownership) scripts/ownership.sh $(counting)

run: results := $B/run-$(shell date -u +%Y%m%dT%H%M%S)
run:
	scripts/install.sh build plot
	+$(build) $B/lab
	$B/lab matrix benches/matrices/quick.yaml --results $(results).db
	scripts/plot.py $(results).db -o $(results).png --here --lab $B/lab --command 'make run'
	$B/lab report $(results).db -o $(results).html
	@echo 'the picture: $(results).png    every sample: $(results).db'

peers:
	scripts/install.sh build bench peers
	+$(build) $B/lab $B/bench-peers $B/peer-servers
	$B/bench-peers --benchmark_filter='^(glib|boost|fiber|shared_ptr|(dict|pair).*/(plain|atomic)/)' $(BENCH)
	scripts/coroutine_peers.py $B/bench-peers
	scripts/parked_peers.py
	scripts/served_peers.py $B/lab $B/peer-servers
	scripts/peers.py --lab $B/lab

help:
	@sed -n '/^$$/q; s/^# \{0,1\}//p' Makefile

clean:
	rm -rf build

.PHONY: all run test check soak assignment course-check public fuzz bench bench-cells figures judgement peers browser ownership man help clean
.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find $B -name '*.d' 2>/dev/null)
