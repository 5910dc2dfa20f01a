"""Read a stream of a simulated broker in the same process: frames as JSON, by topic."""

from __future__ import annotations

import json


class Listener:
    """A stream, and all that has come on it."""

    def __init__(self, broker, **how):
        self.broker = broker
        self.socket = broker.gateway.open_stream(**how)
        self.raw = []

    def opened(self):
        """Wait until what is written is heard, and forget the first frames."""
        self.broker.wait(1.0)
        self.new()
        return self

    def write(self, *frames):
        for one in frames:
            self.socket.send(one)
        return self

    def new(self):
        """What has come since the last time; a frame that is no JSON as bytes."""
        frames = self.socket.receive()
        self.raw += frames
        return [_read(one) for one in frames]

    def of(self, topic):
        """What has come under a topic since the last time."""
        return [one for one in self.new() if isinstance(one, dict) and one.get("topic") == topic]

    def after(self, seconds):
        self.broker.wait(seconds)
        return self


def _read(payload):
    try:
        return json.loads(payload)
    except ValueError:
        return payload
