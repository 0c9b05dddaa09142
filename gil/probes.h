/* probes.h - places where a tracer of the system can look in, at no more than a nop each.
 *
 *     bpftrace -e 'usdt:build/release/lab:lab:gil_got { @[tid] = count(); }'
 *     perf buildid-cache --add build/release/lab; perf record -e 'sdt_lab:*' ...
 *
 * They stand in gil/thread.c, at the points through which every lock passes:
 *
 *     gil_attach    the calling thread wants the lock
 *     gil_yield     it lets go of it at a safe point, and wants it again
 *     gil_got       it has it
 *     gil_detach    it lets go of it, and
 *     gil_released  has done so
 *     gil_request   somebody asks a thread to let go
 *
 * Each has one argument, the struct thread; of gil_request it is the one that is asked.
 * <sys/sdt.h> is SystemTap's (Debian: systemtap-sdt-dev); without it there are no probes.
 */
#ifndef GIL_PROBES_H
#define GIL_PROBES_H

#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define PROBE(name, t) DTRACE_PROBE1(lab, name, t)
#else
#define PROBE(name, t) ((void)(t))
#endif

#endif
