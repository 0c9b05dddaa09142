#!/usr/bin/python3
"""What h11 makes of requests, right ones and broken ones, made by chance: see test_http_h11.c.

    http_h11.py SEED COUNT

A line each: why we may differ, or -; the bytes, in hex; what h11 says of them. That is, for each
request that it takes whole, METHOD,TARGET,BODY,KEEP with the body in hex, and behind the last ones
nothing, ... (more is to come), ...! (so, but whatever comes it will be refused) or ! (refused). The first line is the version of h11.
"""
import random
import re
import sys

try:
    import h11
except ImportError:
    sys.exit(77)

CRLF = b"\r\n"
NAMES = [b"X", b"accept", b"User-Agent", b"x-y_z", b"Cookie", b"!#$%&'*+-.^_`|~9"]
VALUES = [b"", b"a", b"a b", b"a\tb", b"\xc3\xa4", b"text/html, */*;q=0.1", b'"quoted"']
TARGETS = [b"/", b"/a/b?c=d&e=%20", b"*", b"http://localhost/x", b"/" + b"x" * 50, b"/[]{}|\\^`\"<>"]
METHODS = [b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"X-y"]

COMPLETIONS = [b"\r\n\r\n", b":x\r\n\r\n", b"\n\r\n", b" HTTP/1.1\r\nHost: a\r\n\r\n"]

# Why we refuse what h11 takes, or see another end: found in the bytes, not in our verdict.
REASONS = {
    "bare-lf": lambda d: re.search(rb"(^|[^\r])\n", d),  # h11 takes it for the end of a line
    "fold": lambda d: re.search(rb"\r\n[ \t]", d),  # h11 unfolds it (RFC 9112 5.2 lets refuse)
    "both-framings": lambda d: has(d, b"content-length") and has(d, b"transfer-encoding"),
    "list-of-lengths": lambda d: re.search(rb"(?i)content-length:[^\r\n]*,", d),
    "chunks-in-1.0": lambda d: b"HTTP/1.0" in d and has(d, b"transfer-encoding"),
    "keep-alive-in-1.0": lambda d: b"HTTP/1.0" in d and re.search(rb"(?i)keep-alive", d),
    "hosts-in-1.0": lambda d: b"HTTP/1.0" in d and len(re.findall(rb"(?i)\nhost:", d)) > 1,
    "version": lambda d: re.search(rb"HTTP/(?!1\.[01]\r)\d\.\d\r?\n", d),  # h11 takes any digits
    "trailer": lambda d: re.search(rb"\n0+(;[^\r\n]*)?\r\n[^\r]", d),  # we take none
    "long-size": lambda d: re.search(rb"\n[0-9a-fA-F]{16,20}[;\r ]", d),  # we take 15 digits
    "large-size": lambda d: re.search(rb"\n[0-9a-fA-F]{6,}[;\r ]", d),  # our bodies have a limit
    "blank-after-size": lambda d: re.search(rb"\n[0-9a-fA-F]+[ \t]", d),  # RFC 9112 7.1 has none
    "control": lambda d: re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", d),  # h11 looks less hard
    "bare-cr": lambda d: re.search(rb"\r[^\n]", d),
    "large-length": lambda d: re.search(rb"(?i)content-length:[ \t]*0*[1-9]\d{6}", d),
    "long-length": lambda d: re.search(rb"(?i)content-length:[ \t]*\d{19}", d),  # 18 digits do
}


def has(data, name):
    return re.search(rb"(?i)\n" + name + rb"[ \t]*:", data)


