/* test_fiber.c - what every way of switching must keep, on one thread. */
#include "coroutines/switch/tests/testing.h"

#include <execinfo.h>
#include <fenv.h>
#include <stdlib.h>

/* ---- Values. */

static void *add_up(struct fiber *self, void *first)
{
    intptr_t sum = number(first);

    while (sum < 1000)
        sum += number(fiber_yield(self, pointer(sum)));
    return pointer(-sum);
}

static void test_values_pass_both_ways(void **state)
{
    struct fiber *f = new_fiber("sum", add_up);

    (void)state;
    assert_int_equal(fiber_state(f), FIBER_SUSPENDED);
    assert_int_equal(resume(f, 5), 5);
    assert_int_equal(fiber_state(f), FIBER_SUSPENDED);
    assert_int_equal(resume(f, 20), 25);
    assert_int_equal(resume(f, 300), 325);
    assert_int_equal(resume(f, 700), -1025);
    assert_int_equal(fiber_state(f), FIBER_FINISHED);
    destroy(f);
}

static void *return_at_once(struct fiber *self, void *first)
{
    (void)self;
    return first;
}

static void test_a_fiber_may_end_without_yielding(void **state)
{
    struct fiber *f = new_fiber("short", return_at_once);

    (void)state;
    assert_int_equal(resume(f, 7), 7);
    assert_int_equal(fiber_state(f), FIBER_FINISHED);
    destroy(f);
}

static void test_null_is_a_value(void **state)
{
    struct fiber *f = new_fiber("null", return_at_once);

    (void)state;
    assert_null(fiber_resume(&here, f, NULL));
    assert_int_equal(fiber_state(f), FIBER_FINISHED);
    destroy(f);
}

/* ---- Between equals. */

static bool transfers(void)
{
    return way_transfers(way);
}

static struct fiber *ring[3];

static void *go_round(struct fiber *self, void *first)
{
    int me = self == ring[0] ? 0 : self == ring[1] ? 1 : 2;
    intptr_t sum = number(first);

    for (int i = 0; i < 100; i++)
        sum = number(fiber_transfer(self->carrier, ring[(me + 1) % 3], pointer(sum + 1)));
    fiber_bequeath(self, me == 2 ? &self->carrier->root : ring[me + 1]);
    return pointer(sum + 1000);
}

static void test_three_transfer_in_a_ring_and_end_one_by_one(void **state)
{
    (void)state;
    if (!transfers())
        return;
    for (int i = 0; i < 3; i++)
        ring[i] = new_fiber("ring", go_round);
    assert_int_equal(number(fiber_transfer(&here, ring[0], pointer(5))), 5 + 300 + 3000);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fiber_state(ring[i]), FIBER_FINISHED);
        destroy(ring[i]);
    }
    assert_null(here.current);
}

static void *back_and_forth(struct fiber *self, void *first)
{
    while (first)
        first = fiber_transfer(self->carrier, &self->carrier->root, first);
    fiber_bequeath(self, &self->carrier->root);
    return pointer(9);
}

static void test_the_thread_itself_takes_part(void **state)
{
    struct fiber *f = new_fiber("there", back_and_forth);

    (void)state;
    for (int i = 1; transfers() && i < 100; i++) {
        assert_int_equal(number(fiber_transfer(&here, f, pointer(i))), i);
        assert_int_equal(fiber_state(f), FIBER_SUSPENDED);
    }
    if (transfers())
        assert_int_equal(number(fiber_transfer(&here, f, NULL)), 9);
    destroy(f);
}

static struct fiber *inner, *equal;

/* Resumed by one, it is left by a transfer, gone on with by another, and yields to its resumer. */
static void *leave_by_transfer(struct fiber *self, void *first)
{
    first = fiber_transfer(self->carrier, equal, pointer(number(first) + 1));
    return fiber_yield(self, pointer(number(first) + 10));
}

