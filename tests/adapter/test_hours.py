"""Market entries keep to trading hours; nothing else asks for them, and exits least of all."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from worlds import AAPL, Doorway

from ibkr_adapter import IBKRExchange
from ibkr_adapter.errors import ContractError, InvalidOrder, MarketClosed, OrderRejected
from ibkr_adapter.model.order import OrderType, Side, Tif
from ibkr_adapter.simulator.door import Request
from ibkr_adapter.transport import Answer

SCHEDULE = "GET /contract/trading-schedule"
ORDERS = "POST /iserver/account/{accountId}/orders"
# The world begins on Tuesday at 10:00 in New York.
AT_0805, AT_1605, THANKSGIVING = 22 * 3600 + 300.0, 6 * 3600 + 300.0, 48 * 3600.0
WEDNESDAY = datetime(2026, 11, 25, 14, 30, tzinfo=UTC)
FRIDAY = datetime(2026, 11, 27, 14, 30, tzinfo=UTC)


class Scripted(Doorway):
    """A door that answers some addresses itself."""

    def __init__(self, gateway, **answers):
        super().__init__(gateway)
        self.answers = answers

    def send(self, method, url, **about):
        answer = super().send(method, url, **about)
        for part, content in self.answers.items():
            if part in url:
                body = content(json.loads(answer.body)) if callable(content) else content
                return Answer(status=200, headers=answer.headers, body=json.dumps(body).encode())
        return answer


def later(world, seconds):
    """Let time pass for everybody, and log in again where the gateway's day is over."""
    world.clock.advance(seconds)
    body = json.dumps({"action": "login"}).encode()
    world.gateway.handle(
        Request(method="POST", path="/simulator/session", query=(), headers={"user-agent": "test"}, body=body)
    )
    world.clock.advance(61.0)


def test_hours_are_read_once_for_the_days_they_cover(world, ibkr):
    ibkr.place_market_order("AAPL", "buy", 1)
    ibkr.place_market_order("AAPL", "buy", 1)
    ibkr.place_bracket_order("AAPL", "buy", "market", 1, stop_loss_price=150)

    assert world.count(SCHEDULE) == 1
    assert len(world.orders(status="Filled")) == 3


def test_nobody_asks_for_hours_who_does_not_enter_at_the_market(world, ibkr):
    """A limit or a stop waits for its price anyway; closing must never depend on one more answer."""
    world.gateway.seed_position(AAPL, Decimal(9))
    ibkr.place_limit_order("AAPL", "buy", 1, 162)
    ibkr.place_stop_order("AAPL", "buy", 1, 170)
    ibkr.place_bracket_order("AAPL", "buy", "limit", 1, 162, stop_loss_price=150)
    ibkr.place_stop_loss("AAPL", "sell", 9, 150)
    ibkr.close_position("AAPL")

    assert world.count(SCHEDULE) == 0


@pytest.mark.parametrize(
    ("elapsed", "opens", "words"),
    [
        (AT_1605, WEDNESDAY, r"it opens Wednesday 25 November 2026 14:30 UTC \(09:30 US/Eastern\)"),
        (THANKSGIVING, FRIDAY, "it opens Friday 27 November 2026 14:30 UTC"),
    ],
)
def test_a_market_entry_outside_hours_is_refused_with_the_next_opening(world, ibkr, elapsed, opens, words):
    """In the evening and on a holiday, which the schedule simply does not list."""
    later(world, elapsed)

    with pytest.raises(MarketClosed, match=words) as refused:
        ibkr.place_market_order("AAPL", "buy", 1)
    with pytest.raises(MarketClosed):
        ibkr.place_bracket_order("AAPL", "buy", "market", 1, stop_loss_price=150)

    assert refused.value.next_open == opens
    assert "when_closed" in refused.value.remedy
    assert "outside_rth" not in refused.value.remedy
    assert world.count(ORDERS) == 0


def test_before_the_opening_it_is_closed_even_where_extended_hours_trade(world, ibkr):
    """Market orders outside regular hours are not among a share's rules."""
    later(world, AT_0805)

    with pytest.raises(MarketClosed):
        world.exchange(outside_rth=True).place_market_order("AAPL", "buy", 1)


def test_queueing_is_left_to_ibkr(world):
    """Its own word then decides: it keeps the order, or refuses it."""
    world.gateway.set_options({"mkt_outside_rth": "queue"})
    later(world, AT_1605)

    ack = world.exchange(when_closed="queue").place_market_order("AAPL", "buy", 1)

    assert ack["status"] == "open"
    assert world.count(SCHEDULE) == 0


