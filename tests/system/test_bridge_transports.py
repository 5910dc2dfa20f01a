"""The bridge as people start it: a process, a pipe or a socket, real time."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from bridge_clients import TOKEN, Broker, Host, OverHttp, OverStdio, Process
from host_scenarios import IN_REAL_TIME, play

from ibkr_adapter.host.bridge import over_http, over_stdio
from ibkr_adapter.host.bridge.dispatcher import Bridge
from ibkr_adapter.host.bridge.frames import LARGEST_FRAME
from thoroughly import ALL

ENDS = ["the end of its input", "SIGTERM"] if ALL else ["the end of its input"]

# A busy machine holds requests up on their way by more than pacing allows for, and then ten of them arrive within
# less than a second; how well pacing is kept is for others to say.
PATIENT = {"pacing_margin": 0.25}


@pytest.fixture(scope="module")
def over():
    """One bridge over each transport."""
    with ThreadPoolExecutor() as crew:
        found = dict(
            zip(
                ("stdio", "http"),
                crew.map(lambda make: make(here=not ALL), (OverStdio, OverHttp)),
                strict=True,
            )
        )
    yield found
    for bridge in found.values():
        bridge.close()


@pytest.fixture
def broker():
    made = Broker()
    yield made
    made.close()


def config(broker, folder):
    return {"base_url": broker.url, "state_dir": str(folder), "when_closed": "queue"}


@pytest.mark.parametrize("scenario", IN_REAL_TIME[: None if ALL else 1], ids=lambda scenario: scenario.name)
def test_a_scenario_is_the_same_in_real_time(over, tmp_path, scenario):
    """All of them are played without waiting (test_host_transports.py); this is that they need no such clock."""

    def played(name):
        broker = Broker()
        try:
            play(
                scenario,
                lambda settings: Host(over[name], config(broker, tmp_path / name) | PATIENT | settings),
                broker,
            )
        finally:
            broker.close()

    with ThreadPoolExecutor() as crew:
        list(crew.map(played, over))


# Standard input and output --------------------------------------------------------------------


def test_huge_and_broken_lines_are_answered_and_the_next_one_is_understood(over):
    """A client that has lost its way must not take the others of its process with it."""
    pipe = over["stdio"]
    for line in (b"x" * (3 * LARGEST_FRAME), b"{}", b"", b"\r", b"nonsense"):
        pipe.into.write(line + b"\n")
    pipe.into.flush()

    codes = [json.loads(pipe.outof.readline())["error"]["code"] for _ in range(3)]

    assert codes == [-32006, -32600, -32700]
    assert over["stdio"].ask("bridge.health")["ok"] is True


POLLUTER = """
import sys
from ibkr_adapter.host.bridge import over_stdio
from ibkr_adapter.host.bridge.dispatcher import Bridge
import os, subprocess

class Loud(Bridge):
    def take(self, client, raw):
        print("printed")
        os.write(1, b"written\\n")
        subprocess.run([sys.executable, "-c", "import sys; print('by a child', sys.stdin.read())"])
        super().take(client, raw)

over_stdio.run(Loud(version="test"))
"""


def test_nothing_but_frames_is_on_standard_output():
    """One word of a library's would be a broken frame for the client, and a child must not eat frames."""
    process = Process(program=["-c", POLLUTER], says_ready=False)
    hello = b'{"jsonrpc":"2.0","id":1,"method":"bridge.hello","params":{"protocol":1}}\n'

    out, err = process.process.communicate(hello + hello.replace(b'"id":1', b'"id":2'), timeout=60)

    assert [json.loads(line)["id"] for line in out.splitlines()] == [1, 2]
    assert [err.count(word) for word in (b"printed", b"written", b"by a child")] == [2, 2, 2]
    assert process.process.returncode == 0


@pytest.mark.parametrize("end", ENDS)
def test_the_process_ends_when_its_client_is_gone_and_not_in_the_middle_of_an_order(broker, tmp_path, end):
    """The answer to the order is waited for and kept, and the next process answers with it."""
    bridge = OverStdio()
    host = Host(bridge, config(broker, tmp_path))
    host.ask("getTicker", "AAPL")
    broker.control("faults", {"fault": "F04", "on": "POST /iserver/account/{accountId}/orders", "seconds": 2})
    pipe = bridge.process.process
    params = {
        "session": host.session,
        "method": "placeMarketOrder",
        "args": ["AAPL", "BUY", 1],
        "key": "once",
    }
    pipe.stdin.write(
        json.dumps({"jsonrpc": "2.0", "id": "o", "method": "session.call", "params": params}).encode() + b"\n"
    )
    pipe.stdin.flush()
    while not broker.ledger()["orders"]:
        bridge.ask("bridge.health")
    if end == "SIGTERM":
        pipe.send_signal(signal.SIGTERM)
        told = json.loads(pipe.stdout.readline())
        pipe.communicate(timeout=60)
    else:
        pipe.stdin.close()
        pipe.stdin = None
        told = json.loads(pipe.communicate(timeout=60)[0])
    again = OverStdio(here=True)
    found = Host(again, config(broker, tmp_path)).ask("placeMarketOrder", "AAPL", "BUY", 1, key="once")
    again.close()

    assert (pipe.returncode, told["id"], told["result"]) == (0, "o", found)
    assert len(broker.ledger()["orders"]) == 1


