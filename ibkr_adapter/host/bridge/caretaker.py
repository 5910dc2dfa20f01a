"""Look after what is due: deadlines, events that are waited for, fills, sessions that nobody uses.

One thread, begun with the first session. It decides and answers; whatever takes time is done on
the threads of the session that it is for.
"""

from __future__ import annotations

import logging
import threading

from ibkr_adapter.clock import Clock

from .registry import Registry
from .sessions import Session
from .waiting import Client, Waiting

log = logging.getLogger(__name__)


class Caretaker:
    """The bridge's own thread."""

    def __init__(self, clock: Clock, waiting: Waiting) -> None:
        self._clock = clock
        self._waiting = waiting
        self._flag = clock.flag()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._looks_at: float | None = None
        self._is_over = False
        # Clients that are told of fills without asking; guarded by the lock of what waits.
        self._told: set[Client] = set()

    def begin(self, registry: Registry) -> None:
        """Start the thread, if it does not run."""
        with self._lock:
            if self._thread is None and not self._is_over:
                self._thread = threading.Thread(
                    target=self._care, args=(registry,), name="ibkr-bridge", daemon=True
                )
                self._clock.expect(self._thread)
                self._thread.start()

    def end(self) -> None:
        """End the thread; it does nothing more once it has seen this."""
        with self._lock:
            self._is_over = True
        self._flag.set()

    def wake(self) -> None:
        """Have it look now."""
        self._flag.set()

    def wake_by(self, moment: float | None) -> None:
        """Have it look at ``moment``, if it would only look later."""
        if moment is not None and (self._looks_at is None or moment < self._looks_at):
            self._flag.set()

    def tell(self, client: Client, session: Session, after: int) -> None:
        """Tell a client of the fills of a session after that number, where it can be told."""
        with self._waiting.lock:
            if client.pushes:
                client.told.setdefault(session, after)
                self._told.add(client)

    def tell_no_more(self, client: Client, session: Session | None = None) -> None:
        """Tell a client nothing more, of one session or of any."""
        with self._waiting.lock:
            if session is None:
                client.told.clear()
            else:
                client.told.pop(session, None)
            if not client.told:
                self._told.discard(client)

    def is_told(self, session: Session) -> bool:
        """Whether any client is told of a session's fills."""
        with self._waiting.lock:
            return any(session in client.told for client in self._told)

    def _care(self, registry: Registry) -> None:
        while not self._is_over:
            # Until it is known when to look next, whatever comes wakes.
            self._looks_at = None
            self._flag.clear()
            now = self._clock.monotonic()
            for call in self._waiting.late(now):
                call.client.answer(call.id, call.at_deadline())
            for call, events in self._waiting.with_events():
                call.client.answer(call.id, {"result": events})
            for client, params in self._fresh():
                client.notify("session.fill", params)
            if registry.drop_idle(now):
                log.info("sessions that nobody uses were closed; their users stay logged in")
            for session in registry.all():
                session.look_due(now)
            self._looks_at = self._next_look(registry, now)
            self._flag.wait(max(0.0, self._looks_at - now))

    def _fresh(self) -> list[tuple[Client, dict[str, object]]]:
        """What clients are to be told, each once."""
        found: list[tuple[Client, dict[str, object]]] = []
        with self._waiting.lock:
            for client in self._told:
                for session, told in client.told.items():
                    events = session.events(told)
                    if events is not None:
                        client.told[session] = events["last"]
                        missed = {"missed": events["missed"]} if events["missed"] else {}
                        found += [
                            (client, {"session": session.name, **event, **missed})
                            for event in events["events"]
                        ]
        return found

    def _next_look(self, registry: Registry, now: float) -> float:
        deadline = self._waiting.next_deadline()
        dues = [now + registry.idle_after, *([] if deadline is None else [deadline])]
        for session in registry.all():
            # What is busy or watched when it would be idle is looked at again in a while.
            idle_at = session.used_at + registry.idle_after
            dues.append(idle_at if idle_at > now else now + registry.idle_after)
            if session.look_at is not None:
                dues.append(session.look_at)
        return min(dues)
