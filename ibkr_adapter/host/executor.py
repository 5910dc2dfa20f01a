"""Take a trading webhook in: who sent it, whether it is a repeat, what it may; and have it carried out.

The whole life of a webhook, in order: its secret, its words (:mod:`.webhook`), whom it is for, the
book (:mod:`.book`), the user's limits (:mod:`.limits`), the decision and the order (:mod:`.carrying`),
and the book again. What was sent is written before it is sent, so that a process that dies leaves
behind what it was about to do: an entry is looked up then by the name that it was given, and never
sent again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from ibkr_adapter.clock import Clock, SystemClock
from ibkr_adapter.errors import (
    AuthenticationError,
    ConfigurationError,
    ContractError,
    IBKRError,
    InvalidOrder,
    OrderError,
    OrderOutcomeUnknown,
    OutcomeUnknown,
)
from ibkr_adapter.own_orders import COID_PREFIX
from ibkr_adapter.setting_readers import Environment
from ibkr_adapter.settings import Settings
from ibkr_adapter.state import state_directory

from . import failures
from .book import DONE, FAILED, REFUSED, Arrival, Entry, Step, Told, WebhookBook, shared_book
from .carrying import Carrier, Exchange
from .fields import field_of
from .limits import RiskLimits
from .noted import CLOSE, Noted
from .results import recovered
from .values import NOTHING_SENT, refusal
from .webhook import Action, Webhook, masked, parse, read_webhook

log = logging.getLogger(__name__)

EXCHANGE_NAMES = frozenset({"ibkr", "interactive-brokers", "interactive_brokers"})

_MACHINE = SystemClock()
_MINUTE = timedelta(minutes=1)


class TradeExecutor:
    """Webhooks in, orders out, for one exchange object; free to make for every webhook.

    Args:
        exchange: What it trades on.
        clock: Times the wait for a position to be gone in a reversal, and the ten seconds in which
            equal webhooks are one.
        book: Where webhooks are kept; the one of the exchange's state folder if unset.
        limits: What this user's webhooks may open; a mapping under the host's names, or none.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        clock: Clock | None = None,
        book: WebhookBook | None = None,
        limits: RiskLimits | Mapping[str, Any] | None = None,
    ) -> None:
        self._exchange = exchange
        self._clock = clock or _MACHINE
        self._given_book = book
        self._limits = RiskLimits.of(limits)

    def execute_webhook(
        self,
        payload: Mapping[str, Any] | str | bytes,
        user_id: str | None = None,
        *,
        webhook_id: str | None = None,
    ) -> dict[str, Any]:
        """Carry out one webhook, once.

        Blocks until IBKR has acknowledged or refused what it led to; nothing waits for a fill,
        except that a reversal waits until the former position is gone. A webhook for a symbol for
        which another one is at work waits for that one.

        Args:
            payload: The JSON text as it was posted, or the mapping it stands for.
            user_id: Whose webhook it is, where the host knows.
            webhook_id: What tells it from every other one, where the payload does not say. Without
                one, the same content within ten seconds is the same webhook.

        Returns:
            What the host expects: ``success``, ``action`` (``opened``, ``closed``,
            ``partially_closed``, ``skipped``, ``none``), ``symbol``, ``side``, ``quantity``,
            ``orderId``, ``order_id``, ``stopLossOrderId``, ``takeProfitOrderId``, ``fill_price``,
            ``position``, and ``ignored``, the keys that changed nothing. Prices are decimal texts,
            quantities and ``fill_price`` are numbers; all of it goes into JSON as it is. A repeat is
            answered as the first one was, with ``repeated``, and sends nothing.

        Raises:
            AuthenticationError: The secret is missing or wrong; nothing was sent.
            InvalidOrder: The webhook makes no sense, or its id was given to another one; nothing was sent.
            ContractError: Its fields name no contract, or several, which are in ``candidates``; nothing was sent.
            GuardrailRefused: A limit of the user's stands in the way; nothing was sent.
            IBKRError: What the exchange raised, or had raised for the first of equal webhooks. Where
                the webhook had already closed a position, the message ends by saying so.
        """
        fields = parse(payload)
        self._check_secret(fields.get("secret"))
        tenant = self._tenant(user_id)
        came = masked(fields)
        try:
            webhook = read_webhook(fields)
            self._check_addressee(webhook, user_id)
            webhook = self._named(webhook)
            arrival = _arrival(tenant, webhook, came, webhook_id)
        except (InvalidOrder, ContractError) as error:
            self._book().turn_away(tenant, _json(came), failures.written(error))
            raise
        admitted = self._admit(webhook, arrival)
        if isinstance(admitted, Told):
            return _again(admitted)
        result = self._carry_out(webhook, arrival, admitted)
        log.info(
            "webhook carried out",
            extra={"symbol": webhook.symbol, "action": result["action"], "order_id": result.get("orderId")},
        )
        return result

    def audit(self, user_id: str | None = None, *, limit: int = 100) -> list[dict[str, Any]]:
        """The latest webhooks of a user on this login, newest first, without secrets."""
        return self._book().audit(self._tenant(user_id), limit=limit)

    # Who ------------------------------------------------------------------------------------

    def _check_secret(self, secret: Any) -> None:
        expected = self._exchange.settings.webhook_secret
        if expected is None:
            return
        given = secret if isinstance(secret, str) else ""
        # Bytes, because texts beyond ASCII cannot be compared in constant time.
        if not hmac.compare_digest(
            given.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass")
        ):
            what = "is not the configured one" if given else "is missing"
            raise AuthenticationError(
                f"the webhook's secret {what}. {NOTHING_SENT}",
                remedy="Send the text of the setting webhook_secret as secret.",
            )

    def _check_addressee(self, webhook: Webhook, user_id: str | None) -> None:
        if webhook.exchange is not None and webhook.exchange.lower() not in EXCHANGE_NAMES:
            raise refusal(f"exchange {webhook.exchange} is not traded here: it must be ibkr")
        if user_id is not None and webhook.user_id is not None and webhook.user_id != str(user_id):
            raise refusal("user_id is not the user that this webhook was accepted for")
        if webhook.environment is None:
            return
        try:
            wanted = Settings.of({"environment": webhook.environment}).environment
        except ConfigurationError:
            raise refusal(
                f"environment {webhook.environment} is unknown: it must be production, paper, sandbox or testnet"
            ) from None
        if wanted is Environment.PAPER and self._exchange.settings.environment is Environment.PRODUCTION:
            raise refusal(
                f"environment {webhook.environment} asks for a paper account, and this one trades a live account"
            )

    def _named(self, webhook: Webhook) -> Webhook:
        """Give a contract that fields name the symbol that hosts have for it, so that all its spellings are one."""
        if webhook.contract is None:
            return webhook
        return attrs.evolve(webhook, symbol=self._exchange.host_symbol(webhook.contract), contract=None)

    def _tenant(self, user_id: str | None) -> str:
        """Whose webhooks are told apart from all others': a user's on one account of one login."""
        settings = self._exchange.settings
        login = hashlib.sha256("\n".join(map(str, settings.login_name())).encode()).hexdigest()[:16]
        named = [str(user_id or ""), f"{settings.auth_method}-{login}", settings.account_id or ""]
        return "/".join(named)

    # Once -----------------------------------------------------------------------------------

    def _book(self) -> WebhookBook:
        if self._given_book is not None:
            return self._given_book
        return shared_book(state_directory(self._exchange.settings.state_dir, os.environ), self._clock)

    def _admit(self, webhook: Webhook, arrival: Arrival) -> Entry | Told:
        try:
            return self._book().admit(arrival, within=self._exchange.settings.order_deadline)
        except ConfigurationError as reason:
            if webhook.action is not Action.CLOSE:
                raise
            # A second close finds nothing to close; a close that is not made leaves a position.
            log.warning("a close is carried out without the book of webhooks: %s", reason.message)
            return Entry.unwritten()

    def _carry_out(self, webhook: Webhook, arrival: Arrival, entry: Entry) -> dict[str, Any]:
        noted = Noted(self._exchange, entry)
        try:
            result = None if not entry.steps else self._look(webhook, entry)
            if result is None:
                coid = _coid(arrival, entry)
                result = Carrier(
                    noted,
                    self._clock,
                    coid=coid,
                    limits=self._limits,
                    permit=self._permit(arrival),
                ).carry_out(webhook)
        except _StillOpen as unknown:
            # It stays open: its next repeat looks again.
            raise unknown.error from unknown.error.__cause__
        except IBKRError as error:
            state = REFUSED if _nothing_stands(entry, noted, error) else FAILED
            entry.end(state, failures.written(error))
            raise
        else:
            entry.end(DONE, result)
            return result
        finally:
            entry.leave()

    def _permit(self, arrival: Arrival) -> Callable[[Webhook], None]:
        """What an entry is held against before anything is asked or sent for it."""
        limits, book = self._limits, self._book()

        def permit(webhook: Webhook) -> None:
            now = self._clock.now()
            limits.check(webhook, now)
            if limits.max_webhooks_per_minute is not None:
                # This one is written already.
                came = book.count(arrival.tenant, since=now - _MINUTE) - 1
                limits.check_count("max_webhooks_per_minute", came)
            if limits.max_entries_per_day is not None:
                midnight = datetime(now.year, now.month, now.day, tzinfo=UTC)
                opened = book.count(arrival.tenant, since=midnight, action="opened")
                limits.check_count("max_entries_per_day", opened)

        return permit

    # After a death ----------------------------------------------------------------------------

    def _look(self, webhook: Webhook, entry: Entry) -> dict[str, Any] | None:
        """Find out what a dead process had sent; ``None`` where the webhook may be carried out as if new.

        A close of the whole position may be made again: it closes what is still there. An entry is only
        looked up.
        """
        last = entry.steps[-1]
        if last.call == CLOSE and not _is_part(last):
            return None
        if last.call == CLOSE:
            raise OrderError(
                f"the process that was closing {last.arguments['quantity']} {webhook.symbol} for this webhook ended"
                " in the midst of it, and a part is not closed again; nothing was sent now.",
                remedy="Look at the position and at its orders, and send a webhook with another id.",
            )
        return self._find(webhook, last)

    def _find(self, webhook: Webhook, last: Step) -> dict[str, Any]:
        coid = str(last.arguments.get("coid"))
        try:
            order = self._exchange.find_order(coid)
            working = [] if order is None else self._exchange.get_open_orders(webhook.symbol)
        except IBKRError as error:
            # What cannot be looked up may stand all the same.
            raise _StillOpen(error) from error
        if order is None:
            raise _StillOpen(
                OrderOutcomeUnknown(
                    f"the process that was sending order {coid} for this webhook ended in the midst of it, and IBKR"
                    " does not list the order now; nothing was sent now.",
                    coid=coid,
                    sent_at=self._clock.now(),
                    remedy="Look once more by sending this webhook again, or send one with another id.",
                )
            )
        exits = [child for child in working if child.get("parentId") == order.get("orderId")]
        return recovered(webhook, order, exits)


