"""A question counts as known only where its id and its text agree; a prompt is told from a question."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ibkr_adapter.wire.replies import (
    Topic,
    read_prompt,
    read_question,
    reply_body,
    suppress_body,
    topic_of,
    words_of,
)

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "recorded" / "orders"

# The texts are written after the documented ones: the words that tell them apart are kept.
CASH_DISCLAIMER = (
    "Traders are responsible for understanding cash quantity details, provided on a best efforts basis."
)
CASH_CONFIRMATION = (
    "<h4>Cash Quantity Order Confirmation</h4>Orders that express size using a monetary value "
    "(cash quantity) are provided on a non-guaranteed basis."
)
CAP = (
    "<h4>Confirm Mandatory Cap Price</h4>To avoid trading at a price that is not consistent with a fair and "
    "orderly market, IB may set a cap (for a buy order) or sell order)."
)
MARKET = (
    "<h4>Market Order Confirmation</h4>A market order may fill far from the displayed price.\nPlease confirm."
)
MARKET_RISK = "Please be aware of the risks of market orders."
STOP = (
    "You are about to submit a stop order. Please be aware of the various stop order types available and the "
    "risks associated with each one.\nAre you sure you want to submit this order?"
)
STOP_VARIANT = "<h4>Stop Variant Order Confirmation</h4>Stop Limit, Stop and Trailing Stop"
PERCENT = (
    'The following order "BUY 5 AAPL NASDAQ.NMS @ 150.0" price exceeds \nthe Percentage constraint of 3%.\n'
    "Are you sure you want to submit this order?"
)
NO_DATA = "You are submitting an order without market data. We strongly recommend against this."
TICK = 'The following order "BUY 5 AAPL" value exceeds the Tick Size Limit of 5.'
SIZE = 'The following order "BUY 650 AAPL NASDAQ.NMS" size exceeds the Size Limit of 500.\nAre you sure?'
FILL = "This order will most likely trigger and fill immediately.\nAre you sure?"
VALUE = (
    'The following order "BUY 650 AAPL" value estimate of 124,995.00 USD exceeds \nthe Total Value Limit of '
    "100,000 USD.\nAre you sure?"
)
ILLIQUID = "This security has limited liquidity. Confirm that you understand the risks."
CRYPTO = "Please be aware of the risks of market orders for crypto."


@pytest.mark.parametrize(
    ("message_id", "text", "topic"),
    [
        ("o10331", STOP, Topic.STOP_RISK),
        ("o10152", STOP_VARIANT, Topic.STOP_RISK),
        ("o10152", "Stop orders carry risk once they are active.", Topic.STOP_RISK),
        ("o163", PERCENT, Topic.PRICE_LIMIT),
        ("o163", "The price exceeds the percentage limit.", Topic.PRICE_LIMIT),
        ("o354", NO_DATA, Topic.NO_MARKET_DATA),
        ("o382", TICK, Topic.TICK_LIMIT),
        ("o383", SIZE, Topic.SIZE_LIMIT),
        ("o403", FILL, Topic.IMMEDIATE_FILL),
        ("o451", VALUE, Topic.VALUE_LIMIT),
        ("o10336", ILLIQUID, Topic.ILLIQUID),
    ],
)
def test_a_message_is_known_by_its_id_and_its_text(message_id, text, topic):
    """The documented ids in the documented words."""
    assert topic_of(message_id, text) is topic


@pytest.mark.parametrize(
    ("documented", "observed", "text", "topic"),
    [
        ("o10151", "o10164", MARKET, Topic.MARKET_RISK),
        ("o10151", "o10164", MARKET_RISK, Topic.MARKET_RISK),
        ("o10164", "o10151", CASH_DISCLAIMER, Topic.CASH_QUANTITY),
        ("o10153", "o10223", CAP, Topic.CAP_PRICE),
        ("o10223", "o10153", CASH_CONFIRMATION, Topic.CASH_QUANTITY),
    ],
)
def test_swapped_ids_are_read_by_their_text(documented, observed, text, topic):
    """IBKR's table and a real account swap two pairs; the words say what a yes agrees to."""
    assert topic_of(documented, text) is topic_of(observed, text) is topic


KNOWN = [
    ("o10331", STOP),
    ("o10152", STOP_VARIANT),
    ("o163", PERCENT),
    ("o354", NO_DATA),
    ("o382", TICK),
    ("o383", SIZE),
    ("o403", FILL),
    ("o451", VALUE),
    ("o10336", ILLIQUID),
    ("o10151", MARKET),
    ("o10153", CAP),
]
SAME = [{"o10331", "o10152"}]


