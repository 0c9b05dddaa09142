/* context.c - the first instructions on a new stack.
 *
 * They jump to the function instead of calling it: it does not return, and a call without a return
 * would leave the processor's return predictor one off for all callers of the resumer. Where
 * a return address would be stands 0, at which gdb, perf and the sanitizers end their
 * walk up the stack.
 */
#include "coroutines/switch/context.h"

#if CONTEXT_NATIVE

__asm__(".pushsection .text\n"
        ".p2align 4\n"
        ".globl context_start\n"
        ".type context_start, %function\n"
        "context_start:\n"
        ".cfi_startproc\n"
#if defined(__x86_64__)
        ".cfi_undefined rip\n"
        "endbr64\n"
        "movq %rdi, %rsi\n"
        "movq %rbx, %rdi\n"
        "movq %rbp, %rax\n"
        "xorl %ebp, %ebp\n"
        "pushq $0\n"
        "jmp *%rax\n"
#elif defined(__aarch64__)
        ".cfi_undefined x30\n"
        "hint #36\n"
        "mov x1, x0\n"
        "mov x0, x19\n"
        "mov x16, x29\n" /* by x16 one may branch to a function where branches are checked */
        "mov x29, #0\n"
        "mov x30, #0\n"
        "br x16\n"
#endif
        ".cfi_endproc\n"
        ".size context_start, .-context_start\n"
        ".popsection\n");

#endif
