"""The simulated broker's own stream as a door: its frames, its habits and its faults, on the test's clock.

What it says is written by the broker, from what is known of the real one; nothing here knows a topic.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import attrs

from ibkr_adapter.simulator.streams import StreamRefusedError
from ibkr_adapter.ws_link import LineLost

# How often the broker is asked for what has become due, in seconds of the test's clock.
LOOK_EVERY = 0.25
HALF = 0.5


class SimulatedLink:
    """One line to the broker."""

    def __init__(self, socket, clock, look_every):
        self.socket = socket
        self._look_every = look_every
        self.closed = False
        self._clock = clock
        self._flag = clock.flag()
        self._woken = False

    def receive(self, seconds):
        until = self._clock.monotonic() + seconds
        while True:
            self._flag.clear()
            frames = self.socket.take()
            if frames:
                return [one.payload.decode() if one.text else one.payload for one in frames]
            if self.socket.closed is not None:
                raise LineLost(f"the line ended with {self.socket.closed}")
            if self._woken:
                self._woken = False
                return []
            left = until - self._clock.monotonic()
            if left <= 0:
                return []
            self._flag.wait(min(left, self._look_every))

    def send(self, text):
        if self.socket.closed is not None:
            raise LineLost("the line has ended")
        self.socket.send(text)

    def wake(self):
        self._woken = True
        self._flag.set()

    def close(self):
        self.closed = True
        self.socket.hang_up()


class SimulatedLines:
    """Every line that was dialled to one world's broker."""

    def __init__(self, world):
        self._gateway = world.gateway
        self._clock = world.clock
        self.links = []
        self.look_every = LOOK_EVERY
        self.dialled = []
        world.doors = attrs.evolve(world.doors, dial=lambda _settings, _clock: self.dial, jitter=lambda: HALF)

    def dial(self, url, headers, seconds):
        self.dialled.append(self._clock.monotonic())
        try:
            socket = self._gateway.open_stream(query=dict(parse_qsl(urlsplit(url).query)), headers=headers)
        except StreamRefusedError as refused:
            raise LineLost("refused", status=refused.answer.status) from None
        link = SimulatedLink(socket, self._clock, self.look_every)
        self.links.append(link)
        return link

    @property
    def link(self):
        return self.links[-1]

    @property
    def socket(self):
        return self.link.socket
