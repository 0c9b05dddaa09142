# make run        measure this machine: one table, three sentences, one picture
# make test       the tests of every policy, plain and with sanitizers (some half an hour)
# make            build the command, build/release/lab
# make bench      micro-benchmarks beside the bare instructions that they cannot beat
# make bench-cells  cells of the lab as Google Benchmarks
# make figures    the figures that we set ourselves, each against its control
# make judgement  whether the lab claims what is not there, and finds what is (17 minutes)
# make soak       the long, seeded tests
# make browser    see the page of `lab report` work in a headless Chromium
# make fuzz       what may be in a file from elsewhere: FUZZ_SECONDS (60) for each kind, by libFuzzer
# make peers      what other libraries take for the same, and the same experiment in CPython
# make ownership  see that a borrowed reference cannot be given away
# make man        the manual page, build/release/lab.1; to read it: man -l build/release/lab.1
# make clean      remove build/, and what was measured into it
# make help       this text
#
#   MODE=release|debug|asan|tsan|gcov   how to build, in build/MODE
#   POLICIES="plain biased"             build just these
#   STATS="plain"                       and of these the build that counts (release: all)
#   BENCH="--benchmark_filter=pair"     flags for make bench and make bench-cells
#   CC=clang                            with locks checked by -Wthread-safety

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
lab_libs := -lsqlite3 -lyaml -ljansson -lmd
LDLIBS   := -lhwloc $(if $(filter asan tsan fuzz,$(MODE)),,-ljemalloc) -lm -pthread