class _StillOpen(Exception):  # noqa: N818  (never leaves this room)
    """Carries an error past the writing of an end."""

    def __init__(self, error: IBKRError) -> None:
        self.error = error
        super().__init__(str(error))


def _is_part(step: Step) -> bool:
    """Tell whether a call closed a part, which cannot be made again as the close of a whole can."""
    return step.call == CLOSE and step.arguments.get("quantity") is not None


def _nothing_stands(entry: Entry, noted: Noted, error: IBKRError) -> bool:
    """Tell whether a webhook that failed may be carried out when it comes again."""
    if noted.done:
        return False
    if noted.failed is None:
        # A part that a dead process was closing may be closed.
        return not any(_is_part(step) for step in entry.steps)
    if noted.failed.call == CLOSE and noted.failed.arguments.get("quantity") is None:
        return not isinstance(error, (OrderOutcomeUnknown, OutcomeUnknown))
    if noted.failed.call == CLOSE:
        return isinstance(error, InvalidOrder)
    return isinstance(error, failures.NOTHING_LEFT)


def _again(told: Told) -> dict[str, Any]:
    """Answer a repeat as the first one was answered."""
    if told.state == FAILED:
        raise failures.read(told.answer, since="This is what the first of equal webhooks came to.")
    return told.answer | {"repeated": True}


