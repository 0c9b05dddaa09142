/* server.h - what an echo server on another library, or on none, defines.
 *
 * One file in servers/ is one server: `const struct peer_server server_<file name>`. They are linked
 * into build/MODE/peer-servers alone; its file is named after its library, and left out where that is
 * not installed. `lab load echo` drives them, scripts/served_peers.py compares them.
 *
 * Each sends back what it reads, at once, on one thread, with a receive buffer of 4096 bytes; a
 * connection that fails is closed. It runs until the process is ended by a signal.
 */
#ifndef BENCHES_PEERS_SERVERS_SERVER_H
#define BENCHES_PEERS_SERVERS_SERVER_H

enum { SERVER_RECEIVE_BYTES = 4096 };

struct peer_server {
    const char *about; /* with the library's version */

    /* Serves what comes to this listener, which does not block. Returns if it cannot: -1. */
    int (*serve)(int listener);
};

#endif
