"""The bridge as a process of its own on a clock that jumps, and the broker that it reaches over a socket.

Frames and requests really travel: over a pipe or HTTP to the bridge, over HTTP to the simulated broker. Only
waiting is not done. The clock of the bridge stands while no frame waits for its answer, and jumps over every
pause while one does; each request carries the moment at which it left, and that is when it arrives at the
broker. So a scenario takes as long as its work, pacing is judged to the microsecond, and no busy machine can
hold a request up on its way.

Run as a program it is the bridge: ``virtual_bridge.py stdio|http SECONDS``, where the seconds are what its
clock begins at, so that a process that takes over from another one does not live in the past.
"""

from __future__ import annotations

import os
import sys
import threading
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue

from bridge_clients import OverHttp, OverStdio, Process
from host_scenarios import Control

from ibkr_adapter.clock import ManualClock
from ibkr_adapter.doors import Doors, transport_of
from ibkr_adapter.host.bridge import over_http, over_stdio
from ibkr_adapter.host.bridge.dispatcher import Bridge
from ibkr_adapter.host.bridge.waiting import Client
from ibkr_adapter.simulator.gateway import Gateway
from ibkr_adapter.simulator.server import SimulatorServer

START = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
LEFT_AT = "X-Left-At"


# In the process of the bridge -------------------------------------------------------------------


class Warden:
    """Counts the frames that wait; the clock stands while there are none, as if this thread were at work."""

    def __init__(self, elapsed):
        self._elapsed = elapsed
        self._count = 0
        self._lock = threading.Lock()
        self._some = threading.Event()
        made = SimpleQueue()
        threading.Thread(target=self._watch, args=(made,), name="warden", daemon=True).start()
        self.clock, self._none = made.get()

    def _watch(self, made):
        # Whoever makes the clock is known to it.
        clock = ManualClock(START, jump=True)
        clock.advance(self._elapsed)
        none = clock.flag()
        made.put((clock, none))
        while True:
            self._some.wait()
            none.wait()

    def count(self, more):
        with self._lock:
            # An answer may be counted before its frame, which is only when it was taken in whole.
            self._count += more
            if self._count > 0:
                self._none.clear()
                self._some.set()
            else:
                self._some.clear()
                self._none.set()


class Counted(Client):
    """A client whose answers are counted on their way."""

    def __init__(self, client, warden):
        super().__init__(client._send, greeted=client.greeted, pushes=client.pushes)
        self._warden = warden

    def answer(self, number, outcome):
        self._warden.count(-1)
        super().answer(number, outcome)


class CountingBridge(Bridge):
    """The bridge; it tells the warden of every frame and of every answer."""

    def __init__(self, warden, **how):
        super().__init__(**how)
        self._warden = warden
        self._counted = {}

    def take(self, client, raw):
        # A pipe has one client for good, a request over HTTP one of its own.
        counted = self._counted.get(client) or Counted(client, self._warden)
        if client.pushes:
            self._counted[client] = counted
        super().take(counted, raw)
        self._warden.count(1)

    def leave(self, client):
        super().leave(self._counted.pop(client, client))


class Stamped:
    """A transport whose requests say when they left."""

    def __init__(self, transport, clock):
        self._transport = transport
        self._clock = clock
        self.prepare = transport.prepare
        self.close = transport.close

    def send(self, method, url, *, headers, **how):
        stamp = {LEFT_AT: repr(self._clock.monotonic())}
        return self._transport.send(method, url, headers={**headers, **stamp}, **how)


def main(how, elapsed):
    warden = Warden(float(elapsed))
    doors = Doors(
        clock=warden.clock,
        transport=lambda settings, clock: Stamped(transport_of(settings, clock), clock),
        environ={},
        across_processes=True,
    )
    bridge = CountingBridge(warden, version="test", doors=doors, environ={})
    if how == "stdio":
        over_stdio.run(bridge)
    else:
        over_http.run(bridge, token=os.environ["IBKR_BRIDGE_TOKEN"])


# In the process of the test ---------------------------------------------------------------------


class _Program:
    """What both transports to such a process have in common; ``reached`` is the latest moment heard of it."""

    how = ""
    reached = 0.0

    def process_of(self, *_words, **how):
        return Process(program=[__file__, self.how, repr(self.reached)], **how)


class VirtualStdio(_Program, OverStdio):
    how = "stdio"


class VirtualHttp(_Program, OverHttp):
    how = "http"


class ToldClock:
    """A clock that is told what time it is."""

    def __init__(self):
        self._zero = None
        self._elapsed = 0.0

    def monotonic(self):
        return self._elapsed

    def now(self):
        return START + timedelta(seconds=self._elapsed)

    def tell(self, moment):
        if self._zero is None:
            self._zero = moment
        self._elapsed = max(self._elapsed, moment - self._zero)


class ToldGateway(Gateway):
    """A broker at which requests arrive at the moment at which they left."""

    def __init__(self, bridge, **how):
        self._bridge = bridge
        self.told = ToldClock()
        super().__init__(self.told, **how)

    def handle(self, request):
        moment = request.headers.get(LEFT_AT.lower())
        if moment is not None:
            self._bridge.reached = max(self._bridge.reached, float(moment))
            self.told.tell(float(moment))
        return super().handle(request)


class VirtualBroker(Control):
    """Such a broker behind a socket, and its control room."""

    def __init__(self, bridge, **how):
        super().__init__(ToldGateway(bridge, **how))
        self._server = SimulatorServer(self.gateway, clock=self.gateway.told)
        self.url = self._server.start()

    def close(self):
        self._server.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