@contextlib.contextmanager
def standing_for(*numbers):
    """Give this process other standard streams for a while: what is written to the first, and read from the second."""
    kept = [os.dup(number) for number in numbers]
    (theirs, into), (outof, ours) = os.pipe(), os.pipe()
    for number, end in zip(numbers, (theirs, ours), strict=True):
        os.dup2(end, number)
        os.close(end)
    try:
        with os.fdopen(into, "wb") as writes, os.fdopen(outof, "rb") as reads:
            yield writes, reads
    finally:
        for number, before in zip(numbers, kept, strict=True):
            os.dup2(before, number)
            os.close(before)


def test_its_own_streams_are_taken_and_a_signal_ends_it():
    """It works without the command around it, too, and twice the signal does not cut it short."""
    main, heard = threading.current_thread(), []
    before = signal.getsignal(signal.SIGTERM)
    with standing_for(0, 1) as (writes, reads):

        def client():
            writes.write(HELLO)
            writes.flush()
            heard.append(json.loads(reads.readline()))
            signal.pthread_kill(main.ident, signal.SIGTERM)

        thread = threading.Thread(target=client, name="client")
        thread.start()
        over_stdio.run(Bridge(version="test"))
        thread.join()

    assert heard[0]["result"]["version"] == "test"
    assert signal.getsignal(signal.SIGTERM) is before


def test_who_reads_no_more_ends_nothing(caplog):
    """Its answers are kept under their keys."""
    bridge = Bridge(version="test")
    incoming = io.BytesIO(HELLO * 2)
    outgoing = io.BytesIO()
    outgoing.close()

    over_stdio.Pipe(bridge, incoming, outgoing).serve()

    assert caplog.text.count("the client reads no more") == 1


# HTTP -----------------------------------------------------------------------------------------

BEARER = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
HELLO = b'{"jsonrpc":"2.0","id":1,"method":"bridge.hello","params":{"protocol":1}}\n'
HEALTH = b'{"jsonrpc":"2.0","id":1,"method":"bridge.health"}'


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({**BEARER}, None, 200),
        ({**BEARER, "Authorization": ""}, None, 401),
        ({**BEARER, "Authorization": "Bearer wrong"}, None, 401),
        ({**BEARER, "Authorization": f"Bearer {TOKEN}é"}, None, 401),
        ({**BEARER, "Host": "evil.example:80"}, None, 403),
        ({**BEARER, "Host": "localhost:1"}, None, 200),
        ({**BEARER, "Host": "[::1]:1"}, None, 200),
        ({**BEARER, "Origin": "http://localhost"}, None, 403),
        ({**BEARER}, "/v2/rpc", 404),
        ({**BEARER, "Content-Type": "text/plain"}, None, 415),
        ({**BEARER, "Content-Length": "-1"}, None, 411),
        ({**BEARER, "Transfer-Encoding": "chunked"}, None, 411),
        ({**BEARER, "Content-Length": str(LARGEST_FRAME + 1)}, None, 413),
        ({**BEARER, "Content-Length": "9" * 5000}, None, 413),
    ],
)
def test_only_who_has_the_token_and_is_no_browser_is_let_in(over, headers, path, status):
    """Whoever can post here can trade; a page in a browser can be made to post anywhere."""
    line = http.client.HTTPConnection(over["http"].line.host, over["http"].line.port, timeout=30)
    line.putrequest("POST", path or over["http"].path, skip_host="Host" in headers)
    for name, value in {"Content-Length": str(len(HEALTH)), **headers}.items():
        line.putheader(name, value.encode("utf-8"))
    line.endheaders(HEALTH)

    answer = line.getresponse()
    found = json.loads(answer.read())
    line.close()

    assert answer.status == status
    assert ("result" in found) is (status == 200)
    assert TOKEN not in json.dumps(found)


