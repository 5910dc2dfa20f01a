"""What makes no sense is refused in the library's own words, and nothing is sent for it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ibkr_adapter.errors import (
    ConfigurationError,
    ContractNotFound,
    GuardrailRefused,
    IBKRError,
    InvalidOrder,
    InvalidRequest,
)
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.model.adviser import Group, Member, Method
from ibkr_adapter.model.alert import Condition, NewAlert
from ibkr_adapter.model.order import OrderType, Side
from ibkr_adapter.settings import Settings

PLACE = "POST /iserver/account/{accountId}/orders"
DIGITS = 10**5000


class Unshown:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def entry(ibkr, **changed):
    asked = {"side": Side.BUY, "order_type": OrderType.LIMIT, "quantity": Decimal(1)}
    return ibkr.orders.place("AAPL", **{**asked, "limit_price": Decimal(160), **changed})


def bracket(ibkr, **changed):
    asked = {"side": Side.BUY, "order_type": OrderType.LIMIT, "quantity": Decimal(1)}
    asked |= {"limit_price": Decimal(160), "take_profit": Decimal(190), "stop_loss": Decimal(150)}
    return ibkr.orders.bracket("AAPL", **{**asked, **changed})


# Hosts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda ibkr: ibkr.place_market_order("AAPL", "BUY", DIGITS),
        lambda ibkr: ibkr.place_market_order("AAPL", DIGITS, 1),
        lambda ibkr: ibkr.place_market_order(DIGITS, "BUY", 1),
        lambda ibkr: ibkr.place_market_order("AAPL", "BUY", 1, coid=DIGITS),
        lambda ibkr: ibkr.place_market_order("AAPL", "BUY", Unshown()),
        lambda ibkr: ibkr.place_bracket_order("AAPL", "BUY", DIGITS, 1),
        lambda ibkr: ibkr.place_combo_order([("AAPL", DIGITS), ("MSFT", -1)], "BUY", 1),
        lambda ibkr: ibkr.place_combo_order([("AAPL", 1), ("MSFT", -1)], "BUY", "1e999999999"),
        lambda ibkr: ibkr.place_combo_order([("AAPL", 1), ("MSFT", -1)], "BUY", 1, "1e999999999"),
        lambda ibkr: ibkr.close_position("AAPL", None, DIGITS),
        lambda ibkr: ibkr.cancel_order("AAPL", DIGITS),
        lambda ibkr: ibkr.get_order("AAPL", -DIGITS),
        lambda ibkr: ibkr.orders.convert(Decimal(100), None, b"EUR"),
        lambda ibkr: entry(ibkr, tif=DIGITS),
    ],
)
def test_what_cannot_be_written_out_is_refused_all_the_same(world, ibkr, call):
    """Python refuses to write numbers of thousands of digits, and its error came instead."""
    with pytest.raises(IBKRError, match="nothing was sent"):
        call(ibkr)

    assert world.count(PLACE) == 0


@pytest.mark.parametrize("options", ["trailingStop", 1.5, ["trailingStop", 1.5], "", 0])
def test_options_that_are_no_mapping_are_refused_and_not_left_out(world, ibkr, options):
    with pytest.raises(InvalidOrder, match="no mapping"):
        ibkr.place_otoco_order("AAPL", "BUY", 1, "limit", 160, 190, None, options)

    assert world.count(PLACE) == 0


@pytest.mark.parametrize(
    "key", ["trailngStop", "trailing_stp", "traillngStp", "TRAILINGSTOP", "stopLoss", "takeProfit", "sl", 5]
)
def test_an_option_that_speaks_of_an_exit_is_not_passed_over(world, ibkr, key):
    """The bracket would stand without its stop."""
    with pytest.raises(InvalidOrder, match=r"the options have no .*; nothing was sent.*trailingStop"):
        ibkr.place_otoco_order("AAPL", "BUY", 1, "limit", 160, 190, None, {key: 2})
    with pytest.raises(InvalidOrder, match="trailingStop and trailing_stop; nothing was sent"):
        ibkr.place_otoco_order(
            "AAPL", "BUY", 1, "limit", 160, 190, None, {"trailingStop": 1, "trailing_stop": 2}
        )

    assert world.count(PLACE) == 0


def test_another_option_is_passed_over_and_logged(world, ibkr, caplog):
    ibkr.place_otoco_order(
        "AAPL", "BUY", 1, "limit", 164, 175, 155, {"duration": "day", "trailingStop": None}
    )

    assert "the option 'duration' of an order is passed over" in caplog.text
    assert len(world.orders()) == 3


@pytest.mark.parametrize("limit", ["", "ten", -1, "-1", 1.5, True, float("nan"), Decimal("1E+999999"), [1]])
def test_a_limit_that_is_none_is_refused(ibkr, limit):
    """A negative one cut the list from its end, and a decimal of a million digits took minutes."""
    for listed in (ibkr.get_all_orders, ibkr.get_trade_history):
        with pytest.raises(InvalidRequest, match="is no whole number"):
            listed(limit=limit)


def test_a_limit_may_be_a_text_or_a_number_of_numpys(ibkr):
    numpy = pytest.importorskip("numpy")
    for less in (1, 2):
        ibkr.place_limit_order("AAPL", "BUY", 1, ibkr.sizing_price("AAPL") - less)

    assert len(ibkr.get_all_orders(limit="1")) == len(ibkr.get_all_orders(limit=numpy.int64(1))) == 1
    assert ibkr.get_all_orders(limit=0) == []


@pytest.mark.parametrize("symbol", [False, 0, [], {}, "", " ", 265598])
def test_a_symbol_that_is_none_does_not_list_every_symbol(ibkr, symbol):
    for listed in (ibkr.get_open_orders, ibkr.get_orders, ibkr.get_all_orders, ibkr.get_trade_history):
        with pytest.raises(ContractNotFound, match="is no symbol; nothing was sent"):
            listed(symbol)


def test_an_array_is_no_symbol(ibkr):
    numpy = pytest.importorskip("numpy")
    placed = ibkr.place_limit_order("AAPL", "BUY", 1, ibkr.sizing_price("AAPL") - 1)

    for ask in (ibkr.get_open_orders, ibkr.get_trade_history, ibkr.get_position, ibkr.get_ticker):
        with pytest.raises(ContractNotFound, match="is no symbol; nothing was sent"):
            ask(numpy.array(["AAPL", "MSFT"]))
    assert ibkr.get_order(numpy.array(["AAPL", "MSFT"]), placed["orderId"])["symbol"] == "AAPL"


@pytest.mark.parametrize("coid", [None, "", " ", 7, ["x"]])
def test_an_order_without_a_coid_is_never_the_one_that_is_looked_for(world, ibkr, coid):
    ticket = {"conid": 265598, "side": "SELL", "orderType": "LMT", "price": 180, "quantity": 5, "tif": "GTC"}
    world.gateway.place_foreign(ticket)

    with pytest.raises(InvalidOrder, match="is no client order id"):
        ibkr.find_order(coid)


@pytest.mark.parametrize("timeout", [None, "1", True, float("nan"), -1, Decimal(1), [1]])
def test_a_time_that_is_none_is_refused(ibkr, timeout):
    with pytest.raises(InvalidOrder, match="is no time"):
        ibkr.wait_for(1, timeout=timeout)
    with pytest.raises(InvalidOrder, match="is no time"):
        ibkr.orders.track(1, timeout=timeout)


# Programs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "amount",
    [1, 1.5, "1", True, float("nan"), Decimal("NaN"), Decimal("sNaN"), pytest.param(DIGITS, id="digits")],
)
@pytest.mark.parametrize(
    "call",
    [
        lambda ibkr, amount: entry(ibkr, quantity=amount),
        lambda ibkr, amount: entry(ibkr, limit_price=amount),
        lambda ibkr, amount: entry(ibkr, quantity=None, cash_quantity=amount),
        lambda ibkr, amount: entry(ibkr, stop_price=amount),
        lambda ibkr, amount: entry(ibkr, trailing=amount),
        lambda ibkr, amount: bracket(ibkr, quantity=amount),
        lambda ibkr, amount: bracket(ibkr, take_profit=amount),
        lambda ibkr, amount: bracket(ibkr, stop_loss=amount),
        lambda ibkr, amount: bracket(ibkr, stop_loss=None, trailing_percent=amount),
        lambda ibkr, amount: ibkr.orders.place_combo(
            [("AAPL", 1), ("MSFT", -1)], side=Side.BUY, quantity=amount
        ),
        lambda ibkr, amount: ibkr.orders.convert(amount, "USD", "EUR"),
        lambda ibkr, amount: ibkr.orders.close("AAPL", amount),
        lambda ibkr, amount: ibkr.orders.modify(1, limit_price=amount),
        lambda ibkr, amount: ibkr.orders.stop_loss(
            "AAPL", side=Side.SELL, quantity=amount, stop_price=Decimal(150)
        ),
        lambda ibkr, amount: ibkr.orders.take_profit(
            "AAPL", side=Side.SELL, quantity=Decimal(1), price=amount
        ),
        lambda ibkr, amount: ibkr.orders.trailing_stop(
            "AAPL", side=Side.SELL, quantity=Decimal(1), percent=amount
        ),
        lambda ibkr, amount: ibkr.orders.oco(
            "AAPL", side=Side.SELL, quantity=Decimal(1), take_profit=amount, stop_loss=Decimal(150)
        ),
    ],
)
def test_an_amount_that_is_no_decimal_is_refused_before_anything_is_asked(world, ibkr, call, amount):
    with pytest.raises(InvalidOrder, match=r"is no (Decimal|number); nothing was sent"):
        call(ibkr, amount)

    assert world.doorway.sent == []


@pytest.mark.parametrize("side", [None, "BUY", "buy", 1, True, OrderType.LIMIT])
def test_a_word_for_a_side_is_no_side_to_a_program(world, ibkr, side):
    for call in (
        lambda: entry(ibkr, side=side),
        lambda: bracket(ibkr, side=side),
        lambda: ibkr.orders.take_profit("AAPL", side=side, quantity=Decimal(1), price=Decimal(190)),
    ):
        with pytest.raises(InvalidOrder, match=r"is no Side.*Side\.BUY or Side\.SELL"):
            call()

    assert world.doorway.sent == []


def test_other_words_of_a_program_are_held_against_their_kinds_too(world, ibkr):
    with pytest.raises(InvalidOrder, match=r"is no OrderType.*OrderType\.LIMIT"):
        entry(ibkr, order_type="limit")
    with pytest.raises(InvalidOrder, match="is no TrailingUnit"):
        entry(ibkr, order_type=OrderType.TRAIL, trailing=Decimal(5), trailing_unit="%")
    with pytest.raises(InvalidOrder, match="more than any market has"):
        entry(ibkr, quantity=Decimal("1e999999999"))

    assert world.doorway.sent == []


@pytest.mark.parametrize(
    "asked",
    [
        {"algo": DIGITS},
        {"algo": "Adaptive", "algo_parameters": True},
        {"algo": "Adaptive", "algo_parameters": ["adaptivePriority"]},
        {"algo_parameters": ""},
        {"wait_for_outcome": DIGITS},
    ],
)
def test_an_algorithm_or_a_wait_that_cannot_be_read_is_refused(world, ibkr, asked):
    with pytest.raises(InvalidOrder, match="nothing was sent"):
        entry(ibkr, limit_price=ibkr.sizing_price("AAPL") - 1, **asked)

    assert world.count(PLACE) == 0


@pytest.mark.parametrize("legs", [None, 5, "AAPL", {"AAPL": 1}])
def test_legs_that_are_no_list_are_refused(ibkr, legs):
    with pytest.raises(InvalidOrder, match="are no legs"):
        ibkr.orders.combo(legs)


# The other desks ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda ibkr: ibkr.portfolio.find_accounts(None),
        lambda ibkr: ibkr.portfolio.set_dynamic_account(7),
        lambda ibkr: ibkr.portfolio.performance(None),
        lambda ibkr: ibkr.portfolio.transactions("AAPL", days="90"),
        lambda ibkr: ibkr.portfolio.transactions("AAPL", currency=1),
        lambda ibkr: ibkr.notifications.mark_read(None),
        lambda ibkr: ibkr.notifications.enable(None),
        lambda ibkr: ibkr.notifications.add_device(None, "x"),
        lambda ibkr: ibkr.notifications.add_device("x", "y", enabled="False"),
        lambda ibkr: ibkr.notifications.by_email(enabled="False"),
        lambda ibkr: ibkr.notifications.by_email(enabled=None),
        lambda ibkr: ibkr.notifications.remove_device(7),
        lambda ibkr: ibkr.notifications.answer_prompt(1, None, "Yes"),
        lambda ibkr: ibkr.watchlists.create(None, ["AAPL"]),
        lambda ibkr: ibkr.watchlists.create("mine", b"AAPL"),
        lambda ibkr: ibkr.watchlists.create("mine", None),
        lambda ibkr: ibkr.alerts.delete(DIGITS),
        lambda ibkr: ibkr.advisers.delete(None),
        lambda ibkr: ibkr.advisers.add(None),
        lambda ibkr: ibkr.advisers.modify({"name": "G"}),
        lambda ibkr: ibkr.advisers.add(
            Group(name=None, method=Method.EQUAL, members=(Member(account_id="DU1"),))
        ),
        lambda ibkr: ibkr.advisers.add(Group(name="G", method=Method.EQUAL, members=("DU1",))),
        lambda ibkr: ibkr.alerts.create(None),
        lambda ibkr: ibkr.alerts.modify(1, None),
        lambda ibkr: ibkr.alerts.create(
            NewAlert(name=None, message="m", conditions=[Condition(value=5, conid=265598)])
        ),
        lambda ibkr: ibkr.alerts.create(NewAlert(name="n", message="m", conditions=None)),
        lambda ibkr: ibkr.alerts.create(NewAlert(name="n", message="m", conditions=["x"])),
        lambda ibkr: ibkr.contracts.name_of(None),
        lambda ibkr: ibkr.notifications.list(most="x"),
        lambda ibkr: ibkr.notifications.list(most=1.5),
        lambda ibkr: ibkr.notifications.list(most=True),
        lambda ibkr: ibkr.notifications.list(include=True),
        lambda ibkr: ibkr.notifications.list(include="FF"),
        lambda ibkr: ibkr.notifications.list(exclude=[None]),
        lambda ibkr: ibkr.notifications.list(include=["FF"], exclude=["PR"]),
        lambda ibkr: ibkr.orders.algos("AAPL", True),
        lambda ibkr: ibkr.orders.algos("AAPL", "Vwap"),
        lambda ibkr: ibkr.orders.algos("AAPL", [5]),
        lambda ibkr: ibkr.catalogue.venues("AAPL", None),
        lambda ibkr: ibkr.contracts.futures_chain(None),
        lambda ibkr: ibkr.contracts.option_chain("AAPL", strikes=[DIGITS]),
        lambda ibkr: ibkr.market_data.quote(True),
        lambda ibkr: ibkr.market_data.quotes([-1]),
        lambda ibkr: ibkr.market_data.history(None),
        lambda ibkr: ibkr.stream.quotes(True),
        lambda ibkr: ibkr.stream.depth(0),
    ],
)
def test_what_no_desk_can_read_is_refused_and_nothing_is_changed(world, ibkr, call):
    ibkr.open()
    before = len(world.doorway.sent)

    with pytest.raises((InvalidRequest, IBKRError), match="nothing was"):
        call(ibkr)

    assert {method for method, _, _ in world.doorway.sent[before:]} <= {"GET"}


@pytest.mark.parametrize(
    "asked",
    [
        {"expiries": 1.5},
        {"expiries": [1]},
        {"expiries": True},
        {"expiries": [DIGITS]},
        {"strikes": 5},
        {"strikes": "220"},
        {"between": ()},
        {"between": 5},
        {"between": (1, 2, 3)},
        {"rights": None},
        {"rights": ""},
        {"rights": [DIGITS]},
        {"trading_class": 1},
        {"trading_class": ""},
        {"most_requests": None},
        {"most_requests": "5"},
        {"most_requests": float("nan")},
        {"progress": "x"},
    ],
)
def test_a_chain_that_cannot_be_read_is_refused_before_anything_is_asked(world, ibkr, asked):
    for chain in (ibkr.contracts.option_chain, ibkr.market_data.chain):
        with pytest.raises(IBKRError, match="nothing was sent"):
            chain("AAPL", **asked)

    assert world.doorway.sent == []


def test_a_chain_is_asked_for_by_what_a_data_frame_holds(ibkr):
    numpy = pytest.importorskip("numpy")

    chain = ibkr.contracts.option_chain(
        "AAPL", expiries=numpy.int64(1), strikes=numpy.array([170.0]), rights=["call"], most_requests=50
    )

    assert {(row.strike, row.right) for row in chain} == {(Decimal(170), "C")}


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize(
    "asked",
    [
        {"code": []},
        {"code": None},
        {"instrument": 5},
        {"location": {}},
        {"filters": " "},
        {"filters": []},
        {"filters": {5: 1}},
        {"filters": {"priceAbove": DIGITS}},
    ],
)
def test_a_scan_that_cannot_be_read_is_refused(world, ibkr, asked, listed):
    """Where IBKR's lists cannot be had as well, against which it would be held."""
    if not listed:
        world.arm("F13", on="GET /iserver/scanner/params", times=None)

    with pytest.raises(InvalidRequest, match="nothing was sent"):
        ibkr.market_data.scan(**{"code": "TOP_PERC_GAIN", **asked})

    assert world.count("POST /iserver/scanner/run") == 0


