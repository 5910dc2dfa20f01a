"""End many at once: cancel all working orders, close all positions, each with its own outcome.

Ours by default, everybody's in the account where that is asked for. One that fails does not keep the
others, and nothing is believed before the order's own status shows it. No guardrail but ``read_only``
stands in the way.

*Our own shares* are what the fills of our own orders come to, as far as IBKR lists fills: today and the
six days before. They are never taken for more than is held. What was bought earlier, by hand or by
others is left alone, and so is what somebody else has sold of ours; the account itself does not tell
whose a share is.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import attrs

from ibkr_adapter.closes import Closed
from ibkr_adapter.errors import IBKRError, InvalidOrder, quoted
from ibkr_adapter.model.account import Position
from ibkr_adapter.model.order import Fill, Order
from ibkr_adapter.model.query import ContractQuery
from ibkr_adapter.model.sweep import ClosedOut, Ended, Flattened
from ibkr_adapter.previews import Previews

OWN, ACCOUNT = "own", "account"


class Desk(Previews):
    """All that ``ibkr.orders`` offers: what it enters, what it protects, and what it sweeps away."""

    def cancel_all(self, symbol: str | None = None, scope: str = OWN) -> list[Ended]:
        """Cancel every working order and see each of them over, parents before their children.

        Args:
            symbol: Only orders that trade in this contract, combinations with it for a leg included.
            scope: ``own`` leaves the orders of others alone; ``account`` cancels all in the account.

        Returns:
            What became of each. The list is read afresh first, which can take five seconds.

        Raises:
            InvalidOrder: The scope is neither of the two; nothing was sent.
            GuardrailRefused: This object may only read; nothing was sent.
            BrokerageUnavailable: IBKR does not list its orders; nothing was sent.
        """
        whole = _is_whole(scope)
        self._guard.check_writable("cancelling orders")
        account, conid = self.account(), self._conid(symbol)
        live = self._connection.reads.live(account, not_before=self._connection.clock.monotonic())
        working = [
            order
            for order in live
            if order.state.may_fill
            and order.account in {"", account}
            and (conid is None or order.moves(conid))
            and (whole or self._connection.own.includes(order, live))
        ]
        ended: list[Ended] = []
        for order in sorted(working, key=lambda order: order.parent_id is not None):
            ended.append(self._ended(account, order, looks=bool(ended)))
        return ended

    def flatten(self, symbol: str | None = None, scope: str = OWN) -> Flattened:
        """Cancel working orders, then close positions at the market, one by one.

        Args:
            symbol: Only this contract.
            scope: ``own`` closes our own shares: what the fills of our own orders of the last seven
                days come to, and never more than is held. ``account`` closes everything in the account,
                whoever bought it.

        Returns:
            What became of each order and each position; positions of which nothing is ours are not in it.

        Raises:
            InvalidOrder: The scope is neither of the two; nothing was sent.
            GuardrailRefused: This object may only read; nothing was sent.
            BrokerageUnavailable: IBKR does not list its orders; nothing was sent.
        """
        whole = _is_whole(scope)
        ended = tuple(self.cancel_all(symbol, scope))
        account, conid = self.account(), self._conid(symbol)
        try:
            fills: Sequence[Fill] = () if whole else self._own_fills(account)
            held = self._connection.portfolio.positions(account)
        except IBKRError as failure:
            return Flattened(orders=ended, failure=failure)
        closed = [
            self._closed_out(position, own)
            for position in held
            if conid in {None, position.conid}
            and (own := position.quantity if whole else _own(position, fills))
        ]
        return Flattened(orders=ended, positions=tuple(closed))

    def _conid(self, symbol: str | None) -> int | None:
        # What has expired can still be held and ordered upon.
        if symbol is None:
            return None
        return self._connection.conids.resolve(symbol, for_trading=False).conid

    def _ended(self, account: str, order: Order, *, looks: bool) -> Ended:
        about = Ended(order_id=order.order_id, symbol=order.symbol, conid=order.conid)
        # It may have gone with an order that was ended before it; cancelling it again would fail.
        seen = self._connection.watch.look(account, order.order_id, self._deadline()) if looks else None
        try:
            if seen is None or not seen.state.is_over:
                seen = self._ways().changes.cancel(
                    order.order_id,
                    account=account,
                    replies=self._replies,
                    deadline=self._deadline(),
                    origin=self._terms.origin(order.sec_type, account),
                )
        except IBKRError as failure:
            return attrs.evolve(about, order=seen, failure=failure)
        self._connection.own.remember_end(seen)
        return attrs.evolve(about, order=seen)

    def _own_fills(self, account: str) -> list[Fill]:
        fills = self._connection.reads.fills(account, not_before=self._connection.clock.monotonic())
        once = {fill.execution_id: fill for fill in fills if fill.account in {"", account}}
        return [fill for fill in once.values() if self._connection.own.filled(fill)]

    def _closed_out(self, position: Position, own: Decimal) -> ClosedOut:
        about = ClosedOut(conid=position.conid, symbol=position.symbol, held=position.quantity, own=own)
        part = None if own == position.quantity else abs(own)
        try:
            mandate = self._mandate(ContractQuery(conid=position.conid))
            closed: Closed = self._ways().exits.close(mandate, part)
        except IBKRError as failure:
            return attrs.evolve(about, failure=failure)
        placed = closed.placed
        order = None if placed is None or placed.dry_run else self.seen(placed.entry.order_id)
        return attrs.evolve(about, placed=placed, order=order)


def _own(position: Position, fills: Sequence[Fill]) -> Decimal:
    """What of a position is ours, signed; nothing where our fills come to the other side."""
    net = sum((fill.quantity * fill.side.sign for fill in fills if fill.conid == position.conid), Decimal(0))
    return min(net, position.quantity, key=abs) if net * position.quantity > 0 else Decimal(0)


def _is_whole(scope: str) -> bool:
    if not any(scope == word for word in (OWN, ACCOUNT)):
        raise InvalidOrder(
            f"the scope {quoted(scope)} is neither {OWN} nor {ACCOUNT}; nothing was sent.",
            remedy="own is what this library placed, account all that is there.",
        )
    return scope == ACCOUNT
