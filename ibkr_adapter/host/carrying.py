"""Decide from the position what a webhook means, and order it.

Knows the host's rules: one position a symbol, a repeat of the same side is skipped, the other side
closes first, exits go out with their entry as one submission. Figures are worked out by :mod:`.plan`;
ticks, whole shares, questions and lost answers are the exchange's, whose errors pass through here
unchanged but for a sentence on what this webhook had already done. Who may send a webhook, and whether
it is a repeat, was found out before, by :mod:`.executor`.

The rules are the host's own, observed by running it; where it leaves a position without the
protection that was asked for, this refuses instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import OrderError, UnexpectedAnswer, telling
from ibkr_adapter.model.order import Side
from ibkr_adapter.model.query import ContractQuery
from ibkr_adapter.model.sizing import Sizing
from ibkr_adapter.settings import Settings
from ibkr_adapter.shapes import DRY_RUN

from .limits import RiskLimits
from .plan import Plan, needs_market_price, needs_sizing, needs_smallest, part_to_close, plan_entry
from .results import closed, nothing_to_close, opened, skipped
from .values import refusal
from .webhook import Action, EntryType, Webhook

ONE, ALL = Decimal(1), Decimal(100)
# How often the position is looked at while a reversal waits for it to be gone.
LOOK_EVERY = 0.5


class Exchange(Protocol):
    """What the executor needs of :class:`ibkr_adapter.exchange.IBKRExchange`."""

    @property
    def settings(self) -> Settings:
        """The settings it was made with."""

    def host_symbol(self, query: ContractQuery) -> str:
        """Return the name under which a host keeps the one contract that fits."""

    def sizing_price(self, symbol: str) -> Decimal:
        """Return a last price that may be trusted with money."""

    def sizing(self, symbol: str) -> Sizing:
        """Return what turns US dollars into a quantity of it."""

    def smallest_size(self, symbol: str) -> Decimal:
        """Return the smallest quantity of it that trades."""

    def get_position(self, symbol: str) -> dict[str, Any] | None:
        """Return the position, or ``None`` when flat."""

    def place_market_order(
        self, symbol: str, side: str, quantity: Decimal, *, coid: str | None = None
    ) -> dict[str, Any]:
        """Send a market order."""

    def place_limit_order(
        self, symbol: str, side: str, quantity: Decimal, price: Decimal, *, coid: str | None = None
    ) -> dict[str, Any]:
        """Send a limit order."""

    def place_stop_order(
        self,
        symbol: str,
        side: str,
        quantity: Decimal,
        stop_price: Decimal,
        limit_price: Decimal | None = None,
        *,
        coid: str | None = None,
    ) -> dict[str, Any]:
        """Send a stop or stop-limit entry."""

    def place_bracket_order(
        self,
        symbol: str,
        side: str,
        order_type: str,
        quantity: Decimal,
        price: Decimal | None = None,
        *,
        take_profit_price: Decimal | None = None,
        stop_loss_price: Decimal | None = None,
        trailing_percent: Decimal | None = None,
        stop_price: Decimal | None = None,
        coid: str | None = None,
    ) -> dict[str, Any]:
        """Send an entry with its exits as one submission."""

    def close_position(self, symbol: str, side: str, quantity: Decimal | None) -> dict[str, Any]:
        """Close a part of a position, or with ``None`` whatever is there when it looks."""

    def get_positions(self) -> list[dict[str, Any]]:
        """Return all positions that are not flat."""

    def find_order(self, coid: str) -> dict[str, Any] | None:
        """Look an order up by its cOID; ``None`` is "not listed now"."""

    def get_open_orders(self, symbol: str | None = None) -> list[dict[str, Any]]:
        """Return the orders that work."""


class Carrier:
    """Carries out one webhook on one exchange object.

    ``coid`` is what its entry is called at the broker; ``permit`` refuses an entry before anything is sent.
    """

    def __init__(
        self,
        exchange: Exchange,
        clock: Clock,
        *,
        coid: str | None = None,
        limits: RiskLimits | None = None,
        permit: Callable[[Webhook], None] | None = None,
    ) -> None:
        self._exchange = exchange
        self._clock = clock
        self._coid = coid
        self._limits = limits or RiskLimits()
        self._permit = permit

    def carry_out(self, webhook: Webhook) -> dict[str, Any]:
        """Do what it says, from the position that is there now, and say what was done.

        Raises:
            IBKRError: What the exchange raised. Where a position had already been closed, the message
                ends by saying so.
        """
        return self._close(webhook) if webhook.action is Action.CLOSE else self._enter(webhook)

    def _enter(self, webhook: Webhook) -> dict[str, Any]:
        # What can be told without asking anybody is told first.
        plan = None if needs_market_price(webhook) else self._plan(webhook)
        symbol, side = webhook.symbol, webhook.side
        held = self._held(symbol)
        if held * side.sign > 0:
            return skipped(webhook, side, held)
        if side is Side.SELL and not self._exchange.settings.allow_short:
            return self._sell_without_shorting(webhook, held)
        self._check(webhook, held)
        plan = plan or self._plan(webhook)
        if held == 0:
            return opened(webhook, plan, self._place(plan))
        ack = self._close_for_reversal(webhook, held)
        before = f"Before this, the position of {held:f} {symbol} was closed by {_order(ack)}."
        with telling(before):
            # The market may have moved while the position was being closed.
            plan = self._plan(webhook) if needs_market_price(webhook) else plan
            return opened(webhook, plan, self._place(plan), reversal=ack)

    def _check(self, webhook: Webhook, held: Decimal) -> None:
        """Hold an entry against the user's limits, before anything is sent for it."""
        if self._permit is not None:
            self._permit(webhook)
        if self._limits.max_open_positions is not None and held == 0:
            self._limits.check_count("max_open_positions", len(self._exchange.get_positions()))

    def _plan(self, webhook: Webhook) -> Plan:
        settings = self._exchange.settings
        plan = plan_entry(
            webhook,
            market=self._exchange.sizing_price(webhook.symbol) if needs_market_price(webhook) else None,
            default_usd=settings.default_order_usd,
            fractional=settings.allow_fractional,
            sizing=self._sizing(webhook),
            most_usd=self._limits.max_position_size_usd,
        )
        if webhook.quantity is not None and self._limits.max_position_size_usd is not None:
            price = plan.reference or self._exchange.sizing_price(webhook.symbol)
            self._limits.check_value(self._exchange.sizing(webhook.symbol).cost(price) * plan.quantity)
        return plan

    def _sizing(self, webhook: Webhook) -> Sizing:
        if needs_sizing(webhook):
            return self._exchange.sizing(webhook.symbol)
        smallest = self._exchange.smallest_size(webhook.symbol) if needs_smallest(webhook) else ONE
        return Sizing(smallest=smallest)

    def _place(self, plan: Plan) -> dict[str, Any]:
        """Send the entry; with any exit, everything in one submission."""
        symbol, side, quantity, coid = plan.symbol, plan.side.value, plan.quantity, self._coid
        if not plan.has_exits and plan.order_type is EntryType.MARKET:
            return {"entryOrder": self._exchange.place_market_order(symbol, side, quantity, coid=coid)}
        if not plan.has_exits and plan.order_type is EntryType.LIMIT and plan.price is not None:
            ack = self._exchange.place_limit_order(symbol, side, quantity, plan.price, coid=coid)
            return {"entryOrder": ack}
        if not plan.has_exits and plan.stop_price is not None:
            ack = self._exchange.place_stop_order(
                symbol, side, quantity, plan.stop_price, plan.price, coid=coid
            )
            return {"entryOrder": ack}
        is_stop = plan.order_type is EntryType.STOP
        return self._exchange.place_bracket_order(
            symbol,
            side,
            plan.order_type.value,
            quantity,
            plan.stop_price if is_stop else plan.price,
            take_profit_price=plan.take_profit_price,
            stop_loss_price=plan.stop_loss_price,
            trailing_percent=plan.trailing_percent,
            stop_price=None if is_stop else plan.stop_price,
            coid=coid,
        )

    def _close(self, webhook: Webhook) -> dict[str, Any]:
        held = self._held(webhook.symbol)
        if held == 0:
            return nothing_to_close(webhook)
        percentage = webhook.sell_percentage
        # A part of a coin is one, where a part of a share is nothing.
        smallest = ONE if percentage in {None, ALL} else self._exchange.smallest_size(webhook.symbol)
        part = part_to_close(abs(held), percentage, smallest)
        left = abs(held) - part
        # A fill may have added to the position since it was read, and "close" means all of it.
        ack = self._exchange.close_position(
            webhook.symbol, _exit_side(held).value, part if left > 0 else None
        )
        return closed(webhook, _exit_side(held), part, ack, left=left)

    def _sell_without_shorting(self, webhook: Webhook, held: Decimal) -> dict[str, Any]:
        """Close a long position and leave it at that."""
        if held == 0:
            raise refusal(
                f"there is no {webhook.symbol} to sell, and allow_short is off: a sell would open a short position"
            )
        ack = self._exchange.close_position(webhook.symbol, Side.SELL.value, None)
        message = "The long position was closed; no short one was opened, because allow_short is off."
        return closed(webhook, Side.SELL, held, ack, left=Decimal(0)) | {"message": message}

    def _close_for_reversal(self, webhook: Webhook, held: Decimal) -> dict[str, Any]:
        """Close what is held and wait until the broker says that it is gone."""
        symbol = webhook.symbol
        ack = self._exchange.close_position(symbol, _exit_side(held).value, None)
        if ack.get("status") == DRY_RUN:
            # Nothing was sent, so nothing will be gone.
            return ack
        patience = self._exchange.settings.order_deadline
        deadline = self._clock.monotonic() + patience
        while True:
            with telling(f"To close {held:f} {symbol} there is {_order(ack)}, and nothing was opened."):
                left = self._held(symbol)
            if left == 0:
                return ack
            if self._clock.monotonic() >= deadline:
                raise OrderError(
                    f"to close {held:f} {symbol} there is {_order(ack)}, and {left:f} are still there"
                    f" after {patience:g} seconds; nothing was opened.",
                    remedy="Look at the order, and send the webhook again when the position is gone.",
                )
            self._clock.sleep(LOOK_EVERY)

    def _held(self, symbol: str) -> Decimal:
        """Return the signed size of the position, 0 when flat."""
        position = self._exchange.get_position(symbol)
        if position is None:
            return Decimal(0)
        try:
            held = Decimal(str(position["positionAmt"]))
        except (KeyError, InvalidOperation):
            held = Decimal("NaN")
        if not held.is_finite():
            raise UnexpectedAnswer(
                f"the position in {symbol} has no size that can be read, so no further order was sent."
            )
        return held


def _exit_side(held: Decimal) -> Side:
    return Side.SELL if held > 0 else Side.BUY


def _order(ack: Mapping[str, Any]) -> str:
    """Name the order that closes; where an exit had closed on the way it may have no id."""
    order_id = ack.get("orderId")
    return "an exit that filled" if order_id is None else f"order {order_id}"
