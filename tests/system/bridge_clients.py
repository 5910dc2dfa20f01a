"""Clients of the bridge over its two transports, and a broker beside them, all as people start them."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import subprocess
import sys
import urllib.request
import uuid
from urllib.parse import urlsplit

from host_scenarios import Failure

from ibkr_adapter.clock import SystemClock
from ibkr_adapter.host.bridge.frames import camel
from ibkr_adapter.simulator.gateway import Gateway
from ibkr_adapter.simulator.server import SimulatorServer

TOKEN = "a-token-of-more-than-thirty-two-characters"
COMMAND = [sys.executable, "-m", "ibkr_adapter"]


def environment(**more):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("IBKR_", "COVERAGE"))}
    return {**clean, "PYTHONUTF8": "1", **more}


class Process:
    """A command of ours; ``ready`` is the line that it says first, where it says one."""

    def __init__(self, *words, code=None, says_ready=True, **variables):
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-c", code] if code else [*COMMAND, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(**variables),
        )
        self.ready = json.loads(self.process.stdout.readline()) if says_ready else {}

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def end(self):
        """Have it end by itself, and return what it wrote to standard error."""
        self.process.terminate()
        return self.process.communicate(timeout=30)[1].decode()


class Broker:
    """A simulated broker over a real socket, in this process."""

    def __init__(self, **options):
        self._clock = SystemClock()
        self._server = SimulatorServer(Gateway(self._clock, options=options), clock=self._clock)
        self.url = self._server.start()

    def control(self, name, body):
        return self._ask(f"/simulator/{name}", json.dumps(body).encode())

    def ledger(self):
        return self._ask("/simulator/ledger", None)

    def close(self):
        self._server.stop()

    def _ask(self, path, body):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        address = self.url.removesuffix("/v1/api") + path
        with opener.open(urllib.request.Request(address, data=body), timeout=30) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read())


class Frames:
    """A process with a bridge, over whatever carries frames: ``send`` takes one and returns its answer."""

    def __init__(self):
        self._numbers = itertools.count(1)
        self.start()

    def start(self):
        """Begin to carry."""

    def ask(self, method, /, **params):
        frame = {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": params}
        answer = self.send(frame)
        if "error" in answer:
            raise Failure(answer["error"]["data"]["type"], answer["error"]["message"])
        return answer["result"]

    def restart(self):
        self.kill()
        self.start()


class Host:
    """One session of a bridge, as a scenario needs it."""

    def __init__(self, bridge, config):
        self.bridge = bridge
        self._config = config
        self._open()

    def _open(self):
        self.session = self.bridge.ask("session.open", config=self._config)["session"]

    def ask(self, method, *args, key=None):
        key = key or f"call-{uuid.uuid4()}"
        return self.bridge.ask("session.call", session=self.session, method=method, args=list(args), key=key)

    def call(self, method, *args):
        return self.ask(camel(method), *args)

    def webhook(self, payload, *, webhook_id=None):
        return self.ask("executeWebhook", payload, None, webhook_id)

    def restart(self):
        self.bridge.restart()
        self._open()

    def close(self):
        self.bridge.ask("session.close", session=self.session)


class OverStdio(Frames):
    def start(self):
        self.process = Process("bridge", "--stdio", says_ready=False)
        self.hello = self.ask("bridge.hello", protocol=1, client="test")

    def send(self, frame):
        pipe = self.process.process
        pipe.stdin.write(json.dumps(frame).encode() + b"\n")
        pipe.stdin.flush()
        return json.loads(pipe.stdout.readline())

    def kill(self):
        self.process.kill()

    def close(self):
        self.process.process.stdin.close()
        self.process.process.stdin = None
        self.process.process.communicate(timeout=30)


class OverHttp(Frames):
    def start(self):
        self.process = Process("bridge", "--http", IBKR_BRIDGE_TOKEN=TOKEN)
        parts = urlsplit(self.process.ready["url"])
        self.path = parts.path
        self.line = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)

    def send(self, frame):
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        self.line.request("POST", self.path, json.dumps(frame).encode(), headers)
        return json.loads(self.line.getresponse().read())

    def line_of(self):
        """Another client of the same bridge: a function of session, method, arguments and key."""
        other = http.client.HTTPConnection(self.line.host, self.line.port, timeout=120)

        def ask(session, method, args, key):
            params = {"session": session, "method": method, "args": args, "key": key}
            frame = {"jsonrpc": "2.0", "id": "other", "method": "session.call", "params": params}
            headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
            other.request("POST", self.path, json.dumps(frame).encode(), headers)
            with contextlib.closing(other):
                return json.loads(other.getresponse().read())["result"]

        return ask

    def kill(self):
        self.line.close()
        self.process.kill()

    def close(self):
        self.line.close()
        self.process.end()