@pytest.mark.parametrize(
    ("message_id", "text"),
    [
        (one, text)
        for one, _ in KNOWN
        for other, text in KNOWN
        if one != other and not any({one, other} == pair for pair in SAME)
    ],
)
def test_an_id_with_another_ones_text_is_unknown(message_id, text):
    """A yes by id alone could agree to a size or a price that nobody has looked at."""
    assert topic_of(message_id, text) is Topic.UNKNOWN


@pytest.mark.parametrize(
    ("message_id", "text"),
    [
        ("o10288", CRYPTO),
        ("o10151", CRYPTO),
        ("o2136", "mixed allocation"),
        ("", STOP),
        ("O10331", STOP),
        ("o10331", ""),
        ("o10331", "Are you sure you want to submit this order?"),
        # A disclosure that says more than it discloses.
        ("o10331", STOP + " The order size exceeds the Size Limit of 500."),
        ("o10331", STOP + " You have no market data."),
        ("o10152", STOP_VARIANT + " Your stop price exceeds the limit."),
        ("o10151", MARKET + " The value exceeds the Total Value Limit."),
        ("o10164", MARKET_RISK + " You have no market data."),
        ("o10223", CAP + " The price exceeds the percentage limit."),
        ("o403", FILL + " The size exceeds the Size Limit of 500."),
    ],
)
def test_what_is_not_known_word_for_word_stays_unknown(message_id, text):
    """Unknown is declined, known may be answered yes."""
    assert topic_of(message_id, text) is Topic.UNKNOWN


@pytest.mark.parametrize("message_id", ["o10151", "o10164", "o10153", "o10223"])
def test_cash_quantity_is_never_taken_for_a_mere_disclosure(message_id):
    """All four swapped ids can carry it, and beside it the other words do not count."""
    both = [CASH_CONFIRMATION + CAP, CASH_DISCLAIMER + MARKET, CASH_CONFIRMATION, CASH_DISCLAIMER]

    assert {topic_of(message_id, text) for text in both} == {Topic.CASH_QUANTITY}


def test_markup_and_line_ends_do_not_hide_a_text():
    """Questions come with raw HTML, entities and breaks in the middle of a sentence."""
    text = "<h4>Notice</h4>You are about to <b>submit\na&nbsp;stop</b>\r\n order. Be aware of the<br/>risks."

    assert topic_of("o10331", text) is Topic.STOP_RISK


@given(
    message_id=st.sampled_from([one for one, _ in KNOWN] + ["o10164", "o10223", "o10288", "p12", ""])
    | st.text(),
    text=st.lists(
        st.sampled_from([text for _, text in KNOWN] + [CASH_CONFIRMATION, CASH_DISCLAIMER, CRYPTO, "?"])
        | st.text(),
        max_size=3,
    ).map(" ".join),
)
def test_a_disclosure_never_speaks_of_a_limit_or_of_missing_prices(message_id, text):
    """These three topics are answered yes without asking anybody."""
    topic = topic_of(message_id, text)

    if topic in {Topic.STOP_RISK, Topic.MARKET_RISK, Topic.CAP_PRICE}:
        said = words_of(text, 10_000).lower()
        assert message_id in {"o10331", "o10152", "o10151", "o10164", "o10153", "o10223"}
        assert "exceeds" not in said
        assert "cash quantity" not in said


# Words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<h4>Confirm</h4>the\n price", "Confirm the price"),
        ("a<br>b<br/>c", "a b c"),
        ("&lt;script&gt;x&lt;/script&gt;", "x"),
        ("AT&amp;T &quot;5&quot;", 'AT&T "5"'),
        ("\x1b[31mred\x07\u202e", "[31mred"),
        ("  a \t b  ", "a b"),
        ("", ""),
    ],
)
def test_what_people_read_is_plain(text, words):
    """Raw HTML has broken a messenger before, control codes can rewrite a terminal."""
    assert words_of(text) == words


def test_long_words_are_cut():
    """An error is a sentence, not a page."""
    assert words_of("x" * 700) == "x" * 599 + "…"
    assert words_of("x" * 50, 50) == "x" * 50


@given(text=st.text(), limit=st.integers(1, 50))
@example(text="<" * 3000, limit=10)
@example(text="<a" * 3000, limit=10)
@example(text="\ud800", limit=5)
def test_words_fit_on_one_printable_line(text, limit):
    """Whatever IBKR writes."""
    words = words_of(text, limit)

    assert len(words) <= limit
    assert words.isprintable()


# Shapes ----------------------------------------------------------------------------------------


