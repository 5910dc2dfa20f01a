"""Hold what one object sends against its guardrails, below the strategy and above the order desk.

Entries and changes that add to risk are refused here, on the ticket that would leave; nothing that
only reduces is, by whatever method it comes. A figure that cannot be read refuses, because nobody
knows then whether the limit holds. ``read_only`` refuses every change, cancels included, and
``dry_run`` is :mod:`ibkr_adapter.rehearsal`.

With no guardrail set and the kill switch off nothing is read that would not be read anyway.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ibkr_adapter.brakes import EntryCount
from ibkr_adapter.connection import Connection
from ibkr_adapter.errors import GuardrailRefused, IBKRError
from ibkr_adapter.model import guardrails as bounds
from ibkr_adapter.model.order import Ticket
from ibkr_adapter.price_rules import Effect, PriceRules, refused, too_many
from ibkr_adapter.settings import Settings
from ibkr_adapter.wire import endpoints
from ibkr_adapter.wire.endpoints import Endpoint

log = logging.getLogger(__name__)

_PLACING = frozenset(
    endpoint.template
    for endpoint in (
        endpoints.PLACE_ORDERS,
        endpoints.PLACE_ORDERS_FOR_GROUP,
        endpoints.PLACE_ORDER,
        endpoints.MODIFY_ORDER,
        endpoints.FA_MODEL_INVEST,
        endpoints.FA_MODEL_SUBMIT,
    )
)
_LISTED = frozenset(endpoint.template for endpoint in endpoints.ENDPOINTS)


def could_place(endpoint: Endpoint) -> bool:
    """Whether a call by hand places or modifies an order, or nobody knows that it does not."""
    unlisted = endpoint.template not in _LISTED
    return endpoint.method != "DELETE" and (unlisted or endpoint.template in _PLACING)


class Guard:
    """The guardrails of one object over one connection."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection = connection
        self._limits = settings.guardrails
        self._prices = PriceRules(connection, settings)
        # What is rehearsed was not sent, and must not use up what others may send.
        self._entries = EntryCount(connection.clock) if self.dry_run else connection.brakes.entries

    @property
    def dry_run(self) -> bool:
        """Whether nothing is sent."""
        return self._limits.dry_run

    def stopped(self) -> str | None:
        """Why the kill switch is on for this object, or ``None`` if it is off."""
        return self._connection.brakes.kill_switch.why(self._limits.kill_switch_file)

    # Every change -------------------------------------------------------------------------

    def check_writable(self, what: str) -> None:
        """Refuse a change of whatever kind, where nothing may be changed.

        Raises:
            GuardrailRefused: ``read_only`` is set; nothing was sent.
        """
        if self._limits.read_only:
            raise refused(
                "read_only", f"this object may only read, and {what} is a change", figure=what, remedy=""
            )

    def check_request(self, endpoint: Endpoint) -> None:
        """Refuse a call by hand that could go past the guardrails.

        Nobody reads what is in it, so an order by this road cannot be checked.

        Raises:
            GuardrailRefused: It changes something and nothing may be changed or sent, or it places or
                modifies an order and there is a limit or the kill switch is on; nothing was sent.
        """
        self.check_writable(endpoint.name)
        if self.dry_run:
            raise refused(
                "dry_run",
                f"this object sends nothing, and {endpoint.name} cannot be rehearsed",
                figure=endpoint.name,
                remedy="Use the methods of ibkr.orders, which say what they would send.",
            )
        if not could_place(endpoint):
            return
        stopped = self.stopped()
        if stopped is not None:
            raise refused("kill_switch", f"{stopped}, and {endpoint.name} cannot be checked", figure=stopped)
        if self._limits.bound_entries:
            raise refused(
                self._limits.names[0],
                f"{' and '.join(self._limits.names)} bound entries, and an order by {endpoint.name}"
                " cannot be held against them",
                figure=endpoint.name,
                remedy="Use the methods of ibkr.orders.",
            )

    # Entries and what adds to them --------------------------------------------------------

    def check_entry(self, ticket: Ticket, effect: Effect, *, opens: bool = False) -> bool:
        """Hold an entry against every guardrail, and count it.

        Args:
            ticket: What would leave, rounded; of a bracket the entry, whose exits are no larger.
            effect: By how much it changes the position in each contract it trades in.
            opens: Whether it may open a position whatever is held, as a bracket's exits could.

        Returns:
            Whether it may leave as an entry; where not, it may only because it reduces what is held now.

        Raises:
            GuardrailRefused: It breaks one, or what must be known for that cannot be read; nothing was sent.
        """
        limit, found = self._limits.orders_per_minute, self._entries.now()
        crowded = self._too_often(found) if limit is not None and found >= limit else None
        if self._pass(ticket, effect, crowded, opens=opens):
            over = self._entries.book(limit)
            if over is None:
                return True
            if opens or not self._is_close(effect, None):
                raise self._too_often(over)
        return False

    def check_change(self, order_id: str, old: Ticket, new: Ticket, effect: Callable[[], Effect]) -> None:
        """Hold a modified order against the guardrails; it counts as no further entry.

        Args:
            order_id: The order's id.
            old: The order as it was sent.
            new: As it would be.
            effect: Finds by how much the whole of it changes the position in each contract.

        Raises:
            GuardrailRefused: As for an entry; the order stands as it was.
        """
        if bounds.is_lowered(old, new) or bounds.is_exit(old, new):
            return
        if self._limits.bound_entries or self.stopped() is not None:
            self._pass(new, effect(), None, order_id=order_id)

    def _pass(
        self,
        ticket: Ticket,
        effect: Effect,
        refusal: GuardrailRefused | None,
        *,
        opens: bool = False,
        order_id: str | None = None,
    ) -> bool:
        """Raise what stands in the way; tell whether it is an entry, and not a close by another name."""
        refusal = self._at_once(ticket, effect) or refusal
        asks = self._asks(ticket)
        if refusal is None and not asks:
            return True
        # First of all: what only reduces is not kept waiting for prices and profits.
        if not opens and self._is_close(effect, order_id):
            return False
        if refusal is not None:
            raise refusal
        for ask in asks:
            ask(ticket, effect)
        return True

    def _is_close(self, effect: Effect, order_id: str | None) -> bool:
        try:
            return self._connection.holdings.only_reduces(
                [(terms.account, terms.contract.conid, change) for terms, change in effect],
                self._connection.exits.position,
                order_id,
            )
        except IBKRError as failure:
            log.warning("whether an order only reduces cannot be read: %s", failure)
            return False

    def _at_once(self, ticket: Ticket, effect: Effect) -> GuardrailRefused | None:
        """What stands in the way as far as nobody need be asked."""
        limits = self._limits
        stopped = self.stopped()
        if stopped is not None:
            return refused("kill_switch", f"the kill switch is on: {stopped}", figure=stopped)
        if limits.allowed_accounts is not None and ticket.account.upper() not in limits.allowed_accounts:
            listed = ", ".join(limits.allowed_accounts)
            return refused(
                "allowed_accounts",
                f"account {ticket.account} is not among {listed}",
                figure=ticket.account,
                limit=limits.allowed_accounts,
            )
        if limits.max_quantity is None:
            return None
        sizes = [(terms.contract.symbol, abs(change)) for terms, change in effect if change is not None]
        if ticket.fx_quantity is not None:
            sizes.append((f"{effect[0][0].contract.symbol} (money)", ticket.fx_quantity))
        for symbol, size in sizes:
            if size > limits.max_quantity:
                return too_many(symbol, size, limits.max_quantity)
        return None

    def _asks(self, ticket: Ticket) -> list[Callable[[Ticket, Effect], None]]:
        limits = self._limits
        asks: list[tuple[Any, Callable[[Ticket, Effect], None]]] = [
            (limits.allowed_symbols, self._check_symbols),
            (ticket.cash_quantity and limits.max_quantity, self._prices.check_cash),
            (bounds.priced(ticket) and limits.price_collar, self._prices.check_collar),
            (limits.max_notional, self._prices.check_notional),
            (limits.daily_loss, self._check_loss),
        ]
        return [ask for limit, ask in asks if limit]

    # One rule each ------------------------------------------------------------------------

    def _too_often(self, found: int) -> GuardrailRefused:
        limit = self._limits.orders_per_minute
        return refused(
            "orders_per_minute",
            f"{found} entries have left in the last minute, and {limit} are allowed",
            figure=found,
            limit=limit,
            repeatable=True,
        )

    def _check_symbols(self, _: Ticket, effect: Effect) -> None:
        named = self._limits.allowed_symbols or ()
        wanted = {terms.contract.conid: terms.contract.symbol for terms, _change in effect}
        unknown: list[str] = []
        for spelling in named:
            try:
                found = self._connection.conids.resolve(spelling, for_trading=False)
            except IBKRError as failure:
                unknown.append(f"{spelling} ({failure.message})")
                continue
            wanted.pop(found.conid, None)
            if not wanted:
                return
        conid, symbol = next(iter(wanted.items()))
        blind = f"; of these IBKR does not tell the contract: {'; '.join(unknown)}" if unknown else ""
        raise refused(
            "allowed_symbols",
            f"{symbol} (contract {conid}) is not among {', '.join(named)}{blind}",
            figure=symbol,
            limit=named,
        )

    def _check_loss(self, ticket: Ticket, _: Effect) -> None:
        limit = self._limits.daily_loss
        if limit is None:
            return
        why = "IBKR does not tell it"
        rows: Sequence[Any] = ()
        about: Mapping[str, Any] = {}
        try:
            rows = self._connection.profits.rows(ticket.account)
        except IBKRError as failure:
            why, about = failure.message, {"text": failure.text, "repeatable": failure.repeatable}
        figures = [row.daily for row in rows]
        if not figures or None in figures:
            raise refused(
                "daily_loss",
                f"today's profit of {ticket.account} cannot be read ({why})",
                limit=limit,
                **about,
            )
        profit = sum(figures, Decimal(0))
        if profit <= -limit:
            raise refused(
                "daily_loss",
                f"account {ticket.account} has lost {-profit:f} today, and {limit:f} are allowed",
                figure=-profit,
                limit=limit,
            )