static void *transfer_back(struct fiber *self, void *first)
{
    fiber_bequeath(self, inner);
    return pointer(number(first) + 100);
}

static void *resume_inner(struct fiber *self, void *first)
{
    intptr_t got;

    inner = fiber_new_with(self->carrier, "inner", leave_by_transfer, way, 0);
    equal = fiber_new_with(self->carrier, "equal", transfer_back, way, 0);
    got = number(fiber_resume(self->carrier, inner, first));
    fiber_bequeath(self, &self->carrier->root);
    return pointer(got + 1000);
}

static void test_a_resumed_fiber_may_transfer_and_keeps_its_resumer(void **state)
{
    struct fiber *f = new_fiber("outer", resume_inner);

    (void)state;
    if (transfers()) {
        assert_int_equal(number(fiber_transfer(&here, f, pointer(1))), 1 + 1 + 100 + 10 + 1000);
        assert_int_equal(fiber_state(inner), FIBER_SUSPENDED);
        destroy(inner);
        destroy(equal);
    }
    destroy(f);
}

static void *try_itself(struct fiber *self, void *first)
{
    void *failed = fiber_transfer(self->carrier, self, first);
    intptr_t error = failed == FIBER_FAILED ? errno : 0;

    return pointer(error);
}

static void test_who_runs_is_not_transferred_to(void **state)
{
    struct fiber *f = new_fiber("itself", try_itself);

    (void)state;
    if (transfers()) {
        assert_int_equal(resume(f, 1), EBUSY);
        assert_ptr_equal(fiber_transfer(&here, f, NULL), FIBER_FAILED);
        assert_int_equal(errno, EINVAL);
        assert_int_equal(fiber_bequeath(f, f), -1);
    } else {
        assert_ptr_equal(fiber_transfer(&here, f, NULL), FIBER_FAILED);
        assert_int_equal(errno, ENOTSUP);
    }
    destroy(f);
}

/* ---- Who runs. */

static struct {
    struct fiber *self, *current, *resumer;
    struct carrier *carrier;
    enum fiber_state state, of_resumer;
} seen;

static void *look_around(struct fiber *self, void *first)
{
    seen.self = self;
    seen.current = carrier_self()->current;
    seen.resumer = self->resumer;
    seen.carrier = self->carrier;
    seen.state = fiber_state(self);
    seen.of_resumer = self->resumer ? fiber_state(self->resumer) : FIBER_SUSPENDED;
    return first;
}

static void test_a_fiber_knows_where_it_runs(void **state)
{
    struct fiber *f = new_fiber("looks", look_around);

    (void)state;
    assert_null(here.current);
    resume(f, 0);
    assert_ptr_equal(seen.self, f);
    assert_ptr_equal(seen.current, f);
    assert_null(seen.resumer);
    assert_ptr_equal(seen.carrier, &here);
    assert_int_equal(seen.state, FIBER_RUNNING);
    assert_null(here.current);
    destroy(f);
}

/* Resumes what it is given until that ends, and yields between. */
static void *drive(struct fiber *self, void *first)
{
    struct fiber *other = first;
    intptr_t last = 0;

    while (fiber_state(other) != FIBER_FINISHED) {
        last = number(fiber_resume(self->carrier, other, pointer(100)));
        fiber_yield(self, pointer(last + 1));
    }
    return pointer(last);
}

