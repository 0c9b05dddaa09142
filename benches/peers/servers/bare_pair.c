/* bare_pair.c - two bare loops on two threads: what a second loop costs at least. */
#include "benches/peers/servers/bare.h"
#include "benches/peers/servers/server.h"

static int serve(int listener)
{
    return bare_serve(listener, 2);
}

const struct peer_server server_bare_pair = { .about = "epoll, two loops", .serve = serve };
