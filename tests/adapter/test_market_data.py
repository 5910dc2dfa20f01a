"""Quotes of many, lines that are counted, scans and chains: ``ibkr.market_data`` over a broker."""

from __future__ import annotations

from decimal import Decimal

import pytest
from scripted import Broker, Floor, contract
from worlds import AAPL, MSFT, World

from ibkr_adapter.errors import (
    ApiError,
    ConfigurationError,
    InvalidRequest,
    NoMarketData,
    OutcomeUnknown,
)
from ibkr_adapter.market.snapshots import MOST_POLLS, MOST_POLLS_LATE, POLL_EVERY
from ibkr_adapter.wire.fields import FIELD_SETS, TAGS

SNAPSHOT = "/iserver/marketdata/snapshot"
FREE = "/iserver/marketdata/unsubscribe"
PARAMETERS = {
    "scan_type_list": [{"display_name": "Top % Gainers", "code": "TOP_PERC_GAIN", "instruments": ["STK"]}],
    "instrument_list": [{"display_name": "US Stocks", "type": "STK"}],
    "filter_list": [{"code": "priceAbove", "display_name": "Price Above", "type": "non-range"}],
    "location_tree": [{"type": "STK", "locations": [{"type": "STK.US.MAJOR"}]}],
}
FOUND = [
    {"server_id": "0", "con_id": 265598, "symbol": "AAPL", "company_name": "<b>APPLE</b>", "sec_type": "STK"},
    {"server_id": "1", "con_id": 8314, "symbol": "IBM", "sec_type": "STK"},
]


class Tape(Broker):
    """A broker whose rows grow with every call; at most ``most`` streams are served."""

    def __init__(self):
        super().__init__(contract(AAPL, "AAPL"), contract(MSFT, "MSFT"))
        self.open = {}
        self.most = 100
        self.plan = lambda conid, call: {"6509": "RpB", "31": "5"}
        self.refusal = None
        self.answers = {
            "/iserver/scanner/params": (200, PARAMETERS),
            "/iserver/scanner/run": (200, {"contracts": FOUND, "scan_data_column_name": "Chg%"}),
        }

    def answer(self, method, path, query, content):
        own = {SNAPSHOT: self._rows, FREE: self._freed, "/iserver/marketdata/unsubscribeall": self._freed_all}
        if path in self.answers:
            return self.answers[path]
        if path in own:
            return own[path](query, content)
        return super().answer(method, path, query, content)

    def _rows(self, query, content):
        return 200, [self._row(int(conid)) for conid in query["conids"].split(",")]

    def _freed(self, query, content):
        if self.refusal is not None:
            return self.refusal
        was_open = self.open.pop(content["conid"], None) is not None
        return (200, {"success": True}) if was_open else (500, {"error": "unknown"})

    def _freed_all(self, query, content):
        self.open.clear()
        return 200, {"unsubscribed": True}

    def _row(self, conid):
        row = {"conid": conid, "conidEx": str(conid)}
        if conid not in self.open and len(self.open) >= self.most:
            return row
        self.open[conid] = self.open.get(conid, 0) + 1
        return row if self.open[conid] == 1 else {**row, **self.plan(conid, self.open[conid])}


class Studio(Floor):
    def __init__(self, folder):
        super().__init__(folder)
        self.broker = Tape()


@pytest.fixture
def studio(tmp_path):
    made = Studio(tmp_path)
    yield made
    made.close()


@pytest.fixture
def tape(studio):
    return studio.broker


@pytest.fixture
def ibkr(studio):
    return studio.exchange()


def polls(tape):
    return len(tape.calls("GET", SNAPSHOT))


# Snapshots -------------------------------------------------------------------------------


def test_a_cold_quote_takes_two_calls_and_a_warm_one_takes_one(ibkr, tape):
    ibkr.market_data.quote(AAPL)
    cold = polls(tape)

    quote = ibkr.market_data.quote(AAPL)

    assert (cold, polls(tape)) == (2, 3)
    assert quote.last == 5


def test_any_number_of_contracts_is_read(ibkr, tape):
    """A hundred at a time, and no more lines are held than there are."""
    conids = list(range(1, 251))

    quotes = ibkr.market_data.quotes(conids)

    assert list(quotes) == conids
    assert {quote.last for quote in quotes.values()} == {Decimal(5)}
    assert {len(query["conids"].split(",")) for query in tape.calls("GET", SNAPSHOT)} == {100, 50}
    assert max(tape.open) == 250
    assert len(tape.open) == ibkr.market_data.lines.held == 100


