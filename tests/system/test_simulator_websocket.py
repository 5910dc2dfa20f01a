"""Streams of the simulator over real sockets, read by a client library it does not use itself."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager

import pytest
import websocket

from ibkr_adapter.clock import SystemClock
from ibkr_adapter.simulator.door import Request
from ibkr_adapter.simulator.gateway import Gateway
from ibkr_adapter.simulator.server import SimulatorServer

BINARY, TEXT, CLOSE = 2, 1, 8
OPTIONS = {"pacing": False, "stream_opening": 0.05}


def ready(gateway):
    for method, path, body in (
        ("POST", "iserver/auth/ssodh/init", b'{"publish":true,"compete":true}'),
        ("POST", "iserver/auth/status", b""),
        ("GET", "iserver/accounts", b""),
    ):
        gateway.handle(Request(method=method, path=f"/v1/api/{path}", body=body))
    return gateway


@pytest.fixture
def server():
    with SimulatorServer(ready(Gateway(SystemClock(), options=OPTIONS))) as server:
        yield server


@pytest.fixture
def gateway(server):
    return server._gateway


@contextmanager
def connected(server, **how):
    line = websocket.create_connection(f"{server.url.replace('http', 'ws')}/ws", timeout=5, **how)
    try:
        yield line
    finally:
        line.close()
        line.shutdown()


def is_ended(line):
    """Read on until the end, in order or not."""
    try:
        while line.recv_data()[0] != CLOSE:
            pass
    except (ConnectionError, websocket.WebSocketConnectionClosedException):
        return True
    return True


def opened(line):
    """Read the first three frames."""
    return [json.loads(line.recv_data()[1])["topic"] for _ in range(3)]


def test_frames_are_binary_and_text_is_heard(server):
    """Every frame of the service has opcode 2."""
    with connected(server) as line:
        kinds = [line.recv_data() for _ in range(3)]
        line.send("tic")
        answer = line.recv_data()

    assert {kind for kind, _ in [*kinds, answer]} == {BINARY}
    assert json.loads(answer[1])["topic"] == "tic"


def test_an_order_that_fills_is_pushed(server, gateway):
    """By the market alone: nobody asks."""
    with connected(server) as line:
        opened(line)
        line.send("sor+{}")
        line.send("tic")
        line.recv()
        gateway.place_foreign(
            {"conid": 265598, "orderType": "MKT", "side": "BUY", "quantity": 1, "tif": "DAY"}
        )
        states = []
        while "Filled" not in states:
            states += [row.get("status") for row in json.loads(line.recv())["args"]]

    assert states[0] == "PreSubmitted"


def test_pings_are_answered(server):
    """By the protocol's own."""
    with connected(server) as line:
        opened(line)
        line.ping("x")

        assert line.recv_data(control_frame=True) == (10, b"x")


@pytest.mark.parametrize("code", [1000, 1001])
def test_an_orderly_end_has_its_code(server, gateway, code):
    """The close frame tells it."""
    with connected(server) as line:
        opened(line)
        gateway.streams.close_all(code)

        assert line.recv_data() == (CLOSE, code.to_bytes(2))


def test_an_abrupt_end_is_a_reset(server, gateway):
    """No close frame."""
    with connected(server) as line:
        opened(line)
        gateway.streams.close_all()

        with pytest.raises((ConnectionError, websocket.WebSocketConnectionClosedException)):
            line.recv_data()


def test_bytes_that_are_no_text_and_text_frames_arrive_as_sent(server, gateway):
    """What the control room sends is not looked at."""
    with connected(server) as line:
        opened(line)
        gateway.control.streams.act({"action": "send", "hex": "7b99"})
        gateway.control.streams.act({"action": "send", "text": "<html>", "as_text": True})

        assert [line.recv_data(), line.recv_data()] == [(BINARY, b"{\x99"), (TEXT, b"<html>")]


def test_a_client_that_leaves_is_noticed(server, gateway):
    """And its stream ends."""
    with connected(server) as line:
        opened(line)
    deadline = time.monotonic() + 5
    while gateway.streams.living and time.monotonic() < deadline:
        time.sleep(0.01)

    assert gateway.ledger()["streams"][0]["closed"] == 1000


def test_a_server_that_stops_ends_its_streams(gateway, server):
    """Soon, and the port is free."""
    with connected(server) as line:
        opened(line)
        begun = time.monotonic()
        server.stop()

        assert is_ended(line)

    assert time.monotonic() - begun < 3


def test_a_refused_upgrade_is_an_answer(server, gateway):
    """With the status of the fault."""
    gateway.arm({"fault": "F10", "on": "GET /ws"})

    with pytest.raises(websocket.WebSocketBadStatusException, match="503"), connected(server):
        pass


def test_an_upgrade_that_is_reset_never_opens(server, gateway):
    """Faults of connections strike streams too."""
    gateway.arm({"fault": "F03", "on": "GET /ws"})

    with (
        pytest.raises((ConnectionError, websocket.WebSocketException)),
        connected(server),
    ):
        pass

    assert gateway.streams.living == []
