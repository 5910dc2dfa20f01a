"""Every asset class over the simulated broker, which knows nothing of the adapter's reading.

The table of docs/instruments.md is run cell by cell; every contract that the broker lists is found
again by its own printed name; and what cannot be meant is told with what would have worked.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import World

from ibkr_adapter.errors import AmbiguousContract, ContractError, ContractNotFound, IBKRError, InvalidOrder
from ibkr_adapter.model.table import Table
from thoroughly import examples

PAGE = Path(__file__).parents[2] / "docs" / "instruments.md"
COLUMNS = ("find", "chain", "quote", "order", "position")
ORDERS = "POST /iserver/account/{accountId}/orders"
# Questions about price and size that these orders draw, and what coins are asked.
ANSWERED = ["o163", "o354", "o383", "o403", "o451", "o10164", "o10223"]
NOTHING = "\N{EN DASH}"


def table():
    """The rows of the page: the class, and what its columns call."""
    text = PAGE.read_text("utf-8").partition("## Asset classes")[2].partition("\n## ")[0]
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) == len(COLUMNS) + 1 and cells[0] not in {"class", "---"}:
            found[cells[0]] = dict(zip(COLUMNS, cells[1:], strict=True))
    return found


TABLE = table()
CELLS = [(kind, column) for kind, row in TABLE.items() for column in COLUMNS if row[column] != NOTHING]


def call(ibkr, code):
    """Run what stands between the ticks."""
    (spoken,) = re.fullmatch(r"`(.+)`", code).groups()
    return eval(f"ibkr.{spoken}", {"ibkr": ibkr})  # noqa: S307  (our own documentation)


def test_the_table_has_every_class():
    """All that the library says it finds."""
    wanted = {"stock", "ETF", "option", "future", "option on a future", "currency pair", "index"}
    wanted |= {"cryptocurrency", "bond", "fund", "warrant", "combination"}

    assert wanted <= TABLE.keys()


@pytest.mark.parametrize(("kind", "column"), CELLS)
def test_a_cell_of_the_table_works(world, kind, column):
    """A position needs its order first; what is filled is what the broker has booked."""
    ibkr = world.exchange(answer_messages=ANSWERED)
    row = TABLE[kind]
    if column == "position":
        call(ibkr, row["order"])
        world.pass_time(5)

    found = call(ibkr, row[column])

    if column == "find":
        assert found
    elif column == "chain":
        assert isinstance(found, Table)
        assert len(found) > 0
        before = len(world.doorway.sent)
        assert call(ibkr, row[column]) is not None
        assert len(world.doorway.sent) == before  # a second call costs none
    elif column == "quote":
        assert float(found["lastPrice"]) > 0
    elif column == "order":
        world.pass_time(5)
        (order,) = world.orders()
        assert str(order["order_id"]) == found["orderId"]
        assert order["status"] in {"Filled", "Submitted"}
    elif isinstance(found, list):
        assert [entry["asset"] for entry in found] == ["USD", "EUR"]
        assert found[1]["balance"] == 25000
    else:
        assert float(found["positionAmt"]) != 0
        assert float(found["markPrice"]) > 0


def test_an_index_is_not_ordered(world, ibkr):
    """The dash in the table, said in words."""
    with pytest.raises(ContractError, match="an index, which nobody can order"):
        ibkr.place_market_order("IND:SPX", "buy", 1)

    assert world.orders() == []


def test_an_exchange_that_was_named_is_where_the_order_goes(world, ibkr):
    """And nowhere else: a contract id beside it would win."""
    ibkr.place_limit_order("265598@ARCA", "buy", 1, 162)

    body = next(
        body for method, path, body in world.doorway.sent if path.endswith("/orders") and method == "POST"
    )
    assert b'"conidex":"265598@ARCA"' in body
    assert b'"conid":' not in body


def test_the_legs_of_a_combination_come_back_as_they_were_written(world):
    """Not as ids, which nobody has written."""
    ibkr = world.exchange(answer_messages=ANSWERED)
    legs = [("AAPL261218C00165000", 1), ("AAPL261218C00170000", -1)]

    ibkr.place_combo_order(legs, "buy", 1, 4)
    world.pass_time(5)

    assert {row["symbol"]: row["positionAmt"] for row in ibkr.get_positions()} == {
        "AAPL261218C00165000": "1",
        "AAPL261218C00170000": "-1",
    }


# Names ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """One world, and the conids of everything in it that can be listed."""
    world = World(tmp_path_factory.mktemp("listed"), pacing=False)
    ibkr = world.exchange(requests_per_second=1000)
    found = {conid for conid in world.gateway.world.catalogue._by_conid if conid < 2**31 - 1}
    for product in ("ES", "MES", "NQ", "CL"):
        found |= {each.conid for each in ibkr.contracts.futures_chain(product)}
    for underlying, strikes in (("AAPL", [160, 165, 170]), ("SPY", None), ("IND:SPX", [6500, 6550])):
        given = {"strikes": strikes} if strikes else {"between": (600, 610)}
        found |= {
            each.conid
            for each in ibkr.contracts.option_chain(underlying, expiries=2, most_requests=500, **given)
        }
    found |= {each.conid for each in ibkr.contracts.option_chain("@ES", expiries=1, strikes=[6500])}
    yield world, ibkr, sorted(found)
    world.close()


@settings(max_examples=examples(250), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**6), for_host=st.booleans())
def test_every_contract_that_is_listed_is_found_by_its_own_printed_name(listed, place, for_host):
    """From its id to its name and back, in both spellings; a host has room for twenty characters."""
    from ibkr_adapter.model import labels

    _, ibkr, conids = listed
    conid = conids[place % len(conids)]
    contract = ibkr.contracts.resolve(f"{conid}@SMART", for_trading=False)

    name = labels.host_name(contract) if for_host else ibkr.contracts.name_of(contract)

    assert ibkr.contracts.resolve(name, for_trading=False).conid == conid, name
    assert not for_host or (len(name) <= 20 and ":" not in name)


def test_there_is_much_to_find(listed):
    """The search above would prove nothing over a handful."""
    _, _, conids = listed

    assert len(conids) > 150


# What cannot be meant ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "helps"),
    [
        ("AAPL 2026-13-18 165 C", ContractNotFound, "Write a month as 2026-12"),
        ("ES 2026-04", ContractNotFound, "@ES is the front month"),
        ("AAPL 2026-12-18 165.37 C", ContractNotFound, "165"),
        ("AAPL 2026-12-19 165 C", ContractNotFound, "2026-12-18"),
        ("AAPL 2026-11-20 165 C", ContractNotFound, "2026-11-27"),
        ("649180678@SMART", ContractNotFound, "@ES is the front month"),
        ("OPT:265598@SMART", ContractError, ""),
        ("JPY.USD", ContractNotFound, "Write USD.JPY"),
        ("SPX", ContractNotFound, "IND:SPX"),
        ("CL", AmbiguousContract, "STK:CL"),
        ("BTC.USD", AmbiguousContract, "BTC.USD@PAXOS"),
        ("ES 2026-12 6000 C", AmbiguousContract, "@SMART"),
        ("265598@NOWHERE", ContractNotFound, "It trades on"),
        ("265598", ContractNotFound, "265598@SMART"),
        ("A" * 300, ContractNotFound, "AAPL"),
        ("AA\x1b[31mPL", ContractNotFound, "AAPL"),
        ("AAPL\n", None, ""),
        ("", ContractNotFound, "AAPL"),
        ("999999999@SMART", ContractNotFound, ""),
    ],
)
def test_what_cannot_be_meant_is_told_with_what_would_work(world, ibkr, name, kind, helps):
    """Nothing is sent to the order endpoints, and no control character comes back."""
    if kind is None:
        assert ibkr.contracts.resolve(name).conid == 265598
        return

    with pytest.raises(kind) as refusal:
        ibkr.place_market_order(name, "buy", 1)

    assert helps in str(refusal.value)
    assert "othing was sent" in str(refusal.value)
    assert "\x1b" not in str(refusal.value)
    assert world.count(ORDERS) == 0


def test_a_class_that_was_written_wrong_is_never_traded(world, ibkr):
    """A conid of another class, behind a class."""
    with pytest.raises((ContractError, InvalidOrder)):
        ibkr.place_market_order("FUT:AAPL", "buy", 1)

    assert world.count(ORDERS) == 0


def test_the_callers_spelling_comes_back_after_a_restart(world):
    """A host compares symbols as texts."""
    first = world.exchange(answer_messages=ANSWERED)
    first.place_market_order("AAPL261218C00165000", "buy", 1)
    first.place_limit_order("@ES", "buy", 1, 6500)
    world.pass_time(5)
    first.close()

    again = world.exchange()

    assert [row["symbol"] for row in again.get_positions()] == ["AAPL261218C00165000"]
    assert {row["symbol"] for row in again.get_open_orders()} >= {"@ES"}


def test_no_request_is_lost_on_names_that_are_known(world, ibkr):
    """A warm name costs nothing."""
    for name in ("AAPL", "@ES", "EUR.USD", "AAPL261218C00165000"):
        ibkr.contracts.resolve(name)
    before = len(world.doorway.sent)

    for name in ("AAPL", "@ES", "EUR.USD", "AAPL261218C00165000"):
        ibkr.contracts.resolve(name)

    assert len(world.doorway.sent) == before


@pytest.mark.parametrize("kind", [kind for kind in TABLE if TABLE[kind]["order"] != NOTHING])
def test_what_was_bought_is_closed_and_nothing_is_left(world, kind):
    """A close follows the position's own direction in every class, and never opens the other side."""
    ibkr = world.exchange(answer_messages=[*ANSWERED, "o10151", "o10153"])
    call(ibkr, TABLE[kind]["order"])
    world.pass_time(5)

    for held in ibkr.get_positions():
        try:
            ibkr.close_position(held["symbol"])
        except IBKRError as refusal:
            pytest.fail(f"{kind}: {refusal}")
        world.pass_time(5)

    assert all(float(row["quantity"]) == 0 for row in world.ledger()["positions"])
    assert world.working() == []