def test_more_fields_than_a_call_takes_make_one_quote(ibkr, tape):
    """Fifty tags a call; what the second call says must not push out the first."""
    tape.plan = lambda conid, call: {"6509": "RpB", "31": "5", "7943": "0.5%", "7762": "12"}
    asked = []
    whole = tape.answer

    def only_asked(method, path, query, content):
        status, rows = whole(method, path, query, content)
        if path == SNAPSHOT:
            tags = set(query["fields"].split(","))
            asked.append(tags)
            rows = [{key: row[key] for key in row if key in tags or not key.isdigit()} for row in rows]
        return status, rows

    tape.answer = only_asked
    quote = ibkr.market_data.quotes([AAPL], "all")[AAPL]

    assert max(map(len, asked)) <= 50
    assert set().union(*asked) == set(TAGS.values())
    assert (quote.last, quote.volume, quote.others["rebate_rate"]) == (5, 12, Decimal("0.5"))


def test_what_is_computed_is_waited_for_longer(ibkr, tape):
    """Greeks come some seconds after the prices."""
    greeks = {TAGS[name]: "0.5" for name in ("delta", "gamma", "theta", "vega", "implied_volatility")}
    prices = {"6509": "RpB", "31": "5", "84": "4.9", "86": "5.1"}
    tape.plan = lambda conid, call: {**prices, **(greeks if call >= 8 else {})}

    quote = ibkr.market_data.quotes([AAPL], "greeks")[AAPL]

    assert (polls(tape), quote.missing, quote.others["delta"]) == (8, frozenset(), Decimal("0.5"))


def test_what_does_not_come_is_waited_for_once(studio, ibkr, tape):
    """Some fields never come; who asks every minute must not wait ten seconds every minute."""
    ibkr.open()
    before = studio.clock.monotonic()
    first = ibkr.market_data.quotes([AAPL], "greeks")[AAPL]
    waited = polls(tape)
    assert studio.clock.monotonic() - before == pytest.approx((MOST_POLLS_LATE - 1) * POLL_EVERY, abs=0.2)
    second = ibkr.market_data.quotes([AAPL], "greeks")[AAPL]

    assert (waited, polls(tape)) == (MOST_POLLS_LATE, MOST_POLLS_LATE + 1)
    assert first.missing == second.missing == set(FIELD_SETS["greeks"]) - {"last", "availability"}


def test_a_new_session_is_cold(studio, ibkr, tape):
    """Streams end with their session, and with them what was waited for in vain."""
    ibkr.market_data.quotes([AAPL], "short")
    held, waited = ibkr.market_data.lines.held, polls(tape)
    ibkr.session.lose(ibkr.session.epoch, "a test")

    ibkr.market_data.quotes([AAPL], "short")

    assert held == 1
    assert polls(tape) == 2 * waited == 2 * MOST_POLLS


@pytest.mark.parametrize("code", ["N", "O"])
def test_what_cannot_come_is_not_waited_for(ibkr, tape, code):
    tape.plan = lambda conid, call: {"6509": code}

    quote = ibkr.market_data.quote(AAPL)

    assert polls(tape) == 2
    assert quote.last is None
    assert not quote.availability.real_time


def test_names_and_values_mean_contracts_too(ibkr, tape):
    contract_of = ibkr.contracts.resolve("AAPL")

    quotes = ibkr.market_data.quotes(["AAPL", contract_of, MSFT])

    assert list(quotes) == [AAPL, MSFT]


def test_a_snapshot_is_a_table_that_says_how_fresh_it_is(ibkr, tape):
    """A table of prices without their age would be taken for one of this moment."""
    tape.plan = lambda conid, call: {"6509": "DPB" if conid == AAPL else "RpB", "31": "C5", "7636": "1.2M"}

    table = ibkr.market_data.snapshot(
        ["AAPL", MSFT, ibkr.contracts.resolve("AAPL")], ["last", "shortable_shares"]
    )

    assert table.records() == [
        {
            "contract": "AAPL",
            "last": 5,
            "shortable_shares": 1_200_000,
            "freshness": "delayed by 15 to 20 minutes",
            "updated": None,
        },
        {
            "contract": str(MSFT),
            "last": 5,
            "shortable_shares": 1_200_000,
            "freshness": "real time",
            "updated": None,
        },
    ]
    assert "delayed" in table._repr_html_()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ("quotes", "'quotes' is no field.*Perhaps quote"),
        (["last", "deltas"], "'deltas' is no field.*Perhaps delta"),
        ([], "The sets are quote, greeks"),
        (["zzzzzz"], "The sets are quote, greeks"),
    ],
)
def test_a_field_that_is_none_is_refused_with_what_comes_near(ibkr, tape, fields, words):
    with pytest.raises(InvalidRequest, match=words):
        ibkr.market_data.quotes([AAPL], fields)

    assert polls(tape) == 0