static void test_a_fiber_resumes_another(void **state)
{
    struct fiber *outer = new_fiber("outer", drive), *inner = new_fiber("inner", add_up);
    intptr_t expected[] = { 101, 201, 301, 401, 501, 601, 701, 801, 901, -999, -1000 };

    (void)state;
    assert_int_equal(resume(outer, number(inner)), expected[0]);
    for (size_t i = 1; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(resume(outer, 0), expected[i]);
    assert_int_equal(fiber_state(outer), FIBER_FINISHED);
    destroy(inner);
    destroy(outer);
}

static void test_a_resumer_that_waits_is_running(void **state)
{
    struct fiber *outer = new_fiber("outer", drive), *inner = new_fiber("inner", look_around);

    (void)state;
    resume(outer, number(inner));
    assert_ptr_equal(seen.current, inner);
    assert_ptr_equal(seen.resumer, outer);
    assert_int_equal(seen.of_resumer, FIBER_RUNNING);
    assert_null(here.current);
    resume(outer, 0);
    destroy(inner);
    destroy(outer);
}

enum { DEPTH = 50 };
static struct fiber *chain[DEPTH];

/* The last yields once; each passes on what it got from the next, plus one. */
static void *pass_on(struct fiber *self, void *first)
{
    intptr_t at = number(first), got;

    if (at == DEPTH - 1)
        return pointer(number(fiber_yield(self, pointer(1))));
    got = number(fiber_resume(self->carrier, chain[at + 1], pointer(at + 1)));
    got = number(fiber_yield(self, pointer(got + 1)));
    return pointer(number(fiber_resume(self->carrier, chain[at + 1], pointer(got))) + 1);
}

static void test_fifty_in_each_other(void **state)
{
    (void)state;
    for (int i = 0; i < DEPTH; i++)
        chain[i] = new_fiber("link", pass_on);
    assert_int_equal(resume(chain[0], 0), DEPTH);
    assert_int_equal(resume(chain[0], 1000), 1000 + DEPTH - 1);
    for (int i = 0; i < DEPTH; i++) {
        assert_int_equal(fiber_state(chain[i]), FIBER_FINISHED);
        destroy(chain[i]);
    }
}

/* Another resumes it the second time: it goes back to that one. */
static void test_a_fiber_returns_to_who_resumed_it_last(void **state)
{
    struct fiber *f = new_fiber("shared", add_up), *other = new_fiber("other", drive);

    (void)state;
    assert_int_equal(resume(f, 3), 3);
    assert_int_equal(resume(other, number(f)), 104);
    assert_ptr_equal(f->resumer, other);
    assert_int_equal(resume(f, 10), 113);
    assert_int_equal(resume(other, 0), 214);
    destroy(f);
    destroy(other);
}

/* ---- Many. */

enum { MANY = 1000 };

static void *count_turns(struct fiber *self, void *first)
{
    intptr_t own = number(first), turns = 0;

    while (number(fiber_yield(self, pointer(own * 1000 + turns))) == own)
        turns++;
    return pointer(turns);
}

static void test_a_thousand_take_turns(void **state)
{
    static struct fiber *many[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++)
        many[i] = new_fiber("one of many", count_turns);
    for (int turn = 0; turn < 5; turn++)
        for (int i = 0; i < MANY; i++)
            assert_int_equal(resume(many[i], i), i * 1000 + turn);
    for (int i = 0; i < MANY; i += 2)
        assert_int_equal(resume(many[i], -1), 4);
    for (int i = 0; i < MANY; i++)
        destroy(many[i]);
}

/* ---- What a call preserves. */

/* Puts patterns that begin with `pattern` into all registers that a call preserves, calls, and
 * returns how many are not as they were. */
extern int registers_lost(void (*call)(void *argument), void *argument, uint64_t pattern);

#if defined(__x86_64__)
enum { KNOWS_REGISTERS = 1 };
__asm__(".pushsection .text\n"
        ".globl registers_lost\n"
        ".type registers_lost, @function\n"
        "registers_lost:\n"
        ".cfi_startproc\n"
        "pushq %rbx; .cfi_adjust_cfa_offset 8\n"
        "pushq %rbp; .cfi_adjust_cfa_offset 8\n"
        "pushq %r12; .cfi_adjust_cfa_offset 8\n"
        "pushq %r13; .cfi_adjust_cfa_offset 8\n"
        "pushq %r14; .cfi_adjust_cfa_offset 8\n"
        "pushq %r15; .cfi_adjust_cfa_offset 8\n"
        "pushq %rdx; .cfi_adjust_cfa_offset 8\n"
        "leaq 1(%rdx), %rbx\n"
        "leaq 2(%rdx), %rbp\n"
        "leaq 3(%rdx), %r12\n"
        "leaq 4(%rdx), %r13\n"
        "leaq 5(%rdx), %r14\n"
        "leaq 6(%rdx), %r15\n"
        "movq %rdi, %rax\n"
        "movq %rsi, %rdi\n"
        "call *%rax\n"
        "popq %rdx; .cfi_adjust_cfa_offset -8\n"
        "xorl %eax, %eax\n"
        "incq %rdx; cmpq %rdx, %rbx; je 1f; incl %eax; 1:\n"
        "incq %rdx; cmpq %rdx, %rbp; je 1f; incl %eax; 1:\n"
        "incq %rdx; cmpq %rdx, %r12; je 1f; incl %eax; 1:\n"
        "incq %rdx; cmpq %rdx, %r13; je 1f; incl %eax; 1:\n"
        "incq %rdx; cmpq %rdx, %r14; je 1f; incl %eax; 1:\n"
        "incq %rdx; cmpq %rdx, %r15; je 1f; incl %eax; 1:\n"
        "popq %r15; .cfi_adjust_cfa_offset -8\n"
        "popq %r14; .cfi_adjust_cfa_offset -8\n"
        "popq %r13; .cfi_adjust_cfa_offset -8\n"
        "popq %r12; .cfi_adjust_cfa_offset -8\n"
        "popq %rbp; .cfi_adjust_cfa_offset -8\n"
        "popq %rbx; .cfi_adjust_cfa_offset -8\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size registers_lost, .-registers_lost\n"
        ".popsection\n");
#elif defined(__aarch64__)
enum { KNOWS_REGISTERS = 1 };
#define SET(n) "add x" #n ", x2, #" #n "\n"
#define SET_D(n) "add x9, x2, #(100 + " #n ")\n fmov d" #n ", x9\n"
#define CHECK(n) "add x9, x2, #" #n "\n cmp x9, x" #n "\n cinc w0, w0, ne\n"
#define CHECK_D(n) "add x9, x2, #(100 + " #n ")\n fmov x10, d" #n "\n cmp x9, x10\n cinc w0, w0, ne\n"
__asm__(".pushsection .text\n"
        ".globl registers_lost\n"
        ".type registers_lost, %function\n"
        "registers_lost:\n"
        "stp x29, x30, [sp, #-176]!\n"
        "mov x29, sp\n"
        "stp x19, x20, [sp, #16]\n stp x21, x22, [sp, #32]\n stp x23, x24, [sp, #48]\n"
        "stp x25, x26, [sp, #64]\n stp x27, x28, [sp, #80]\n stp d8, d9, [sp, #96]\n"
        "stp d10, d11, [sp, #112]\n stp d12, d13, [sp, #128]\n stp d14, d15, [sp, #144]\n"
        "str x2, [sp, #160]\n"
        SET(19) SET(20) SET(21) SET(22) SET(23) SET(24) SET(25) SET(26) SET(27) SET(28)
        SET_D(8) SET_D(9) SET_D(10) SET_D(11) SET_D(12) SET_D(13) SET_D(14) SET_D(15)
        "mov x9, x0\n mov x0, x1\n blr x9\n"
        "ldr x2, [sp, #160]\n"
        "mov w0, #0\n"
        CHECK(19) CHECK(20) CHECK(21) CHECK(22) CHECK(23) CHECK(24) CHECK(25) CHECK(26) CHECK(27)
        CHECK(28) CHECK_D(8) CHECK_D(9) CHECK_D(10) CHECK_D(11) CHECK_D(12) CHECK_D(13) CHECK_D(14)
        CHECK_D(15)
        "ldp x19, x20, [sp, #16]\n ldp x21, x22, [sp, #32]\n ldp x23, x24, [sp, #48]\n"
        "ldp x25, x26, [sp, #64]\n ldp x27, x28, [sp, #80]\n ldp d8, d9, [sp, #96]\n"
        "ldp d10, d11, [sp, #112]\n ldp d12, d13, [sp, #128]\n ldp d14, d15, [sp, #144]\n"
        "ldp x29, x30, [sp], #176\n"
        "ret\n"
        ".size registers_lost, .-registers_lost\n"
        ".popsection\n");
#undef SET
#undef SET_D
#undef CHECK
#undef CHECK_D
#else
enum { KNOWS_REGISTERS = 0 };
int registers_lost(void (*call)(void *argument), void *argument, uint64_t pattern)
{
    (void)pattern;
    call(argument);
    return 0;
}
#endif

static void yield_once(void *self)
{
    fiber_yield(self, NULL);
}

static void resume_once(void *f)
{
    fiber_resume(&here, f, NULL);
}

/* Says how many it has lost. */
static void *hold_registers(struct fiber *self, void *first)
{
    intptr_t lost = 0;

    for (int i = 0; i < 10; i++)
        lost += registers_lost(yield_once, self, 0x1234567800000000u + number(first) + i);
    return pointer(lost);
}

static void test_registers_are_kept(void **state)
{
    struct fiber *f = new_fiber("holds", hold_registers);
    int lost = 0;

    (void)state;
    if (!KNOWS_REGISTERS)
        print_message("# this machine's registers are not known\n");
    for (int i = 0; i < 10; i++)
        lost += registers_lost(resume_once, f, 0x8765432100000000u + (uint64_t)i);
    assert_int_equal(lost, 0);
    assert_int_equal(resume(f, 0), 0);
    assert_int_equal(fiber_state(f), FIBER_FINISHED);
    destroy(f);
}

/* Values that live in registers across the switch, if the compiler can keep them there. */
static void *sum_floats(struct fiber *self, void *first)
{
    double sum = 0.5, *result = first;
    long double wide = 0.25L;
    float narrow = 0.125f;

    for (int i = 1; i <= 100; i++) {
        fiber_yield(self, NULL);
        sum += i;
        wide += sum;
        narrow += 1;
    }
    *result = sum + (double)wide + narrow;
    return NULL;
}

static void test_floating_point_values_are_kept(void **state)
{
    struct fiber *f = new_fiber("sums", sum_floats);
    long double wide = 0.5L;
    double result = 0, own = 1;

    (void)state;
    fiber_resume(&here, f, &result);
    for (int i = 1; i <= 100; i++) {
        fiber_resume(&here, f, NULL);
        own *= 1.5;
        wide += own;
    }
    assert_true(result == 5050.5 + (171700 + 50 + 0.25) + 100.125);
    assert_true(own > 4e17 && wide > own);
    destroy(f);
}

/* A quotient that the rounding mode decides. */
static int rounds_up(void)
{
    volatile double one = 1, three = 3;
    volatile double third = one / three;

    return third * three - one > 0 || third > 0.333333333333333314829616256247;
}

static void *round_up(struct fiber *self, void *first)
{
    intptr_t wrong = 0;

    (void)first;
    fesetround(FE_UPWARD);
    for (int i = 0; i < 3; i++) {
        fiber_yield(self, NULL);
        wrong += fegetround() != FE_UPWARD;
        wrong += !rounds_up();
    }
    return pointer(wrong);
}

static void test_the_rounding_mode_is_of_who_has_set_it(void **state)
{
    struct fiber *f;

    (void)state;
    if (!way->keeps_control)
        return;
    f = new_fiber("rounds", round_up);
    for (int i = 0; i < 3; i++) {
        fesetround(i % 2 ? FE_DOWNWARD : FE_TONEAREST);
        resume(f, 0);
        assert_int_equal(fegetround(), i % 2 ? FE_DOWNWARD : FE_TONEAREST);
    }
    fesetround(FE_TONEAREST);
    assert_int_equal(resume(f, 0), 0);
    assert_int_equal(fegetround(), FE_TONEAREST);
    destroy(f);
}

static void test_or_of_the_thread(void **state)
{
    struct fiber *f;

    (void)state;
    if (way->keeps_control)
        return;
    f = new_fiber("rounds", round_up);
    resume(f, 0);
    assert_int_equal(fegetround(), FE_UPWARD);
    for (int i = 0; i < 3; i++) {
        fesetround(i == 1 ? FE_UPWARD : FE_TONEAREST);
        resume(f, 0);
        assert_int_equal(fegetround(), i == 1 ? FE_UPWARD : FE_TONEAREST);
    }
    fesetround(FE_TONEAREST);
    destroy(f);
}

typedef float vector __attribute__((vector_size(16)));
struct aligned {
    _Alignas(64) char line[64];
};

/* A vector of 16 bytes is where the ABI says that the stack is aligned to; the compiler stores it
 * by an instruction that faults elsewhere. One of 64 makes it align its frame by itself. */
static __attribute__((noinline)) intptr_t misaligned(struct fiber *self)
{
    volatile vector v = { 1, 2, 3, 4 };
    struct aligned line;
    intptr_t at = (intptr_t)&v % 16 + (intptr_t)&line % 64;

    memset(&line, 3, sizeof line);
    fiber_yield(self, &line);
    v += v;
    return at + (v[3] != 8) + (line.line[63] != 3) + ((intptr_t)&line % 64);
}

static void *hold_vectors(struct fiber *self, void *first)
{
    (void)first;
    return pointer(misaligned(self) + ((intptr_t)__builtin_frame_address(0) % 16));
}

static void test_the_stack_is_aligned(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) { /* of several colours */
        struct fiber *f = new_fiber("vectors", hold_vectors);

        assert_int_not_equal(resume(f, 0), 0);
        assert_int_equal(resume(f, 0), 0);
        destroy(f);
    }
}

