"""IBKR's stream without sockets: a door that a test speaks through, on the test's clock."""

from __future__ import annotations

import json
import threading
from collections import deque

import attrs

from ibkr_adapter.ws_link import LineLost

SUCCESS = {"topic": "system", "success": "username", "isFT": False, "isPaper": True}
HALF = 0.5


class ScriptedLink:
    """One line; what the test says lies in it until the stream's thread reads it."""

    def __init__(self, server, clock):
        self._server = server
        self._lock = threading.Lock()
        self._frames = deque()
        self._flag = clock.flag()
        self._clock = clock
        self._woken = False
        self.end = None
        self.closed = False

    def receive(self, seconds):
        until = self._clock.monotonic() + seconds
        while True:
            with self._lock:
                if self._frames:
                    frames = list(self._frames)
                    self._frames.clear()
                    return frames
                if self.end is not None:
                    raise self.end
                if self._woken:
                    self._woken = False
                    return []
                self._flag.clear()
            left = until - self._clock.monotonic()
            if left <= 0 or not self._flag.wait(left):
                return []

    def send(self, text):
        if self.end is not None:
            raise self.end
        self._server.heard(self, text)

    def wake(self):
        with self._lock:
            self._woken = True
        self._flag.set()

    def close(self):
        self.closed = True

    def put(self, *frames):
        with self._lock:
            self._frames.extend(frames)
        self._flag.set()

    def break_off(self, reason="the line broke"):
        with self._lock:
            self.end = LineLost(reason)
        self._flag.set()


class ScriptedServer:
    """All lines that were dialled, what was written on them, and what is answered by itself."""

    def __init__(self, clock):
        self.clock = clock
        self.links = []
        self.dialled = []
        self.written = []
        self.dropped = []
        self.refusals = deque()
        self.greeting = [SUCCESS]
        self.answers = {}
        self.begun = set()

    def doors(self, doors):
        """The doors of a world with this stream in them."""
        return attrs.evolve(doors, dial=lambda _settings, _clock: self.dial, jitter=lambda: HALF)

    def dial(self, url, headers, seconds):
        self.dialled.append((self.clock.monotonic(), url, dict(headers)))
        if self.refusals:
            raise self.refusals.popleft()
        link = ScriptedLink(self, self.clock)
        self.links.append(link)
        self.say(*self.greeting, link=link)
        return link

    @property
    def link(self):
        return self.links[-1]

    def say(self, *contents, link=None):
        """Send frames, binary as IBKR's are."""
        link = link or self.link
        for content in contents:
            if isinstance(content, dict) and content.get("success"):
                self.begun.add(link)
            link.put(content if isinstance(content, (bytes, str)) else json.dumps(content).encode())

    def heard(self, link, text):
        moment = round(self.clock.monotonic(), 3)
        if link not in self.begun:
            # As the gateway does: it is lost without a word.
            self.dropped.append(text)
            answer = self.answers.get(text)
        else:
            self.written.append((moment, text))
            answer = self.answers.get(text, {"topic": "tic"} if text == "tic" else None)
        for content in answer if isinstance(answer, list) else [answer]:
            if content is not None:
                self.say(content, link=link)

    def texts(self, start=""):
        """What was written, leaving out the words that keep the line alive."""
        return [text for _, text in self.written if text != "tic" and text.startswith(start)]
