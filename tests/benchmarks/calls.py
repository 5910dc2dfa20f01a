"""Time one read through the client against ``requests.Session.get`` and ``http.client``.

All three read the same 300-byte answer over one kept-alive loopback line each, taking turns, so
that what else the machine does meets all of them. Pacing, headers and deciphering are included
for the client, at a rate that never waits. Run it with ``python -m tests.benchmarks.calls``.
"""

from __future__ import annotations

import http.client
import json
import statistics
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

from ibkr_adapter.auth.gateway import GatewayAuth
from ibkr_adapter.client import Client
from ibkr_adapter.clock import SystemClock
from ibkr_adapter.dialogue import Dialogue
from ibkr_adapter.throttle import Throttle
from ibkr_adapter.tls import Trust
from ibkr_adapter.transport import RequestsTransport
from ibkr_adapter.turns import Turns
from ibkr_adapter.wire import endpoints

ROUNDS = 2000
WARM_UP = 200
LIMIT = 0.72
BODY = json.dumps({"padding": "x" * (300 - 15)}).encode()


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(BODY)))
        if "Cookie" not in self.headers:
            self.send_header("Set-Cookie", "x-sess-uuid=0.1a2b3c4d.1700000000.9f; HttpOnly")
        # Head and body in one packet: two would meet delayed acknowledgements.
        self._headers_buffer.append(b"\r\n" + BODY)
        self.flush_headers()

    def log_message(self, *_):
        pass


def timed(call):
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def main() -> int:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    url = f"http://127.0.0.1:{port}/v1/api"

    clock = SystemClock()
    transport = RequestsTransport(
        clock, trust=Trust(fingerprint=None, ca_file=None, verify=True), user_agent="benchmark"
    )
    client = Client(
        clock=clock,
        transport=transport,
        turns=Turns(throttle=Throttle(clock, per_second=1_000_000), dialogue=Dialogue(clock)),
        auth=GatewayAuth(url),
    )
    session = requests.Session()
    plain = http.client.HTTPConnection("127.0.0.1", port)

    def ours():
        assert client.call(
            endpoints.PORTFOLIO_SUMMARY, path={"accountId": "DU1"}, deadline=clock.monotonic() + 15
        ).content

    def theirs():
        assert session.get(f"{url}/portfolio/DU1/summary", timeout=15).json()

    def bare():
        plain.request("GET", "/v1/api/portfolio/DU1/summary")
        assert json.loads(plain.getresponse().read())

    calls = {"client": ours, "Session.get": theirs, "http.client": bare}
    seconds = {name: [] for name in calls}
    for turn in range(WARM_UP + ROUNDS):
        for name, call in calls.items():
            spent = timed(call)
            if turn >= WARM_UP:
                seconds[name].append(spent)
    server.shutdown()

    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        ratio = median / medians["Session.get"]
        sys.stdout.write(f"{name:12} {median * 1e6:7.0f} µs  {ratio:.2f} of Session.get\n")
    ratio = medians["client"] / medians["Session.get"]
    sys.stdout.write(f"limit {LIMIT}: {'kept' if ratio <= LIMIT else 'MISSED'}\n")
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
