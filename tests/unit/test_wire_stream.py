"""IBKR's frames as values, and our words to it: raw bytes in, values out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.order import OrderState, OrderType, TrailingUnit
from ibkr_adapter.model.stream import QuoteEvent
from ibkr_adapter.wire import order_rows, stream, stream_rows
from ibkr_adapter.wire.fields import FIELD_SETS, TAGS
from ibkr_adapter.wire.marketdata import quote_of
from ibkr_adapter.wire.stream_quotes import RunningQuote

AT = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
NAMES = FIELD_SETS["quote"]

FULL_ORDER = {
    "acct": "DU1",
    "conid": 265598,
    "orderId": 922048212,
    "cashCcy": "USD",
    "sizeAndFills": "0/100",
    "description1": "AAPL",
    "ticker": "AAPL",
    "secType": "STK",
    "remainingQuantity": 100.0,
    "filledQuantity": 0.0,
    "status": "Submitted",
    "origOrderType": "LIMIT",
    "lastExecutionTime_r": 1594229751000,
    "order_ref": "mine",
    "orderType": "Limit",
    "side": "BUY",
    "timeInForce": "GTC",
    "price": 372,
}


# Frames -------------------------------------------------------------------------------------


def test_a_frame_is_read_whether_it_is_text_or_bytes_and_whatever_bytes_are_in_it():
    """A byte that is no UTF-8 has been seen in the text of one; the rest of it counts."""
    assert stream.read_frame('{"a": 1}') == stream.read_frame(b'{"a": 1}') == {"a": 1}
    assert stream.read_frame(b'{"a": "\x99"}') == {"a": "�"}


@pytest.mark.parametrize("frame", ["ech+hb", "", b"", b"[1]", b"7", b"null", b"[" * 100_000, b"\xff\xfe"])
def test_what_is_no_object_is_no_frame(frame):
    assert stream.read_frame(frame) is None


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(frame):
    found = stream.read_frame(frame)

    assert found is None or isinstance(found, dict)


def test_the_topic_is_a_text_or_there_is_none():
    assert stream.topic_of({"topic": "smd+1"}) == "smd+1"
    assert stream.topic_of({"topic": 7}) == stream.topic_of({}) == ""


def test_the_session_begins_with_success_and_not_with_a_heartbeat():
    assert stream.has_begun({"topic": "system", "success": "user"})
    assert not stream.has_begun({"topic": "system", "hb": 1})
    assert not stream.has_begun({"topic": "sts", "success": "user"})


@pytest.mark.parametrize(
    ("args", "lost"),
    [
        ({"authenticated": True}, False),
        ({"authenticated": False}, True),
        ({"authenticated": True, "competing": True}, True),
        ({"competing": False}, False),
        ({}, False),
        ("nonsense", False),
    ],
)
def test_a_status_is_lost_only_where_it_says_so(args, lost):
    assert stream.read_status({"topic": "sts", "args": args}).lost is lost


def test_ibkr_waits_for_the_session_only_in_its_own_words():
    assert stream.waits_for_session({"message": "waiting for session"})
    assert not stream.waits_for_session({"message": "Unsubscribed q1"})
    assert not stream.waits_for_session({"topic": "sts", "message": "waiting for session"})
    assert not stream.waits_for_session({"message": 7})
    assert json.loads(stream.session_answer("abc")) == {"session": "abc"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"error": "Topic unknown 'null'"}, "Topic unknown 'null'"),
        ({"topic": "error", "message": "No data."}, "No data."),
        ({"topic": "error", "args": {"code": 1}}, '{"code": 1}'),
        ({"topic": "error", "message": ""}, "without a word"),
        ({"topic": "smd+1"}, None),
        ({"topic": "smd+1", "error": "No data."}, "No data."),
        ({"topic": "smd+1", "error": None}, None),
    ],
)
def test_a_refusal_is_told_by_its_key(content, words):
    """Nobody has recorded the envelope."""
    assert stream.refusal_of(content) == words


def test_subscriptions_are_written_as_ibkr_documents_them():
    assert stream.quotes("265598", ["31", "84"]) == 'smd+265598+{"fields":["31","84"]}'
    assert stream.no_quotes("265598@NYSE") == "umd+265598@NYSE+{}"
    assert stream.bars(265598, period="1d", bar="1min", outside_rth=False, source="trades") == (
        'smh+265598+{"period":"1d","bar":"1min","outsideRth":false,"source":"trades","format":"%o/%c/%h/%l/%v"}'
    )
    assert stream.server_id_of({"serverId": "h1"}) == stream.server_id_of({"server_id": "h1"}) == "h1"
    assert stream.no_bars("h1") == "umh+h1"
    assert stream.depth("DU1", 265598, None) == "sbd+DU1+265598"
    assert stream.depth("DU1", 265598, "ISLAND") == "sbd+DU1+265598+ISLAND"
    assert stream.no_depth("DU1") == "ubd+DU1"
    assert stream.trades(7) == 'str+{"realtimeUpdatesOnly":false,"days":7}'
    assert stream.summary("DU1", ["AccruedCash-S"]) == 'ssd+DU1+{"keys":["AccruedCash-S"]}'
    assert stream.no_summary("DU1") == "usd+DU1+{}"
    assert stream.ledger("DU1") == "sld+DU1+{}"
    assert stream.no_ledger("DU1") == "uld+DU1+{}"


# Quotes -------------------------------------------------------------------------------------

VALUES = st.sampled_from(
    [
        "189.60",
        "C189.60",
        "H189.60",
        "H",
        "",
        "1,300",
        "25.5M",
        "0.00",
        "+0.84%",
        "-1.20",
        "N/A",
        "1.",
        "7",
        "n7",
    ]
) | st.sampled_from([0.04, 1.22e7, 605, None, True])
ROWS = st.dictionaries(
    st.sampled_from([*TAGS.values(), "87_raw", "not a tag"]).filter(
        lambda tag: tag not in {"6008", "6509", "6119"}
    ),
    VALUES,
    max_size=6,
)
CODES = st.sampled_from([{}, {"6509": "RpB"}, {"6509": "DPB"}, {"6509": ""}])


@given(
    st.lists(
        st.tuples(ROWS, CODES, st.integers(1_690_000_000_000, 1_700_000_000_000)), min_size=1, max_size=6
    )
)
def test_a_quote_of_many_frames_is_that_of_one_row_with_the_latest_of_each_field(frames):
    """Both ways of reading must say the same, or a stream would trade on other prices than a snapshot."""
    running, merged = RunningQuote(None, NAMES), {"conid": 265598}
    for row, code, moment in frames:
        frame = {**row, **code, "_updated": moment}
        running.take(frame)
        merged |= frame

    event = QuoteEvent(at=AT, conid=265598, fields=running.fields)

    assert event.quote == quote_of(265598, merged, NAMES)


def test_a_frame_without_a_field_brings_nothing():
    running = RunningQuote(None, NAMES)

    assert not running.take({"topic": "smd+1", "conid": 1, "server_id": "q1", "6119": "q1", "_updated": 1})
    assert not running.take({})
    assert running.take({"31": "1"})
    assert not running.take({"a tag that nobody knows": "1"})


def test_the_volume_is_the_most_exact_one_that_came():
    running = RunningQuote(None, ["volume", "volume_long"])
    told = []
    for row in ({"87": "1.2M"}, {"87_raw": 1234567.0}, {"7762": "1234568"}, {"7762": ""}, {"87_raw": None}):
        running.take(row)
        told.append((running.fields["volume"], sorted(running.fields["missing"])))

    assert told == [
        (1200000, ["volume_long"]),
        (1234567, ["volume_long"]),
        (1234568, []),
        (1234567, ["volume_long"]),
        (1200000, ["volume_long"]),
    ]


def test_a_moment_that_is_written_otherwise_is_read_all_the_same():
    running = RunningQuote(None, NAMES)
    running.take({"31": "1", "_updated": "1696011002361"})

    assert running.fields["updated"] == datetime(2023, 9, 29, 18, 10, 2, 361000, tzinfo=UTC)


def test_what_was_forgotten_is_missing_and_what_is_asked_for_later_too():
    running = RunningQuote("NYSE", ["last"])
    running.take({"31": "1", "87": "5"})
    running.ask_for(["bid"])
    known = running.fields
    running.forget()

    assert (known["last"], known["missing"]) == (1, {"bid"})
    assert running.fields == {"exchange": "NYSE", "missing": frozenset({"last", "bid"})}


# Orders -------------------------------------------------------------------------------------


def order(**row):
    return stream_rows.order_after(None, {**FULL_ORDER, **row})


def test_a_first_row_makes_an_order_and_later_ones_change_it():
    first = order()
    partly = {"orderId": 922048212, "remainingQuantity": 62.0, "filledQuantity": 38.0, "avgPrice": "371.5"}
    later = stream_rows.order_after(first, partly)

    assert (first.order_id, first.state, first.limit_price) == ("922048212", OrderState.SUBMITTED, 372)
    assert (later.filled, later.remaining, later.quantity) == (38, 62, 100)
    assert later.average_price == Decimal("371.5")
    assert later.coid == "mine"


@pytest.mark.parametrize(
    ("row", "changes"),
    [
        ({"status": "PreSubmitted"}, {"state": OrderState.PRE_SUBMITTED}),
        ({"status": "Cancelled"}, {"state": OrderState.CANCELLED}),
        ({"status": ""}, {}),
        ({"price": "371.50"}, {"limit_price": Decimal("371.5")}),
        ({"price": ""}, {}),
        ({"filledQuantity": 100.0}, {"filled": 100, "remaining": 0}),
        ({"remainingQuantity": 50.0}, {"remaining": 50, "quantity": 50}),
        ({"totalSize": 120.0}, {"quantity": 120, "remaining": 120}),
        ({"timeInForce": "CLOSE"}, {"tif": "DAY"}),
        ({"lastExecutionTime_r": 1594229999000}, {"updated": datetime(2020, 7, 8, 17, 39, 59, tzinfo=UTC)}),
        (
            {"trailingAmt": "1.5", "trailingType": "%"},
            {"trailing": Decimal("1.5"), "trailing_unit": TrailingUnit.PERCENT},
        ),
        ({"orderType": "Stop", "origOrderType": "STOP", "price": 370}, {"order_type": OrderType.STOP}),
        ({"bgColor": "#FFFFFF", "isEventTrading": "0"}, {}),
    ],
)
def test_only_what_a_row_has_is_changed(row, changes):
    before = order()
    after = order_rows.changed_order(before, row)

    for name in ("state", "quantity", "filled", "limit_price", "tif", "updated", "trailing", "order_type"):
        assert getattr(after, name) == changes.get(name, getattr(before, name)), name
    assert after.remaining == changes.get("remaining", before.remaining)


def test_a_late_row_takes_nothing_back():
    filled = order_rows.changed_order(
        order(), {"status": "Filled", "filledQuantity": 100.0, "remainingQuantity": 0.0}
    )

    late = order_rows.changed_order(
        filled, {"status": "Submitted", "filledQuantity": 38.0, "remainingQuantity": 62.0, "avgPrice": "1"}
    )

    assert late == filled


def test_an_unknown_state_is_an_error_also_in_a_change():
    with pytest.raises(UnexpectedAnswer, match="Levitating"):
        order_rows.changed_order(order(), {"status": "Levitating"})


def test_a_row_of_an_unknown_order_that_has_not_all_makes_none():
    assert stream_rows.order_after(None, {"orderId": 1, "status": "Filled"}) is None
    assert stream_rows.order_after(None, {**FULL_ORDER, "side": "ASSN"}) is None


@pytest.mark.parametrize(
    ("row", "name"),
    [({"orderId": 1}, "1"), ({"order_id": " 2 "}, "2"), ({"orderId": True}, None), ({}, None)],
)
def test_an_order_id_is_a_number_here_and_a_text_elsewhere(row, name):
    assert stream_rows.order_id_of(row) == name


# Other rows ---------------------------------------------------------------------------------


def test_rows_come_as_lists_and_as_objects():
    assert stream_rows.rows_of({"args": [{"a": 1}, 7, None]}) == [{"a": 1}]
    assert stream_rows.rows_of({"args": {"a": 1}}) == [{"a": 1}]
    assert stream_rows.rows_of({"args": "nothing"}) == []


def test_what_is_no_figure_of_profit_is_left_out():
    known = {}

    assert stream_rows.profit_rows({"args": {"DU1.Core": {"dpl": 1}, "DU2": 7}}, known)[0].daily == 1
    assert known == {"DU1.Core": {"dpl": 1}}


def test_a_summary_has_figures_and_words():
    rows = [
        {"key": "AccountType", "value": "INDIVIDUAL"},
        {"key": "Cushion", "value": "0.9"},
        {"value": "nameless"},
        {"key": "Blank", "timestamp": 1},
        {"key": "NetLiquidation", "monetaryValue": 1.5, "currency": "EUR"},
    ]

    values, currency = stream_rows.summary_values({"result": rows})

    assert values == {
        "AccountType": "INDIVIDUAL",
        "Cushion": Decimal("0.9"),
        "NetLiquidation": Decimal("1.5"),
    }
    assert currency == "EUR"


def test_a_ledger_row_without_a_currency_is_left_out():
    rows = [
        {"key": "LedgerList"},
        {"key": "Cash", "cashbalance": 1},
        {"key": "LedgerListEUR", "cashbalance": 2},
    ]

    assert [row.currency for row in stream_rows.ledger_rows({"result": rows}, {})] == ["EUR"]


def test_a_prompt_is_answered_by_its_one_agreeing_option():
    assert stream_rows.affirmative(("Use on this order", "Always use", "Do not use")) == "Use on this order"
    assert stream_rows.affirmative(("Yes", "No")) == "Yes"
    assert stream_rows.affirmative(("Yes", "Certainly")) is None
    assert stream_rows.affirmative(()) is None


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        (("Use on this order", "Always use", "Do not use"), "Do not use"),
        (("Yes", "No"), "No"),
        (("Yes", "Notify me"), None),
        (("Yes", "No", "Don't ask again"), "No"),
        (("Yes", "Cancel"), None),
        (("No", "Do not use"), None),
        ((), None),
    ],
)
def test_the_option_that_declines_is_told_by_its_words(options, chosen):
    """To cancel may mean the order, and never is for a person to say."""
    assert stream_rows.negative(options) == chosen
    assert stream_rows.prompt_answer("12", "r", "Yes") == {"orderId": 12, "reqId": "r", "text": "Yes"}
    with pytest.raises(UnexpectedAnswer):
        stream_rows.prompt_answer("twelve", "r", "Yes")


def test_a_notice_without_a_text_or_with_an_odd_id_is_told_all_the_same():
    ((row, notice),) = stream_rows.notices_of({"args": {"id": True, "text": 7}})

    assert (row["id"], notice.text, notice.notice_id) == (True, "", None)
