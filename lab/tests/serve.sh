#!/bin/sh
# serve.sh - `lab serve` and real clients: right ones, wrong ones, slow ones, and those that vanish.
# Prints TAP.
. scripts/tap.sh

mode=$(safe_mode)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null; rm -rf "$dir"' EXIT

# start ARGUMENT...: serves in the background, with at most $descriptors, if that is not empty; $port,
# or fails.
descriptors=
start()
{
    : >"$dir/said" # what an earlier one said would be read before this one has begun
    ([ -z "$descriptors" ] || ulimit -n "$descriptors"
        exec "$LAB" serve "$@" --mode "$mode" --seconds 60 >"$dir/said" 2>"$dir/erred" </dev/null) &
    pid=$!
    tries=200
    until port=$(sed -n 's/^serving .* on 127\.0\.0\.1:\([0-9]*\) .*/\1/p' "$dir/said") && [ "$port" ]; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] && kill -0 "$pid" 2>/dev/null || return 1
        sleep 0.05
    done
}

# stop SIGNAL: its status, and what it said, in $said.
stop()
{
    kill "-$1" "$pid"
    wait "$pid"
    status=$?
    pid=
    said=$(tail -n 1 "$dir/said")
    [ $status -eq 0 ] && [ ! -s "$dir/erred" ]
}

# client ACT: Python, with `port`, `connect()` and `ask(bytes)` that returns all that comes.
client()
{
    timeout 60 $python -c "
import http.client, os, socket, time
port = $port
def connect():
    return socket.create_connection(('127.0.0.1', port), timeout=20)
def rest(s):
    got = b''
    while True:
        try:
            more = s.recv(65536)
        except ConnectionResetError:
            return got + b'reset'
        if not more:
            return got
        got += more
def ask(data):
    s = connect()
    s.sendall(data)
    return rest(s)
$1" >"$out" 2>"$err"
}

get='GET /x HTTP/1.1\r\nHost: a\r\n'

for unit in thread greenlet coroutine loops; do
    start http --unit $unit
    result "$unit: it serves"

    client "
c = http.client.HTTPConnection('127.0.0.1', port, timeout=20)
for i in range(50):
    c.request('POST' if i % 2 else 'GET', f'/{i}', body=b'x' * 1000 * i if i % 2 else None)
    r = c.getresponse()
    body = r.read().decode()
    assert r.status == 200 and len(body) == 100 and body.rstrip('x') == str(i), (i, body)
s = c.sock
c.request('HEAD', '/h')
r = c.getresponse()
assert r.read() == b'' and r.headers['Content-Length'] == '100'
c.request('PUT', '/c', body=iter([b'ab', b'', b'c' * 5000]), encode_chunked=True,
          headers={'Transfer-Encoding': 'chunked'})
assert c.getresponse().read().startswith(b'cxx')
assert c.sock is s, 'not the same connection'

s = connect()
data = b'$get\r\n' * 20 + b'$get' b'Connection: close\r\n\r\n'
for i in range(len(data)):
    s.sendall(data[i:i + 1]) if i < 200 else None
