/* main.c - `peer-servers NAME`: an echo server on loopback; says its port. Without a NAME, which
 * there are. */
#include "benches/peers/servers/server.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <signal.h>

#define SERVER(name) extern const struct peer_server server_##name;
#include "gen/peer_servers.h"
#undef SERVER

static const struct {
    const char *name;
    const struct peer_server *server;
} servers[] = {
#define SERVER(name) { #name, &server_##name },
#include "gen/peer_servers.h"
#undef SERVER
    { NULL, NULL },
};

/* Of any free port. -1. */
static int listen_on_loopback(int *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size_bytes = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size_bytes) < 0 || listen(fd, 1024) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size_bytes) < 0)
        return -1;
    *port = ntohs(address.sin_port);
    return fd;
}

static int serve(const struct peer_server *server)
{
    int port, listener = listen_on_loopback(&port);

    if (listener < 0) {
        perror("peer-servers");
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    printf("%d\n", port);
    fflush(stdout);
    server->serve(listener);
    perror("peer-servers");
    return 1;
}

int main(int argc, char **argv)
{
    for (int i = 0; servers[i].name; i++)
        if (argc < 2)
            printf("%s\t%s\n", servers[i].name, servers[i].server->about);
        else if (!strcmp(servers[i].name, argv[1]))
            return serve(servers[i].server);
    if (argc < 2)
        return 0;
    fprintf(stderr, "peer-servers: no server '%s'\n", argv[1]);
    return 2;
}
