"""Every public call: what it does, and on what stage.

A new public method without a row here fails ``test_every_public_call_has_its_row``.
"""

from __future__ import annotations

import inspect
from decimal import Decimal

from matrix_desks import NO_ROWS, OTHER_DESKS
from matrix_rows import Row, act, read

from ibkr_adapter.conids import ConidResolver
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.market_data import MarketData
from ibkr_adapter.model.order import OrderType, Side, TrailingUnit
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.sweeps import Desk

AAPL, MSFT = 265598, 272093
ACCOUNT = "DU1234567"
# The cOID that the first order of a stage bears.
RESTING = "ibka-00000001"


LIMIT = {"side": Side.BUY, "order_type": OrderType.LIMIT, "quantity": Decimal(2), "limit_price": Decimal(163)}
LEGS = [{"symbol": "AAPL", "ratio": 1}, {"symbol": "MSFT", "ratio": -1}]
EXITS = {"take_profit_price": 170, "stop_loss_price": 160}

HOST: dict[str, Row] = {
    "get_balance": read(lambda x, _: x.get_balance()),
    "get_available_margin": read(lambda x, _: x.get_available_margin()),
    "get_balance_summary": read(lambda x, _: x.get_balance_summary(), held=10),
    "get_positions": read(lambda x, _: x.get_positions(), held=10),
    "get_position": read(lambda x, _: x.get_position("AAPL"), held=10),
    "has_open_position": read(lambda x, _: x.has_open_position("AAPL"), held=10),
    "get_ticker": read(lambda x, _: x.get_ticker("AAPL")),
    "fetch_ticker": read(lambda x, _: x.fetch_ticker("AAPL")),
    "sizing_price": read(lambda x, _: x.sizing_price("AAPL")),
    "sizing": read(lambda x, _: x.sizing("MSFT"), cold=True),
    "smallest_size": read(lambda x, _: x.smallest_size("MSFT"), cold=True),
    "get_open_orders": read(lambda x, _: x.get_open_orders(), resting=True),
    "get_orders": read(lambda x, _: x.get_orders("AAPL"), resting=True),
    "get_all_orders": read(lambda x, _: x.get_all_orders(None, 5), resting=True),
    "get_order": read(lambda x, order: x.get_order("AAPL", order), resting=True),
    "get_trade_history": read(lambda x, _: x.get_trade_history("AAPL", 5)),
    "find_order": read(lambda x, _: x.find_order(RESTING), resting=True),
    "wait_for": read(lambda x, order: x.wait_for(order, timeout=3.0), resting=True),
    "request": read(lambda x, _: x.request("GET", f"/portfolio/{ACCOUNT}/meta")),
    "request:changes": act(
        lambda x, order: x.request("DELETE", f"/iserver/account/{ACCOUNT}/order/{order}"), resting=True
    ),
    "open": read(lambda x, _: x.open() and None, cold=True),
    "place_market_order": act(lambda x, _: x.place_market_order("AAPL", "buy", 2)),
    "place_limit_order": act(lambda x, _: x.place_limit_order("AAPL", "buy", 2, 163)),
    "place_stop_order": act(lambda x, _: x.place_stop_order("AAPL", "buy", 2, 175)),
    "place_bracket_order": act(lambda x, _: x.place_bracket_order("AAPL", "buy", "limit", 2, 163, **EXITS)),
    "place_bracket_order:market": act(
        lambda x, _: x.place_bracket_order(
            "AAPL", "buy", "market", 2, take_profit_price=175, stop_loss_price=155
        )
    ),
    "place_bracket_order:short": act(
        lambda x, _: x.place_bracket_order(
            "AAPL", "sell", "limit", 2, 168, take_profit_price=160, stop_loss_price=180
        )
    ),
    "place_otoco_order": act(lambda x, _: x.place_otoco_order("AAPL", "buy", 2, "limit", 163, 170, 160)),
    "place_combo_order": act(lambda x, _: x.place_combo_order(LEGS, "buy", 1, -200)),
    "place_stop_loss": act(lambda x, _: x.place_stop_loss("AAPL", "SELL", 10, 155), held=10),
    "place_stop_loss:late": act(lambda x, _: x.place_stop_loss("AAPL", "SELL", 2, 155), resting=True),
    "place_take_profit": act(lambda x, _: x.place_take_profit("AAPL", "SELL", 10, 175), held=10),
    "place_trailing_stop": act(lambda x, _: x.place_trailing_stop("AAPL", "SELL", 10, 2), held=10),
    "place_oco_order": act(lambda x, _: x.place_oco_order("AAPL", "SELL", 10, 175, 155), held=10, most=2),
    "close_position": act(lambda x, _: x.close_position("AAPL"), held=10, resting=True),
    "close_position:part": act(lambda x, _: x.close_position("AAPL", "SELL", 4), held=10),
    "cancel_order": act(lambda x, order: x.cancel_order("AAPL", order), resting=True),
    "cancel_all_orders": act(lambda x, _: x.cancel_all_orders("AAPL"), resting=True),
}
ORDERS: dict[str, Row] = {
    "account": read(lambda x, _: x.orders.account()),
    "contract": read(lambda x, _: x.orders.contract("MSFT"), cold=True),
    "live": read(lambda x, _: x.orders.live(), resting=True),
    "fills": read(lambda x, _: x.orders.fills()),
    "status": read(lambda x, order: x.orders.status(order), resting=True),
    "find": read(lambda x, _: x.orders.find(RESTING), resting=True),
    "unsettled": read(lambda x, _: x.orders.unsettled(), resting=True),
    "working": read(lambda x, _: x.orders.working("AAPL"), resting=True),
    "wait_for": read(lambda x, order: x.orders.wait_for(order, timeout=3.0), resting=True),
    "track": read(lambda x, order: next(x.orders.track(order, timeout=30)), resting=True),
    "seen": read(lambda x, order: x.orders.seen(order), resting=True),
    "terms": read(lambda x, _: x.orders.terms("MSFT"), cold=True),
    "sizing_price": read(lambda x, _: x.orders.sizing_price("AAPL")),
    "sizing": read(lambda x, _: x.orders.sizing("MSFT"), cold=True),
    "smallest_size": read(lambda x, _: x.orders.smallest_size("MSFT"), cold=True),
    "schedule": read(lambda x, _: x.orders.schedule("AAPL")),
    "algos": read(lambda x, _: x.orders.algos("AAPL")),
    "combo": read(lambda x, _: x.orders.combo([("AAPL", 1), ("MSFT", -1)])),
    "preview": read(lambda x, _: x.orders.preview("AAPL", **LIMIT)),
    "preview_combo": read(
        lambda x, _: x.orders.preview_combo(
            [("AAPL", 1), ("MSFT", -1)], side=Side.BUY, quantity=Decimal(1), limit_price=Decimal(-200)
        )
    ),
    "place": act(lambda x, _: x.orders.place("AAPL", **LIMIT)),
    "place:trailing": act(
        lambda x, _: x.orders.place(
            "AAPL",
            side=Side.BUY,
            order_type=OrderType.TRAIL,
            quantity=Decimal(2),
            trailing=Decimal(3),
            trailing_unit=TrailingUnit.AMOUNT,
        )
    ),
    "bracket": act(
        lambda x, _: x.orders.bracket("AAPL", **LIMIT, take_profit=Decimal(170), trailing_percent=Decimal(2))
    ),
    "place_combo": act(
        lambda x, _: x.orders.place_combo(
            [("AAPL", 1), ("MSFT", -1)], side=Side.BUY, quantity=Decimal(1), limit_price=Decimal(-200)
        )
    ),
    "convert": act(
        lambda x, _: x.orders.convert(Decimal(1000), "EUR", "USD", limit_price=Decimal("1.10")),
        answers=("o10223", "o163"),
    ),
    "modify": act(lambda x, order: x.orders.modify(order, limit_price=Decimal(162)), resting=True),
    "cancel": act(lambda x, order: x.orders.cancel(order), resting=True),
    "stop_loss": act(
        lambda x, _: x.orders.stop_loss(
            "AAPL", side=Side.SELL, quantity=Decimal(10), stop_price=Decimal(155)
        ),
        held=10,
    ),
    "take_profit": act(
        lambda x, _: x.orders.take_profit("AAPL", side=Side.SELL, quantity=Decimal(10), price=Decimal(175)),
        held=10,
    ),
    "trailing_stop": act(
        lambda x, _: x.orders.trailing_stop("AAPL", side=Side.SELL, quantity=Decimal(10), percent=Decimal(2)),
        held=10,
    ),
    "oco": act(
        lambda x, _: x.orders.oco(
            "AAPL", side=Side.SELL, quantity=Decimal(10), take_profit=Decimal(175), stop_loss=Decimal(155)
        ),
        held=10,
        most=2,
    ),
    "close": act(lambda x, _: x.orders.close("AAPL"), held=10),
    "cancel_all": act(lambda x, _: x.orders.cancel_all(), resting=True),
    "flatten": act(lambda x, _: x.orders.flatten(scope="account"), held=10, resting=True),
}
MARKET: dict[str, Row] = {
    "quote": read(lambda x, _: x.market_data.quote(AAPL)),
    "quotes": read(lambda x, _: dict(x.market_data.quotes([AAPL, MSFT]))),
    "snapshot": read(lambda x, _: list(x.market_data.snapshot(["AAPL"], "option"))),
    "free": read(lambda x, _: (x.market_data.quote(AAPL), x.market_data.free([AAPL]))[0]),
    "unsubscribe_all": read(lambda x, _: x.market_data.unsubscribe_all()),
    "history": read(
        lambda x, _: list(x.market_data.history(AAPL, bar="1h", since="2026-10-01", until="2026-10-03"))
    ),
    "scanner_parameters": read(lambda x, _: x.market_data.scanner_parameters()),
    "scan": read(lambda x, _: list(x.market_data.scan("TOP_PERC_GAIN", filters={"priceBelow": 100}))),
    "regulatory_snapshot": act(lambda x, _: x.market_data.regulatory_snapshot(AAPL, pay="USD 0.01")),
    "chain": read(lambda x, _: list(x.market_data.chain("AAPL", strikes=[165])), cold=True),
}
CONTRACTS: dict[str, Row] = {
    "resolve": read(lambda x, _: x.contracts.resolve("MSFT"), cold=True),
    "find": read(lambda x, _: list(x.contracts.find("MSFT")), cold=True),
    "search": read(lambda x, _: list(x.contracts.search("MSFT")), cold=True),
    "rules": read(lambda x, _: x.contracts.rules(MSFT), cold=True),
    "option_chain": read(
        lambda x, _: list(x.contracts.option_chain("AAPL", between=(165, 170), rights="C")), cold=True
    ),
    "futures_chain": read(lambda x, _: list(x.contracts.futures_chain("ES")), cold=True),
}
SESSION: dict[str, Row] = {
    "accounts": read(lambda x, _: x.session.accounts()),
    "portfolio_accounts": read(lambda x, _: x.session.portfolio_accounts()),
    "tickle": read(lambda x, _: x.session.tickle()),
}
DESKS: dict[str, tuple[type, dict[str, Row]]] = {
    "": (IBKRExchange, HOST),
    "orders.": (Desk, ORDERS),
    "market_data.": (MarketData, MARKET),
    "contracts.": (ConidResolver, CONTRACTS),
    "session.": (SessionKeeper, SESSION),
    **OTHER_DESKS,
}
ROWS: dict[str, Row] = {
    prefix + name: row for prefix, (_, rows) in DESKS.items() for name, row in rows.items()
}

