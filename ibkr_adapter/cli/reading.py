"""The commands that only look: session, accounts, positions, orders, trades, prices and contracts.

They log in where that is needed and place nothing. What they print for programs is what a host's
method answers, or the values of the typed desks field by field.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

import typer

from ibkr_adapter.errors import OrderRejected
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.model.market import Quote
from ibkr_adapter.setting_readers import Environment
from ibkr_adapter.wire.fields import FIELD_SETS

from .codes import exit_codes, say
from .printing import print_json, print_pairs, print_rows
from .reach import PAPER, AsJson, Reach, Simulated, kind_of
from .screen import ORDER_COLUMNS, POSITION_COLUMNS, Column

_TRADES: tuple[Column, ...] = (
    ("time", "time", "word"),
    ("symbol", "symbol", "word"),
    ("side", "side", "word"),
    ("quantity", "quantity", "count"),
    ("price", "price", "price"),
    ("commission", "commission", "price"),
    ("order", "orderId", "word"),
)
_ACCOUNTS: tuple[Column, ...] = (
    ("account", "account_id", "word"),
    ("kind", "kind", "word"),
    ("currency", "currency", "word"),
    ("type", "account_type", "word"),
    ("title", "title", "word"),
    ("traded here", "chosen", "word"),
)
QUOTE_COLUMNS: tuple[Column, ...] = (
    ("symbol", "symbol", "word"),
    ("last", "last", "price"),
    ("bid", "bid", "price"),
    ("ask", "ask", "price"),
    ("volume", "volume", "count"),
    ("change %", "change_percent", "price"),
    ("freshness", "freshness", "word"),
)
# What the columns show; the set of a quote has no change in it.
QUOTE_FIELDS = (*FIELD_SETS["quote"], "change_percent")
_CHAIN: tuple[Column, ...] = (
    ("expiry", "expiry", "word"),
    ("strike", "strike", "price"),
    ("right", "right", "word"),
    ("class", "trading_class", "word"),
    ("multiplier", "multiplier", "count"),
    ("conid", "conid", "word"),
    ("write", "write", "word"),
)
_CONTRACTS: tuple[Column, ...] = (
    ("write", "write", "word"),
    ("class", "sec_type", "word"),
    ("symbol", "symbol", "word"),
    ("name", "name", "word"),
    ("exchange", "exchange", "word"),
    ("currency", "currency", "word"),
    ("conid", "conid", "word"),
    ("note", "note", "word"),
)
_UNSETTLED: tuple[Column, ...] = (
    ("sent", "sent_at", "word"),
    ("kind", "kind", "word"),
    ("about", "about", "word"),
    ("cOID", "coids", "word"),
    ("order", "order_id", "word"),
    ("last step", "step", "word"),
)

# Those of ``SecType`` that have a word: its last one, for what nobody knows, is no choice.
_Class = Literal[
    "STK",
    "OPT",
    "FUT",
    "FOP",
    "IND",
    "CASH",
    "BOND",
    "BILL",
    "FUND",
    "WAR",
    "IOPT",
    "CFD",
    "BAG",
    "CRYPTO",
    "CMDTY",
]

Symbol = Annotated[str | None, typer.Argument(metavar="[SYMBOL]", help="Only this instrument.")]
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="An instrument as you write it, such as AAPL or @ES.")
]


def add_to(app: typer.Typer) -> None:
    """Give the application these commands."""
    for command in (status, accounts, positions, orders, trades, quote, chain, conid):
        app.command()(command)


def status(context: typer.Context, *, as_json: AsJson = False, simulated: Simulated = False) -> None:
    """Log in and tell the session, the account, and whether it may be traded."""
    with exit_codes(), Reach.of(context).exchange(simulated=simulated) as ibkr:
        found = _status(ibkr.open())
        if as_json:
            print_json(found)
            return
        print_pairs("Status", [(name.replace("_", " "), value, "word") for name, value in found.items()])


def _status(ibkr: IBKRExchange) -> dict[str, Any]:
    account = ibkr.orders.account()
    kind = kind_of(ibkr, account)
    return {
        "login": ibkr.settings.auth_method,
        "address": ibkr.settings.base_url,
        "session": ibkr.session.state,
        "account": account,
        "kind": kind,
        "may_be_traded": kind == PAPER or ibkr.settings.environment is Environment.PRODUCTION,
        "stopped": ibkr.orders.stopped,
        "unsettled_orders": len(ibkr.orders.unsettled()),
    }


def accounts(context: typer.Context, *, as_json: AsJson = False, simulated: Simulated = False) -> None:
    """List the accounts of the login, paper or LIVE."""
    with exit_codes(), Reach.of(context).exchange(simulated=simulated) as ibkr:
        wanted = ibkr.settings.account_id
        found = ibkr.portfolio.accounts()
        if as_json:
            print_json(found)
            return
        rows = [
            {
                "account_id": account.account_id,
                "kind": PAPER.lower() if account.is_paper else "LIVE",
                "currency": account.currency,
                "account_type": account.account_type,
                "title": account.title,
                "chosen": "yes" if account.account_id == wanted or len(found) == 1 else None,
            }
            for account in found
        ]
        print_rows("Accounts", _ACCOUNTS, rows)


def positions(
    context: typer.Context, symbol: Symbol = None, *, as_json: AsJson = False, simulated: Simulated = False
) -> None:
    """List what the account holds."""
    with exit_codes(), Reach.of(context).exchange(simulated=simulated) as ibkr:
        if symbol is None:
            found = ibkr.get_positions()
        else:
            one = ibkr.get_position(symbol)
            found = [] if one is None else [one]
        if as_json:
            print_json(found)
        else:
            print_rows("Positions", POSITION_COLUMNS, found)


def orders(
    context: typer.Context,
    symbol: Symbol = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    coid: Annotated[str | None, typer.Option(help="Only the one with this client order id.")] = None,
    unsettled: Annotated[
        bool, typer.Option("--unsettled", help="What was sent and nobody knows the end of.")
    ] = False,
    as_json: AsJson = False,
    simulated: Simulated = False,
) -> None:
    """List working orders, whoever placed them; reading them can take five seconds."""
    with exit_codes(), Reach.of(context).exchange(simulated=simulated) as ibkr:
        if unsettled:
            _unsettled(ibkr, as_json=as_json)
            return
        if coid is not None:
            one = ibkr.find_order(coid)
            if one is None:
                raise OrderRejected(
                    f"no order {coid} is among the orders and trades that IBKR lists now.",
                    remedy="Just after it was sent that proves nothing: see ibkr-adapter orders --unsettled.",
                )
            found = [one]
        else:
            found = ibkr.get_orders(symbol) if everything else ibkr.get_open_orders(symbol)
        if as_json:
            print_json(found)
        else:
            print_rows("Orders", ORDER_COLUMNS, found)


def _unsettled(ibkr: IBKRExchange, *, as_json: bool) -> None:
    rows: list[dict[str, Any]] = [
        {
            "kind": one.kind,
            "account": one.account,
            "coids": one.coids,
            "order_id": one.order_id,
            "about": one.about,
            "step": one.step,
            "sent_at": one.sent_at,
        }
        for one in ibkr.orders.unsettled()
    ]
    if as_json:
        print_json(rows)
        return
    listed = ("coids", "about")
    joined = [row | {name: ", ".join(map(str, row[name])) for name in listed} for row in rows]
    print_rows("Unsettled", _UNSETTLED, joined)


def trades(
    context: typer.Context,
    symbol: Symbol = None,
    *,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the last so many.")] = None,
    as_json: AsJson = False,
    simulated: Simulated = False,
) -> None:
    """List the fills of today and the six days before."""
    with exit_codes(), Reach.of(context).exchange(simulated=simulated) as ibkr:
        found = ibkr.get_trade_history(symbol, limit)
        if as_json:
            print_json(found)
        else:
            print_rows("Trades", _TRADES, found)


def quote(
    context: typer.Context,
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL...", help="One or more instruments.")],
    *,
    as_json: AsJson = False,
    simulated: Simulated = False,
) -> None:
    """Tell prices, and how fresh they are."""
    with exit_codes(), Reach.of(context).exchange(simulated=simulated) as ibkr:
        conids = {symbol: ibkr.contracts.resolve(symbol, for_trading=False).conid for symbol in symbols}
        found = ibkr.market_data.quotes(conids.values(), QUOTE_FIELDS)
        rows = [quote_row(symbol, found[conid]) for symbol, conid in conids.items()]
        if as_json:
            print_json(rows)
        else:
            print_rows("Quotes", QUOTE_COLUMNS, rows)


def quote_row(symbol: str, found: Quote) -> dict[str, Any]:
    """A line of quotes, with how fresh it is."""
    shown = found.display_price()
    return {
        "symbol": symbol,
        "conid": found.conid,
        "last": found.last,
        "bid": found.bid,
        "ask": found.ask,
        "volume": found.volume,
        "prior_close": found.prior_close,
        "change_percent": found.change_percent,
        "shown": None if shown is None else shown.price,
        "freshness": "unknown" if found.availability is None else found.availability.meaning,
        "code": None if found.availability is None else found.availability.code,
        "not_for_sizes": found.why_not_tradable(),
    }


def chain(
    context: typer.Context,
    underlying: Name,
    *,
    expiry: Annotated[
        list[str] | None,
        typer.Option(help="A day or a month, such as 2027-01-15 or 2027-01; may be repeated."),
    ] = None,
    months: Annotated[
        int, typer.Option(min=1, help="How many of the next months, if no expiry is named.")
    ] = 1,
    low: Annotated[str | None, typer.Option(help="Only strikes from here.")] = None,
    high: Annotated[str | None, typer.Option(help="Only strikes up to here.")] = None,
    right: Annotated[str, typer.Option(help="C, P or CP.")] = "CP",
    trading_class: Annotated[
        str | None, typer.Option("--class", help="Only this class, such as SPXW.")
    ] = None,
    as_json: AsJson = False,
    simulated: Simulated = False,
) -> None:
    """List the options on an instrument; a wide range takes many requests."""
    with exit_codes(), Reach.of(context).exchange(simulated=simulated) as ibkr:
        found = ibkr.contracts.option_chain(
            underlying,
            expiries=expiry or months,
            between=(low or "0", high or str(Decimal(10) ** 9)) if low or high else None,
            rights=right.upper(),
            trading_class=trading_class,
            progress=lambda done, of: say(f"{done} of {of}") if done == of or done % 10 == 0 else None,
        )
        rows = [
            {
                "expiry": row.expiry,
                "strike": row.strike,
                "right": row.right,
                "trading_class": row.trading_class,
                "multiplier": row.multiplier,
                "conid": row.conid,
                "write": ibkr.contracts.name_of(row),
            }
            for row in found
        ]
        if as_json:
            print_json(rows)
        else:
            print_rows(f"Options on {underlying}", _CHAIN, rows)


def conid(
    context: typer.Context,
    name: Name,
    *,
    search: Annotated[
        bool, typer.Option("--search", help="List what IBKR's own search finds, instead of what is meant.")
    ] = False,
    sec_type: Annotated[
        _Class | None, typer.Option("--type", help="With --search: only this class.", case_sensitive=False)
    ] = None,
    as_json: AsJson = False,
    simulated: Simulated = False,
) -> None:
    """Tell which contracts a name may mean, and what to write for each."""
    if sec_type is not None and not search:
        raise typer.BadParameter("it goes with --search only; nothing was asked for.", param_hint="'--type'")
    with exit_codes(), Reach.of(context).exchange(simulated=simulated) as ibkr:
        if search:
            rows = ibkr.contracts.search(name, sec_type).records()
            columns: tuple[Column, ...] = tuple(
                (key, key, "word") for key in ("symbol", "name", "exchange", "kinds", "conid")
            )
            shown = [row | {"kinds": ", ".join(str(kind) for kind in row["kinds"])} for row in rows]
        else:
            rows = shown = ibkr.contracts.find(name).records()
            columns = _CONTRACTS
        if as_json:
            print_json(rows)
        else:
            print_rows(f"{name}", columns, shown)