def test_one_field_is_asked_for_by_its_name(ibkr, tape):
    ibkr.market_data.quotes([AAPL], "last")

    assert tape.calls("GET", SNAPSHOT)[0]["fields"] == "31,6509"


# Market data lines -----------------------------------------------------------------------


def test_the_longest_unused_line_makes_room(ibkr, tape):
    """And not the one that was asked for a moment ago."""
    ibkr.market_data.quotes(range(1, 101))
    ibkr.market_data.quote(1)

    ibkr.market_data.quote(1000)

    assert [content["conid"] for content in tape.calls("POST", FREE)] == [2]
    assert ibkr.market_data.lines.left == 0
    assert {1, 1000} < set(ibkr.market_data.lines.conids)


def test_fewer_lines_may_be_held(studio, tape):
    """Somebody else of the user needs the others; more contracts are then read a few at a time."""
    ibkr = studio.exchange(market_data_lines=3)

    quotes = ibkr.market_data.quotes(range(1, 8))

    assert {quote.last for quote in quotes.values()} == {5}
    assert {query["conids"] for query in tape.calls("GET", SNAPSHOT)} == {"1,2,3", "4,5,6", "7"}
    assert ibkr.market_data.lines.conids == (5, 6, 7)


def test_a_line_that_cannot_be_freed_does_not_stop_a_quote(ibkr, tape, caplog):
    ibkr.market_data.quotes(range(1, 101))
    tape.refusal, tape.most = (400, {"error": "no"}), 101

    assert ibkr.market_data.quote(1000).last == 5
    assert "could not be freed" in caplog.text


def test_rows_that_stay_bare_are_explained(ibkr, tape, caplog):
    """IBKR says nothing when another program of the user holds all lines."""
    tape.most = 1

    quotes = ibkr.market_data.quotes([AAPL, *range(1, 10)])

    assert quotes[AAPL].last == 5
    assert quotes[1].missing == set(FIELD_SETS["quote"])
    assert (
        "nothing for 1, 2, 3, 4, 5 and 4 more: perhaps the user's market data lines are used up"
        in caplog.text
    )
    assert "unsubscribe_all" in caplog.text


@pytest.mark.parametrize("refusal", [None, (404, {"error": "not found"})])
def test_freeing_what_is_not_open_is_no_error(ibkr, tape, refusal):
    """IBKR answers it with a 500, and where the call is not known with a 404."""
    ibkr.market_data.quote(AAPL)
    tape.refusal = refusal

    ibkr.market_data.free(["AAPL", MSFT])

    assert ibkr.market_data.lines.held == 0


def test_lines_end_with_their_session(ibkr):
    ibkr.market_data.quote(AAPL)
    ibkr.session.lose(ibkr.session.epoch, "a test")
    ibkr.session.accounts()

    assert ibkr.market_data.lines.held == 0


@pytest.mark.parametrize(("count", "told"), [(5, "1, 2, 3, 4, 5:"), (6, "1, 2, 3, 4, 5 and 1 more:")])
def test_a_long_list_is_cut_in_the_log(ibkr, tape, caplog, count, told):
    tape.most = 0

    ibkr.market_data.quotes(range(1, count + 1))

    assert f"IBKR sent nothing for {told} perhaps" in caplog.text


def test_another_no_to_freeing_is_told(ibkr, tape):
    tape.refusal = (400, {"error": "no"})

    with pytest.raises(ApiError, match="HTTP 400"):
        ibkr.market_data.free([AAPL])


def test_everything_is_freed_with_one_call(ibkr, tape):
    ibkr.market_data.quotes([AAPL, MSFT])

    ibkr.market_data.unsubscribe_all()

    assert (tape.open, ibkr.market_data.lines.held) == ({}, 0)
    assert tape.calls("POST", FREE) == []


