"""Ask IBKR what an order would cost and change, and place nothing.

The order is built, rounded and refused as one that is placed, but for trading hours and guardrails:
a question adds no risk. IBKR wants to have shown prices of the contract first, or its answer only
warns of trading blind; so a snapshot goes before.

Source: Web API reference, "Preview Order / WhatIf Order"; docs/ibkr-facts.md.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter import combos
from ibkr_adapter.connection import Connection
from ibkr_adapter.entries import Entries, Wish
from ibkr_adapter.errors import ApiError
from ibkr_adapter.model.combo import Combo, Spread
from ibkr_adapter.model.guardrails import Guardrails
from ibkr_adapter.model.order import OrderType, Placed, Side, Ticket, Tif, TrailingUnit
from ibkr_adapter.model.preview import Preview
from ibkr_adapter.price_rules import Effect
from ibkr_adapter.settings import Settings
from ibkr_adapter.trading import Trading
from ibkr_adapter.wire import endpoints, tickets
from ibkr_adapter.wire.combos import read_conidex
from ibkr_adapter.wire.whatif import read_whatif

log = logging.getLogger(__name__)


class Drafts(Entries):
    """Entries that are built as ever and go nowhere; neither hours nor limits are asked."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        super().__init__(connection, attrs.evolve(settings, guardrails=Guardrails(dry_run=True)))

    def _enter(self, tickets: Sequence[Ticket], effect: Effect, wish: Wish) -> Placed:  # noqa: ARG002  (nothing is risked)
        return self._send(tickets, wish)


class Previews(Trading):
    """Adds the question what would come of an entry."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        super().__init__(connection, settings)
        self._drafts = Drafts(connection, settings)

    def preview(  # noqa: PLR0913  (those of an order)
        self,
        symbol: str,
        *,
        side: Side,
        order_type: OrderType,
        quantity: Decimal | None = None,
        cash_quantity: Decimal | None = None,
        tif: Tif | str | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        trailing: Decimal | None = None,
        trailing_unit: TrailingUnit | None = None,
        algo: str | None = None,
        algo_parameters: Mapping[str, Any] | None = None,
        exact: bool = True,
    ) -> Preview:
        """Ask what an entry would cost and change; the arguments are those of :meth:`place`.

        It costs a snapshot of the contract and one request, and places nothing. Figures are IBKR's, for
        this moment; what it does not tell is ``None``.

        Raises:
            InvalidOrder: It breaks the contract's rules; nothing was asked.
            ApiError: IBKR gives no preview.
        """
        draft = self._drafts.place(
            symbol,
            side=side,
            order_type=order_type,
            quantity=quantity,
            cash_quantity=cash_quantity,
            tif=tif,
            limit_price=limit_price,
            stop_price=stop_price,
            trailing=trailing,
            trailing_unit=trailing_unit,
            algo=algo,
            algo_parameters=algo_parameters,
            exact=exact,
        )
        return self._what_if(draft.entry.ticket)

    def preview_combo(
        self,
        legs: Spread | Combo | Sequence[combos.Leg],
        *,
        side: Side,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        tif: Tif | str | None = None,
        exchange: str | None = None,
        exact: bool = True,
    ) -> Preview:
        """Ask what a combination would cost and change; the arguments are those of :meth:`place_combo`.

        Raises:
            InvalidOrder: It is no combination, or breaks a rule of one of its legs; nothing was asked.
            ApiError: IBKR gives no preview.
        """
        draft = self._drafts.place_combo(
            legs,
            side=side,
            quantity=quantity,
            limit_price=limit_price,
            tif=tif,
            exchange=exchange,
            exact=exact,
        )
        return self._what_if(draft.entry.ticket)

    def _what_if(self, ticket: Ticket) -> Preview:
        combo = read_conidex(ticket.conidex)
        conids = [ticket.conid] if combo is None else [conid for conid, _ in combo.legs]
        try:
            self._connection.market_data.quotes(conids)
        except ApiError as refusal:
            log.info("no prices before a preview: %s", refusal)
        # Nobody knows whether a preview would use up its client order id.
        body = tickets.place_body([attrs.evolve(ticket, coid=None)])
        try:
            content = self._connection.session.read(
                endpoints.WHATIF, path={"accountId": ticket.account}, body=body
            )
        except ApiError as refusal:
            # A no in a good answer is the answer; any other failure says nothing of the order.
            if refusal.status != 200 or not refusal.text:  # noqa: PLR2004  (HTTP's own number)
                raise
            return Preview(refusal=refusal.text)
        return read_whatif(content)
