"""One call: wait for a slot, sign, send, decipher.

Reads are repeated here when the line failed or IBKR was busy for a moment; whatever changes
state at the broker is sent once and never again. The client never logs in: what an answer says
about the session is for :mod:`ibkr_adapter.session`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

import attrs

from ibkr_adapter.auth.base import Auth
from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import InvalidRequest, NotSent, OutcomeUnknown, Throttled, TransportError
from ibkr_adapter.listeners import Listeners
from ibkr_adapter.transport import Transport
from ibkr_adapter.turns import Needs, Turns
from ibkr_adapter.wire.endpoints import Endpoint
from ibkr_adapter.wire.response import Deciphered, decipher

log = logging.getLogger(__name__)

# A read is made at most three times, with these pauses in between (seconds).
PAUSES = (0.3, 0.9)
_BUSY = frozenset({502, 503, 504})
_TOO_MANY = 429


@attrs.frozen(kw_only=True)
class Call:
    """One request as it was made, for listeners: counts, logs, demonstrations. No bodies."""

    endpoint: str
    path: str
    status: int | None
    seconds: float


class _Busy(Exception):  # noqa: N818  (never leaves this room)
    def __init__(self, answer: Deciphered) -> None:
        self.answer = answer


class Client:
    """The one place that sends; shared by every thread of a connection."""

    def __init__(self, *, clock: Clock, transport: Transport, turns: Turns, auth: Auth) -> None:
        self._clock = clock
        self._transport = transport
        self._turns = turns
        self._auth = auth
        self._listeners: Listeners[Call] = Listeners()
        self._prepared = False

    def listen(self, listener: Callable[[Call], None]) -> Callable[[], None]:
        """Have ``listener`` told of every request; the answer ends that."""
        return self._listeners.add(listener)

    def prepare(self, deadline: float) -> None:
        """See that a call could be signed now; it is logged in for, if nobody has yet.

        Raises:
            AuthenticationError: IBKR does not accept the credentials; nothing was sent.
            TransportError: It could not be asked.
        """
        self._auth.prepare(deadline)

    @contextmanager
    def turn(self, endpoint: Endpoint, deadline: float) -> Iterator[None]:
        """Wait until something may leave that is no call of ours, such as the opening of a stream.

        Raises:
            BrokerageUnavailable: Another thread's dialogue did not end in time; nothing was sent.
            Throttled: The pacing limits do not allow it in time; nothing was sent.
        """
        self._auth.prepare(deadline)
        with self._turns.take(endpoint, deadline, urgent=False):
            yield

    def call(
        self,
        endpoint: Endpoint,
        *,
        deadline: float,
        path: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        urgent: bool = False,
        needs: Needs | None = None,
    ) -> Deciphered:
        """Make one call and decipher its answer; an HTTP error is an answer too.

        Args:
            endpoint: What to call.
            deadline: The moment on the clock at which it must be over, repeats included.
            path: Values for the template.
            query: Parameters; their order is kept.
            body: What to send as JSON.
            urgent: Overtake queued reads; every state-changing call does.
            needs: What must hold of the session when it leaves; it is brought about where it does not.

        Raises:
            InvalidRequest: It cannot be written as an address and JSON; nothing was sent.
            NotSent: The request never left; nothing happened at the broker.
            OutcomeUnknown: It left, and no usable answer came.
            Throttled: The pacing limits do not allow it before the deadline; nothing was sent.
        """

        def once() -> Deciphered:
            return self._once(endpoint, deadline, path, query, body, urgent=urgent, needs=needs)

        try:
            return once()
        except (TransportError, _Busy) as first:
            if endpoint.changes_state or not self._worth_repeating(first):
                return self._give_up(first)
            return self._repeat(first, once, deadline)

    def _once(
        self,
        endpoint: Endpoint,
        deadline: float,
        path: Mapping[str, Any] | None,
        query: Mapping[str, Any] | None,
        body: Any,
        *,
        urgent: bool,
        needs: Needs | None,
    ) -> Deciphered:
        try:
            filled = endpoint.path(**path) if path else endpoint.path()
            payload = (
                None if body is None else json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
            )
            text = {key: _text(value) for key, value in query.items()} if query else {}
            url = f"{self._auth.base_url}{filled}"
            full = f"{url}?{urlencode(text, quote_via=quote)}" if text else url
        except (TypeError, ValueError, RecursionError) as wrong:
            # What JSON or an address cannot hold: not a number, half a character, a value of no kind of JSON's.
            raise InvalidRequest(
                f"{endpoint.name} cannot be written ({str(wrong)[:160]}); nothing was sent.",
                endpoint=endpoint.name,
            ) from None
        if payload is None and endpoint.method == "POST":
            # The edge answers 411 to a POST without a body.
            payload = b"{}"
        if not self._prepared:
            self._transport.prepare(url)
            self._prepared = True
        self._auth.prepare(deadline)
        with self._turns.take(
            endpoint, deadline, urgent=urgent or endpoint.changes_state, needs=needs
        ) as slot:
            headers = dict(self._auth.headers(endpoint.method, url, text))
            if payload is not None:
                headers["Content-Type"] = "application/json"
            started = self._clock.monotonic()
            status: int | None = None
            try:
                raw = self._transport.send(
                    endpoint.method,
                    full,
                    headers=headers,
                    body=payload,
                    deadline=deadline,
                    changes_state=endpoint.changes_state,
                    on_open=slot.put_off,
                )
                status = raw.status
            except TransportError as failure:
                failure.endpoint = failure.endpoint or endpoint.name
                raise
            finally:
                self._tell(endpoint, filled, status, self._clock.monotonic() - started)
        answer = decipher(raw.status, raw.headers.get("content-type"), raw.body)
        if answer.status == _TOO_MANY:
            rests_for = self._turns.refused(endpoint, raw.headers.get("retry-after"))
            answer = attrs.evolve(answer, rests_for=rests_for)
        if answer.status in _BUSY and not endpoint.changes_state:
            raise _Busy(answer)
        return answer

    def _repeat(
        self, first: TransportError | _Busy, once: Callable[[], Deciphered], deadline: float
    ) -> Deciphered:
        import tenacity  # noqa: PLC0415  (loaded when first needed)

        last: TransportError | _Busy = first
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((NotSent, OutcomeUnknown, _Busy)),
            stop=tenacity.stop_after_attempt(len(PAUSES)),
            wait=tenacity.wait_chain(*(tenacity.wait_fixed(pause) for pause in PAUSES[1:])),
            sleep=self._clock.sleep,
            reraise=True,
        )
        if self._clock.monotonic() + PAUSES[0] >= deadline:
            return self._give_up(last)
        self._clock.sleep(PAUSES[0])
        try:
            return attempts(once)
        except Throttled:
            # The repeat would come too late; what the first attempt met is the better news.
            return self._give_up(last)
        except (TransportError, _Busy) as failure:
            last = failure
        return self._give_up(last)

    def _tell(self, endpoint: Endpoint, path: str, status: int | None, seconds: float) -> None:
        log.debug("called %s: %s in %.3f s", endpoint.name, status, seconds)
        self._listeners.note(Call(endpoint=endpoint.name, path=path, status=status, seconds=seconds))
        self._listeners.tell()

    @staticmethod
    def _worth_repeating(failure: TransportError | _Busy) -> bool:
        # Nobody listening is no passing fault: the caller shall know at once.
        return not (isinstance(failure, NotSent) and failure.unreachable)

    @staticmethod
    def _give_up(failure: TransportError | _Busy) -> Deciphered:
        if isinstance(failure, _Busy):
            return failure.answer
        raise failure


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(_text(part) for part in value)
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)