/* ---- Depth. */

static void *yield_deep(void *self)
{
    return fiber_yield(self, pointer(1));
}

static void *go_deep(struct fiber *self, void *first)
{
    size_t bytes = (size_t)number(first);

    while (number(call_deep(bytes, yield_deep, self)) != 0)
        bytes -= KIB;
    return pointer((intptr_t)bytes);
}

static void test_what_stands_deep_is_kept(void **state)
{
    struct fiber *a = new_fiber("a", go_deep), *b = new_fiber("b", go_deep);

    (void)state;
    assert_int_equal(resume(a, 20 * KIB), 1);
    assert_int_equal(resume(b, 9 * KIB), 1);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(resume(a, 1), 1);
        assert_int_equal(resume(b, 1), 1);
    }
    assert_int_equal(resume(a, 0), 15 * KIB);
    assert_int_equal(resume(b, 0), 4 * KIB);
    destroy(a);
    destroy(b);
}

enum { FRAMES_MOST = 64 };

static void *count_frames(struct fiber *self, void *first)
{
    void *frames[FRAMES_MOST];

    (void)self, (void)first;
    return pointer(backtrace(frames, FRAMES_MOST));
}

/* Nor does it go on into whatever stands above. */
static void test_a_walk_up_the_stack_comes_to_its_end(void **state)
{
    struct fiber *f = new_fiber("walks", count_frames);

    (void)state;
    assert_in_range(resume(f, 0), 1, 5);
    destroy(f);
}