def test_a_wish_that_is_no_text_is_in_no_list_of_scans(ibkr):
    lists = ibkr.market_data.scanner_parameters()

    for code in ([], None, DIGITS, "x" * 100_000):
        with pytest.raises(InvalidRequest, match="IBKR has no scan") as refused:
            lists.check(code, "STK", "STK.US.MAJOR", {})
        assert len(str(refused.value)) < 500


@pytest.mark.parametrize("whats", [None, 5, "AAPL", b"AAPL", pytest.param(DIGITS, id="digits")])
def test_contracts_that_are_no_list_are_refused(world, ibkr, whats):
    """A name was read letter by letter, and there is a contract A."""
    for call in (ibkr.market_data.quotes, ibkr.market_data.snapshot, ibkr.market_data.free):
        with pytest.raises(InvalidRequest, match=r"is no list of contracts; nothing was sent.*AAPL"):
            call(whats)

    assert world.doorway.sent == []


@pytest.mark.parametrize(
    "fields", [None, [[]], [None], 5, [DIGITS], pytest.param("x" * 100_000, id="long"), [], ""]
)
def test_fields_that_cannot_be_read_are_refused(world, ibkr, fields):
    for call in (ibkr.market_data.quotes, ibkr.market_data.snapshot):
        with pytest.raises(InvalidRequest, match=r"is no field of a snapshot .* nothing was sent") as refused:
            call(["AAPL"], fields)
        assert len(str(refused.value)) < 500

    assert world.doorway.sent == []


