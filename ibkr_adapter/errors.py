"""The errors that leave the library, named by what the caller must do.

Each says in one or two sentences what is wrong, what is true at the broker now and what to do.
Nothing else is raised on purpose: a caller who handles :class:`IBKRError` has handled them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from ibkr_adapter.redact import redact

if TYPE_CHECKING:
    # The values raise these errors, so they can be named here to type checkers only.
    from ibkr_adapter.model.instrument import Candidate
    from ibkr_adapter.model.order import Order, Placed

# What a guardrail looks at, and what it allows.
Figure: TypeAlias = Decimal | int | float | str
Limit: TypeAlias = Decimal | int | float | tuple[str, ...]

# How many near names a sentence can hold.
_MOST_NEAR = 5


class IBKRError(Exception):
    """Something went wrong between the caller and Interactive Brokers.

    Attributes:
        endpoint: ``METHOD /path/{template}`` of the call, or empty.
        status: The HTTP status, where there was an answer.
        text: IBKR's own words, redacted.
        remedy: What to do about it.
        repeatable: Whether the same call may be made again without a change.
    """

    repeatable_by_kind = False

    def __init__(
        self,
        message: str,
        *,
        endpoint: str = "",
        status: int | None = None,
        text: str = "",
        remedy: str = "",
        repeatable: bool | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.status = status
        self.text = redact(text)
        self.remedy = redact(remedy)
        self.repeatable = self.repeatable_by_kind if repeatable is None else repeatable
        self.message = redact(message)
        super().__init__(f"{self.message} {self.remedy}" if remedy else self.message)

    def again(self, remedy: str = "") -> Self:
        """Copy it for another thread, because two must not share a traceback; ``remedy`` is added to its own."""
        more = f"{self.remedy} {redact(remedy)}".strip()
        copy = type(self).__new__(type(self), f"{self.message} {more}" if more else self.message)
        copy.__dict__.update(self.__dict__)
        copy.remedy = more
        return copy

    def tell_also(self, fact: str) -> None:
        """Add to it, whatever its kind, what had been done before it was raised."""
        self.message = f"{self.message} {redact(fact)}"
        self.args = (f"{self.message} {self.remedy}" if self.remedy else self.message,)

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it cross to another process whole: one that a pool's worker raises is pickled there."""
        # By its text alone, as Exception has it, no class could be made that needs more than a text.
        return _revived, (type(self), self.args), self._told()

    def _told(self) -> dict[str, Any]:
        return dict(self.__dict__)


def _revived(kind: type[IBKRError], said: tuple[Any, ...]) -> IBKRError:
    return kind.__new__(kind, *said)


class ConfigurationError(IBKRError):
    """A person must change settings, keys or trust; nothing was sent."""


class SessionError(IBKRError):
    """There is no session that could carry the call."""


class AuthenticationError(SessionError):
    """IBKR does not accept the credentials."""


class LoginRequired(SessionError):
    """A person must log in to the gateway; nothing was done for this call."""


class CompetingSession(SessionError):
    """Another login of the same user holds the brokerage session; nothing was done."""


class LoginInUse(SessionError):
    """Another process of this machine is logged in with the same credentials; nothing was done."""


class BrokerageUnavailable(SessionError):
    """The brokerage session is down for now and is being restored; nothing was done.

    ``maintenance`` where IBKR says so, or where its calendar has it at this hour; ``reopens_at`` is
    when it should be over then, as far as the calendar knows.
    """

    repeatable_by_kind = True

    def __init__(
        self, message: str, *, maintenance: bool = False, reopens_at: datetime | None = None, **about: Any
    ) -> None:
        self.maintenance = maintenance
        self.reopens_at = reopens_at
        super().__init__(message, **about)


class TransportError(IBKRError):
    """The connection failed."""


class NotSent(TransportError):
    """The request provably never left this machine in full: IBKR has not acted on it.

    ``unreachable`` where nobody was there to take it: trying again at once would be in vain.
    """

    repeatable_by_kind = True

    def __init__(self, message: str, *, unreachable: bool = False, **about: Any) -> None:
        self.unreachable = unreachable
        super().__init__(message, **about)


class OutcomeUnknown(TransportError):
    """The request left, and no usable answer came: IBKR may or may not have acted on it."""


class Throttled(IBKRError):
    """IBKR's pacing limit stands in the way; nothing may be sent before ``retry_at``.

    ``retry_at`` is seconds from now.
    """

    def __init__(self, message: str, *, retry_at: float, **about: Any) -> None:
        self.retry_at = retry_at
        super().__init__(message, **about)


class ApiError(IBKRError):
    """IBKR answered no."""


class UnexpectedAnswer(ApiError):
    """IBKR answered in a shape that nobody knows; no meaning was guessed into it."""


class InvalidRequest(IBKRError):
    """What was asked for makes no sense or goes past IBKR's limits, and nothing was sent.

    ``near`` has names that come close. Orders have :class:`InvalidOrder`.
    """

    def __init__(self, message: str, *, near: Sequence[str] = (), **about: Any) -> None:
        self.near = tuple(near)
        if near and not about.get("remedy"):
            about["remedy"] = f"Perhaps {' or '.join(self.near[:_MOST_NEAR])} is meant."
        super().__init__(message, **about)


class ContractError(IBKRError):
    """The instrument could not be told; nothing was sent."""


class ContractNotFound(ContractError):
    """No contract fits; ``near`` has names that come close."""

    def __init__(self, message: str, *, near: Sequence[str] = (), **about: Any) -> None:
        self.near = tuple(near)
        if near and not about.get("remedy"):
            about["remedy"] = f"Perhaps {' or '.join(self.near[:_MOST_NEAR])} is meant."
        super().__init__(message, **about)