def test_what_is_opened_in_a_block_is_freed_after_it(ibkr, tape):
    """And what was open before stays so, even where the block fails."""
    ibkr.market_data.quote(MSFT)

    def fails():
        with ibkr.market_data.borrowed():
            ibkr.market_data.quotes([AAPL, MSFT])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()

    assert list(tape.open) == [MSFT]
    assert ibkr.market_data.lines.conids == (MSFT,)


def test_blocks_may_lie_in_each_other(ibkr, tape):
    with ibkr.market_data.borrowed():
        ibkr.market_data.quote(AAPL)
        with ibkr.market_data.borrowed():
            ibkr.market_data.quote(MSFT)
        assert list(tape.open) == [AAPL]
        ibkr.market_data.quote(7)

    assert tape.open == {}


def test_a_block_ends_although_nothing_can_be_freed(ibkr, tape):
    with ibkr.market_data.borrowed():
        ibkr.market_data.quote(AAPL)
        tape.refusal = (400, {"error": "no"})

    assert ibkr.market_data.lines.held == 1


# Regulatory snapshots --------------------------------------------------------------------


REGULATORY = "/md/regsnapshot"


@pytest.mark.parametrize("pay", ["", "yes", "0.01", "USD 0.02"])
def test_nothing_that_costs_money_is_asked_for_by_accident(ibkr, tape, pay):
    with pytest.raises(ConfigurationError, match=r"costs USD 0\.01 each time, on paper accounts too"):
        ibkr.market_data.regulatory_snapshot(AAPL, pay=pay)

    assert tape.calls("GET", REGULATORY) == []


def test_a_regulatory_snapshot_is_read_with_its_numbers(ibkr, tape):
    """One object, and numbers where others have texts."""
    row = {"conid": AAPL, "84": "174.58", "86": 174.59, "88": 1, "85": 3, "31": "174.59", "7059": 2}
    tape.answers[REGULATORY] = (200, row)

    quote = ibkr.market_data.regulatory_snapshot("AAPL", pay="USD 0.01")

    assert (quote.bid, quote.ask, quote.bid_size, quote.ask_size) == (
        Decimal("174.58"),
        Decimal("174.59"),
        1,
        3,
    )
    assert tape.calls("GET", REGULATORY) == [{"conid": str(AAPL)}]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [((400, {"error": "no"}), ApiError), ((503, {"error": "busy"}), ApiError), ((200, {}), NoMarketData)],
)
def test_a_regulatory_snapshot_that_fails_is_not_bought_again(ibkr, tape, answer, kind):
    tape.answers[REGULATORY] = answer

    with pytest.raises(kind):
        ibkr.market_data.regulatory_snapshot(AAPL, pay="USD 0.01")

    assert len(tape.calls("GET", REGULATORY)) == 1


def test_a_lost_answer_to_a_regulatory_snapshot_is_not_bought_again(ibkr, tape, monkeypatch):
    whole = tape.answer

    def lost(method, path, query, content):
        if path == REGULATORY:
            raise OutcomeUnknown("the answer was lost.")
        return whole(method, path, query, content)

    tape.answer = lost
    with pytest.raises(OutcomeUnknown):
        ibkr.market_data.regulatory_snapshot(AAPL, pay="USD 0.01")

    assert len(tape.calls("GET", REGULATORY)) == 1


# Scanners --------------------------------------------------------------------------------


def test_a_scan_is_a_table_and_can_be_looked_up(ibkr, tape):
    table = ibkr.market_data.scan("TOP_PERC_GAIN", filters={"priceAbove": "5.5"})

    assert [row.symbol for row in table] == ["AAPL", "IBM"]
    assert tape.calls("POST", "/scanner/run") == [
        {
            "instrument": "STK",
            "location": "STK.US.MAJOR",
            "type": "TOP_PERC_GAIN",
            "filter": [{"code": "priceAbove", "value": 5.5}],
        }
    ]
    assert "&lt;b&gt;APPLE" in table._repr_html_()
    assert list(table.records()[0]) == ["rank", "symbol", "name", "exchange", "sec_type", "conid"]
    assert [row["contract"] for row in ibkr.market_data.snapshot(table).records()] == ["AAPL", "IBM"]