def test_an_exit_is_never_refused_because_of_hours(world, ibkr):
    """Also where it is sold by the method for entries: what only reduces a position is a close."""
    world.gateway.set_options({"mkt_outside_rth": "queue"})
    world.gateway.seed_position(AAPL, Decimal(5))
    later(world, AT_1605)

    assert ibkr.close_position("AAPL", "sell", 2)["status"] == "open"
    assert ibkr.place_market_order("AAPL", "sell", 3)["status"] == "open"
    with pytest.raises(MarketClosed):
        ibkr.place_market_order("AAPL", "sell", 6)
    with pytest.raises(MarketClosed):
        ibkr.place_market_order("AAPL", "buy", 1)

    assert len(world.orders()) == 2


def test_an_order_for_the_opening_is_sent_before_it(world, ibkr):
    later(world, AT_0805)

    placed = ibkr.orders.place(
        "AAPL", side=Side.BUY, order_type=OrderType.MARKET, quantity=Decimal(1), tif=Tif.OPG
    )

    assert placed.entry.ticket.tif is Tif.OPG
    assert world.count(SCHEDULE) == 0


@pytest.mark.parametrize("fault", ["F10", "F13", "F15", "F03"])
def test_hours_that_cannot_be_read_refuse_a_market_entry_and_nothing_else(world, ibkr, fault):
    """An order that waits for another day's price is worse than one that was refused."""
    world.gateway.seed_position(AAPL, Decimal(5))
    world.arm(fault, SCHEDULE, times=None)

    with pytest.raises(InvalidOrder, match="whether AAPL trades now cannot be read") as refused:
        ibkr.place_market_order("AAPL", "buy", 1)
    ibkr.place_limit_order("AAPL", "buy", 1, 162)
    closed = ibkr.close_position("AAPL")

    assert "when_closed to queue" in refused.value.remedy
    assert refused.value.repeatable is True
    assert closed["status"] == "filled"
    assert world.exchange(when_closed="queue").place_market_order("AAPL", "buy", 1)["status"] == "filled"


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_gateway_that_does_not_know_hours_is_asked_once_and_decides_itself(world, status):
    """Else no market order could ever be sent through an older one."""
    world.doorway = Doorway(world.gateway)
    plain, asked = world.doorway.send, []

    def send(method, url, **about):
        if "/contract/trading-schedule" in url:
            asked.append(url)
            body = json.dumps({"error": "Resource not found", "statusCode": status}).encode()
            return Answer(status=status, headers={"content-type": "application/json"}, body=body)
        return plain(method, url, **about)

    world.doorway.send = send
    ibkr = world.exchange()

    for _ in range(2):
        assert ibkr.place_market_order("AAPL", "buy", 1)["status"] == "filled"

    assert len(asked) == 1
    assert ibkr.orders.schedule("AAPL") is None


def of_another_week(content):
    """The same hours a month earlier."""

    def moved(hours):
        return [{key: row[key] - 30 * 86400 for key in ("opening", "closing")} for row in hours]

    days = content["schedules"].values()
    return {
        "exchange_time_zone": "Nowhere/Atlantis",
        "schedules": {str(i): {"liquid_hours": moved(day["liquid_hours"])} for i, day in enumerate(days)},
    }


@pytest.mark.parametrize(
    "answer", [{"exchange_time_zone": "US/Eastern", "schedules": {}}, of_another_week], ids=["none", "other"]
)
def test_where_ibkr_tells_no_hours_of_today_it_decides_itself(world, answer):
    """Silence is not "closed"; it is not asked for again at once either."""
    world.doorway = Scripted(world.gateway, **{"trading-schedule": answer})
    ibkr = world.exchange()

    assert ibkr.place_market_order("AAPL", "buy", 1)["status"] == "filled"
    assert ibkr.place_market_order("AAPL", "buy", 1)["status"] == "filled"
    assert ibkr.orders.schedule("AAPL") is None
    assert world.count(SCHEDULE) == 1

    world.clock.advance(3601)
    ibkr.orders.schedule("AAPL")
    assert world.count(SCHEDULE) == 2


def test_a_zone_that_this_machine_does_not_know_is_left_out(world):
    world.doorway = Scripted(
        world.gateway, **{"trading-schedule": lambda found: found | {"exchange_time_zone": "../etc"}}
    )
    later(world, AT_1605)

    with pytest.raises(MarketClosed, match=r"14:30 UTC; nothing was sent"):
        world.exchange().place_market_order("AAPL", "buy", 1)


