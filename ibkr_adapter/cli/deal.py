"""Carry out one change that somebody has to agree to, and tell truthfully what became of it.

What could add to a position leaves only after somebody agreed: by typing what is asked for after a
preview, or by ``--yes``. On a live account that is the account's number. A lost answer, or an
interrupt while an order may be on its way, ends with a code of its own and what is known of it.
Which commands there are is for :mod:`.ordering`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import typer

from ibkr_adapter import shapes
from ibkr_adapter.errors import ApiError, OrderOutcomeUnknown, OutcomeUnknown, PartlyPlaced
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.model.combo import ComboLeg
from ibkr_adapter.model.order import Placed, Side
from ibkr_adapter.model.preview import Preview
from ibkr_adapter.sweeps import OWN

from . import codes
from .codes import exit_codes
from .printing import margin, print_json, print_pairs, print_rows
from .reach import AGREED, LIVE, Reach, kind_of
from .screen import Column

_LEGS: tuple[Column, ...] = (
    ("id", "orderId", "word"),
    ("symbol", "symbol", "word"),
    ("side", "side", "word"),
    ("type", "type", "word"),
    ("quantity", "quantity", "count"),
    ("limit", "price", "price"),
    ("stop", "stopPrice", "price"),
    ("fill price", "avgPrice", "price"),
    ("status", "status", "word"),
    ("cOID", "clientOrderId", "word"),
)
_ENDS: tuple[Column, ...] = (
    ("what", "what", "word"),
    ("id", "id", "word"),
    ("symbol", "symbol", "word"),
    ("quantity", "quantity", "count"),
    ("outcome", "outcome", "word"),
)


class Deal:
    """One change that somebody has to agree to before it is sent."""

    def __init__(self, ibkr: IBKRExchange, reach: Reach, *, yes: bool, as_json: bool) -> None:
        self._ibkr = ibkr
        self._reach = reach
        self._yes = yes
        self._as_json = as_json
        # Whether something may have left: an interrupt before that is harmless.
        self.under_way = yes

    def enter(
        self, side: Side, symbol: str, quantity: Decimal, order: dict[str, Any], coid: str | None
    ) -> None:
        """Preview, ask and place a single order."""
        desk = self._ibkr.orders
        self._agree(
            _sentence(side, quantity, symbol, order),
            lambda: desk.preview(symbol, side=side, quantity=quantity, **order),
        )
        placed = desk.place(symbol, side=side, quantity=quantity, coid=coid, **order)
        self._acknowledge(placed, symbol)

    def bracket(
        self,
        side: Side,
        symbol: str,
        quantity: Decimal,
        entry: dict[str, Any],
        exits: Mapping[str, Any],
        coid: str | None,
    ) -> None:
        """Preview the entry, ask, and place it with its exits."""
        desk = self._ibkr.orders
        told = [f"{name.replace('_', ' ')} {price:f}" for name, price in exits.items() if price is not None]
        self._agree(
            ", ".join([_sentence(side, quantity, symbol, entry), *told]),
            lambda: desk.preview(symbol, side=side, quantity=quantity, **entry),
        )
        del entry["tif"]
        placed = desk.bracket(
            symbol,
            side=side,
            quantity=quantity,
            order_type=entry["order_type"],
            limit_price=entry["limit_price"],
            coid=coid,
            **exits,
        )
        self._acknowledge(placed, symbol)

    def combo(self, side: Side, legs: list[ComboLeg], about: dict[str, Any], coid: str | None) -> None:
        """Preview, ask and place a combination."""
        desk = self._ibkr.orders
        named = " and ".join(f"{leg.ratio:+d} {leg.contract}" for leg in legs)
        limit = about["limit_price"]
        price = "at the market" if limit is None else f"at {limit:f} net"
        self._agree(
            f"{side.value} {about['quantity']:f} of {named} {price}",
            lambda: desk.preview_combo(legs, side=side, **about),
        )
        self._acknowledge(desk.place_combo(legs, side=side, coid=coid, **about), named)

    def cancel(self, order_id: str) -> None:
        """Cancel one order."""
        _told("Cancelled", [self._ibkr.cancel_order(None, order_id)], as_json=self._as_json)

    def flatten(self, symbol: str | None, scope: str) -> None:
        """Ask, and end what there is."""
        what = symbol or "everything"
        whose = "placed by this library" if scope == OWN else "in the account, whoever placed it"
        self._agree(f"cancel and close {what} that was {whose}", None)
        done = self._ibkr.orders.flatten(symbol, scope)
        rows = [
            {
                "what": "order",
                "id": one.order_id,
                "symbol": one.symbol,
                "quantity": None,
                "outcome": str(one.failure or (one.order.state if one.order else "unknown")),
                "is_over": one.is_over,
            }
            for one in done.orders
        ] + [
            {
                "what": "position",
                "id": one.conid,
                "symbol": one.symbol,
                "quantity": one.own,
                "outcome": str(one.failure or (one.order.state if one.order else "closed")),
                "is_over": one.is_over,
            }
            for one in done.positions
        ]
        if self._as_json:
            print_json({"done": done.is_done, "failure": done.failure and str(done.failure), "ended": rows})
        else:
            print_rows("Ended", _ENDS, rows)
        if not done.is_done:
            codes.stop(done.failure or "not all of it is over: look at ibkr-adapter orders.", codes.PARTLY)

    # Agreeing -----------------------------------------------------------------------------

    def _agree(self, what: str, preview: Callable[[], Preview] | None) -> None:
        """See that somebody wants it, on this very account.

        Raises:
            typer.Exit: Nobody does; nothing was sent.
        """
        if self._yes:
            return
        terminal = self._reach.terminal
        if not terminal.is_there():
            codes.stop(
                "nobody is there to agree; nothing was sent. Give --yes to send it without being asked.",
                codes.UNCONFIRMED,
            )
        account = self._ibkr.orders.account()
        kind = kind_of(self._ibkr, account)
        if preview is not None:
            self._show(what, account, kind, preview)
        word = account if kind == LIVE else AGREED
        question = f"{what}\n{kind} account {account}. Type {word} to send it: "
        if terminal.ask(question) != word:
            codes.stop("that was not agreed to; nothing was sent.", codes.UNCONFIRMED)
        self.under_way = True

    def _show(self, what: str, account: str, kind: str, preview: Callable[[], Preview]) -> None:
        try:
            found = preview()
        except ApiError as refusal:
            codes.say(f"there is no preview: {refusal}")
            return
        pairs = [
            ("account", f"{account} ({kind})", "word"),
            ("amount", found.amount, "price"),
            ("commission", found.commission, "price"),
            ("total", found.total, "price"),
            ("currency", found.currency, "word"),
            ("initial margin then", found.initial_margin.after, "price"),
            ("position then", found.position.after, "count"),
            *(("IBKR says", notice.text, "word") for notice in found.warnings),
        ]
        print_pairs(what, pairs, margin())
        if found.refusal is not None:
            codes.stop(f"IBKR would not take it: {found.refusal} Nothing was sent.", codes.FAILED)

    # Telling ------------------------------------------------------------------------------

    def _acknowledge(self, placed: Placed, symbol: str) -> None:
        seen = None if placed.dry_run else self._ibkr.orders.seen(placed.entry.order_id)
        rows = [
            shapes.acknowledgement(
                leg,
                symbol,
                placed.coid if leg is placed.entry else None,
                seen if leg is placed.entry else None,
            )
            | {"leg": leg.name}
            for leg in placed.legs
        ]
        _told(
            "Dry run" if placed.dry_run else "Placed",
            rows,
            as_json=self._as_json,
            more=shapes.unsent(placed.unsent),
        )


def _sentence(side: Side, quantity: Decimal, symbol: str, order: dict[str, Any]) -> str:
    prices = [
        f"{name.replace('_', ' ')} {order[name]:f}"
        for name in ("limit_price", "stop_price", "trailing")
        if order.get(name) is not None
    ]
    kind = order["order_type"].value
    return " ".join([side.value, f"{quantity:f}", symbol, kind, *prices, order["tif"] or ""]).strip()


def _told(
    title: str, rows: list[dict[str, Any]], *, as_json: bool, more: dict[str, Any] | None = None
) -> None:
    if as_json:
        print_json({"outcome": title.lower(), "orders": rows, **(more or {})})
    else:
        print_rows(title, _LEGS, rows)


@contextmanager
def deal(context: typer.Context, *, simulated: bool, yes: bool, as_json: bool) -> Iterator[Deal]:
    """Lend a deal; where an order's end is not known, print what is, before the error's own message."""
    reach = Reach.of(context)
    with exit_codes(), reach.exchange(simulated=simulated) as ibkr:
        made = Deal(ibkr, reach, yes=yes, as_json=as_json)
        with _known(made, as_json=as_json):
            yield made


@contextmanager
def _known(made: Deal, *, as_json: bool) -> Iterator[None]:
    try:
        yield
    except (OrderOutcomeUnknown, OutcomeUnknown, PartlyPlaced) as error:
        if as_json:
            print_json(_what_is_known(error))
        elif isinstance(error, OrderOutcomeUnknown):
            codes.say(f"look it up with: ibkr-adapter orders --coid {error.coid}")
        raise
    except KeyboardInterrupt:
        if not made.under_way:
            codes.stop("interrupted; nothing was sent.", codes.UNCONFIRMED)
        codes.stop(
            "interrupted: what was on its way may stand at the broker. Do not send it again; look at"
            " ibkr-adapter orders and ibkr-adapter orders --unsettled.",
            codes.UNKNOWN,
        )


def _what_is_known(error: OrderOutcomeUnknown | OutcomeUnknown | PartlyPlaced) -> dict[str, Any]:
    if isinstance(error, PartlyPlaced):
        return {
            "outcome": "partly",
            "placed": error.placed,
            "missing": error.missing,
            "naked_quantity": error.naked_quantity,
        }
    return {
        "outcome": "unknown",
        "coid": getattr(error, "coid", None),
        "order_id": getattr(error, "order_id", None),
        "sent_at": getattr(error, "sent_at", None),
    }
