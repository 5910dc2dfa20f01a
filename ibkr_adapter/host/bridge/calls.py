"""Do one call on the exchange and turn whatever comes of it into an outcome.

A change is done under its key. Asked for again it is answered as before; where nobody knows what
became of it, an entry is asked for again under the same client order id, which looks it up and
sends it only once it is proven absent; a cancel is made again, and so is a webhook with an id, which
is carried out once; anything else is left alone and the client is told to look. What provably sent nothing may be made again under its key.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from ibkr_adapter.errors import (
    ConfigurationError,
    ContractError,
    IBKRError,
    InvalidOrder,
    NotSent,
    OrderOutcomeUnknown,
    OutcomeUnknown,
    SessionError,
    Throttled,
)
from ibkr_adapter.host.executor import TradeExecutor
from ibkr_adapter.host.fields import field_of

from . import frames
from .frames import Code
from .keys import Earlier
from .methods import Kind, Method, said

if TYPE_CHECKING:
    from .sessions import Session

log = logging.getLogger(__name__)

# By their meaning nothing was sent.
_NOTHING_SENT = (InvalidOrder, ContractError, ConfigurationError, NotSent, SessionError, Throttled)
_UNKNOWN = (OrderOutcomeUnknown, OutcomeUnknown)

Outcome = dict[str, Any]
INTERNAL = frames.error(
    Code.INTERNAL, "The bridge made a mistake; its log has more. Look at your orders before you go on."
)


@attrs.define(kw_only=True, eq=False)
class Work:
    """One thing to do for everyone who asked for it; guarded by the dispatcher's lock."""

    session: Session
    method: Method
    arguments: dict[str, Any]
    key: str | None = None
    asked: str = ""
    waiters: list[Any] = attrs.field(factory=list)
    is_running: bool = False
    outcome: Outcome = attrs.field(factory=lambda: INTERNAL)

    @property
    def changes(self) -> bool:
        """Whether it may change something at the broker."""
        return self.method.kind is not Kind.READ


def perform(work: Work) -> Outcome:
    """Do it; this blocks."""
    if work.key is None:
        return _ask(work, work.arguments)[0]
    try:
        earlier = _begin(work)
    except IBKRError as failure:
        return frames.failure(failure)
    if earlier is not None and earlier.outcome is not None:
        return earlier.outcome
    if earlier is not None and not _may_ask_again(work):
        told = earlier.told or frames.failure(_unknown(work, earlier))
        _keep(work, lambda: work.session.keys.leave(work.session.scope, work.key or "", told))
        return told
    named = {"coid": work.key} if work.method.kind is Kind.ENTRY else {}
    outcome, reason = _ask(work, work.arguments | named)
    _end(work, outcome, reason)
    return outcome


def _may_ask_again(work: Work) -> bool:
    """Whether the exchange itself knows the call again, or making it twice does no harm."""
    # A webhook with an id is in the executor's own book.
    return work.method.kind is not Kind.CHANGE or _has_webhook_id(work.arguments)


def _has_webhook_id(arguments: Mapping[str, Any]) -> bool:
    """Whether a webhook is told from every other one, by an argument or by itself."""
    if "webhook_id" in arguments:
        return True
    fields = said(arguments.get("payload")).items()
    return any(field_of(key) == "webhook_id" and str(value or "").strip() for key, value in fields)


def _begin(work: Work) -> Earlier | None:
    keys, scope, key = work.session.keys, work.session.scope, work.key or ""
    try:
        return keys.begin(scope, key, work.asked)
    except ConfigurationError:
        # A cancel reduces what may happen, so it goes out without being written down.
        if work.method.kind is Kind.CANCEL:
            return None
        raise


def _end(work: Work, outcome: Outcome, failure: IBKRError | None) -> None:
    keys, scope, key = work.session.keys, work.session.scope, work.key or ""
    if isinstance(failure, _UNKNOWN):
        _keep(work, lambda: keys.leave(scope, key, outcome))
    elif isinstance(failure, _NOTHING_SENT):
        _keep(work, lambda: keys.forget(scope, key))
    else:
        _keep(work, lambda: keys.end(scope, key, outcome))


def _keep(work: Work, write: Callable[[], None]) -> None:
    try:
        write()
    except ConfigurationError as failure:
        # It is done, and the client must hear how; the key is then one of which nobody knows.
        log.warning("how %s ended could not be kept: %s", work.method.name, failure)


def _ask(work: Work, arguments: dict[str, Any]) -> tuple[Outcome, IBKRError | None]:
    exchange = work.session.exchange
    try:
        if work.method.name == "executeWebhook":
            found: Any = TradeExecutor(exchange, clock=work.session.clock).execute_webhook(**arguments)
        else:
            found = getattr(exchange, work.method.attribute)(**arguments)
    except IBKRError as failure:
        return frames.failure(failure), failure
    return {"result": found}, None


def _unknown(work: Work, earlier: Earlier) -> OrderOutcomeUnknown:
    return OrderOutcomeUnknown(
        f"{work.method.name} was begun under the key {work.key} at {earlier.begun_at}, and nobody knows"
        " how it ended; this call sent nothing.",
        # What was sent of it, if anything, bears ids of its own.
        coid="",
        sent_at=datetime.fromisoformat(earlier.begun_at),
        remedy="Look at positions and open orders, then decide; a new call has a new key.",
    )
