/* async_file.h - files of a disk as futures: read, write, fsync.
 *
 * epoll cannot wait for a file of a disk: it is always ready, and then the disk is waited for in
 * the call. So the call is made elsewhere: by the loop's own executor (bridge.h), or by the kernel
 * where the loop's reactor takes such operations (reactor/reactor.h: uring).
 *
 * What is read or written on the way lies in memory of the operation's own, and is copied. So a future
 * that is cancelled is done at once, as those of async_io.h are: what `data` points to is then not
 * touched any more, and neither is it once the loop is closed. The operation itself, if it has begun,
 * goes on to its end all the same: what was to be written may have been, or a part, and the
 * descriptor must not be another file's by then.
 *
 * At a place in the file, and not where it stands: for what has places (no pipe). Signals end
 * nothing, and short reads and writes are gone on with.
 *
 * All return a future of `loop`, by whose thread they are called. NULL: MemoryError, RuntimeError,
 * as run_in_executor. What the kernel says (ENOSPC, EIO) is the future's exception, an OSError.
 */
#ifndef COROUTINES_ASYNC_FILE_H
#define COROUTINES_ASYNC_FILE_H

#include "coroutines/future.h"

/* An int: the number of bytes read, fewer than `size_bytes` only at the end of the file. With `data`
 * NULL they are left where async_file_data says. */
struct object *async_file_read(borrowed loop, int fd, void *data /* may be NULL */,
                               size_t size_bytes, uint64_t offset);

/* What such a future has read, when it has succeeded; lives as long as that. For who must copy it by
 * himself, since his stack may be elsewhere meanwhile (switch/ways/copystack.c). */
const void *async_file_data(borrowed future);

/* None, when all of it was written; that is to memory of the kernel's. */
struct object *async_file_write(borrowed loop, int fd, const void *data, size_t size_bytes,
                                uint64_t offset);

/* None, when what was written to the file is on the disk. */
struct object *async_file_fsync(borrowed loop, int fd);

#endif
