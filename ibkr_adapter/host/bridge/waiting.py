"""Keep the calls that wait for their answer: each is answered once, by whoever takes it off first.

A call waits for a piece of work, or for events. It can be cancelled, or come to its deadline, while
the work waits; a read that runs is left to itself then. A change that runs is never let go of: at
its deadline the client is told to ask again under the same key.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from . import frames
from .calls import INTERNAL, Outcome, Work
from .frames import Code
from .sessions import Session

log = logging.getLogger(__name__)


class Client:
    """One end of a pipe, or one request: where answers go, and which calls wait for them.

    ``send`` takes each answer, from any thread. ``greeted`` is whether the protocol's version is
    settled, ``pushes`` whether ``send`` reaches the client when it has asked for nothing.
    """

    def __init__(self, send: Callable[[bytes], None], *, greeted: bool = False, pushes: bool = False) -> None:
        self._send = send
        self.greeted = greeted
        self.pushes = pushes
        self.calls: dict[str | int, Call] = {}
        # Up to which event each watched session has been told here.
        self.told: dict[Session, int] = {}

    def answer(self, number: str | int | None, outcome: Mapping[str, Any]) -> None:
        """Send an answer; one that JSON cannot say becomes an error that says so."""
        try:
            raw = frames.answer(number, outcome)
        except ValueError:
            log.exception("an answer cannot be written as JSON")
            raw = frames.answer(number, INTERNAL)
        self._send(raw)

    def notify(self, method: str, params: Mapping[str, Any]) -> None:
        """Tell something that was not asked for."""
        self._send(frames.notification(method, params))


@attrs.define(kw_only=True, eq=False)
class Call:
    """One frame that waits; ``events_of`` has the session and the number after which, if for events."""

    client: Client
    id: str | int
    deadline: float | None = None
    work: Work | None = None
    events_of: tuple[Session, int] | None = None

    @property
    def must_go_on(self) -> bool:
        """Whether something may be changing at the broker for it."""
        return self.work is not None and self.work.is_running and self.work.changes

    def at_deadline(self) -> Outcome:
        """What it is answered when its time is up."""
        if self.events_of is not None:
            return {"result": {"events": [], "last": self.events_of[0].last_event(), "missed": 0}}
        if self.must_go_on:
            return frames.error(
                Code.STILL_RUNNING,
                "The call is still at work: ask again under the same key, never under another.",
                repeatable=True,
            )
        return frames.error(
            Code.DEADLINE, "The call was not done in time; nothing was sent.", repeatable=True
        )


class Waiting:
    """All calls that wait, over all clients; the lock also guards the work that they wait for."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.work: set[Work] = set()
        self._timed: set[Call] = set()

    def add(self, call: Call, work: Work | None = None) -> None:
        """Have a call wait, for ``work`` if there is any."""
        with self.lock:
            call.work = work
            if work is not None:
                work.waiters.append(call)
            call.client.calls[call.id] = call
            if call.deadline is not None:
                self._timed.add(call)

    def take_off(self, call: Call) -> bool:
        """Take a call from those that wait; who gets ``True`` must answer it."""
        with self.lock:
            self._timed.discard(call)
            if call.client.calls.get(call.id) is not call:
                return False
            del call.client.calls[call.id]
            if call.work is not None and not call.work.is_running:
                call.work.waiters.remove(call)
            return True

    def begin(self, work: Work) -> bool:
        """Tell whether anybody still waits for a piece of work, which then runs."""
        with self.lock:
            work.is_running = bool(work.waiters)
            return work.is_running

    def end(self, work: Work) -> list[Call]:
        """Take off everybody who waited for a piece of work that has ended."""
        with self.lock:
            self.work.discard(work)
            if work.key is not None:
                work.session.at_work.pop(work.key, None)
            return [call for call in work.waiters if self.take_off(call)]

    def late(self, now: float) -> list[Call]:
        """Take off the calls whose time is up."""
        with self.lock:
            due = [call for call in self._timed if call.deadline is not None and call.deadline <= now]
            return [call for call in due if self.take_off(call)]

    def with_events(self) -> list[tuple[Call, dict[str, Any]]]:
        """Take off the calls whose events have come, with them."""
        found = []
        with self.lock:
            for call in list(self._timed):
                events = call.events_of[0].events(call.events_of[1]) if call.events_of is not None else None
                if events is not None and self.take_off(call):
                    found.append((call, events))
        return found

    def next_deadline(self) -> float | None:
        """When the next call is late."""
        with self.lock:
            return min((call.deadline for call in self._timed if call.deadline is not None), default=None)

    def take_off_unbegun(self, client: Client | None = None) -> list[Call]:
        """Take off whatever need not go on, of one client or of all."""
        with self.lock:
            calls = {call for work in self.work for call in work.waiters} | self._timed
            if client is not None:
                calls = set(client.calls.values())
            return [call for call in calls if not call.must_go_on and self.take_off(call)]

    def changes_run(self) -> bool:
        """Whether anything may be changing at the broker."""
        with self.lock:
            return any(work.is_running and work.changes for work in self.work)
