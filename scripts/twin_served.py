#!/usr/bin/python3
"""Echo servers in CPython: one of them, on a free port of 127.0.0.1, which it prints.

    twin_served.py NAME | --list

Each sends back what it reads, until a signal ends it. `asyncio` is as it comes: its transport reads
into a new buffer of 256 KiB each time, and what that costs is malloc's; `asyncio-4096` is told to read
4096 bytes, as all others here do. Exits with 3 if the library is not installed.
"""

import argparse
import asyncio
import contextlib
import ctypes
import importlib
import platform
import signal
import socket
import sys
import threading

ABSENT, RECEIVE_BYTES, BACKLOG = 3, 4096, 1024
PR_SET_PDEATHSIG = 1


def listener():
    found = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    print(found.getsockname()[1], flush=True)
    return found


class Echo(asyncio.Protocol):
    """Answers in the callback that brings the bytes: the fastest that asyncio has."""

    most = None

    def connection_made(self, transport):
        self.transport = transport  # pylint: disable=attribute-defined-outside-init
        if self.most:
            transport.max_size = self.most

    def data_received(self, data):
        self.transport.write(data)


class SmallEcho(Echo):
    most = RECEIVE_BYTES


async def serve_by(protocol):
    server = await asyncio.get_running_loop().create_server(protocol, sock=listener())
    await server.serve_forever()


async def serve_streams():
    async def answer(reader, writer):
        while data := await reader.read(RECEIVE_BYTES):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, sock=listener())
    await server.serve_forever()


def serve_uvloop():
    uvloop = importlib.import_module("uvloop")
    uvloop.install()
    asyncio.run(serve_by(Echo))


def serve_gevent():
    server_module = importlib.import_module("gevent.server")
    gevent_socket = importlib.import_module("gevent.socket")

    def answer(peer, _address):
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := peer.recv(RECEIVE_BYTES):
            peer.sendall(data)

    found = gevent_socket.socket()
    found.bind(("127.0.0.1", 0))
    found.listen(BACKLOG)
    print(found.getsockname()[1], flush=True)
    server_module.StreamServer(found, answer).serve_forever()


def serve_threads():
    def answer(peer):
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(ConnectionError):
            while data := peer.recv(RECEIVE_BYTES):
                peer.sendall(data)

    accepting = listener()
    while True:
        threading.Thread(target=answer, args=(accepting.accept()[0],), daemon=True).start()


SERVERS = {
    "asyncio": (None, lambda: asyncio.run(serve_by(Echo))),
    "asyncio-4096": (None, lambda: asyncio.run(serve_by(SmallEcho))),
    "asyncio-streams": (None, lambda: asyncio.run(serve_streams())),
    "uvloop": ("uvloop", serve_uvloop),
    "gevent": ("gevent", serve_gevent),
    "threads": (None, serve_threads),
}


def version_of(name):
    """In words; None: it is not installed."""
    module = SERVERS[name][0]
    if not module:
        return f"CPython {platform.python_version()}"
    try:
        return f"{module} {importlib.import_module(module).__version__}"
    except ImportError:
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("name", nargs="?", choices=SERVERS)
    parser.add_argument("--list", action="store_true", help="which there are, and their versions")
    options = parser.parse_args()
    if options.list or not options.name:
        for name in SERVERS:
            print(f"{name}\t{version_of(name) or ''}")
        return 0
    if not version_of(options.name):
        return ABSENT
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    SERVERS[options.name][1]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