def test_other_verbs_are_not_spoken(over):
    """Nothing is answered without the token, not even what there is."""
    line = http.client.HTTPConnection(over["http"].line.host, over["http"].line.port, timeout=30)
    line.request("GET", over["http"].path, headers=BEARER)

    answer = line.getresponse()
    answer.read()
    line.close()

    assert answer.status == 501


def test_a_client_that_hangs_up_does_not_stop_an_order(over, broker, tmp_path):
    """Its host died; the next one asks under the same key and has the order."""
    host = Host(over["http"], config(broker, tmp_path))
    host.ask("getTicker", "AAPL")
    broker.control("faults", {"fault": "F04", "on": "POST /iserver/account/{accountId}/orders", "seconds": 2})
    params = {
        "session": host.session,
        "method": "placeMarketOrder",
        "args": ["AAPL", "BUY", 1],
        "key": "gone",
    }
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "session.call", "params": params}).encode()
    line = http.client.HTTPConnection(host.bridge.line.host, host.bridge.line.port, timeout=30)
    line.request("POST", host.bridge.path, body, BEARER)
    while not broker.ledger()["orders"]:
        host.bridge.ask("bridge.health")
    line.close()

    found = host.ask("placeMarketOrder", "AAPL", "BUY", 1, key="gone")

    assert found["status"] in {"open", "pending", "filled"}
    assert len(broker.ledger()["orders"]) == 1
    host.close()


def test_two_processes_at_one_account_share_a_session_and_a_key_is_one_order(over, broker, tmp_path):
    """A host and its worker act on one signal with one login."""
    one, two = Host(over["http"], config(broker, tmp_path)), Host(over["http"], config(broker, tmp_path))
    call = {"session": one.session, "method": "placeMarketOrder", "args": ["AAPL", "BUY", 1]}

    with ThreadPoolExecutor() as crew:
        first = crew.submit(one.ask, "placeMarketOrder", "AAPL", "BUY", 1, key="signal")
        second = crew.submit(over["http"].other, key="signal", **call)

    assert (one.session, first.result()) == (two.session, second.result())
    assert len(broker.ledger()["orders"]) == 1
    one.close()


class Listener(io.StringIO):
    """Standard output of a server: when it says that it listens, it is asked once, and told to end."""

    def flush(self):
        self.ready = json.loads(self.getvalue())
        parts = urlsplit(self.ready["url"])
        with contextlib.closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)) as line:
            line.request("POST", parts.path, HEALTH, BEARER)
            self.answer = json.loads(line.getresponse().read())
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_it_says_where_it_listens_and_ends_when_told(host):
    """Whoever starts it reads one line, and need not guess a port."""
    listener = Listener()
    before = signal.getsignal(signal.SIGTERM)
    try:
        over_http.run(Bridge(version="test"), token=TOKEN, host=host, ready=listener)
    except OSError:
        assert host == "::1"
        pytest.skip("this machine has no IPv6")

    assert (listener.ready["ready"], listener.answer["result"]["pid"]) == (True, os.getpid())
    assert signal.getsignal(signal.SIGTERM) is before


def test_there_is_room_for_so_many_connections_and_it_is_given_back(over):
    """Who opens them all must not keep the others out for ever, nor fill the machine."""
    where = over["http"].line.host, over["http"].line.port
    over["http"].line.close()
    crowd = [socket.create_connection(where, timeout=30) for _ in range(over_http.MOST_CONNECTIONS)]
    one_more = socket.create_connection(where, timeout=30)
    refused = one_more.recv(1)
    for one in (*crowd, one_more):
        one.close()

    assert refused == b""
    # Those that hung up are noticed one by one.
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            assert over["http"].ask("bridge.health")["ok"] is True
            break
        over["http"].line.close()


# How it is started ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "token", "code", "said"),
    [
        (["--stdio", "--http"], TOKEN, 2, "either"),
        ([], TOKEN, 2, "either"),
        (["--http"], "", 2, "IBKR_BRIDGE_TOKEN"),
        (["--http"], "short", 2, "token of 32 characters"),
        (["--http", "--host", "192.0.2.1"], TOKEN, 2, "does not listen at 192.0.2.1"),
        (["--http", "--port", "taken"], TOKEN, 1, "in use"),
    ],
)
def test_what_is_not_safe_is_not_started(over, words, token, code, said, monkeypatch):
    """It is off unless it is asked for, and never open to others."""
    from typer.testing import CliRunner

    from ibkr_adapter.cli.commands import app

    monkeypatch.setenv("IBKR_BRIDGE_TOKEN", token)
    port = str(over["http"].line.port)

    done = CliRunner().invoke(app, ["bridge", *[port if word == "taken" else word for word in words]])

    assert done.exit_code == code
    assert said in done.stderr
    assert not token or token not in done.output
