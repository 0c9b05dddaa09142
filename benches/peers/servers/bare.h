/* bare.h - level-triggered epoll loops and nothing else. */
#ifndef BENCHES_PEERS_SERVERS_BARE_H
#define BENCHES_PEERS_SERVERS_BARE_H

enum { BARE_LOOPS_MOST = 2 };

/* Serves by so many loops (BARE_LOOPS_MOST at most), each on a thread, the first on the caller's,
 * which get the connections in turn. Returns if it cannot: -1. */
int bare_serve(int listener, int loops);

#endif