s.sendall(data[200:])
got = rest(s)
assert got.count(b'HTTP/1.1 200 OK') == 21 and not got.endswith(b'reset'), got[-200:]
for data, status in [(b'GET /\r\n\r\n', 400), (b'$get' b'X : y\r\n\r\n', 400),
                     (b'GET / HTTP/1.1\nHost: a\n\n', 400), (b'GET / HTTP/3.0\r\n\r\n', 505),
                     (b'$get' b'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 400),
                     (b'$get' b'Content-Length: 99999999999\r\n\r\n', 413),
                     (b'$get' b'Transfer-Encoding: gzip\r\n\r\n', 501),
                     (b'$get' b'Transfer-Encoding: chunked\r\n\r\n5g\r\n', 400),
                     (b'$get' + b'X: y\r\n' * 5000 + b'\r\n', 431), (b'GET /' + b'x' * 9000, 431),
                     (os.urandom(2000) + b'\n', 400)]:
    got = ask(data)
    assert got.startswith(b'HTTP/1.1 %d ' % status) and b'close' in got, (data[:50], got)
    assert not got.endswith(b'reset'), data[:50]
for i in range(30):
    s = connect()
    s.sendall((b'$get\r\n' * 3)[:7 * i])
    if i % 2:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
    s.close()
assert ask(b'$get' b'Connection: close\r\n\r\n').startswith(b'HTTP/1.1 200')"
    result "$unit: one connection; 21 requests at once; what is refused; clients that vanish"

    stop TERM && expr "$said" : 'served [0-9]* requests on [0-9]* connections; refused 11,' >/dev/null
    result "$unit: SIGTERM ends it, and it says what it has served"
done

if command -v curl >/dev/null; then
    start http --unit thread && run curl -sS --max-time 20 -d @scripts/install.sh \
        "http://127.0.0.1:$port/a" "http://127.0.0.1:$port/b" && [ "$(tr -d 'x\n' <"$out")" = ab ]
    result "curl asks twice on one connection"
    stop INT &&
        expr "$said" : 'served 2 requests on 1 connections; refused 0, cut off 0, failed 0$' >/dev/null
    result "SIGINT ends it"
else
    skip "curl asks twice on one connection" "it is not installed"
fi

# For who is right as well, who waits behind all that the deaf one asks.
patience=0.5
! sanitized || patience=4
for unit in thread greenlet coroutine; do
    start http --unit $unit --patience $patience
    client "
slow, mute, deaf = connect(), connect(), connect()
deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
deaf.setblocking(False)
try:
    while True:
        deaf.send(b'$get\r\n' * 100)
except BlockingIOError:
    pass
good = connect()
ended = 0
for i in range(1000):
    good.sendall(b'$get\r\n')
    assert good.recv(1000).startswith(b'HTTP/1.1 200')
    try:
        slow.sendall(b'X')
    except OSError:
        ended = 1
        break
    time.sleep(0.05)
assert ended, 'the slow one goes on'
assert rest(mute) in (b'', b'reset')"
    result "$unit: a slow-loris client, one that says nothing, one that does not listen: cut off"
    stop INT && expr "$said" : '.*, cut off [23],' >/dev/null
    result "$unit: and are counted"
done

descriptors=40
for unit in thread greenlet coroutine; do
    start http --unit $unit
    client "
many = [connect() for i in range(60)]
time.sleep(0.2)
for s in many:
    s.sendall(b'$get' b'Connection: close\r\n\r\n')
for s in many:
    assert rest(s).startswith(b'HTTP/1.1 200')"
    result "$unit: more clients than descriptors wait, and are served"
    stop INT && expr "$said" : 'served 60 requests on 60 connections; refused 0' >/dev/null &&
        { [ $unit = thread ] || expr "$said" : '.*; no room [0-9]* times' >/dev/null; }
    result "$unit: and that is told"
done
descriptors=

for unit in thread greenlet coroutine loops; do
    start echo --unit $unit --threads "$([ $unit = coroutine ] && echo 1 || echo 2)"
    client "
import threading
def drive():
    s = connect()
    try:
        while True:
            s.sendall(b'y' * 10000)
            n = 0
            while n < 10000:
                got = s.recv(65536)
                if not got:
                    return
                assert got == b'y' * len(got)
                n += len(got)
    except OSError:
        pass
threads = [threading.Thread(target=drive) for i in range(10)]
for t in threads:
    t.start()
time.sleep(0.3)
os.kill($pid, 15)
for t in threads:
    t.join(30)
    assert not t.is_alive()"
    result "$unit: a signal in the middle of a load ends every connection"
    wait "$pid"
    status=$?
    pid=
    [ $status -eq 0 ] && grep -q '^served [1-9][0-9]* messages on 10 connections; refused 0, cut off 0' "$dir/said"
    result "$unit: and it ends"
done

# Over TLS: hands are shaken with real clients, and with some that leave in the midst of it.
name="openssl s_client is told the answer, by TLS 1.3 and 1.2"
ca=$dir/ca.pem
s_client()
{
    printf 'GET /abc HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' |
        timeout 60 openssl s_client -quiet -verify_return_error -verify_hostname localhost \
            -connect "127.0.0.1:$port" "$@" >"$out" 2>"$err"
}
for unit in thread greenlet coroutine loops; do
    start http --unit $unit --tls "$ca" && grep -q 'BEGIN CERTIFICATE' "$ca" &&
        [ "$(grep -c KEY "$ca")" -eq 0 ]
    result "$unit: it serves over TLS, and says whom to trust"
    if ! command -v openssl >/dev/null; then
        skip "$unit: $name" "openssl is not installed"
    else
        s_client -CAfile "$ca" -tls1_3 && grep -q '^abcx*$' "$out" &&
            s_client -CAfile "$ca" -tls1_2 && grep -q '^abcx*$' "$out"
        result "$unit: $name"
        ! s_client -no-CAfile -no-CApath && ! grep -q abc "$out"
        result "$unit: and asks nothing of whom it does not trust"
    fi
    client "
import ssl
trusting = ssl.create_default_context(cafile='$ca')
def hello():
    here, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    s = trusting.wrap_bio(here, out, server_hostname='localhost')
    try:
        s.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return s, here, out.read()
def vanish(s, reset):
    if reset:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
    s.close()
words = hello()[2]
for i, cut in enumerate([0, 1, 4, 5, 6, 20, len(words) // 2, len(words) - 1, len(words)] * 2):
    s = connect()
    s.sendall(words[:cut])
    if cut == len(words) and i % 2:
        s.recv(1)
    vanish(s, i % 2)
for rubbish in (b'GET / HTTP/1.1\r\n\r\n', bytes(600), words[:5] + os.urandom(len(words) - 5),
                words[:50] * 20):
    s = connect()
    s.sendall(rubbish)
    rest(s)
silent = connect()
s = trusting.wrap_socket(connect(), server_hostname='localhost')
s.sendall(b'$get' b'Connection: close\r\n\r\n')
got = rest(s)
assert got.startswith(b'HTTP/1.1 200') and len(got) > 100, got
half = trusting.wrap_socket(connect(), server_hostname='localhost')
half.sendall(b'GET /x HT')
vanish(half, False)
with trusting.wrap_socket(connect(), server_hostname='127.0.0.1') as s:
    for i in range(50):
        s.sendall(b'GET /%d HTTP/1.1\r\nHost: a\r\n\r\n' % i)
        got = b''
        while not got.endswith(b'x'):
            got += s.recv(4096)
        assert b'\r\n\r\n%dx' % i in got, got
limit = time.monotonic() + 20
while len(os.listdir('/proc/$pid/fd')) >= 25 and time.monotonic() < limit:
    time.sleep(0.02)
assert len(os.listdir('/proc/$pid/fd')) < 25"
    result "$unit: clients that vanish mid-handshake, rubbish, a silent one; others are served"
    stop TERM && expr "$said" : 'served [0-9]* requests on .*; refused 0, cut off 0, failed [1-9]' >/dev/null
    result "$unit: and all are gone"
done
if command -v curl >/dev/null; then
    start http --unit greenlet --tls "$ca" && run curl -sS --max-time 20 --cacert "$ca" \
        "https://127.0.0.1:$port/a" "https://127.0.0.1:$port/b" && [ "$(tr -d 'x\n' <"$out")" = ab ]
    result "curl asks twice over TLS"
    stop INT
    result "and it ends"
else
    skip "curl asks twice over TLS" "it is not installed"
fi
start http --unit coroutine --tls "$ca" --patience $patience
client "
silent, half = connect(), connect()
half.sendall(b'\x16\x03\x01\x02\x00')
assert rest(silent) in (b'', b'reset') and rest(half) in (b'', b'reset')"
result "who does not shake hands in time is cut off"
stop INT && expr "$said" : '.*, cut off 2,' >/dev/null
result "and counted"

if command -v wrk >/dev/null; then
    start http --unit loops --threads 2 && run wrk -t 1 -c 20 -d 1 "http://127.0.0.1:$port/x" &&
        grep -q 'requests in' "$out" && ! grep -qE 'Socket errors|Non-2xx' "$out"
    result "wrk is answered"
    stop INT && expr "$said" : 'served [1-9][0-9]* requests on 2[01] connections; refused 0, cut off 0' >/dev/null
    result "and so it says"
else
    skip "wrk is answered" "it is not installed"
fi

for unit in thread greenlet coroutine loops; do
    start udp --unit $unit --threads "$([ $unit = coroutine ] && echo 1 || echo 2)"
    client "
many = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for i in range(20)]
for s in many:
    s.settimeout(20)
    s.connect(('127.0.0.1', port))
for i in range(20):
    for n, s in enumerate(many):
        s.send(b'%d.%d' % (n, i))
    for n, s in enumerate(many):
        assert s.recv(100) == b'%d.%d' % (n, i)
many[0].send(b'')"
    result "$unit: datagrams are answered, each to who has sent it"
    stop TERM && [ "$said" = "served 400 datagrams; failed 0" ]
    result "$unit: and it ends"
done

mistake "unknown server 'htp'; did you mean 'http'" serve htp
mistake "--tls: not over UDP" serve udp --tls "$dir/x" --mode "$mode"
mistake "--tls: .*No such file" serve echo --tls "$dir/none/x" --mode "$mode"
echo results >"$dir/results"
mistake "--tls: .* holds something else" serve echo --tls "$dir/results" --mode "$mode"
mistake "unknown unit 'task'" serve http --unit task
mistake "nothing protects the counts" serve http --mode plain+none
mistake "is one loop, on one thread" serve http --mode "$mode" --unit coroutine --threads 2

plan
