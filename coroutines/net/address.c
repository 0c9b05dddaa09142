/* address.c - addresses on this machine, and sockets there. */
#include "coroutines/net/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    PATH_AT = offsetof(struct sockaddr_un, sun_path),
    PATH_MOST = sizeof(struct sockaddr_un) - PATH_AT
};

/* ---- addresses ---- */

struct address address_loopback_host(uint32_t host, uint16_t port)
{
    assert(host > 0 && host < 0xffffff);
    return (struct address){
        .size_bytes = sizeof(struct sockaddr_in),
        .internet = { .sin_family = AF_INET,
                      .sin_port = htons(port),
                      .sin_addr.s_addr = htonl((127u << 24) + host) },
    };
}

struct address address_loopback(uint16_t port)
{
    return address_loopback_host(1, port);
}

/* Behind `before` bytes that are zero. */
static int name_local(struct address *a, const char *name, size_t before, size_t behind)
{
    size_t length = strlen(name);

    if (before + length + behind > PATH_MOST) {
        errno = ENAMETOOLONG;
        return -1;
    }
    *a = (struct address){ .local = { .sun_family = AF_UNIX } };
    memcpy(a->local.sun_path + before, name, length);
    a->size_bytes = (socklen_t)(PATH_AT + before + length + behind);
    return 0;
}

int address_path(struct address *a, const char *path)
{
    if (!*path) {
        errno = EINVAL;
        return -1;
    }
    return name_local(a, path, 0, 1);
}

int address_abstract(struct address *a, const char *name)
{
    return name_local(a, name, *name ? 1 : 0, 0);
}

uint16_t address_port(const struct address *a)
{
    return a->size_bytes && a->any.sa_family == AF_INET ? ntohs(a->internet.sin_port) : 0;
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->size_bytes == b->size_bytes && memcmp(&a->any, &b->any, a->size_bytes) == 0;
}

void address_write(const struct address *a, char *text, size_t size_bytes)
{
    char host[INET_ADDRSTRLEN] = "?";
    size_t length = a->size_bytes > PATH_AT ? a->size_bytes - PATH_AT : 0;

    if (a->size_bytes && a->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &a->internet.sin_addr, host, sizeof host);
        snprintf(text, size_bytes, "%s:%u", host, address_port(a));
    } else if (length && !a->local.sun_path[0]) {
        snprintf(text, size_bytes, "@%.*s", (int)length - 1, a->local.sun_path + 1);
    } else {
        snprintf(text, size_bytes, "%.*s", length ? (int)length : 7,
                 length ? a->local.sun_path : "unnamed");
    }
}

/* ---- sockets ---- */

/* -1, closed, with the errno of now. */
static int give_up(int fd)
{
    int error = errno;

    close(fd);
    errno = error;
    return -1;
}

static int set_option(int fd, int level, int option)
{
    int on = 1;

    return setsockopt(fd, level, option, &on, sizeof on);
}

int socket_at_once(int fd)
{
    if (set_option(fd, IPPROTO_TCP, TCP_NODELAY) == 0 || errno == EOPNOTSUPP ||
        errno == ENOPROTOOPT || errno == ENOTSOCK)
        return 0;
    return -1;
}

int socket_open(const struct address *a, int type)
{
    int fd = socket(a->any.sa_family, type | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (type == SOCK_STREAM && a->any.sa_family == AF_INET && socket_at_once(fd) < 0)
        return give_up(fd);
    return fd;
}

static bool is_here(const struct address *a)
{
    return a->any.sa_family == AF_UNIX ||
           (a->any.sa_family == AF_INET && ntohl(a->internet.sin_addr.s_addr) >> 24 == 127);
}

static int bind_to(struct address *a, int type, bool shared)
{
    int fd;

    if (!is_here(a)) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    fd = socket_open(a, type);
    if (fd < 0)
        return -1;
    if (type == SOCK_STREAM && set_option(fd, SOL_SOCKET, SO_REUSEADDR) < 0)
        return give_up(fd);
    if (shared && set_option(fd, SOL_SOCKET, SO_REUSEPORT) < 0)
        return give_up(fd);
    if (bind(fd, &a->any, a->size_bytes) < 0 || socket_own_address(fd, a) < 0)
        return give_up(fd);
    return fd;
}

int socket_bind(struct address *a, int type)
{
    return bind_to(a, type, false);
}

int socket_listen(struct address *a, int backlog, bool shared)
{
    int fd = bind_to(a, SOCK_STREAM, shared);

    if (fd < 0)
        return -1;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || listen(fd, backlog) < 0)
        return give_up(fd);
    return fd;
}

int socket_own_address(int fd, struct address *a)
{
    *a = (struct address){ .size_bytes = sizeof *a - offsetof(struct address, any) };
    return getsockname(fd, &a->any, &a->size_bytes);
}

int socket_peer_address(int fd, struct address *a)
{
    *a = (struct address){ .size_bytes = sizeof *a - offsetof(struct address, any) };
    return getpeername(fd, &a->any, &a->size_bytes);
}