@pytest.mark.parametrize(
    "asked",
    [
        {"path": None},
        {"path": 5},
        {"path": b"bars.csv"},
        {"path": "bars\0.csv"},
        {"path": "x" * 100_000},
        {"path": "x" * 100_000 + ".csv"},
        {"progress": "x"},
        {"progress": None},
        {"exchange": "X" * 100_000},
        {"exchange": 5},
        {"exchange": ""},
    ],
)
def test_a_download_that_cannot_be_read_is_refused(world, ibkr, tmp_path, asked):
    for call in (ibkr.market_data.download, ibkr.market_data.history):
        given = {"path": tmp_path / "bars.csv", **asked}
        if call == ibkr.market_data.history and given.pop("path") == asked.get("path"):
            continue
        with pytest.raises(InvalidRequest, match=r"no bar was asked for|nothing was sent") as refused:
            call("AAPL", **given)
        assert len(str(refused.value)) < 500

    assert world.count("GET /iserver/marketdata/history") == 0


@pytest.mark.parametrize("since", [None, 5, 1.5, ["1y"]])
def test_a_span_of_history_that_is_none_is_refused(ibkr, since):
    with pytest.raises(InvalidRequest, match="no moment and no period"):
        ibkr.market_data.history("AAPL", since=since)


@pytest.mark.parametrize("account", ["", " ", 0, False])
def test_an_empty_account_is_not_the_usual_one(world, ibkr, account):
    """It named the account of the settings, and what was meant for none was done there."""
    with pytest.raises(ConfigurationError, match="is not an account of this login"):
        ibkr.portfolio.positions(account)
    with pytest.raises(ConfigurationError, match="is not an account of this login"):
        ibkr.alerts.delete(1, account)

    assert not [sent for method, sent, _ in world.doorway.sent if method == "DELETE"]