def test_one_question_may_hold_several_messages():
    """Confirming its one id confirms them all, so each is read with its own id."""
    question = read_question(
        {
            "id": "abc",
            "message": [MARKET, CAP],
            "messageIds": ["o10164", "o10223"],
            "messageOptions": ["Accept and Continue", "Cancel"],
        }
    )

    assert question is not None
    assert question.reply_id == "abc"
    assert question.message_ids == ("o10164", "o10223")
    assert [message.topic for message in question.messages] == [Topic.MARKET_RISK, Topic.CAP_PRICE]
    assert question.options == ("Accept and Continue", "Cancel")
    assert question.words.count(" / ") == 1
    assert "<h4>" not in question.words


@pytest.mark.parametrize(
    ("message", "ids", "pairs"),
    [
        (STOP, "o10331", [("o10331", True)]),
        ([STOP], ["o10331"], [("o10331", True)]),
        ([STOP], None, [("", False)]),
        ([STOP, STOP], ["o10331"], [("o10331", False), ("", False)]),
        ([STOP], ["o10331", "o354"], [("o10331", False), ("o354", False)]),
        ([5], ["o10331"], [("o10331", False)]),
        ({}, ["o10331"], [("o10331", False)]),
        ([], [], []),
        ({}, None, []),
    ],
)
def test_texts_and_ids_that_do_not_pair_are_unknown(message, ids, pairs):
    """Nobody can tell which id belongs to which text, so none of them counts as known."""
    question = read_question({"id": "abc", "message": message, "messageIds": ids})

    assert question is not None
    assert [(one.message_id, one.topic is Topic.STOP_RISK) for one in question.messages] == pairs


@pytest.mark.parametrize(
    "element",
    [
        None,
        [],
        "id",
        {},
        {"id": "abc"},
        {"id": "abc", "message": None},
        {"id": "", "message": ["x"]},
        {"id": " ", "message": ["x"]},
        {"id": 5, "message": ["x"]},
        {"message": ["x"], "messageIds": ["o163"]},
    ],
)
def test_what_cannot_be_replied_to_is_no_question(element):
    """Without an id there is nothing to say yes or no to."""
    assert read_question(element) is None


def test_a_prompt_is_read():
    """It names its order and its choices; a reply would not answer it."""
    prompt = read_prompt(
        {
            "orderId": 123456789,
            "reqId": "22170",
            "text": "Use the <b>Price Management Algo</b>?",
            "options": ["Use on this order", "Always use", "Do not use"],
            "messageId": "p12",
            "prompt": True,
        }
    )

    assert prompt is not None
    assert (prompt.order_id, prompt.request_id, prompt.message_id) == ("123456789", "22170", "p12")
    assert prompt.words == "Use the Price Management Algo ?"
    assert prompt.options == ("Use on this order", "Always use", "Do not use")


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {},
        {"reqId": "5"},
        {"orderId": 5},
        {"orderId": 5, "reqId": None},
        {"orderId": 5, "reqId": " "},
        {"orderId": True, "reqId": "5"},
        {"orderId": [5], "reqId": "5"},
    ],
)
def test_a_prompt_needs_its_order_and_its_id(content):
    """An answer could not say what it is about."""
    assert read_prompt(content) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda part: (
            st.lists(part, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["id", "message", "messageIds", "messageOptions", "reqId", "orderId", "text"]
                ),
                part,
            )
        ),
    )
)
def test_any_json_is_a_question_or_none(content):
    """Reading never fails; what has a topic had an id and a text."""
    question = read_question(content)
    read_prompt(content)

    if question is not None:
        assert question.reply_id.strip()
        assert all(message.topic in Topic for message in question.messages)


def test_an_answer_is_a_json_boolean():
    """The text "true" is answered with a 500."""
    assert json.dumps([reply_body(confirmed=True), reply_body(confirmed=False)]) == (
        '[{"confirmed": true}, {"confirmed": false}]'
    )


def test_suppressions_are_named_in_one_list():
    """A later list would replace an earlier one."""
    assert suppress_body(iter(("o163", "o354"))) == {"messageIds": ["o163", "o354"]}


@pytest.mark.recorded
@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers are not beside the checkout")
def test_a_recorded_question_is_known():
    """What a paper account was asked."""
    (element,) = json.loads((RECORDED / "conduit-POST-place-order-confirmation.json").read_text())["body"]

    question = read_question(element)

    assert question is not None
    assert [message.topic for message in question.messages] == [Topic.NO_MARKET_DATA]
    assert question.options == ("Yes", "No")
    assert question.words.endswith("trades. Are you sure you want to submit this order?")
