# What is built with a submission: its policy, lock or workload, in the registries beside those of
# the lab, or its file of objects/ or coroutines/, which stands instead of the lab's. Included by the
# Makefile if ASSIGNMENT is a number, a folder of an assignment, or a submission; OF says of which
# assignment, if that is not above it.
#
#   build/MODE/of/SUBMISSION/gen        the registries with it
#   build/MODE/of/SUBMISSION/once       what is built once and depends on it
#   build/MODE/of/SUBMISSION/POLICY     what counts and depends on it
#   build/MODE/of/SUBMISSION/lab        the command with it, and with few policies
#   build/MODE/of/SUBMISSION/lab-before the command without it, likewise
#
# Everything else is the ordinary of build/MODE.

submission := $(patsubst %/,%,$(firstword $(wildcard lab/assignments/$(ASSIGNMENT)-* $(ASSIGNMENT))))
$(if $(submission),,$(error ASSIGNMENT=$(ASSIGNMENT)? a folder, or one of: $(notdir $(wildcard lab/assignments/*-*))))
slash := /
parts := $(subst $(slash), ,$(submission))
OF ?= lab/assignments/$(word 3,$(parts))
$(if $(wildcard $(OF)/assignment.yaml),,$(error OF=$(OF)? there is no assignment.yaml))
here  := of/$(subst $(slash),+,$(submission))
S     := $B/$(here)

mine.policies  := $(wildcard $(submission)/refcount/*.h)
mine.locks     := $(wildcard $(submission)/locks/*.c)
mine.workloads := $(wildcard $(submission)/workloads/*.c)
mine.instead   := $(wildcard $(submission)/objects/*.c $(submission)/coroutines/*.c)
instead_of     := $(mine.instead:$(submission)/%=%)
# As the assignment says: `policies: plain atomic`, beside its own.
beside := $(or $(shell sed -n 's/^policies: //p' $(OF)/assignment.yaml),plain)
own    := $(call name,$(mine.policies))

$(call registry,policies.h,POLICY,$(beside) $(own),$S)
$(call registry,known_policies.h,POLICY,$(sort $(policies) $(call name,objects/refcount/*.h) $(own)),$S)
$(call registry,locks.h,LOCK,$(sort $(call name,gil/locks/*.c) $(call name,$(mine.locks))),$S)
$(call registry,workloads.h,WORKLOAD,$(sort $(call name,benches/workloads/*.c) $(call name,$(mine.workloads))),$S)

# ---- built once ----

# A lock's tests look at it alone, as they do at a twin.
$(eval $(call compiled,$(here)/once,-iquote $S $(if $(mine.locks),-DGIL_WATCHDOG_S=30 -DGIL_TWIN=gil_$(call name,$(mine.locks)))))
with_registry := $(if $(mine.locks),gil/gil.c)
its_once := $(patsubst %.c,$S/once/%.o,$(with_registry) $(mine.locks)) \
            $(patsubst %.c,$B/once/%.o,$(filter-out $(with_registry),$(once)))

# How a test tells the grader what came of it, and what disturbs its schedule.
telling  := $(in_graded)
wrapped  := $(shell grep -oh '__wrap_[a-z_]*' lab/grade/inside/*.c | sort -u | sed 's/__wrap_/-Wl,--wrap=/')

# In the folder $1, of the tests whose names begin with $2; $3 are the objects that they test.
define its_tests
$S/$1/$2%: $S/$1/$2%.o $3 $(its_once) $(telling)
	$$(call say,LD $$@)$$(CC) $$(CFLAGS) $(wrapped) -o $$@ $$^ -lcmocka $$(LDLIBS)
endef

# ---- built once per policy ----

# Of a policy of the lab: what the submission changes is built here, of the rest what there is. A test is linked
# with no more than it may need.
changes     := $(if $(mine.workloads),benches/runtime.c) $(mine.workloads) $(mine.instead)
tested      := $(if $(mine.workloads),$(counting),$(objects) $(if $(filter coroutines/%,$(instead_of)),$(coroutines)))
# Of a workload, its own tests: with coroutines if they name some.
awaits      := $(shell grep -ls '"coroutines/\|"benches/hosted' $(OF)/tests/test_*.c)
changed      = $(patsubst %.c,$S/$1/%.o,$(changes))
with_changes = $(call changed,$1) $(patsubst %.c,$B/$1/%.o,$(filter-out $(changes) $(instead_of),$2))
define its_runtime
$(call compiled,$(here)/$1,-iquote $S $(call counts,$1,refcount/$1))
$S/runtime_$1.o: $(call with_changes,$1,$(counting))
$(call joined,$1)
$(if $(mine.workloads),$(call its_tests,$1,$(OF)/tests/,$(if $(awaits),$(call with_changes,$1,$(counting)),$(mine.workloads:%.c=$S/$1/%.o) $(objects:%.c=$B/$1/%.o))))
$(call its_tests,$1,,$(call with_changes,$1,$(tested)))
endef

# Its own policy: all that counts is compiled with it.
define its_policy
$(call compiled,$(here)/$1,-iquote $S -DRC_POLICY=$1 -DRC_HEADER='"$(submission)/refcount/$1.h"')
$S/runtime_$1.o: $(counting:%.c=$S/$1/%.o)
$(call joined,$1)
$(call its_tests,$1,objects/tests/,$(objects:%.c=$S/$1/%.o))
$(call its_tests,$1,$(OF)/tests/,$(objects:%.c=$S/$1/%.o))
$(call its_tests,$1,,$(counting:%.c=$S/$1/%.o))
endef

counts_with_lab := $(strip $(changes))
$(if $(counts_with_lab),$(foreach p,$(beside),$(eval $(call its_runtime,$p))))
$(foreach p,$(own),$(eval $(call its_policy,$p)))
$(if $(mine.locks),$(eval $(call its_tests,once,,)))
its_runtimes := $(if $(counts_with_lab),$(beside:%=$S/runtime_%.o),$(beside:%=$B/runtime_%.o)) $(own:%=$S/runtime_%.o)

# ---- the command ----

all: $S/lab

lab_of_few = $(patsubst %.c,$B/once/%.o,$(filter-out lab/runtimes.c,$(lab))) $S/once/lab/runtimes.o
$S/lab: $(lab_of_few) $(its_once) $(its_runtimes)
	$(call say,LD $@)$(CC) $(CFLAGS) -o $@ $^ $(lab_libs) $(LDLIBS)
	@ln -f $@ $S/lab-again
$S/lab-before: $(lab_of_few) $(once:%.c=$B/once/%.o) $(beside:%=$B/runtime_%.o)
	$(call say,LD $@)$(CC) $(CFLAGS) -o $@ $^ $(lab_libs) $(LDLIBS)
	@ln -f $@ $S/lab-before-again

# ---- its tests, for people ----

folders     := $(if $(own),$(own),$(if $(mine.locks),once,$(beside)))
named_tests := $(or $(TEST),$(sort $(shell sed -n 's/^ *test: //p' $(OF)/assignment.yaml)))
public_tests = $(foreach f,$(folders),$(foreach t,$(named_tests),$S/$f/$(if $(filter tests/%,$t),$(OF)/)$t))
public: $(public_tests)
	@scripts/run-tests.sh $^ || { echo 'what fails is yours to write: $(mine.policies) $(mine.locks) $(mine.workloads) $(mine.instead)'; exit 1; }

# ---- what the grader's rules look at ----

# A file as the compiler sees it, and its object: of a header what includes it, with every function
# kept. FROM is the lab's own file, for what that may call. STRICT=-Werror for who wrote the cut. ALSO is a macro
# that other builds than this one have; or RC_IMPLEMENTATION, for a file in which the header is not that.
rules_cc    = ulimit -f 200000; ulimit -v 4000000; mkdir -p $(@D); \
              $(CC) $(filter-out -MMD -MP,$(CPPFLAGS)) $(CFLAGS) $(STRICT) $(patsubst %,-D%,$(filter-out RC_%,$(ALSO))) -iquote $S
rules_flags = $(if $(filter %.h,$1),-DRC_POLICY=$(call name,$1) -DRC_HEADER='"$1"' -fkeep-static-functions \
              -fkeep-inline-functions,$(if $(mine.locks),,$(call counts,plain,refcount/plain)))
rules_file  = $(if $(filter %.h,$1),objects/$(if $(filter RC_%,$(ALSO)),float,refcount).c,$1)
define its_rules
$S/rules/$2.i: FORCE
	@$$(rules_cc) $(rules_flags) -E -o $$@ $(rules_file)
$S/rules/$2.o: FORCE
	@$$(rules_cc) $(rules_flags) -c -o $$@ $(rules_file)
endef
$(foreach f,$(mine.policies) $(mine.locks) $(mine.workloads) $(mine.instead),$(eval $(call its_rules,$f,$(call name,$f))))
$(foreach f,$(FROM),$(eval $(call its_rules,$f,from)))
.PHONY: FORCE
