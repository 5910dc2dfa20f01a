"""Which methods of the exchange a client may call, under which names, and what kind each is.

Names and arguments are camelCase here and nowhere else. Whether a call changes something at the
broker decides whether it needs a key, in which line it stands and whether it may be repeated; what
is not in the table cannot be called, ``request`` among it, because it goes past the journal.

Source: the host's base class and its callers; docs/bridge.md has the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

import attrs

from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.host.webhook import parse
from ibkr_adapter.model.kinds import LONGEST_TIME

from . import frames
from .frames import Code, FrameError, snake

# What the exchange itself does not look at; amounts and sides it reads in all the ways of hosts.
_WANTED: dict[str, tuple[tuple[type, ...], str]] = {
    "symbol": ((str,), "a text"),
    "coid": ((str,), "a text"),
    "user_id": ((str,), "a text"),
    "webhook_id": ((str,), "a text"),
    "limit": ((int,), "a whole number"),
    "timeout": ((int, Decimal), "a number of seconds"),
    "options": ((Mapping,), "an object"),
}


class Kind(Enum):
    """What a call does at the broker."""

    READ = "read"
    # Placed under the key as its client order id, by which a lost one is found again.
    ENTRY = "entry"
    # Looks before it acts; what became of a lost one is not known by its key.
    CHANGE = "change"
    # Can only reduce what may happen, so it is done again where nobody knows.
    CANCEL = "cancel"


@attrs.frozen(kw_only=True)
class Method:
    """One callable method: its arguments in their order, and how many of them it cannot do without.

    ``options`` are taken by name, or in one object after the others.
    """

    name: str
    kind: Kind
    params: tuple[str, ...] = ()
    least: int = 0
    options: tuple[str, ...] = ()

    @property
    def needed(self) -> tuple[str, ...]:
        """The arguments that it cannot do without."""
        return ("orderId",) if self.name in _SYMBOL_FIRST else self.params[: self.least]

    @property
    def attribute(self) -> str:
        """Its name on the exchange object."""
        return snake(self.name)

    def arguments(self, args: Any) -> dict[str, Any]:
        """Read the arguments, in their order or by their names; ``null`` counts as left out.

        Raises:
            FrameError: There are too many, or one that is not known; nothing was done.
        """
        if args is None:
            args = []
        if isinstance(args, list):
            given = self._in_order(args)
        elif isinstance(args, Mapping):
            given = dict(args)
        else:
            raise FrameError(Code.WRONG_PARAMS, "args are a list or an object.")
        known = (*self.params, *self.options)
        unknown = [name for name in given if name not in known]
        if unknown:
            raise FrameError(
                Code.WRONG_PARAMS,
                f"{self.name} has no argument {unknown[0]!r:.40}; it takes {', '.join(known) or 'none'}.",
            )
        found = {snake(name): value for name, value in given.items() if value is not None}
        for name, value in found.items():
            wanted = _WANTED.get(name)
            if wanted is not None and (isinstance(value, bool) or not isinstance(value, wanted[0])):
                raise FrameError(Code.WRONG_PARAMS, f"{frames.camel(name)} of {self.name} is {wanted[1]}.")
        if self.name in _SYMBOL_FIRST:
            found.setdefault("symbol", None)
        missing = [name for name in self.needed if snake(name) not in found]
        if missing:
            raise FrameError(Code.WRONG_PARAMS, f"{self.name} needs {missing[0]}; nothing was done.")
        if "timeout" in found:
            # A whole number may be larger than any float.
            found["timeout"] = float(min(found["timeout"], LONGEST_TIME))
        return found

    def _in_order(self, args: list[Any]) -> dict[str, Any]:
        places = len(self.params) + bool(self.options)
        # A host may have more to say to its other brokers, as long as it says nothing here.
        if any(value is not None for value in args[places:]):
            raise FrameError(Code.WRONG_PARAMS, f"{self.name} takes {places} arguments at most.")
        given = dict(zip(self.params, args, strict=False))
        if self.options and len(args) >= places and args[places - 1] is not None:
            options = args[places - 1]
            if not isinstance(options, Mapping):
                raise FrameError(Code.WRONG_PARAMS, f"Argument {places} of {self.name} is an object.")
            given |= options
        return given


_SIZE = ("symbol", "side", "quantity")
_TABLE = (
    # name, kind, arguments, how many are needed
    ("getExchangeName", Kind.READ, (), 0),
    ("getBalance", Kind.READ, (), 0),
    ("getBalanceSummary", Kind.READ, (), 0),
    ("getAvailableMargin", Kind.READ, (), 0),
    ("getPositions", Kind.READ, (), 0),
    ("getPosition", Kind.READ, ("symbol",), 1),
    ("hasOpenPosition", Kind.READ, ("symbol",), 1),
    ("getTicker", Kind.READ, ("symbol",), 1),
    ("fetchTicker", Kind.READ, ("symbol",), 1),
    ("sizingPrice", Kind.READ, ("symbol",), 1),
    ("smallestSize", Kind.READ, ("symbol",), 1),
    ("getOrder", Kind.READ, ("symbol", "orderId"), 0),
    ("getOpenOrders", Kind.READ, ("symbol",), 0),
    ("getOrders", Kind.READ, ("symbol",), 0),
    ("getAllOrders", Kind.READ, ("symbol", "limit"), 0),
    ("getTradeHistory", Kind.READ, ("symbol", "limit"), 0),
    ("findOrder", Kind.READ, ("coid",), 1),
    ("waitFor", Kind.READ, ("orderId", "timeout"), 1),
    ("placeMarketOrder", Kind.ENTRY, _SIZE, 3),
    ("placeLimitOrder", Kind.ENTRY, (*_SIZE, "price"), 4),
    ("placeStopOrder", Kind.ENTRY, (*_SIZE, "stopPrice", "limitPrice"), 4),
    ("placeBracketOrder", Kind.ENTRY, ("symbol", "side", "orderType", "quantity", "price"), 4),
    (
        "placeOtocoOrder",
        Kind.ENTRY,
        (*_SIZE, "entryType", "entryPrice", "takeProfit", "stopLoss", "options"),
        4,
    ),
    ("placeComboOrder", Kind.ENTRY, ("legs", "side", "quantity", "price"), 3),
    ("placeStopLoss", Kind.CHANGE, (*_SIZE, "stopPrice", "limitPrice"), 4),
    ("placeTakeProfit", Kind.CHANGE, (*_SIZE, "takeProfitPrice"), 4),
    ("placeTrailingStop", Kind.CHANGE, (*_SIZE, "percent"), 4),
    ("placeOcoOrder", Kind.CHANGE, (*_SIZE, "takeProfit", "stopLoss", "options"), 5),
    ("closePosition", Kind.CHANGE, _SIZE, 1),
    ("cancelAllOrders", Kind.CHANGE, ("symbol",), 1),
    ("executeWebhook", Kind.CHANGE, ("payload", "userId", "webhookId"), 1),
    ("cancelOrder", Kind.CANCEL, ("symbol", "orderId"), 0),
)
_OPTIONS = {"placeBracketOrder": ("takeProfitPrice", "stopLossPrice", "trailingPercent", "stopPrice")}
METHODS = {
    name: Method(name=name, kind=kind, params=params, least=least, options=_OPTIONS.get(name, ()))
    for name, kind, params, least in _TABLE
}
# Python's own signature has the symbol first, and it may be left out.
_SYMBOL_FIRST = frozenset({"getOrder", "cancelOrder"})


def said(payload: Any) -> Mapping[str, Any]:
    """What a webhook says, be it an object or the text of one; nothing where it makes no sense."""
    try:
        return parse(payload)
    except InvalidOrder:
        # It is refused when its turn comes.
        return {}


def line_of(method: Method, arguments: Mapping[str, Any]) -> str | None:
    """In which line of a session a call stands: changes of one symbol go one after the other.

    A read stands in none, and a cancel overtakes: it can only be about an order that is there.
    """
    if method.kind in {Kind.READ, Kind.CANCEL}:
        return None
    told = said(arguments["payload"]) if method.name == "executeWebhook" else arguments
    symbol = told.get("symbol")
    # "NASDAQ:AAPL" is what some call AAPL.
    return symbol.rpartition(":")[2].strip().upper() if isinstance(symbol, str) else ""