def _arrival(tenant: str, webhook: Webhook, came: Mapping[str, Any], given_id: str | None) -> Arrival:
    name = webhook.webhook_id if given_id is None else str(given_id)
    if given_id is not None and webhook.webhook_id not in {None, name}:
        raise refusal("webhook_id of the payload is not the one that this webhook came under")
    # What was said counts, not how: the words' order, and whether a number was a text.
    said = attrs.asdict(attrs.evolve(webhook, secret=None, webhook_id=None, ignored=()))
    said |= {key: str(value) for key, value in came.items() if field_of(key) is None}
    content = hashlib.sha256(json.dumps(said, default=_canonical, sort_keys=True).encode()).hexdigest()
    return Arrival(tenant=tenant, symbol=webhook.symbol.upper(), name=name, content=content, came=_json(came))


def _canonical(value: Any) -> str:
    return str(value.normalize())


def _json(came: Mapping[str, Any]) -> str:
    return json.dumps(came, default=str)


def _coid(arrival: Arrival, entry: Entry) -> str:
    """Name the webhook's entry at the broker, unlike any other."""
    told = f"{arrival.tenant}\n{arrival.content}\n{entry.number}\n{entry.came_at}"
    return f"{COID_PREFIX}w{hashlib.sha256(told.encode()).hexdigest()[:25]}"