name      = $(basename $(notdir $(sort $(wildcard $1))))
policies := $(or $(POLICIES),$(call name,objects/refcount/*.h))
# PAIRWISE=1, for `make test`: every policy meets every type in some mode, and every type every
# mode under some policy; what is about counting is tested for all policies in all modes; a twin
# is seen to fail in the first mode that it names. A policy that stands in no line is new, and is
# in all of them.
pairs.debug := plain biased immortal dynamic
pairs.asan  := plain atomic buffered global_mutex
pairs.tsan  := atomic biased locked sharded biased_suspend
elsewhere := $(filter-out $(pairs.$(MODE)),$(pairs.debug) $(pairs.asan) $(pairs.tsan))
thorough := $(if $(PAIRWISE),$(filter-out $(elsewhere),$(policies)),$(policies))
about_counting := $(addprefix objects/tests/test_,counting weakref reclaim section collector model)
# The policies of the lab, and of what is measured: in debug all of them.
in_lab   := $(if $(PAIRWISE),$(if $(filter debug,$(MODE)),$(policies),$(filter plain atomic biased,$(policies))),$(policies))
# A policy that needs a GIL is built a second time, to tally what goes wrong without.
audited  := $(notdir $(basename $(shell grep -lE 'RC_NEEDS_GIL +1' $(in_lab:%=objects/refcount/%.h))))
# And each once more, to count who contends for what; test modes have it for some.
stats    := $(or $(STATS),$(if $(filter release,$(MODE)),$(in_lab),$(filter atomic biased buffered sharded,$(in_lab))))
runtimes := $(in_lab) $(audited:%=%_audit) $(stats:%=%_stats)
# Twins: right ones with a fault. A policy is a header; a file says in its first lines instead of
# which right one it is linked, if of any, and under which policies (what is built once: none).
said      = $(shell sed -n 's,^ \* $2: ,,p' $1)
wrong    := $(sort $(wildcard objects/refcount/wrong/*.h))
wrong_files := $(sort $(wildcard gil/wrong/*.c gil/locks/wrong/*.c coroutines/switch/wrong/*.c \
                                 objects/wrong/*.c objects/heaps/wrong/*.c coroutines/wrong/*.c))
under     = $(if $(filter gil/% coroutines/switch/%,$1),once,$(filter $(policies),$(call said,$1,Under)))
# What knows no object is built once, and linked with all that counts: who may run, how to switch
# stacks, how to wait for the kernel.
once     := $(sort $(wildcard gil/*.c gil/locks/*.c coroutines/switch/*.c coroutines/switch/ways/*.c \
                              coroutines/reactor/*.c))
objects  := $(sort $(wildcard objects/*.c objects/heaps/*.c))
coroutines := $(sort $(wildcard coroutines/*.c))
counting := $(objects) $(coroutines) $(sort $(wildcard benches/*.c benches/workloads/*.c \
                                         benches/micro/*.c benches/demos/*.c))
counted_tests := $(filter-out %/test_stats.c,$(wildcard objects/tests/test_*.c coroutines/tests/test_*.c benches/tests/test_*.c))
lab      := $(sort $(wildcard lab/*.c lab/command/*.c lab/export/*.c))

all: $B/lab

# For commands that build on the way: with every core, unless -j says how many.
build = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

comma := ,
# The registries: the listing of a folder, as lines X(name). Rewritten only if changed.
define registry
$(shell mkdir -p $B/gen; { printf '$2(%s)\n' $3 | grep -v '()' > $B/gen/$1.new; \
        cmp -s $B/gen/$1.new $B/gen/$1 && rm $B/gen/$1.new || mv $B/gen/$1.new $B/gen/$1; })
endef
$(call registry,policies.h,POLICY,$(runtimes))
$(call registry,known_policies.h,POLICY,$(sort $(policies) $(call name,objects/refcount/*.h)))
$(call registry,locks.h,LOCK,$(call name,gil/locks/*.c))
$(call registry,ways.h,WAY,$(call name,coroutines/switch/ways/*.c))
$(call registry,heaps.h,HEAP,$(call name,objects/heaps/*.c))
$(call registry,workloads.h,WORKLOAD,$(call name,benches/workloads/*.c))
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
peer_files   = $(filter-out $(foreach l,$(filter-out $(peers_there),$(peers_known)),benches/peers/$l%),$(wildcard $1))
$(call registry,peers.h,PEER,$(call name,$(call peer_files,benches/peers/*.c benches/peers/*.cc)))
$(call registry,demos.h,DEMO,$(foreach d,$(call name,benches/demos/*.c),$d$(comma)$(subst _,-,$d)))
$(call registry,commands.h,COMMAND,$(call name,lab/command/*.c))
$(call registry,exports.h,EXPORT,$(call name,lab/export/*.c))
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
define policy
$(call compiled,$1,$(call counts,$1,$2) $3)

# ... then become one object file with one global symbol. The others get the policy's
# name as a suffix, which is what perf and nm show, and turn local.
$B/runtime_$1.o: $(counting:%.c=$B/$1/%.o)
	@$$(CC) -r -nostdlib -o $$@.tmp $$^
	@nm -g --defined-only $$@.tmp | awk '$$$$3 != "runtime_$1" { print $$$$3, $$$$3 ".$1" }' > $$@.syms
	@objcopy --redefine-syms=$$@.syms --keep-global-symbol=runtime_$1 $$@.tmp $$@
	@rm $$@.tmp $$@.syms

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
peers := $(patsubst %,$B/once/%.o,$(basename $(call peer_files,benches/peers/*.c benches/peers/*.cc benches/peers/*/*.c)))
$(peers): CPPFLAGS += $(shell pkg-config --cflags gobject-2.0 2>/dev/null)
$B/bench-peers: $(addprefix $B/once/,lab/bench/bench.o lab/bench/peers.o lab/runtimes.o benches/gbench.o) $(peers) $(once:%.c=$B/once/%.o) $(runtimes:%=$B/runtime_%.o)
	$(call say,LD $@)$(CC) $(CFLAGS) -o $@ $^ -lbenchmark $(foreach l,$(peers_there),$(peer_libs.$l)) -lstdc++ $(LDLIBS)
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
	+$(build) $B/bench-peers $B/lab
	scripts/figures.py $B/bench-peers
	scripts/run_figures.py $B/lab
	scripts/watch_cost.py $B/lab
	scripts/plan_figures.py $B/lab
	scripts/record_figures.py $B/lab