/* ---- What is refused. */

static void *resume_itself(struct fiber *self, void *first)
{
    void *got = fiber_resume(self->carrier, self, first);

    return pointer(got == FIBER_FAILED && errno == EBUSY);
}

static void test_who_runs_cannot_be_resumed(void **state)
{
    struct fiber *f = new_fiber("itself", resume_itself);

    (void)state;
    assert_int_equal(resume(f, 0), 1);
    destroy(f);
}

static void *resume_resumer(struct fiber *self, void *first)
{
    void *got = fiber_resume(self->carrier, self->resumer, first);

    return pointer(got == FIBER_FAILED && errno == EBUSY);
}

static void test_who_waits_for_another_cannot_be_resumed(void **state)
{
    struct fiber *outer = new_fiber("outer", drive), *inner = new_fiber("inner", resume_resumer);

    (void)state;
    assert_int_equal(resume(outer, number(inner)), 1 + 1);
    resume(outer, 0);
    destroy(inner);
    destroy(outer);
}

static void test_who_has_finished_cannot_be_resumed(void **state)
{
    struct fiber *f = new_fiber("short", return_at_once);

    (void)state;
    resume(f, 0);
    for (int i = 0; i < 2; i++) {
        errno = 0;
        assert_ptr_equal(fiber_resume(&here, f, NULL), FIBER_FAILED);
        assert_int_equal(errno, EINVAL);
        assert_null(here.current);
    }
    destroy(f);
}

