/* calls.h - the calls of the C library that are interposed: a CALL(name, returns, parameters) each.
 *
 * No guard: who includes it says before what a CALL is to be. The Makefile reads it, too, and makes
 * of the names what the linker is to export.
 *
 * Those with two underscores are what the others become in a library that was compiled with
 * _FORTIFY_SOURCE, as Debian's are.
 */
CALL(read, ssize_t, (int fd, void *data, size_t size_bytes))
CALL(__read_chk, ssize_t, (int fd, void *data, size_t size_bytes, size_t room_bytes))
CALL(readv, ssize_t, (int fd, const struct iovec *pieces, int count))
CALL(recv, ssize_t, (int fd, void *data, size_t size_bytes, int flags))
CALL(__recv_chk, ssize_t, (int fd, void *data, size_t size_bytes, size_t room_bytes, int flags))
CALL(recvfrom, ssize_t, (int fd, void *data, size_t size_bytes, int flags,
                         struct sockaddr *address, socklen_t *address_bytes))
CALL(__recvfrom_chk, ssize_t, (int fd, void *data, size_t size_bytes, size_t room_bytes, int flags,
                               struct sockaddr *address, socklen_t *address_bytes))
CALL(recvmsg, ssize_t, (int fd, struct msghdr *message, int flags))
CALL(write, ssize_t, (int fd, const void *data, size_t size_bytes))
CALL(writev, ssize_t, (int fd, const struct iovec *pieces, int count))
CALL(send, ssize_t, (int fd, const void *data, size_t size_bytes, int flags))
CALL(sendto, ssize_t, (int fd, const void *data, size_t size_bytes, int flags,
                       const struct sockaddr *address, socklen_t address_bytes))
CALL(sendmsg, ssize_t, (int fd, const struct msghdr *message, int flags))
CALL(connect, int, (int fd, const struct sockaddr *address, socklen_t address_bytes))
CALL(accept, int, (int listener, struct sockaddr *address, socklen_t *address_bytes))
CALL(accept4, int, (int listener, struct sockaddr *address, socklen_t *address_bytes, int flags))
CALL(close, int, (int fd))
CALL(poll, int, (struct pollfd *files, nfds_t count, int timeout_ms))
CALL(__poll_chk, int, (struct pollfd *files, nfds_t count, int timeout_ms, size_t room_bytes))
CALL(ppoll, int, (struct pollfd *files, nfds_t count, const struct timespec *timeout,
                  const sigset_t *mask))
CALL(__ppoll_chk, int, (struct pollfd *files, nfds_t count, const struct timespec *timeout,
                        const sigset_t *mask, size_t room_bytes))
CALL(select, int, (int count, fd_set *readable, fd_set *writable, fd_set *urgent,
                   struct timeval *timeout))
CALL(pselect, int, (int count, fd_set *readable, fd_set *writable, fd_set *urgent,
                    const struct timespec *timeout, const sigset_t *mask))
CALL(epoll_wait, int, (int epoll, struct epoll_event *events, int most, int timeout_ms))
CALL(epoll_pwait, int, (int epoll, struct epoll_event *events, int most, int timeout_ms,
                        const sigset_t *mask))
CALL(sleep, unsigned, (unsigned seconds))
CALL(usleep, int, (useconds_t us))
CALL(nanosleep, int, (const struct timespec *time, struct timespec *left))
CALL(clock_nanosleep, int, (clockid_t clock, int flags, const struct timespec *time,
                            struct timespec *left))