# Some seventeen minutes: does the lab claim what is not there, and find what is?
judgement:
	scripts/install.sh build test
	+$(build) $B/lab
	scripts/judgement.py $B/lab

# Tests stand beside what they test. A wrong twin says in its first lines which test
# sees it fail, and in which modes: `Caught by: objects/tests/test_x (debug tsan)`.
caught   = $(shell sed -n 's,.*Caught by: \([^ ]*\) ($(if $(PAIRWISE),,.*)\b$(MODE)\b.*).*,\1,p' $1)
tests   := $(patsubst %.c,$B/once/%,$(wildcard gil/tests/test_*.c coroutines/switch/tests/test_*.c lab/tests/test_*.c)) \
           $(foreach p,$(thorough),$(patsubst %.c,$B/$p/%,$(filter-out benches/%,$(counted_tests)))) \
           $(foreach p,$(filter $(thorough),$(in_lab)),$(patsubst %.c,$B/$p/%,$(filter benches/%,$(counted_tests)))) \
           $(foreach p,$(filter-out $(thorough),$(policies)),$(addprefix $B/$p/,$(filter $(counted_tests:%.c=%),$(about_counting)))) \
           $(foreach p,$(audited),$(addprefix $B/$p_audit/,objects/tests/test_audit benches/tests/test_demos)) \
           $(stats:%=$B/%_stats/objects/tests/test_stats) \
           $(if $(filter debug,$(MODE)),scripts/ownership.sh coroutines/switch/tests/foreign.sh) \
           $(wildcard lab/tests/*.sh lab/tests/test_*.py)
twins   := $(foreach w,$(wrong),$(patsubst %,$B/wrong_$(call name,$w)/%,$(call caught,$w))) \
           $(foreach w,$(wrong_files),$(foreach p,$(call under,$w),$(patsubst %,$B/$(call twin_folder,$w,$p)/%,$(call caught,$w))))

define once_test
$B/once/$1/tests/%: $B/once/$1/tests/%.o $(once:%.c=$B/once/%.o)
	$$(call say,LD $$@)$$(CC) $$(CFLAGS) -o $$@ $$^ -lcmocka $$(LDLIBS)
endef
$(foreach f,gil coroutines/switch,$(eval $(call once_test,$f)))
$B/once/lab/tests/%: $B/once/lab/tests/%.o $(patsubst %.c,$B/once/%.o,$(filter-out lab/main.c,$(lab)) $(once)) $(runtimes:%=$B/runtime_%.o)
	$(call say,LD $@)$(CC) $(CFLAGS) -o $@ $^ -lcmocka $(lab_libs) $(LDLIBS)

# How scripts/ownership.sh compiles.
ownership = COMPILE='$(CC) $(filter-out -MMD -MP,$(CPPFLAGS)) $(CFLAGS)'

# Where what they need is installed: it is not of the group `test`.
gbench := $(and $(shell command -v $(CXX)),$(wildcard /usr/include/benchmark/benchmark.h))

check: $B/lab $(if $(gbench),$B/bench $B/bench-cells) $(filter $B/%,$(tests)) $(twins)
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
	    SOAK_SECONDS=$${SOAK_SECONDS:-600} $(build) MODE=$$mode check || exit; done

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
	+$(build) $B/lab $B/bench-peers
	$B/bench-peers --benchmark_filter='^(glib|boost|fiber|shared_ptr|(dict|pair).*/(plain|atomic)/)' $(BENCH)
	scripts/coroutine_peers.py $B/bench-peers
	scripts/parked_peers.py
	scripts/peers.py --lab $B/lab

help:
	@sed -n '/^$$/q; s/^# \{0,1\}//p' Makefile

clean:
	rm -rf build

.PHONY: all run test check soak fuzz bench bench-cells figures judgement peers browser ownership man help clean
.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find $B -name '*.d' 2>/dev/null)
