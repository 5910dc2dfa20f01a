"""A stranger's program, as a type checker sees it; ``test_typing.py`` has it checked against the wheel.

Each line that is marked is wrong, and must be found to be: a marker that is not needed is an error, too.
"""

from decimal import Decimal
from typing import Any, assert_type

from ibkr_adapter import IBKRExchange, Settings
from ibkr_adapter.errors import AmbiguousContract, GuardrailRefused, IBKRError, OrderOutcomeUnknown
from ibkr_adapter.model.alert import Condition, NewAlert
from ibkr_adapter.model.bars import Bars
from ibkr_adapter.model.instrument import Candidate
from ibkr_adapter.model.order import Order, Placed
from ibkr_adapter.model.stream import Event, QuoteEvent

settings = Settings(base_url="https://localhost:5000/v1/api", environment="production")
assert_type(settings.requests_per_second, float)


def trade(ibkr: IBKRExchange) -> str:
    try:
        legs = ibkr.place_bracket_order(
            "AAPL", "buy", "limit", 2, "160.00", take_profit_price=175, stop_loss_price=Decimal(155)
        )
    except OrderOutcomeUnknown as unknown:
        assert_type(unknown.coid, str)
        return unknown.coid
    except IBKRError as error:
        assert_type(error.remedy, str)
        raise
    entry = legs["entryOrder"]
    return str(entry["orderId"]) if entry else ""


def look(unknown: OrderOutcomeUnknown) -> str | None:
    found = unknown.resolve()
    assert_type(found, Placed | Order | None)
    return found.entry.order_id if isinstance(found, Placed) else None


def explain(error: IBKRError) -> str:
    if isinstance(error, AmbiguousContract):
        assert_type(error.candidates, tuple[Candidate, ...])
        return ", ".join(each.write for each in error.candidates)
    if isinstance(error, GuardrailRefused):
        assert_type(error.figure, Decimal | int | float | str | None)
        assert_type(error.limit, Decimal | int | float | tuple[str, ...] | None)
    return error.message


def read(ibkr: IBKRExchange) -> Decimal:
    assert_type(ibkr.get_position("AAPL"), dict[str, Any] | None)
    assert_type(ibkr.has_open_position("AAPL"), bool)
    assert_type(ibkr.contracts.resolve("AAPL").conid, int)
    bars = ibkr.market_data.history("AAPL", since="1m")
    for bar in bars:
        assert_type(bar.close, Decimal)
    assert_type(bars[-50:], Bars)
    assert_type(bars.where(lambda bar: bar.close > 0), Bars)
    return ibkr.sizing_price("AAPL")


def watch(ibkr: IBKRExchange) -> Decimal | None:
    with ibkr.stream.quotes("AAPL") as quotes:
        for event in quotes:
            assert_type(event, Event)
            if isinstance(event, QuoteEvent):
                return event.quote.last
    return None


def warn(ibkr: IBKRExchange) -> None:
    below = Condition(operator="<=", value="180", conid=265598)
    alert = NewAlert(name="AAPL", message="AAPL fell", conditions=[below])
    assert_type(alert.conditions, tuple[Condition, ...])
    ibkr.alerts.create(alert)


def wrong(ibkr: IBKRExchange) -> None:
    ibkr.get_ticker(265598)  # type: ignore[arg-type]
    ibkr.place_market_order("AAPL", "buy")  # type: ignore[call-arg]
    next(ibkr.stream.quotes("AAPL")).quote  # type: ignore[attr-defined]  # noqa: B018
    ibkr.no_such_call()  # type: ignore[attr-defined]
    print(ibkr.sizing_price("AAPL").no_such_figure)  # type: ignore[attr-defined]


with IBKRExchange.simulated(seed=7) as simulated:
    assert_type(simulated, IBKRExchange)
    trade(simulated)
