"""Answer frames: hand each to what it is for; nothing here blocks.

What takes time is done on the threads of its session. How frames travel is for the transports,
what a change is done under is in :mod:`.calls`, who waits for what in :mod:`.waiting`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from ibkr_adapter.doors import DEFAULT_DOORS, Doors
from ibkr_adapter.errors import IBKRError, InvalidOrder
from ibkr_adapter.own_orders import checked_coid
from ibkr_adapter.setting_readers import can_be_written

from . import frames
from .calls import INTERNAL, Outcome, Work, perform
from .caretaker import Caretaker
from .fills import PolledFills, Source
from .frames import PROTOCOL, Code, Frame, FrameError
from .keys import asked
from .lines import Job
from .methods import METHODS, line_of
from .registry import Registry
from .waiting import Call, Client, Waiting

log = logging.getLogger(__name__)

# A session that nobody has used for so many seconds lets go of its connection.
IDLE_AFTER = 1800.0
MOST_WAITING = 500
# How long changes that run are waited for at the end; an order with its look-up takes less.
PATIENCE = 120.0
_LONGEST_WAIT = 3600.0


class Bridge:
    """All sessions and all calls of one process."""

    def __init__(
        self,
        *,
        version: str,
        doors: Doors = DEFAULT_DOORS,
        fills: Source = PolledFills,
        idle_after: float = IDLE_AFTER,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._version = version
        self._clock = doors.clock
        self._waiting = Waiting()
        self._caretaker = Caretaker(self._clock, self._waiting)
        self._registry = Registry(
            doors,
            fills,
            wake=self._caretaker.wake,
            in_use=self._caretaker.is_told,
            idle_after=idle_after,
            environ=environ,
        )
        self._begun_at = self._clock.monotonic()
        self._ended = self._clock.flag()
        self._is_closing = False
        self._answers: dict[str, Callable[[Client, Frame], Any]] = {
            "bridge.hello": self._hello,
            "bridge.health": self._health,
            "session.open": self._open,
            "session.close": self._close,
            "session.call": self._call,
            "session.watch": self._watch,
            "session.unwatch": self._unwatch,
            "session.events": self._events,
            "call.cancel": self._cancel,
        }

    def take(self, client: Client, raw: bytes) -> None:
        """Take one frame; its answer is sent now or later, from any thread."""
        number: str | int | None = None
        try:
            frame = frames.read(raw)
            number = frame.id
            outcome = self._outcome(client, frame)
        except FrameError as refused:
            number = refused.data.get("id", number)
            outcome = frames.refusal(refused)
        except IBKRError as failure:
            outcome = frames.failure(failure)
        except Exception:
            # Whoever reads frames goes on: a mistake of ours with one must not end everybody's sessions.
            log.exception("a frame could not be taken")
            outcome = INTERNAL
        if outcome is not None:
            client.answer(number, outcome)

    def leave(self, client: Client) -> None:
        """Forget a client that is gone: what runs for it goes on, what has not begun does not."""
        self._caretaker.tell_no_more(client)
        self._waiting.take_off_unbegun(client)

    def close(self, patience: float = PATIENCE) -> None:
        """Take no more calls, let changes that run come to their end, and let go of everything."""
        deadline = self._clock.monotonic() + patience
        self._is_closing = True
        self._caretaker.end()
        for call in self._waiting.take_off_unbegun():
            call.client.answer(call.id, frames.refusal(_closing()))
        while self._waiting.changes_run() and self._clock.monotonic() < deadline:
            self._ended.clear()
            if self._waiting.changes_run():
                self._ended.wait(deadline - self._clock.monotonic())
        self._registry.close()

    def _outcome(self, client: Client, frame: Frame) -> Outcome | None:
        answer = self._answers.get(frame.method)
        if answer is None:
            raise FrameError(
                Code.UNKNOWN_METHOD,
                f"There is no {frame.method!r:.60}; there are {', '.join(self._answers)}.",
            )
        if frame.id is None:
            # Who does not wait for the answer to an order cannot know what stands.
            raise FrameError(Code.NOT_A_CALL, "A call has an id, because everything here has an answer.")
        if not client.greeted and frame.method != "bridge.hello":
            raise FrameError(Code.NO_HANDSHAKE, "Say bridge.hello first; nothing was done.")
        if frame.id in client.calls:
            raise FrameError(Code.NOT_A_CALL, f"The id {frame.id!r} waits for an answer; nothing was done.")
        if self._is_closing:
            raise _closing()
        found = answer(client, frame)
        return None if found is None else {"result": found}

    # About the bridge ---------------------------------------------------------------------

    def _hello(self, client: Client, frame: Frame) -> dict[str, Any]:
        spoken = _params(frame, "protocol", "client").get("protocol")
        if spoken != PROTOCOL or isinstance(spoken, bool):
            raise FrameError(
                Code.NO_HANDSHAKE,
                f"This bridge speaks protocol {PROTOCOL}, not {spoken!r:.20}: take the client that belongs to it.",
                protocol=PROTOCOL,
            )
        client.greeted = True
        return {
            "protocol": PROTOCOL,
            "version": self._version,
            "methods": {name: method.kind.value for name, method in METHODS.items()},
            "pushes": client.pushes,
            "largestFrame": frames.LARGEST_FRAME,
        }

    def _health(self, _: Client, frame: Frame) -> dict[str, Any]:
        _params(frame)
        now = self._clock.monotonic()
        return {
            "ok": True,
            "protocol": PROTOCOL,
            "version": self._version,
            "pid": os.getpid(),
            "uptimeSeconds": round(now - self._begun_at, 3),
            "sessions": [session.health(now) for session in self._registry.all()],
        }

    # Sessions -----------------------------------------------------------------------------

    def _open(self, _: Client, frame: Frame) -> dict[str, Any]:
        params = _params(frame, "config", "credentials", "user")
        user, credentials = params.get("user"), params.get("credentials")
        if not isinstance(user, str | None) or not can_be_written(user or ""):
            raise FrameError(Code.WRONG_PARAMS, "The user is a text.")
        if credentials is None:
            session = self._registry.open(params.get("config"), user)
        elif params.get("config") is not None:
            raise FrameError(Code.WRONG_PARAMS, "A session has a config or credentials, not both.")
        else:
            session = self._registry.open_for_row(credentials, user)
        self._caretaker.begin(self._registry)
        return {"session": session.name}

    def _close(self, client: Client, frame: Frame) -> dict[str, Any]:
        session = self._registry.find(_params(frame, "session").get("session"))
        self._registry.drop(session)
        self._caretaker.tell_no_more(client, session)
        return {"closed": True}

    # Calls --------------------------------------------------------------------------------

    def _call(self, client: Client, frame: Frame) -> None:
        params = _params(frame, "session", "method", "args", "key", "timeoutMs")
        session = self._registry.find(params.get("session"))
        method = METHODS.get(str(params.get("method")))
        if method is None:
            raise FrameError(
                Code.UNKNOWN_METHOD, f"The exchange has no {params.get('method')!r:.60}; nothing was done."
            )
        arguments = method.arguments(params.get("args"))
        work = Work(session=session, method=method, arguments=arguments)
        if work.changes:
            if params.get("key") is None:
                raise FrameError(
                    Code.WRONG_PARAMS,
                    f"{method.name} changes something, so it needs a key; nothing was done.",
                )
            work.key = checked_coid(params["key"])
            work.asked = asked(method.name, arguments)
        call = Call(client=client, id=_id(frame), deadline=self._deadline(params.get("timeoutMs")))
        with self._waiting.lock:
            found = session.at_work.get(work.key) if work.key is not None else None
            if found is not None and found.asked != work.asked:
                raise InvalidOrder(f"the key {work.key} is at work on another call; nothing was sent.")
            if found is None and session.lines.counts()[1] >= MOST_WAITING:
                raise FrameError(Code.BUSY, "Too many calls wait; nothing was done.", repeatable=True)
            self._waiting.add(call, found or work)
            if found is None:
                self._waiting.work.add(work)
                if work.key is not None:
                    session.at_work[work.key] = work
                job = Job(
                    work=lambda: self._do(work),
                    tell=lambda: self._tell(work),
                    changes=work.changes,
                    line=line_of(method, arguments),
                )
                session.lines.submit(job)
        self._caretaker.wake_by(call.deadline)

    def _do(self, work: Work) -> None:
        """Do a piece of work on this thread."""
        try:
            if self._waiting.begin(work):
                work.outcome = perform(work)
        finally:
            work.session.used_at = self._clock.monotonic()

    def _tell(self, work: Work) -> None:
        """Answer everybody who waits for a piece of work that is done."""
        for call in self._waiting.end(work):
            call.client.answer(call.id, work.outcome)
        if self._is_closing:
            self._ended.set()

    def _cancel(self, client: Client, frame: Frame) -> dict[str, Any]:
        wanted = _params(frame, "id").get("id")
        with self._waiting.lock:
            call = client.calls.get(wanted) if isinstance(wanted, str | int) else None
            if call is None or call.must_go_on or not self._waiting.take_off(call):
                return {"cancelled": False}
        client.answer(call.id, frames.error(Code.CANCELLED, "It was cancelled; nothing was sent."))
        return {"cancelled": True}

    def _deadline(self, milliseconds: Any) -> float | None:
        if milliseconds is None:
            return None
        if isinstance(milliseconds, bool) or not isinstance(milliseconds, int) or milliseconds < 0:
            raise FrameError(Code.WRONG_PARAMS, "A time is a whole number of milliseconds.")
        return self._clock.monotonic() + min(milliseconds / 1000, _LONGEST_WAIT)

    # Fills --------------------------------------------------------------------------------

    def _watch(self, client: Client, frame: Frame) -> None:
        params = _params(frame, "session", "known")
        session, known = self._registry.find(params.get("session")), params.get("known")
        if not isinstance(known, str | None):
            raise FrameError(Code.WRONG_PARAMS, "known is the id of the last fill that is known.")
        call = Call(client=client, id=_id(frame))
        self._waiting.add(call)

        outcomes: list[Outcome] = [INTERNAL]

        def work() -> None:
            try:
                found = session.watch(known)
                outcomes.append({"result": found})
                self._caretaker.tell(client, session, found["last"])
            except IBKRError as failure:
                outcomes.append(frames.failure(failure))

        def tell() -> None:
            if self._waiting.take_off(call):
                client.answer(call.id, outcomes[-1])
            self._caretaker.wake()

        session.lines.submit(Job(work=work, tell=tell))

    def _unwatch(self, client: Client, frame: Frame) -> dict[str, Any]:
        session = self._registry.find(_params(frame, "session").get("session"))
        self._caretaker.tell_no_more(client, session)
        watching = self._caretaker.is_told(session)
        if not watching:
            session.unwatch()
        return {"watching": watching}

    def _events(self, client: Client, frame: Frame) -> dict[str, Any] | None:
        params = _params(frame, "session", "after", "waitMs")
        session, after = self._registry.find(params.get("session")), params.get("after", 0)
        if isinstance(after, bool) or not isinstance(after, int) or after < 0:
            raise FrameError(Code.WRONG_PARAMS, "after is the number of the last event that is known.")
        deadline = self._deadline(params.get("waitMs", 0))
        with self._waiting.lock:
            found = session.events(after)
            if found is None:
                call = Call(client=client, id=_id(frame), deadline=deadline, events_of=(session, after))
                self._waiting.add(call)
        self._caretaker.wake_by(deadline)
        return found


def _params(frame: Frame, *known: str) -> Mapping[str, Any]:
    unknown = [name for name in frame.params if name not in known]
    if unknown:
        raise FrameError(
            Code.WRONG_PARAMS,
            f"{frame.method} has no parameter {unknown[0]!r:.40}; it takes {', '.join(known) or 'none'}.",
        )
    return frame.params


def _id(frame: Frame) -> str | int:
    if frame.id is None:
        raise AssertionError("only calls with an id come so far")
    return frame.id


def _closing() -> FrameError:
    return FrameError(Code.CLOSING, "The bridge is closing; nothing was sent.", repeatable=True)