def test_the_figure_that_ranks_bears_its_name(ibkr, tape):
    rows = [{**FOUND[0], "scan_data": "12.5%"}]
    tape.answers["/iserver/scanner/run"] = (200, {"contracts": rows, "scan_data_column_name": "Chg%"})

    assert ibkr.market_data.scan("TOP_PERC_GAIN").records()[0]["Chg%"] == Decimal("12.5")


def test_the_lists_are_asked_for_once_a_day(studio, tape, tmp_path):
    """IBKR allows it once in a quarter of an hour; the next process finds them on disk."""
    studio.exchange().market_data.scan("TOP_PERC_GAIN")
    studio.exchange().market_data.scanner_parameters()
    other = Studio(tmp_path)
    other.exchange().market_data.scan("TOP_PERC_GAIN")

    assert len(tape.calls("GET", "/scanner/params")) == 1
    assert other.broker.calls("GET", "/scanner/params") == []
    other.close()


@pytest.mark.parametrize(
    "refusal",
    [
        (429, {"error": "Too many requests"}),
        (503, {"error": "Service Unavailable"}),
        (404, {"error": "gone"}),
    ],
)
def test_a_scan_is_run_although_the_lists_cannot_be_had(ibkr, tape, refusal):
    """Another program of the user may have asked for them, which closes them for a quarter of an hour."""
    tape.answers["/iserver/scanner/params"] = refusal

    scans = [ibkr.market_data.scan("TOP_PERC_GAIN") for _ in range(2)]

    assert [len(rows) for rows in scans] == [2, 2]


@pytest.mark.parametrize(
    ("code", "filters", "words"),
    [
        ("TOP_PERC_GAINER", {}, "Perhaps TOP_PERC_GAIN"),
        ("TOP_PERC_GAIN", {"priceAbove": float("nan")}, "takes a figure and not nan"),
        ("TOP_PERC_GAIN", {"priceOver": 5}, "Perhaps priceAbove"),
    ],
)
def test_a_scan_that_is_none_is_not_run(ibkr, tape, code, filters, words):
    with pytest.raises(InvalidRequest, match=words):
        ibkr.market_data.scan(code, filters=filters)

    assert tape.calls("POST", "/scanner/run") == []


# Chains ----------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


def test_a_chain_has_prices_greeks_and_its_underlying_in_one_table(world):
    """Both rights of each strike near the price, with how fresh all that is."""
    table = world.exchange().market_data.chain("AAPL", within=2)

    rows = table.records()
    assert {row["right"] for row in rows} == {"C", "P"}
    assert {row["strike"] for row in rows} == {Decimal("162.5"), Decimal(165), Decimal("167.5")}
    for row in rows:
        assert row["bid"] < row["ask"]
        assert 0 < row["iv"] < 200
        assert (row["delta"] > 0) is (row["right"] == "C")
        assert row["gamma"] > 0 > row["theta"]
        assert (row["underlying"], row["freshness"]) == (165, "real time")
    assert str(rows[0]["expiry"]) == "2026-11-27"


def test_a_chain_says_where_prices_are_old(tmp_path):
    """Greeks from a delayed underlying are not those of this moment."""
    world = World(tmp_path, availability={"*": "RpB", str(AAPL): "DPB"})

    table = world.exchange().market_data.chain("AAPL", between=(165, 165))

    assert {row.freshness for row in table} == {"real time, underlying delayed by 15 to 20 minutes"}
    world.close()


def test_a_chain_without_permission_says_so(tmp_path):
    world = World(tmp_path, availability={"*": "N"})

    (call, put) = world.exchange().market_data.chain("AAPL", strikes=[165])

    assert (call.figure("bid"), put.figure("delta"), call.underlying_price) == (None, None, None)
    assert call.freshness == "not subscribed to"
    world.close()


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"within": 2, "between": (1, 2)}, "exclude each other"),
        ({"within": 2, "strikes": [165]}, "exclude each other"),
        ({"within": -1}, "so many percent"),
        ({"within": "wide"}, "so many percent"),
    ],
)
def test_strikes_are_chosen_in_one_way(world, choice, words):
    with pytest.raises(InvalidRequest, match=words):
        world.exchange().market_data.chain("AAPL", **choice)

    assert world.count("GET /iserver/secdef/strikes") == 0


def test_no_strikes_are_chosen_by_a_price_that_is_not_there(tmp_path):
    world = World(tmp_path, availability={"*": "N"})

    with pytest.raises(InvalidRequest, match="AAPL has no price"):
        world.exchange().market_data.chain("AAPL", within=2)

    world.close()
