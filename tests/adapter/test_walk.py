"""The way to a derivative: in order, one at a time, and begun again where it was broken off."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from catalogue import Library

from ibkr_adapter.discovery import walk
from ibkr_adapter.discovery.walk import Place
from ibkr_adapter.errors import ApiError, BrokerageUnavailable, ContractError, ContractNotFound
from ibkr_adapter.model.contract import SecType
from ibkr_adapter.model.months import Month

SEARCH, STRIKES, INFO = (f"GET /iserver/secdef/{word}" for word in ("search", "strikes", "info"))
AAPL = Place(symbol="AAPL", conid=265598, kind=SecType.OPTION)
JAN, DEC = Month(2027, 1), Month(2026, 12)
CALL = "AAPL 2027-01-15 220 C"


@pytest.fixture
def library(tmp_path):
    made = Library(tmp_path)
    yield made
    made.close()


@pytest.fixture
def ibkr(library):
    return library.exchange()


@pytest.fixture
def broker(library):
    return library.broker


@pytest.fixture
def walker(ibkr):
    return ibkr.contracts._walker


def test_each_step_is_made_once_and_in_order(ibkr, broker):
    ibkr.contracts.resolve(CALL)
    ibkr.contracts.resolve("AAPL 2027-01-15 230 C")

    assert broker.asked() == [SEARCH, STRIKES, INFO, INFO]


def test_a_month_is_spelt_as_ibkr_does_and_no_name_is_searched(ibkr, broker):
    """With ``name`` the next strikes would be empty."""
    ibkr.contracts.resolve(CALL)

    asked = dict(zip(broker.calls, broker.queries, strict=True))
    assert asked[SEARCH] == {"symbol": "AAPL"}
    assert asked[STRIKES] == {"conid": "265598", "sectype": "OPT", "month": "JAN27"}
    assert asked[INFO] == {"conid": "265598", "sectype": "OPT", "month": "JAN27", "strike": "220"}


def test_an_answer_of_nothing_is_asked_for_once_more(ibkr, broker):
    """It may mean that the server has forgotten where we are."""
    broker.hooks[STRIKES] = [broker.forget]
    broker.hooks[INFO] = [broker.forget]

    assert ibkr.contracts.resolve(CALL).conid == 70002
    assert broker.asked() == [SEARCH, STRIKES, SEARCH, STRIKES, INFO, SEARCH, STRIKES, INFO]


def test_nothing_twice_is_nothing(ibkr, broker):
    """Believed then, and not asked a third time."""
    broker.hooks[STRIKES] = [broker.forget, broker.forget]

    with pytest.raises(ContractNotFound, match="no strike 220"):
        ibkr.contracts.resolve(CALL)

    assert broker.asked() == [SEARCH, STRIKES, SEARCH, STRIKES]


def test_nothing_is_not_kept_as_an_answer(ibkr, broker):
    broker.hooks[STRIKES] = [broker.forget, broker.forget]
    with pytest.raises(ContractNotFound):
        ibkr.contracts.resolve(CALL)

    assert ibkr.contracts.resolve(CALL).conid == 70002


@pytest.mark.parametrize("at", [SEARCH, STRIKES, INFO])
def test_a_session_that_is_lost_on_the_way_begins_it_again(ibkr, broker, at):
    """The new session has not come this way: its "nothing" means nothing."""
    broker.hooks[at] = [broker.drop_session]

    assert ibkr.contracts.resolve(CALL).conid == 70002


def test_a_session_that_is_lost_again_and_again_is_told(ibkr, broker):
    broker.hooks[STRIKES] = [broker.drop_session, None, broker.drop_session, None] * 4
    broker.hooks[STRIKES] = [hook or (lambda: None) for hook in broker.hooks[STRIKES]]

    with pytest.raises(BrokerageUnavailable, match="again and again"):
        ibkr.contracts.resolve(CALL)


def test_another_search_in_between_is_noticed(walker, broker):
    """Whoever takes his turn in between moves the session, and the next step goes back first."""
    walker.strikes(AAPL, JAN, None)
    walker.search("ES", SecType.FUTURE, None)
    broker.calls.clear()

    assert walker.contracts(AAPL, JAN, Decimal(220), None, None)
    assert broker.asked() == [SEARCH, STRIKES, INFO]


def test_a_search_with_other_switches_is_no_place_to_go_on_from(walker, broker):
    walker.search("AAPL", None, None, more={"fund": True})
    broker.calls.clear()

    walker.strikes(AAPL, JAN, None)

    assert broker.asked() == [SEARCH, STRIKES]


def test_other_refusals_than_nothing_are_passed_on(walker, broker):
    broker.refused[INFO] = (400, {"error": "Bad Request"})
    with pytest.raises(ApiError, match="Bad Request"):
        walker.contracts(AAPL, JAN, Decimal(220), None, None)
    broker.refused[INFO] = (500, {"error": "java.lang.NullPointerException"})
    with pytest.raises(ApiError, match="NullPointer"):
        walker.contracts(AAPL, JAN, Decimal(220), None, None)
    broker.refused[SEARCH] = (400, {"error": "Bad Request"})
    with pytest.raises(ApiError, match="Bad Request"):
        walker.search("AAPL", None, None)


def test_walks_of_several_threads_do_not_disturb_each_other(library, broker):
    """Each has its turn; whoever comes back goes to where it was before it asks on."""
    names = [CALL, "SPXW261218C05000000", "FOP:ES 2026-12-18 5000 C", "BRK B 2027-01-15 500 C"]
    exchange = library.exchange()
    exchange.open()
    found: dict[str, int] = {}

    def ask(name: str) -> None:
        found[name] = exchange.contracts.resolve(name).conid

    threads = [threading.Thread(target=ask, args=(name,), name=name) for name in names]
    for thread in threads:
        library.clock.expect(thread)
    for thread in threads:
        thread.start()
    with library.clock.aside():
        for thread in threads:
            thread.join()

    assert found == dict(zip(names, (70002, 74001, 76000, 75000), strict=True))
    steps = [call for call in broker.asked() if call in {SEARCH, STRIKES, INFO}]
    assert steps == [SEARCH, STRIKES, INFO] * 4


def test_a_turn_that_does_not_come_in_time_sends_nothing(library, walker, broker):
    """It is told, and the walk that is on goes on."""
    started, done = library.clock.flag(), library.clock.flag()

    def hold() -> None:
        with walker.turn(None):
            started.set()
            done.wait(100.0)

    thread = threading.Thread(target=hold, name="holder")
    library.clock.expect(thread)
    thread.start()
    started.wait(5.0)
    with pytest.raises(BrokerageUnavailable, match="nothing was sent"):
        walker.search("AAPL", None, library.clock.monotonic() + 1.0)
    with pytest.raises(BrokerageUnavailable, match="nothing was sent"):
        walker.search("AAPL", None, library.clock.monotonic() - 1.0)
    done.set()
    with library.clock.aside():
        thread.join()

    assert broker.asked() == []
    assert walker.search("AAPL", None, None)


# Chains ----------------------------------------------------------------------------------


def test_a_chain_is_a_table_of_a_known_number_of_requests(ibkr, broker):
    """One search, one request a month, one a strike; each brings both rights and all days."""
    chain = ibkr.contracts.option_chain("AAPL", expiries=["2027-01-15"])

    assert broker.asked() == [SEARCH, STRIKES, *[INFO] * 4]
    assert [(row.strike, row.right) for row in chain] == [
        (Decimal(strike), right) for strike in (200, 210, 220, 230) for right in "CP"
    ]
    assert {row.expiry for row in chain} == {"20270115"}
    assert ">AAPL270115C00220000</td>" in chain._repr_html_()
    broker.calls.clear()
    assert ibkr.contracts.option_chain("AAPL", expiries=["2027-01-15"]) == chain
    assert ibkr.contracts.resolve(CALL).conid == 70002
    assert broker.asked() == []


def test_a_chain_costs_nothing_after_a_restart(library, ibkr, broker):
    chain = ibkr.contracts.option_chain("AAPL", expiries="2027-01")

    assert library.restart().contracts.option_chain("AAPL", expiries="2027-01") == chain
    assert broker.asked() == []


def test_a_chain_is_asked_for_anew_the_next_day(library, ibkr, broker):
    """Strikes are added and days go by."""
    ibkr.contracts.option_chain("AAPL", expiries="2027-01")
    library.clock.advance(25 * 3600)
    broker.calls.clear()

    ibkr.contracts.option_chain("AAPL", expiries="2027-01")

    assert broker.count(INFO) == 4


@pytest.mark.parametrize(
    ("arguments", "conids"),
    [
        ({}, [73000, 73001]),
        ({"expiries": 1}, [73000, 73001]),
        ({"expiries": "2027-01", "strikes": [220]}, [72000, 72001, 70002, 71002]),
        ({"expiries": JAN, "strikes": ["220"], "rights": "C"}, [72000, 70002]),
        ({"expiries": ["2027-01-08"], "strikes": [220.0], "rights": "P"}, [72001]),
        ({"expiries": "2027-01-15", "between": (205, "220"), "rights": "C"}, [70001, 70002]),
        ({"expiries": [JAN, DEC], "strikes": [200], "rights": "C"}, [73000, 70000]),
        ({"expiries": "2027-01", "trading_class": "other"}, []),
    ],
)
def test_a_chain_is_narrowed_by_days_strikes_rights_and_class(ibkr, arguments, conids):
    assert [row.conid for row in ibkr.contracts.option_chain("AAPL", **arguments)] == conids


@pytest.mark.parametrize(
    ("arguments", "said", "remedy"),
    [
        ({"expiries": "2027-02"}, "nothing on AAPL in 2027-02", "2026-12, 2027-01"),
        ({"expiries": "2027-01-14"}, "ends on 2027-01-14", "2027-01-08, 2027-01-15"),
        ({"expiries": "soon"}, "neither a day nor a month", "2027-01"),
        ({"expiries": "2027-01", "strikes": [225]}, "no strike 225", "210, 220, 230"),
        ({"expiries": 0}, "no month", ""),
        ({"rights": "X"}, "neither a call nor a put", ""),
    ],
)
def test_a_chain_that_does_not_exist_says_what_does(ibkr, broker, arguments, said, remedy):
    with pytest.raises(ContractNotFound, match=said) as refused:
        ibkr.contracts.option_chain("AAPL", **arguments)

    assert remedy in refused.value.remedy


def test_a_day_that_ibkr_does_not_list_is_seen_before_any_strike(ibkr, broker):
    """Some searches bring the very days; then nothing need be tried."""
    row = broker.searches["AAPL", None][1]
    broker.searches["AAPL", None] = [row | {"opt": "20261218;20270108;20270115"}]

    with pytest.raises(ContractNotFound, match="ends on 2027-01-14") as of_chain:
        ibkr.contracts.option_chain("AAPL", expiries="2027-01-14")
    with pytest.raises(ContractNotFound, match="ends on 2027-01-14") as of_name:
        ibkr.contracts.resolve("AAPL 2027-01-14 220 C")
    with pytest.raises(ContractNotFound, match="expired") as over:
        ibkr.contracts.resolve("AAPL 2026-01-16 220 C")

    assert "2027-01-08, 2027-01-15" in of_chain.value.remedy
    assert "2027-01-08, 2027-01-15" in of_name.value.remedy
    assert "2026-12-18, 2027-01-08" in over.value.remedy
    assert broker.asked() == [SEARCH]


def test_a_chain_that_costs_too_much_is_refused_with_the_figure(ibkr, broker):
    """Before any strike was asked for."""
    with pytest.raises(ContractError, match="4 more requests and 3 are allowed"):
        ibkr.contracts.option_chain("AAPL", expiries="2027-01", most_requests=3)

    assert INFO not in broker.calls


def test_a_chain_tells_how_far_it_is(ibkr):
    heard = []

    ibkr.contracts.option_chain("AAPL", expiries=2, progress=lambda done, of: heard.append((done, of)))

    assert heard == [(number, 5) for number in range(1, 6)]


def test_options_on_a_future_come_a_month_at_once(ibkr, broker):
    chain = ibkr.contracts.option_chain("@ES", expiries="2026-12")

    assert broker.asked() == [SEARCH, STRIKES, INFO]
    assert [row.conid for row in chain] == [76001, 76000, 76002]
    only = ibkr.contracts.option_chain("ES", sec_type="FOP", expiries="2026-12", strikes=[4900])
    assert [row.conid for row in only] == [76001]


def test_warrants_are_asked_for_by_right(ibkr, broker):
    chain = ibkr.contracts.option_chain("SAP", sec_type="WAR", expiries="2026-12")

    assert [row.conid for row in chain] == [79000, 79001]
    assert broker.count(INFO) == 2


def test_a_chain_is_found_by_the_underlyings_id(ibkr):
    assert len(ibkr.contracts.option_chain("265598@SMART")) == 2
    with pytest.raises(ContractNotFound, match="symbol"):
        ibkr.contracts.option_chain("US0378331005")


def test_an_underlying_without_months_is_told(ibkr, broker):
    broker.searches["BRK B", None] = [
        broker.searches["BRK B", None][0] | {"sections": [{"secType": "STK"}, {"secType": "OPT"}]}
    ]

    with pytest.raises(ContractNotFound, match="no month"):
        ibkr.contracts.option_chain("BRK.B")
    assert ibkr.contracts.resolve("BRK.B 2027-01-15 500 C").conid == 75000
    assert len(ibkr.contracts.option_chain("BRK.B", expiries="2027-01")) == 1


def test_a_futures_chain_shows_days_roll_and_front(ibkr, broker):
    chain = ibkr.contracts.futures_chain("CL")

    assert broker.asked() == ["GET /trsrv/futures", "GET /trsrv/secdef"]
    assert [(row.write, row.front, str(row.rolls_on)) for row in chain] == [
        ("CL 2026-12-21", True, "2026-12-17"),
        ("CL 2027-01-20", False, "2027-01-18"),
        ("CL 2027-02-22", False, "2027-02-22"),
    ]
    assert (chain[0].currency, chain[0].multiplier, chain[0].month) == ("USD", Decimal(50), None)
    ibkr.contracts.resolve("CLF7")
    broker.calls.clear()
    again = ibkr.contracts.futures_chain("FUT:CL")
    assert (again[0].month, again[0].multiplier) == ("202701", Decimal(1000))
    assert broker.asked() == []
    with pytest.raises(ContractNotFound, match="no future"):
        ibkr.contracts.futures_chain("ZZZZ")


def test_what_is_written_for_a_row_finds_that_row(ibkr):
    for row in ibkr.contracts.futures_chain("ES"):
        assert ibkr.contracts.resolve(row.write).conid == row.conid
    for row in ibkr.contracts.option_chain("AAPL", expiries=2):
        assert ibkr.contracts.resolve(ibkr.contracts.name_of(row)).conid == row.conid


def test_nothing_from_a_session_that_was_lost_before_is_still_nothing(ibkr, broker):
    """Both at once: it was empty, then the session went again and again."""
    nothing = lambda: None  # noqa: E731
    broker.hooks[STRIKES] = [broker.forget, *[broker.drop_session, nothing] * 4]

    with pytest.raises(ContractNotFound, match="no strike"):
        ibkr.contracts.resolve(CALL)


def test_walks_wait_no_longer_than_they_should():
    """A figure that must not grow unnoticed: hosts wait for it."""
    assert walk.PATIENCE <= 30.0
