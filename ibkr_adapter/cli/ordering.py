"""The commands that change something: buy, sell, bracket, combo, cancel, flatten.

Knows what is typed; how somebody agrees to it, and what is told of it, is for :mod:`.deal`.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer

from ibkr_adapter import words
from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.model.combo import ComboLeg
from ibkr_adapter.model.order import OrderType, Side, TrailingUnit

from .deal import deal as _agreed
from .reach import AsJson, Simulated


class Direction(StrEnum):
    """The side of an order, as it is typed."""

    BUY = "buy"
    SELL = "sell"

    @property
    def side(self) -> Side:
        """The side as a value."""
        return words.side(self.value)


class Scope(StrEnum):
    """Whose orders and positions."""

    OWN = "own"
    ACCOUNT = "account"


def _amount(text: str | Decimal) -> Decimal:
    try:
        return words.number(str(text), "amount")
    except InvalidOrder as wrong:
        raise typer.BadParameter(wrong.message) from None


def _price(text: str | Decimal) -> Decimal:
    try:
        return words.signed(str(text), "price")
    except InvalidOrder as wrong:
        raise typer.BadParameter(wrong.message) from None


Name = Annotated[str, typer.Argument(metavar="SYMBOL", help="What to trade, such as AAPL or EURUSD.")]
Quantity = Annotated[
    Decimal, typer.Argument(parser=_amount, metavar="QUANTITY", help="Shares, contracts or coins.")
]
Limit = Annotated[
    Decimal | None, typer.Option(parser=_amount, metavar="PRICE", help="The worst price that is taken.")
]
Stop = Annotated[
    Decimal | None, typer.Option(parser=_amount, metavar="PRICE", help="The price that releases the order.")
]
Trail = Annotated[
    Decimal | None,
    typer.Option(parser=_amount, metavar="PERCENT", help="How far a trailing stop stays behind."),
]
InForce = Annotated[str | None, typer.Option(help="How long it stands: DAY, GTC, IOC, ...")]
Coid = Annotated[
    str | None,
    typer.Option(help="A client order id of your own: the same order under it is never sent twice."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Send it without a preview and without asking.")]


def add_to(app: typer.Typer) -> None:
    """Give the application these commands."""
    for command in (buy, sell, bracket, combo, cancel, flatten):
        app.command()(command)


def buy(  # noqa: PLR0913  (an order has so many parts)
    context: typer.Context,
    symbol: Name,
    quantity: Quantity,
    *,
    limit: Limit = None,
    stop: Stop = None,
    trail: Trail = None,
    tif: InForce = None,
    coid: Coid = None,
    yes: Yes = False,
    as_json: AsJson = False,
    simulated: Simulated = False,
) -> None:
    """Buy, after a preview and your word; at the market unless a price is given."""
    order = _order(limit, stop, trail, tif)
    with _agreed(context, simulated=simulated, yes=yes, as_json=as_json) as deal:
        deal.enter(Side.BUY, symbol, quantity, order, coid)


def sell(  # noqa: PLR0913  (an order has so many parts)
    context: typer.Context,
    symbol: Name,
    quantity: Quantity,
    *,
    limit: Limit = None,
    stop: Stop = None,
    trail: Trail = None,
    tif: InForce = None,
    coid: Coid = None,
    yes: Yes = False,
    as_json: AsJson = False,
    simulated: Simulated = False,
) -> None:
    """Sell, after a preview and your word; to end a position, flatten is the safer command."""
    order = _order(limit, stop, trail, tif)
    with _agreed(context, simulated=simulated, yes=yes, as_json=as_json) as deal:
        deal.enter(Side.SELL, symbol, quantity, order, coid)


def bracket(  # noqa: PLR0913  (an order has so many parts)
    context: typer.Context,
    direction: Annotated[Direction, typer.Argument(help="The side of the entry.")],
    symbol: Name,
    quantity: Quantity,
    *,
    limit: Limit = None,
    target: Annotated[
        Decimal | None, typer.Option(parser=_amount, metavar="PRICE", help="Where the gain is taken.")
    ] = None,
    stop: Annotated[
        Decimal | None, typer.Option(parser=_amount, metavar="PRICE", help="Where the loss is cut.")
    ] = None,
    trail: Annotated[
        Decimal | None,
        typer.Option(parser=_amount, metavar="PERCENT", help="A trailing stop instead of a fixed one."),
    ] = None,
    coid: Coid = None,
    yes: Yes = False,
    as_json: AsJson = False,
    simulated: Simulated = False,
) -> None:
    """Enter with a target and a stop attached, in one submission; the preview is that of the entry."""
    entry = _order(limit, None, None, None)
    with _agreed(context, simulated=simulated, yes=yes, as_json=as_json) as deal:
        exits = {"take_profit": target, "stop_loss": stop, "trailing_percent": trail}
        deal.bracket(direction.side, symbol, quantity, entry, exits, coid)


def combo(  # noqa: PLR0913  (an order has so many parts)
    context: typer.Context,
    direction: Annotated[Direction, typer.Argument(help="buy trades the legs as written, sell turns them.")],
    quantity: Quantity,
    legs: Annotated[
        list[str], typer.Argument(metavar="LEG...", help="At least two, each as NAME=RATIO, such as QQQ=-1.")
    ],
    *,
    limit: Annotated[
        Decimal | None,
        typer.Option(
            parser=_price, metavar="PRICE", help="Net price of one; negative where a buyer is paid."
        ),
    ] = None,
    exchange: Annotated[
        str | None, typer.Option(help="Where it goes, in other currencies than dollars.")
    ] = None,
    tif: InForce = None,
    coid: Coid = None,
    yes: Yes = False,
    as_json: AsJson = False,
    simulated: Simulated = False,
) -> None:
    """Order several legs as one, all or none, after a preview and your word."""
    named = [_leg(leg) for leg in legs]
    with _agreed(context, simulated=simulated, yes=yes, as_json=as_json) as deal:
        about = {"quantity": quantity, "limit_price": limit, "exchange": exchange, "tif": tif}
        deal.combo(direction.side, named, about, coid)


def cancel(
    context: typer.Context,
    order_id: Annotated[str, typer.Argument(metavar="ORDER", help="IBKR's id of the order.")],
    *,
    as_json: AsJson = False,
    simulated: Simulated = False,
) -> None:
    """Cancel one order and see that it is over; nobody is asked, because that adds nothing."""
    with _agreed(context, simulated=simulated, yes=True, as_json=as_json) as deal:
        deal.cancel(order_id)


def flatten(
    context: typer.Context,
    symbol: Annotated[str | None, typer.Argument(metavar="[SYMBOL]", help="Only this instrument.")] = None,
    *,
    scope: Annotated[
        Scope, typer.Option(help="own is what this library placed, account all that is there.")
    ] = Scope.OWN,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    as_json: AsJson = False,
    simulated: Simulated = False,
) -> None:
    """Cancel working orders, then close positions at the market."""
    with _agreed(context, simulated=simulated, yes=yes, as_json=as_json) as deal:
        deal.flatten(symbol, scope.value)


# How it is done -----------------------------------------------------------------------------


def _order(
    limit: Decimal | None, stop: Decimal | None, trail: Decimal | None, tif: str | None
) -> dict[str, Any]:
    """Choose the order type by the prices that were given."""
    kinds = {
        (False, False): OrderType.MARKET,
        (True, False): OrderType.LIMIT,
        (False, True): OrderType.STOP,
        (True, True): OrderType.STOP_LIMIT,
    }
    if trail is not None:
        if limit is not None or stop is not None:
            raise typer.BadParameter("--trail goes without --limit and --stop.")
        return {
            "order_type": OrderType.TRAIL,
            "trailing": trail,
            "trailing_unit": TrailingUnit.PERCENT,
            "tif": tif,
        }
    kind = kinds[limit is not None, stop is not None]
    return {"order_type": kind, "limit_price": limit, "stop_price": stop, "tif": tif}


def _leg(text: str) -> ComboLeg:
    name, _, ratio = text.rpartition("=")
    if not name.strip() or not ratio.strip().lstrip("+-").isdecimal():
        raise typer.BadParameter(f"{text} is no leg: write NAME=RATIO, such as SPY=1 or QQQ=-1.")
    return ComboLeg(contract=name.strip(), ratio=int(ratio))