def test_a_contract_id_may_be_one_of_numpys(ibkr):
    numpy = pytest.importorskip("numpy")

    assert ibkr.market_data.quote(numpy.int64(265598)).conid == 265598


@pytest.mark.parametrize(
    "why", [None, "", RuntimeError("the feed is down"), 7, pytest.param(DIGITS, id="digits"), Unshown()]
)
def test_the_kill_switch_is_thrown_whatever_the_reason_looks_like(world, ibkr, why):
    ibkr.orders.kill(why)

    with pytest.raises(GuardrailRefused, match="the kill switch is on"):
        ibkr.place_market_order("AAPL", "BUY", 1)
    assert world.orders() == []


@pytest.mark.parametrize(
    "call",
    [
        lambda ibkr: ibkr.stream.quotes("AAPL", fields=None),
        lambda ibkr: ibkr.stream.quotes("AAPL", fields=[[]]),
        lambda ibkr: ibkr.stream.quotes("AAPL", size="10"),
        lambda ibkr: ibkr.stream.bars("AAPL", period=Decimal(1)),
        lambda ibkr: ibkr.stream.bars("AAPL", bar=DIGITS),
        lambda ibkr: ibkr.stream.bars("AAPL", source=DIGITS),
        lambda ibkr: ibkr.stream.depth("AAPL", exchange=7),
        lambda ibkr: ibkr.stream.trades(days="1"),
        lambda ibkr: ibkr.stream.trades(days=DIGITS),
        lambda ibkr: ibkr.stream.quotes("AAPL", callback="print"),
        lambda ibkr: ibkr.stream.orders(callback=5),
        lambda ibkr: ibkr.stream.profit(callback=DIGITS),
    ],
)
def test_a_subscription_that_cannot_be_written_is_refused(ibkr, call):
    with pytest.raises(ConfigurationError):
        call(ibkr)


