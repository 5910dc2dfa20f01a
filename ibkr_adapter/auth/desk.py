"""Make a login's own calls: paced like any other, signed when they leave, at IBKR's time.

A login proves itself by what is good for seconds only, so a wrong clock of this machine refuses
it. The desk reads IBKR's time off the ``Date`` of a refusal, tries once more with that, and says
by how much the clock is wrong. What is written and read is for the two logins,
:mod:`ibkr_adapter.auth.oauth1a` and :mod:`ibkr_adapter.auth.oauth2`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import BrokerageUnavailable, NotSent, OutcomeUnknown, Throttled
from ibkr_adapter.transport import Answer, Transport
from ibkr_adapter.turns import Turns
from ibkr_adapter.wire.endpoints import Endpoint
from ibkr_adapter.wire.response import Deciphered, decipher

log = logging.getLogger(__name__)

# A difference of the clocks that matters: an assertion is good for some seconds only, and the
# header that tells IBKR's time has no fractions.
SKEW = timedelta(seconds=5)
_BAD, _UNAUTHORISED, _TOO_MANY, _DOWN = 400, 401, 429, 500

Written = tuple[Mapping[str, str], bytes | None]


class TokenDesk:
    """Makes the token calls of one login and knows how wrong the machine's clock is."""

    def __init__(self, *, clock: Clock, transport: Transport, turns: Turns) -> None:
        self._clock = clock
        self._transport = transport
        self._turns = turns
        self._lock = threading.Lock()
        self._skew = timedelta()
        self._stamp = 0

    def now(self) -> datetime:
        """Tell IBKR's time, as far as it is known."""
        return self._clock.now() + self._skew

    def stamp(self) -> int:
        """Return IBKR's time in seconds, never less than the last time: it refuses to go back."""
        with self._lock:
            self._stamp = max(self._stamp, int(self.now().timestamp()))
            return self._stamp

    def skew(self) -> str:
        """Say how wrong the clock is, in a sentence, or nothing."""
        if abs(self._skew) < SKEW:
            return ""
        minutes, seconds = divmod(round(abs(self._skew).total_seconds()), 60)
        side = "behind" if self._skew > timedelta() else "ahead of"
        return f" This machine's clock is {minutes} min {seconds} s {side} IBKR's: set it."

    def post(self, endpoint: Endpoint, url: str, write: Callable[[], Written], deadline: float) -> Deciphered:
        """Make one step of a login.

        A refusal that came with another time than ours is met with one more try at that time.

        Args:
            endpoint: What it is, for pacing.
            url: The full address.
            write: Makes headers and body; called after pacing, anew for each try.
            deadline: The moment on the clock at which it must be over.

        Raises:
            NotSent: The line failed; the call that needed the login was not made.
            Throttled: The pacing limits do not allow it in time.
            BrokerageUnavailable: IBKR's login service is down.
        """
        raw = self._once(endpoint, url, write, deadline)
        if raw.status in {_BAD, _UNAUTHORISED} and self._correct(raw.headers.get("date")):
            log.warning("%s was refused, and trying again.%s", endpoint.name, self.skew())
            raw = self._once(endpoint, url, write, deadline)
        answer = decipher(raw.status, raw.headers.get("content-type"), raw.body)
        if answer.status >= _DOWN:
            raise BrokerageUnavailable(
                f"IBKR's login service is down (HTTP {answer.status} on {endpoint.name}); nothing was sent.",
                endpoint=endpoint.name,
                status=answer.status,
                text=answer.error or "",
            )
        return answer

    def _once(self, endpoint: Endpoint, url: str, write: Callable[[], Written], deadline: float) -> Answer:
        # Loading libraries in the slot would make it leave late.
        self._transport.prepare(url)
        try:
            with self._turns.take(endpoint, deadline, urgent=True) as slot:
                headers, body = write()
                raw = self._transport.send(
                    endpoint.method,
                    url,
                    headers=headers,
                    body=body,
                    deadline=deadline,
                    changes_state=endpoint.changes_state,
                    on_open=slot.put_off,
                )
        except OutcomeUnknown as failure:
            # It is the login whose outcome is unknown: of the call itself nothing has left.
            raise NotSent(
                f"the answer to the login was lost, so the call was not made: {failure.message}",
                endpoint=endpoint.name,
            ) from failure
        if raw.status == _TOO_MANY:
            self._turns.refused(endpoint, raw.headers.get("retry-after"))
            raise Throttled(
                f"IBKR refused {endpoint.name} for its pacing; nothing was sent.",
                retry_at=60.0,
                endpoint=endpoint.name,
                status=_TOO_MANY,
            )
        return raw

    def _correct(self, date: str | None) -> bool:
        """Take over IBKR's time if it is another than we believed; tell whether it was."""
        try:
            theirs = parsedate_to_datetime(date or "")
        except ValueError:
            return False
        if theirs.tzinfo is None:
            theirs = theirs.replace(tzinfo=UTC)
        with self._lock:
            # What was last stamped may be ahead of a clock that was set back since.
            stamped = datetime.fromtimestamp(self._stamp, UTC)
            if abs(theirs - max(self.now(), stamped)) < SKEW:
                return False
            self._skew = theirs - self._clock.now()
            self._stamp = 0
        return True
