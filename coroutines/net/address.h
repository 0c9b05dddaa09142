/* address.h - addresses on this machine, and sockets that listen, send and connect there.
 *
 * The part of streams and datagrams that is no object and knows no global lock: it is built once.
 * Everything here stays on the machine: 127.0.0.0/8, and sockets of the file system or of Linux's
 * abstract name space. A socket is made closed on exec, and one of TCP sends each piece at once
 * (TCP_NODELAY): a message is an answer, and Nagle's algorithm would wait for more.
 *
 * Failure is -1 and errno.
 */
#ifndef COROUTINES_NET_ADDRESS_H
#define COROUTINES_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct address {
    socklen_t size_bytes; /* of what is used; 0: it is not known */
    union {
        struct sockaddr any;
        struct sockaddr_in internet;
        struct sockaddr_un local;
    };
};

/* 127.0.0.1; port 0: any that is free, for who listens. */
struct address address_loopback(uint16_t port);

/* 127.0.0.0 + `host`, 1 to 2^24 - 2: so one machine has many times 28 000 ports. */
struct address address_loopback_host(uint32_t host, uint16_t port);

/* A path of the file system; or, abstract, a name that nobody needs to remove: "" lets the kernel
 * choose one. -1: ENAMETOOLONG, and EINVAL of an empty path. */
int address_path(struct address *a, const char *path);
int address_abstract(struct address *a, const char *name);

/* 0 of what is no TCP and no UDP. */
uint16_t address_port(const struct address *a);

/* Whether two are the same. */
bool address_equal(const struct address *a, const struct address *b);

/* "127.0.0.1:80", "/run/x", "@x", or "unnamed"; cut off to fit. */
void address_write(const struct address *a, char *text, size_t size_bytes);

/* A socket of this address's family; `type` is SOCK_STREAM or SOCK_DGRAM. */
int socket_open(const struct address *a, int type);

/* One that is bound to it; *a is then what it was bound to. A port is taken over from connections
 * that have ended. EADDRNOTAVAIL: it is not on this machine alone. */
int socket_bind(struct address *a, int type);

/* One that listens there, never blocks in accept, and has its own queue: at most `backlog` wait in
 * it to be accepted. `shared`: several listen at one port, and the kernel gives each connection to
 * one. */
int socket_listen(struct address *a, int backlog, bool shared);

/* Nothing of what is no TCP. */
int socket_at_once(int fd);

/* Where it is bound, and whom it is connected to. */
int socket_own_address(int fd, struct address *a);
int socket_peer_address(int fd, struct address *a);

#endif