static void *destroy_itself(struct fiber *self, void *first)
{
    (void)first;
    return pointer(fiber_destroy(self->carrier, self) < 0 && errno == EBUSY);
}

static void test_who_runs_cannot_be_destroyed(void **state)
{
    struct fiber *f = new_fiber("itself", destroy_itself);

    (void)state;
    assert_int_equal(resume(f, 0), 1);
    destroy(f);
}

static void test_too_large_a_stack_is_refused(void **state)
{
    (void)state;
    if (way == &way_copystack)
        return; /* which has the stage's */
    assert_null(fiber_new_with(&here, "large", add_up, way, STACK_MOST_BYTES + 1));
    assert_int_equal(errno, EINVAL);
    assert_non_null(strstr(here.stacks.why, "at most 16384"));
}

/* ---- Destroying. */

static void test_who_is_suspended_can_be_destroyed(void **state)
{
    struct fiber *never_run = new_fiber("never run", add_up), *f = new_fiber("suspended", add_up);

    (void)state;
    assert_int_equal(resume(f, 1), 1);
    destroy(f);
    destroy(never_run);
}

static void *destroy_other(struct fiber *self, void *first)
{
    int status = fiber_destroy(self->carrier, first);

    fiber_yield(self, pointer(status));
    return pointer(status);
}