@pytest.mark.parametrize("scope", [None, "all", ["own"], {}, pytest.param(DIGITS, id="digits")])
def test_a_scope_that_is_none_ends_nothing(world, ibkr, scope):
    for sweep in (ibkr.orders.cancel_all, ibkr.orders.flatten):
        with pytest.raises(InvalidOrder, match="is neither own nor account"):
            sweep(scope=scope)

    assert world.doorway.sent == []


@pytest.mark.parametrize("listener", [None, "print", pytest.param(DIGITS, id="digits")])
def test_a_listener_that_cannot_be_called_is_refused(world, ibkr, listener):
    """Nobody was told anything, and that only when there was something to tell."""
    for listen in (ibkr.on_call, ibkr.session.on_change):
        with pytest.raises(InvalidRequest, match="cannot be called; nothing was sent"):
            listen(listener)

    assert world.doorway.sent == []


@pytest.mark.parametrize(
    "asked",
    [
        {"seed": None},
        {"seed": "7"},
        {"seed": True},
        {"simulator_options": "x"},
        {"simulator_options": []},
        {"simulator_options": {"pacin": True}},
        {"simulator_options": {"pacing": "perhaps"}},
        {"simulator_options": {5: 1}},
        {"simulator_options": {"x" * 100_000: 1}},
    ],
)
def test_a_simulator_that_cannot_be_made_is_refused(asked):
    with pytest.raises(ConfigurationError, match="the simulator was not started") as refused:  # noqa: SIM117  (either may raise)
        with IBKRExchange.simulated(**asked) as ibkr:
            ibkr.open()

    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"IBKR_ADAPTER_BASE_URL": 5}, "IBKR_ADAPTER_BASE_URL|base_url"),
        ({"IBKR_ADAPTER_ALLOW_SHORT": []}, "ALLOW_SHORT|allow_short"),
        ([("IBKR_ADAPTER_ALLOW_SHORT", "false")], "must be Settings or a mapping"),
        ("x", "must be Settings or a mapping"),
    ],
)
def test_variables_that_are_no_texts_are_refused(environ, words):
    with pytest.raises(ConfigurationError, match=words):
        Settings.from_env(environ)
    with pytest.raises(ConfigurationError, match="must be Settings or a mapping"):
        Settings.from_env({}, overridden=5)


def test_variables_of_others_are_left_alone():
    assert Settings.from_env({5: "x", "OTHER": 5, "IBKR_ADAPTER_ALLOW_SHORT": None}) == Settings()


@pytest.mark.parametrize(
    "call",
    [
        lambda ibkr, long: ibkr.catalogue.pair(long, "USD"),
        lambda ibkr, long: ibkr.catalogue.rate("USD", long),
        lambda ibkr, long: ibkr.catalogue.shares(long),
        lambda ibkr, long: ibkr.catalogue.venues("AAPL", exchange=long),
        lambda ibkr, long: ibkr.portfolio.set_dynamic_account(long),
        lambda ibkr, long: ibkr.request("GET", f"/{long}"),
        lambda ibkr, long: ibkr.request("POST", f"/{long}"),
    ],
)
def test_a_long_text_is_not_told_whole(ibkr, call):
    with pytest.raises(IBKRError) as refused:
        call(ibkr, "x" * 5_000)

    assert len(str(refused.value)) + len(refused.value.endpoint) < 1000