class AmbiguousContract(ContractError):
    """Several contracts fit; they are in ``candidates``, each with what to write to pick it."""

    def __init__(self, message: str, *, candidates: Sequence[Candidate] = (), **about: Any) -> None:
        self.candidates = tuple(candidates)
        super().__init__(message, **about)


class OrderError(IBKRError):
    """An order was not carried out as asked."""


class InvalidOrder(OrderError):
    """The order makes no sense or breaks the contract's rules; nothing was sent."""


class MarketClosed(InvalidOrder):
    """A market entry was asked for outside trading hours; nothing was sent.

    ``next_open`` is when it could be sent again, where IBKR's schedule reaches so far.
    """

    def __init__(self, message: str, *, next_open: datetime | None = None, **about: Any) -> None:
        self.next_open = next_open
        super().__init__(message, **about)


class GuardrailRefused(InvalidOrder):
    """A guardrail of the settings stands in the way, or the kill switch; nothing was sent.

    ``rule`` is the guardrail's name in the settings (``kill_switch`` for the switch), ``figure`` what
    it looked at, ``limit`` what it allows; they are ``None`` where there is none, as of a price that
    could not be read. Cancels, closes and exits only meet ``read_only`` and ``dry_run``.
    """

    def __init__(
        self,
        message: str,
        *,
        rule: str = "",
        figure: Figure | None = None,
        limit: Limit | None = None,
        **about: Any,
    ) -> None:
        self.rule = rule
        self.figure = figure
        self.limit = limit
        super().__init__(message, **about)


class OrderRejected(OrderError):
    """IBKR or the exchange refused, in its own words (``text``); nothing is working."""


class QuestionRefused(OrderError):
    """IBKR asked what the reply policy does not allow; the order, or the change to it, was declined.

    ``message_ids`` and ``question`` hold what it asked, and ``remedy`` the setting that would
    allow it.
    """

    def __init__(self, message: str, *, question: str, message_ids: Sequence[str] = (), **about: Any) -> None:
        self.question = redact(question)
        self.message_ids = tuple(message_ids)
        super().__init__(message, **about)


class PartlyPlaced(OrderError):
    """Some legs stand at the broker and others do not.

    ``placed`` maps the leg's name to its order id, ``missing`` names the legs that do not stand,
    and ``naked_quantity`` is how much of the position has no stop: 0 where all of it has one, ``None``
    where nobody can tell.
    """

    def __init__(
        self,
        message: str,
        *,
        placed: Mapping[str, str],
        missing: Sequence[str],
        naked_quantity: Decimal | None = None,
        **about: Any,
    ) -> None:
        self.placed = dict(placed)
        self.missing = tuple(missing)
        self.naked_quantity = naked_quantity
        super().__init__(message, **about)


class OrderOutcomeUnknown(OrderError):
    """The order was sent and no answer came: it may be working, filled or absent.

    Never send it again: look it up by ``coid`` with ``IBKRExchange.find_order``, or call
    :meth:`resolve`, which does that in the process that sent it. Where the lost call was a modify or
    a cancel, ``order_id`` names the order.
    """

    def __init__(
        self,
        message: str,
        *,
        coid: str,
        sent_at: datetime,
        order_id: str | None = None,
        resolver: Callable[[], Placed | Order | None] | None = None,
        **about: Any,
    ) -> None:
        self.coid = coid
        self.sent_at = sent_at
        self.order_id = order_id
        self._resolver = resolver
        super().__init__(message, **about)

    def resolve(self) -> Placed | Order | None:
        """Look once more what became of it; the request is never sent again.

        A bracket that is found without a leg is put right as at first, which may send a stop.

        Returns:
            What the call would have returned: a ``Placed`` for a placement, an ``Order`` for a modify or a
            cancel, or ``None`` where IBKR does not give that order. What an earlier process had sent
            (``Unsettled.resolve`` raised this) is an ``Order``, or ``None``: nothing of it works.

        Raises:
            OrderRejected: It is proven absent, or was refused; nothing of it is working.
            QuestionRefused: It had been declined, and nothing of it is working.
            PartlyPlaced: Some legs of it stand and others do not.
            OrderOutcomeUnknown: Nobody can tell yet.
        """
        if self._resolver is None:
            raise self
        return self._resolver()

    def _told(self) -> dict[str, Any]:
        # What can look once more is this process's connection.
        return super()._told() | {"_resolver": None}


class MarketDataError(IBKRError):
    """Prices, bars or scans could not be had as asked; nothing changed at the broker."""


class NoMarketData(MarketDataError):
    """IBKR has nothing of what was asked for; asking again brings the same."""


class StreamError(IBKRError):
    """The stream cannot deliver."""


class StreamClosed(StreamError):
    """The stream was closed or lost for good."""


class StreamStale(StreamError):
    """Nothing has arrived for longer than the subscription allows."""


@contextmanager
def telling(done: str) -> Iterator[None]:
    """Have every error say what was ``done`` before it: that nothing was sent is true of its own order only."""
    try:
        yield
    except IBKRError as failure:
        if done:
            failure.tell_also(done)
        raise


def quoted(value: object, most: int = 40) -> str:
    """Show a wrong value in a message, cut to ``most`` characters.

    What cannot be shown (a whole number of thousands of digits is one) is named by its type, so that
    the refusal is no error of Python's.
    """
    try:
        return repr(value)[:most]
    except Exception:  # noqa: BLE001  (whatever the value's own repr raises)
        return f"of the type {type(value).__name__}, which cannot be shown,"