/* Of copystack the other may be the last who was on the stage, or not. */
static void test_one_fiber_destroys_another(void **state)
{
    struct fiber *f = new_fiber("destroys", destroy_other), *other = new_fiber("other", add_up);

    (void)state;
    assert_int_equal(resume(other, 1), 1);
    assert_int_equal(resume(f, number(other)), 0);
    assert_int_equal(resume(f, 0), 0);
    destroy(f);
}

/* ---- After the switch. */

static struct {
    int calls;
    struct fiber *current;
    enum fiber_state state;
    bool on_own_stack;
} after;

static void note_after(void *argument)
{
    const struct fiber *f = argument;
    const char *frame = __builtin_frame_address(0);

    after.calls++;
    after.current = here.current;
    after.state = fiber_state(f);
    after.on_own_stack = frame >= f->stack->low && frame < stack_high(f->stack);
}

static void *yield_and_note(struct fiber *self, void *first)
{
    void *got = fiber_yield_then(self, pointer(number(first) + 1), note_after, self);

    return fiber_yield(self, got);
}

static void test_after_the_switch_means_after_it(void **state)
{
    struct fiber *f = new_fiber("notes", yield_and_note);

    (void)state;
    memset(&after, 0, sizeof after);
    assert_int_equal(resume(f, 1), 2);
    assert_int_equal(after.calls, 1);
    assert_int_equal(after.state, FIBER_SUSPENDED);
    assert_null(after.current);
    assert_false(after.on_own_stack);
    assert_int_equal(resume(f, 5), 5);
    assert_int_equal(resume(f, 6), 6);
    assert_int_equal(after.calls, 1);
    assert_int_equal(fiber_state(f), FIBER_FINISHED);
    destroy(f);
}

