"""Clients of the bridge over its two transports, and a broker beside them, all as people start them."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import subprocess
import sys
import threading
import urllib.request
import uuid
from urllib.parse import urlsplit

from host_scenarios import Failure

from ibkr_adapter.clock import SystemClock
from ibkr_adapter.host.bridge.dispatcher import Bridge
from ibkr_adapter.host.bridge.frames import camel
from ibkr_adapter.host.bridge.over_http import Server
from ibkr_adapter.host.bridge.over_stdio import Pipe
from ibkr_adapter.simulator.gateway import Gateway
from ibkr_adapter.simulator.server import SimulatorServer

TOKEN = "a-token-of-more-than-thirty-two-characters"
COMMAND = [sys.executable, "-m", "ibkr_adapter"]


def environment(**more):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("IBKR_", "COVERAGE"))}
    return {**clean, "PYTHONUTF8": "1", **more}


class Process:
    """A command of ours; ``ready`` is the line that it says first, where it says one."""

    def __init__(self, *words, program=None, says_ready=True, **variables):
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, *program] if program else [*COMMAND, *words],
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

    def process_of(self, *words, **how):
        """Start the process of the bridge with these words."""
        return Process(*words, **how)

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
    """Over a pipe: to a process as people start it, or with ``here`` to a thread of this one."""

    def __init__(self, *, here=False):
        self._here = here
        super().__init__()

    def start(self):
        if self._here:
            (theirs, into), (outof, ours) = os.pipe(), os.pipe()
            self._theirs = os.fdopen(theirs, "rb"), os.fdopen(ours, "wb")
            serving = Pipe(Bridge(version="test"), *self._theirs)
            self._end = threading.Thread(target=serving.serve, name="bridge", daemon=True)
            self._end.start()
            self.into, self.outof = os.fdopen(into, "wb"), os.fdopen(outof, "rb")
        else:
            self.process = self.process_of("bridge", "--stdio", says_ready=False)
            self.into, self.outof = self.process.process.stdin, self.process.process.stdout
        self.hello = self.ask("bridge.hello", protocol=1, client="test")

    def send(self, frame):
        self.into.write(json.dumps(frame).encode() + b"\n")
        self.into.flush()
        return json.loads(self.outof.readline())

    def kill(self):
        self.process.kill()

    def close(self):
        self.into.close()
        if self._here:
            self._end.join(30)
            for stream in (*self._theirs, self.outof):
                stream.close()
            return
        self.process.process.stdin = None
        self.process.process.communicate(timeout=30)


class OverHttp(Frames):
    """Over HTTP: to a process as people start it, or with ``here`` to a server in this one."""

    def __init__(self, *, here=False):
        self._here = here
        super().__init__()

    def start(self):
        if self._here:
            self._bridge = Bridge(version="test")
            self._server = Server(self._bridge, token=TOKEN)
            self._server.start()
            self.url = self._server.url
        else:
            self.process = self.process_of("bridge", "--http", IBKR_BRIDGE_TOKEN=TOKEN)
            self.url = self.process.ready["url"]
        parts = urlsplit(self.url)
        self.path = parts.path
        self.line = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)

    def send(self, frame):
        return self._send(self.line, frame)

    def other(self, **params):
        """What another client of the same bridge is answered to a call."""
        frame = {"jsonrpc": "2.0", "id": "other", "method": "session.call", "params": params}
        with contextlib.closing(
            http.client.HTTPConnection(self.line.host, self.line.port, timeout=120)
        ) as line:
            return self._send(line, frame)["result"]

    def _send(self, line, frame):
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        line.request("POST", self.path, json.dumps(frame).encode(), headers)
        return json.loads(line.getresponse().read())

    def kill(self):
        self.line.close()
        self.process.kill()

    def close(self):
        self.line.close()
        if self._here:
            self._server.shutdown()
            self._server.server_close()
            self._bridge.close()
        else:
            self.process.end()