def test_where_the_next_opening_is_not_listed_the_refusal_says_so(world):
    def last_day(content):
        day = content["schedules"]["20261124"]
        return content | {"schedules": {"20261124": day}}

    world.doorway = Scripted(world.gateway, **{"trading-schedule": last_day})
    later(world, AT_1605)

    with pytest.raises(MarketClosed, match="when it opens is not listed") as refused:
        world.exchange().place_market_order("AAPL", "buy", 1)

    assert refused.value.next_open is None


def test_hours_are_read_anew_when_their_days_are_over(world):
    def only_today(content):
        day = next(iter(content["schedules"]))
        return content | {"schedules": {day: content["schedules"][day]}}

    world.doorway = Scripted(world.gateway, **{"trading-schedule": only_today})
    ibkr = world.exchange()
    ibkr.place_market_order("AAPL", "buy", 1)
    later(world, 24 * 3600)

    assert ibkr.place_market_order("AAPL", "buy", 1)["status"] == "filled"
    assert world.count(SCHEDULE) == 2


def test_a_market_that_trades_at_the_market_outside_hours_says_how(world):
    """Where the rules allow it the setting is named; with it, extended hours count."""

    def at_any_hour(content):
        content["rules"]["orderTypesOutside"].append("market")
        return content

    world.doorway = Scripted(world.gateway, **{"info-and-rules": at_any_hour})
    later(world, AT_1605)

    with pytest.raises(MarketClosed) as refused:
        world.exchange().place_market_order("AAPL", "buy", 1)
    assert "outside_rth" in refused.value.remedy

    # The simulated broker takes none all the same, which is its good right.
    with pytest.raises(OrderRejected, match="Outside Regular Trading Hours"):
        world.exchange(outside_rth=True).place_market_order("AAPL", "buy", 1)


def test_the_simulated_market_has_a_day_of_its_own():
    """Whatever day it is on this machine."""
    with IBKRExchange.simulated() as ibkr:
        assert ibkr.place_market_order("AAPL", "buy", 1)["status"] in {"open", "filled"}
        ibkr.simulator.advance(AT_1605)

        with pytest.raises(MarketClosed, match="Wednesday 25 November 2026"):
            ibkr.place_market_order("AAPL", "buy", 1)


# Expiry, and what nobody can order ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("expiry", "orderable"),
    [("20261124", True), ("20261123", False), ("202611", True), ("202610", False), ("soon", True)],
)
def test_an_expired_contract_is_never_ordered(world, expiry, orderable):
    """On its last day it still trades; what cannot be read is left to IBKR."""
    world.doorway = Scripted(
        world.gateway, **{"info-and-rules": lambda content: content | {"maturity_date": expiry}}
    )
    ibkr = world.exchange()

    if orderable:
        assert ibkr.place_limit_order("AAPL", "buy", 1, 162)["status"] == "open"
        return
    with pytest.raises(ContractError, match=rf"expired on {expiry}; nothing was sent"):
        ibkr.place_limit_order("AAPL", "buy", 1, 162)
    assert world.count(ORDERS) == 0


def test_an_index_is_never_ordered(world):
    world.doorway = Scripted(
        world.gateway, **{"info-and-rules": lambda content: content | {"instrument_type": "IND"}}
    )

    with pytest.raises(ContractError, match="is an index, which nobody can order; nothing was sent"):
        world.exchange().place_limit_order("AAPL", "buy", 1, 162)


@pytest.mark.parametrize("tif", ["FOK", "GTD", "PAX"])
def test_a_time_in_force_that_nobody_takes_is_refused_with_the_list(world, ibkr, tif):
    with pytest.raises(InvalidOrder, match="othing was sent") as refused:
        ibkr.orders.place(
            "AAPL",
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            quantity=Decimal(1),
            limit_price=Decimal(162),
            tif=tif,
        )

    assert refused.value.remedy == "It takes DAY, GTC, IOC, OPG."
    assert world.orders() == []


# Algorithms --------------------------------------------------------------------------------------


def test_algorithms_are_asked_for_again_while_their_parameters_are_missing(world, ibkr):
    """The first answer of a session comes without them."""
    algos = ibkr.orders.algos("AAPL", ["Adaptive"])
    again = ibkr.orders.algos("AAPL")

    assert [algo.algo_id for algo in algos] == ["Adaptive"]
    assert algos[0].parameters is not None
    assert {"Adaptive", "Vwap"} <= {algo.algo_id for algo in again}
    assert 2 <= world.count("GET /iserver/contract/{conid}/algos") <= 4