class Maker:
    def __init__(self, seed):
        self.chance = random.Random(seed)

    def maybe(self, percent):
        return self.chance.randrange(100) < percent

    def field(self, name, value):
        pick = self.chance.choice
        name = pick([name, name.lower(), name.upper()])
        return name + b":" + pick([b" ", b"", b"\t", b"  "]) + value + pick([b"", b"", b" "]) + CRLF

    def body(self):
        return bytes(self.chance.choice(b"abc\r\n\0\xff0") for _ in range(self.chance.randrange(20)))

    def chunks(self):
        out = b""
        for _ in range(self.chance.randrange(4)):
            data = self.body()
            if data:
                size = self.chance.choice([b"%x", b"%X", b"0%x"]) % len(data)
                out += size + self.chance.choice([b"", b"", b";a=b", b';a="b c"']) + CRLF + data + CRLF
        return out + self.chance.choice([b"0", b"0", b"00", b"0;x"]) + CRLF + CRLF

    def request(self):
        version = b"1.0" if self.maybe(15) else b"1.1"
        line = b" ".join([self.chance.choice(METHODS), self.chance.choice(TARGETS), b"HTTP/" + version])
        fields = [self.field(b"Host", b"a")]
        for _ in range(self.chance.randrange(4)):
            fields.append(self.field(self.chance.choice(NAMES), self.chance.choice(VALUES)))
        if self.maybe(25):
            fields.append(self.field(b"Connection", self.chance.choice(
                [b"close", b"keep-alive", b"Keep-Alive, x", b"x, Close", b"closed"])))
        body = b""
        if self.maybe(30):
            body = self.body()
            fields.append(self.field(b"Content-Length", b"%d" % len(body)))
        elif self.maybe(40) and version == b"1.1":
            body = self.chunks()
            fields.append(self.field(b"Transfer-Encoding", self.chance.choice([b"chunked", b"Chunked"])))
        self.chance.shuffle(fields)
        return line + CRLF + b"".join(fields) + CRLF + body

    def spoil(self, data):
        """One of the ways to be wrong."""
        lines = data.split(CRLF)
        at = self.chance.randrange(len(lines))
        way = self.chance.randrange(14)
        if way == 0:
            return data.replace(CRLF, b"\n", 1)
        if way == 1:
            return data[:self.chance.randrange(len(data))]
        if way == 2:
            at = self.chance.randrange(len(data))
            return data[:at] + data[at + 1:]
        if way == 3:
            at = self.chance.randrange(len(data))
            return data[:at] + bytes([self.chance.choice(b"\0\r\n\t :;,\x7f\x80aZ09/")]) + data[at:]
        if way == 4:
            at = self.chance.randrange(len(data))
            return data[:at] + bytes([self.chance.randrange(256)]) + data[at + 1:]
        if way == 5:
            return data.replace(b"HTTP/1.1", self.chance.choice(
                [b"HTTP/1.2", b"HTTP/2.0", b"HTTP/1.", b"http/1.1", b"HTTP/1.10", b"HTTP/0.9"]), 1)
        extra = [b" folded", b"X : a", b"Content-Length: 3", b"Content-Length: 3, 3",
                 b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Host: b", b"no colon",
                 b": no name", b"(X): a", b"X: \x01", b"Content-Length: -1", b"Content-Length: 0x1",
                 b"Content-Length: 99999999999999999999", b"Content-Length:"]
        if way < 12:
            lines.insert(max(1, at), self.chance.choice(extra))
            return CRLF.join(lines)
        if way == 12:
            return CRLF + data
        return re.sub(rb"(?i)host:[^\r\n]*\r\n", b"", data, count=1)

    def connection(self):
        data = b"".join(self.request() for _ in range(self.chance.choice([1, 1, 2])))
        for _ in range(self.chance.choice([0, 1, 1, 2])):
            data = self.spoil(data) or b"G"
        return data


def take(connection, said):
    """One request; what is said of what comes then, or None: it was whole."""
    request, body = None, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            return "..." if request or connection.trailing_data[0] else ""
        if event is h11.PAUSED:
            return ""
        if isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            break
    connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
    connection.send(h11.EndOfMessage())
    keeps = connection.our_state is h11.DONE
    said.append(",".join([request.method.decode(), request.target.decode(), body.hex(),
                          "keep" if keeps else "close"]))
    if not keeps:
        return ""
    connection.start_next_cycle()
    return None


def verdict(data):
    connection = h11.Connection(h11.SERVER)
    said, end = [], None
    try:
        connection.receive_data(data)
        while end is None:
            end = take(connection, said)
    except h11.RemoteProtocolError:
        end = "!"
    return said, end


def judged(data):
    """h11 looks at a head when it is whole, we at each line: what it will refuse, we may by now."""
    said, end = verdict(data)
    if end == "..." and all(verdict(data + more)[1] == "!" for more in COMPLETIONS):
        end = "...!"
    return " ".join(said + [end])


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    print(h11.__version__)
    for number in range(seed, seed + count):
        data = Maker(number).connection()
        reasons = [name for name, found in REASONS.items() if found(data)]
        print("|".join(reasons) or "-", data.hex(), judged(data))


main()