static void destroy_after(void *f)
{
    after.calls += fiber_destroy(&here, f) == 0;
}

static void *yield_for_good(struct fiber *self, void *first)
{
    fiber_yield_then(self, first, destroy_after, self);
    return NULL;
}

static void test_a_fiber_can_be_destroyed_after_its_last_switch(void **state)
{
    (void)state;
    after.calls = 0;
    assert_int_equal(resume(new_fiber("for good", yield_for_good), 9), 9);
    assert_int_equal(after.calls, 1);
}

/* ---- Mixed ways. */

static void test_every_way_inside_every_other(void **state)
{
    (void)state;
    for (const struct named_way *w = way_list; w->name; w++) {
        struct fiber *outer, *inner;

        if (w->way->refusal())
            continue;
        outer = new_fiber("outer", drive);
        inner = fiber_new_with(&here, "inner", add_up, w->way, 0);
        assert_non_null(inner);
        assert_int_equal(resume(outer, number(inner)), 101);
        assert_int_equal(resume(outer, 0), 201);
        destroy(outer);
        assert_int_equal(resume(inner, 3), 203);
        destroy(inner);
    }
}

static const struct promise promises[] = {
    { "values pass both ways", test_values_pass_both_ways },
    { "a fiber may end without yielding", test_a_fiber_may_end_without_yielding },
    { "NULL is a value", test_null_is_a_value },
    { "a fiber knows where it runs", test_a_fiber_knows_where_it_runs },
    { "a fiber resumes another", test_a_fiber_resumes_another },
    { "a resumer that waits is running", test_a_resumer_that_waits_is_running },
    { "fifty in each other", test_fifty_in_each_other },
    { "a fiber returns to who resumed it last", test_a_fiber_returns_to_who_resumed_it_last },
    { "a thousand take turns", test_a_thousand_take_turns },
    { "registers are kept", test_registers_are_kept },
    { "floating-point values are kept", test_floating_point_values_are_kept },
    { "the rounding mode is of who has set it", test_the_rounding_mode_is_of_who_has_set_it },
    { "or of the thread", test_or_of_the_thread },
    { "the stack is aligned", test_the_stack_is_aligned },
    { "what stands deep is kept", test_what_stands_deep_is_kept },
    { "a walk up the stack comes to its end", test_a_walk_up_the_stack_comes_to_its_end },
    { "who runs cannot be resumed", test_who_runs_cannot_be_resumed },
    { "who waits for another cannot be resumed", test_who_waits_for_another_cannot_be_resumed },
    { "who has finished cannot be resumed", test_who_has_finished_cannot_be_resumed },
    { "who runs cannot be destroyed", test_who_runs_cannot_be_destroyed },
    { "too large a stack is refused", test_too_large_a_stack_is_refused },
    { "who is suspended can be destroyed", test_who_is_suspended_can_be_destroyed },
    { "one fiber destroys another", test_one_fiber_destroys_another },
    { "after the switch means after it", test_after_the_switch_means_after_it },
    { "a fiber can be destroyed after its last switch",
      test_a_fiber_can_be_destroyed_after_its_last_switch },
    { "three transfer in a ring, and end one by one",
      test_three_transfer_in_a_ring_and_end_one_by_one },
    { "the thread itself takes part", test_the_thread_itself_takes_part },
    { "a resumed fiber may transfer, and keeps its resumer",
      test_a_resumed_fiber_may_transfer_and_keeps_its_resumer },
    { "who runs is not transferred to", test_who_runs_is_not_transferred_to },
    { "every way inside every other", test_every_way_inside_every_other },
    { NULL, NULL },
};

int main(void)
{
    return run_promises(promises, way_list);
}