# What has no row, and why.
ROWLESS: dict[str, str] = {
    "from_env": "makes an object and sends nothing",
    "simulated": "makes an object and sends nothing",
    "get_exchange_name": "a constant",
    "close": "sends nothing; test_nothing_outlives_the_last_object has it",
    "on_call": "sends nothing",
    "session.stream_door": "tells where a stream is opened; the stream's own tests break that",
    "orders.kill": "sends nothing",
    "orders.revive": "sends nothing",
    "orders.check_request": "sends nothing; `request` calls it",
    "contracts.written": "reads what is known, or is reached through get_positions",
    "contracts.name_of": "a pure name",
    "host_symbol": "is `contracts.resolve`, and `contracts.name_of`, which is pure",
    "market_data.borrowed": "sends nothing of its own; `free` is what it calls at its end",
    "market_data.download": "is `history` with a file; test_history has its interruptions",
    "session.on_change": "sends nothing",
    "session.lose": "sends nothing; every lost session calls it",
    "session.close": "sends nothing",
    "session.chosen": "sends nothing; selecting an account calls it",
    "session.read": "what all reads go through",
    "session.change": "what all changes go through",
    "session.ensure": "is `open`",
    **NO_ROWS,
}


def public_calls() -> set[str]:
    """What can be called on the exchange and its desks."""
    return {
        prefix + name
        for prefix, (made, _) in DESKS.items()
        for name, member in inspect.getmembers(made)
        if not name.startswith("_") and callable(member)
    }
