"""What a host posts is read exactly, or refused by the name of the key."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.host.fields import (
    FOREIGN,
    FOREIGN_INSTRUMENT,
    FOREIGN_RISK,
    SPELLINGS,
    is_one_slip,
    nearest,
)
from ibkr_adapter.host.values import shown
from ibkr_adapter.host.webhook import Action, EntryType, Webhook, masked, parse, read_webhook
from ibkr_adapter.model import names
from ibkr_adapter.model.contract import SecType
from ibkr_adapter.model.order import Side

BUY = {"action": "buy", "symbol": "AAPL"}
CLOSE = {"action": "close", "symbol": "AAPL"}


def refused(payload) -> str:
    """Read what must not be read, and return what the error says."""
    with pytest.raises(InvalidOrder) as caught:
        read_webhook(payload)
    message = str(caught.value)
    assert message.endswith("Nothing was sent.")
    return message


def test_the_least_webhook_is_a_market_order():
    """The host's default order type is market, and everything else may be missing."""
    webhook = read_webhook('{"action": "buy", "symbol": "AAPL"}')

    assert webhook == Webhook(action=Action.BUY, symbol="AAPL")
    assert webhook.order_type is EntryType.MARKET
    assert not webhook.has_exits


def test_every_field_of_an_entry_is_read():
    """What the host documents is honoured, key by key."""
    webhook = read_webhook(
        {
            "secret": "hush-hush",
            "exchange": "ibkr",
            "action": "Short",
            "symbol": "NASDAQ:MSFT",
            "order_type": "STP LMT",
            "stop_price": "290",
            "price": "289.50",
            "positionSizeUsd": "1500",
            "stopLoss": "2",
            "take_profit_percent": 5,
            "strategy": "trend",
            "strategy_id": 17,
            "source": "broker_x",
            "userId": "u-1",
            "environment": "sandbox",
            "linked_exchange_id": "77",
            "timestamp": 1764000000000.5,
        }
    )

    assert webhook == Webhook(
        secret="hush-hush",
        exchange="ibkr",
        action=Action.SELL,
        symbol="MSFT",
        order_type=EntryType.STOP_LIMIT,
        stop_price=Decimal(290),
        price=Decimal("289.50"),
        position_size_usd=Decimal(1500),
        stop_loss_percent=Decimal(2),
        take_profit_percent=Decimal(5),
        strategy="trend",
        strategy_id="17",
        source="broker_x",
        user_id="u-1",
        environment="sandbox",
        linked_exchange_id="77",
        timestamp="1764000000000.5",
    )
    assert webhook.side is Side.SELL
    assert webhook.has_exits


@pytest.mark.parametrize(
    ("word", "action"),
    [
        ("buy", Action.BUY),
        ("BUY", Action.BUY),
        (" Long ", Action.BUY),
        ("sell", Action.SELL),
        ("SHORT", Action.SELL),
        ("Close", Action.CLOSE),
    ],
)
def test_an_action_may_be_written_in_any_case_and_by_its_alias(word, action):
    """Long and short are what charting sites call buy and sell."""
    assert read_webhook({"action": word, "symbol": "AAPL"}).action is action


@pytest.mark.parametrize("word", ["hold", "", 1, True, ["buy"], {"secret": "hush-hush"}])
def test_an_unknown_action_is_refused_with_the_known_ones(word):
    """Nothing is guessed into it, and what is inside a container stays there."""
    message = refused({"action": word, "symbol": "AAPL"})

    assert "action must be buy, sell, close, long or short" in message
    assert "hush" not in message


def test_a_missing_action_is_named():
    """A webhook for a chart's plain alert has none."""
    assert "action is missing" in refused({"symbol": "AAPL"})


def test_a_close_has_no_side_of_its_own():
    """It follows the position; a guess could double it."""
    with pytest.raises(ValueError, match="from the position"):
        _ = read_webhook(CLOSE).side


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("market", EntryType.MARKET),
        ("MKT", EntryType.MARKET),
        ("Limit", EntryType.LIMIT),
        ("LMT", EntryType.LIMIT),
        ("stop", EntryType.STOP),
        ("stop_market", EntryType.STOP),
        ("STP", EntryType.STOP),
        ("stop-limit", EntryType.STOP_LIMIT),
        ("StopLimit", EntryType.STOP_LIMIT),
        ("STP LMT", EntryType.STOP_LIMIT),
    ],
)
@pytest.mark.parametrize("key", ["orderType", "order_type"])
def test_an_order_type_goes_by_many_names(key, word, kind):
    """The host's own words and those of the trading platform mean the same."""
    prices = {
        EntryType.LIMIT: {"price": 1},
        EntryType.STOP: {"stopPrice": 1},
        EntryType.STOP_LIMIT: {"price": 1, "stopPrice": 1},
    }

    assert read_webhook(BUY | {key: word} | prices.get(kind, {})).order_type is kind


@pytest.mark.parametrize("word", ["moon", "MOC", "", 7])
def test_an_unknown_order_type_is_refused(word):
    """The host would send it as a limit order."""
    assert "orderType must be market, limit, stop or stop_limit" in refused(BUY | {"orderType": word})


@pytest.mark.parametrize("word", ["trailing_stop", "TRAIL"])
def test_a_trailing_stop_is_no_entry(word):
    """Its percentage could be meant for the entry or for the exit."""
    assert "is an exit here" in refused(BUY | {"orderType": word, "trailing_stop_percent": 2})


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"orderType": "limit"}, "needs price"),
        ({"orderType": "stop"}, "needs stopPrice"),
        ({"orderType": "stop", "stopPrice": 9, "price": 8}, "has one price"),
        ({"orderType": "stop_limit", "stopPrice": 9}, "needs stopPrice and price"),
        ({"orderType": "stop_limit", "price": 9}, "needs stopPrice and price"),
        ({"orderType": "market", "stopPrice": 9}, "has no stopPrice"),
        ({"orderType": "limit", "price": 9, "stop_price": 9}, "has no stopPrice"),
    ],
)
def test_an_order_type_wants_its_own_prices(extra, words):
    """A missing price would be made up, and a price too many would be ignored."""
    assert words in refused(BUY | extra)


@pytest.mark.parametrize("key", ["price", "stopPrice", "stop_price"])
def test_a_stop_takes_its_one_price_from_either_key(key):
    """Hosts put the trigger into price as often as into stopPrice."""
    webhook = read_webhook(BUY | {"orderType": "stop", key: "171.5"})

    assert (webhook.stop_price, webhook.price) == (Decimal("171.5"), None)


def test_the_price_of_a_market_alert_is_ignored_and_said_to_be():
    """Alerts carry the price that they saw, whatever it was."""
    webhook = read_webhook(BUY | {"price": "n/a"})

    assert webhook.price is None
    assert webhook.ignored == ("price",)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("300.00", "300.00"),
        ("3e2", "3E+2"),
        ("300.10000000000000001", "300.10000000000000001"),
        ('"300.00"', "300.00"),
        ('" 2 "', "2"),
        ('"+.5"', "0.5"),
        ("7", "7"),
    ],
)
def test_numbers_keep_the_digits_they_were_written_with(text, number):
    """A price that went through a float is another price."""
    payload = f'{{"action": "buy", "symbol": "AAPL", "orderType": "limit", "price": {text}}}'

    assert read_webhook(payload).price == Decimal(number)


def test_a_float_of_a_mapping_means_its_shortest_text():
    """A host that has parsed the JSON itself gives 300.1 as the float next to it."""
    assert read_webhook(BUY | {"orderType": "limit", "price": 300.1}).price == Decimal("300.1")


@pytest.mark.parametrize(
    "value",
    [
        0,
        "0",
        -1,
        "-0.5",
        "NaN",
        "Infinity",
        float("nan"),
        float("inf"),
        True,
        False,
        "",
        " ",
        "abc",
        "1,000",
        "1_000",
        "2%",
        "٣",
        [],
        {},
        10**12,
        pytest.param(10**5000, id="5001 digits"),
        "1e9999",
        "1e-13",
        "1e99999",
    ],
)
@pytest.mark.parametrize("key", ["quantity", "position_size_usd", "stop_loss_percent", "takeProfit"])
def test_what_is_no_sensible_number_is_refused_by_its_key(key, value):
    """Dropped silently, it would leave another size, or a position without a stop."""
    assert refused(BUY | {key: value}).startswith(f"{key} must ")


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_json_words_that_are_no_numbers_are_named(word):
    """Charting sites write them where a plot has no value."""
    assert f"{word} is not a number" in refused(f'{{"action": "buy", "symbol": "AAPL", "quantity": {word}}}')


@pytest.mark.parametrize("key", ["stop_loss_percent", "take_profit_percent", "trailing_stop_percent"])
@pytest.mark.parametrize("value", [100, "100.0", 250])
def test_a_percentage_of_an_exit_is_below_a_hundred(key, value):
    """A stop at nothing protects nothing."""
    assert f"{key} must be above 0 and below 100" in refused(BUY | {key: value})


def test_a_close_may_be_for_all_of_it():
    """A hundred per cent of a position is a position."""
    assert read_webhook(CLOSE | {"sell_percentage": "100"}).sell_percentage == Decimal(100)


@pytest.mark.parametrize("value", [0, -5, 100.1, "half"])
def test_a_part_to_close_is_above_nothing_and_at_most_all(value):
    """Everything else would close what nobody asked for."""
    assert "sell_percentage must be" in refused(CLOSE | {"sell_percentage": value})


def test_a_part_is_not_for_entries():
    """The host ignores it there, and a sell meant to reduce would turn the position around."""
    assert "belongs to the action close" in refused(
        {"action": "sell", "symbol": "AAPL", "sell_percentage": 50}
    )


def test_a_close_is_not_held_up_by_what_only_entries_read():
    """Templates carry all fields for all actions, and getting out comes first."""
    webhook = read_webhook(
        CLOSE | {"orderType": "bogus", "quantity": 0, "stopLoss": "NaN", "trailing_stop_pips": 20}
    )

    assert webhook == Webhook(
        action=Action.CLOSE,
        symbol="AAPL",
        ignored=("trailing_stop_pips", "orderType", "quantity", "stopLoss"),
    )


@pytest.mark.parametrize(
    ("value", "symbol"),
    [
        ("AAPL", "AAPL"),
        (" aapl ", "aapl"),
        ("NASDAQ:AAPL", "AAPL"),
        ("A:B: BRK B", "BRK B"),
        ("BRK.B", "BRK.B"),
    ],
)
def test_a_symbol_keeps_its_spelling_without_the_venue(value, symbol):
    """The host compares symbols letter by letter."""
    assert read_webhook({"action": "buy", "symbol": value}).symbol == symbol


@pytest.mark.parametrize(
    "value",
    ["", "  ", "NASDAQ:", "A\x1b[2JB", "A\u202eB", "A\ud800", "265598", "X" * 21, 265598, None, ["AAPL"]],
)
def test_what_is_no_symbol_is_refused(value):
    """Control characters reach terminals, numbers could be contract ids of something else."""
    message = refused({"action": "buy", "symbol": value})

    assert message.startswith("symbol ")
    assert message.isprintable()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"orderType": "market"}, {"order_type": "market"}),
        ({"stopPrice": 1}, {"stop_price": 1}),
        ({"position_size_usd": 1}, {"positionSizeUsd": 1}),
        ({"stop_loss_percent": 1}, {"stopLoss": 1}),
        ({"take_profit_percent": 1}, {"takeProfit": 1}),
        ({"trailing_stop_percent": 1}, {"trailingStop": 1}),
        ({"user_id": "u"}, {"userId": "u"}),
        ({"quantity": 1}, {"position_size_usd": 100}),
        ({"quantity": 1}, {"positionSizeUsd": 100}),
        ({"stopLoss": 2}, {"stop_loss_price": 100}),
        ({"take_profit_percent": 2}, {"take_profit_price": 100}),
        ({"stop_loss_percent": 2}, {"trailing_stop_percent": 2}),
        ({"stop_loss_price": 2}, {"trailingStop": 2}),
    ],
)
def test_one_thing_said_twice_is_refused_with_both_keys(one, other):
    """Which of the two is meant cannot be told."""
    message = refused(BUY | one | other)

    assert next(iter(one)) in message
    assert next(iter(other)) in message


def test_a_null_is_as_good_as_a_missing_key():
    """Templates name every key and leave what they do not use empty."""
    webhook = read_webhook(BUY | {"quantity": None, "position_size_usd": 100, "stopLoss": None, "foo": None})

    assert webhook == Webhook(action=Action.BUY, symbol="AAPL", position_size_usd=Decimal(100))


@pytest.mark.parametrize(
    ("switch", "fixed", "trailing", "ignored"),
    [
        (True, None, Decimal(3), ("stopLoss",)),
        ("TRUE", None, Decimal(3), ("stopLoss",)),
        (False, Decimal(2), None, ("trailing_stop_percent",)),
    ],
)
def test_the_switch_chooses_between_two_stops(switch, fixed, trailing, ignored):
    """A template may carry both distances and a switch."""
    webhook = read_webhook(BUY | {"stopLoss": 2, "trailing_stop_percent": 3, "useTrailingStop": switch})

    assert (webhook.stop_loss_percent, webhook.trailing_stop_percent) == (fixed, trailing)
    assert webhook.ignored == ignored


@pytest.mark.parametrize(
    "extra", [{"useTrailingStop": True, "trailingStop": 3}, {"useTrailingStop": False, "stopLoss": 3}, {}]
)
def test_a_switch_that_chooses_nothing_drops_nothing(extra):
    """With one stop, or none, there is nothing to leave out."""
    assert read_webhook(BUY | extra).ignored == ()


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"useTrailingStop": True, "stopLoss": 2}, "trailing_stop_percent is missing"),
        ({"useTrailingStop": False, "trailingStop": 2}, "trailingStop is the only stop"),
        ({"useTrailingStop": "maybe"}, "must be true or false"),
        ({"useTrailingStop": 1}, "must be true or false"),
    ],
)
def test_a_switch_must_not_take_the_only_stop_away(extra, words):
    """A position without the stop that was asked for is the worst of all answers."""
    assert words in refused(BUY | extra)


@pytest.mark.parametrize(
    ("key", "known"),
    [
        ("stop_los_percent", "stop_loss_percent"),
        ("stop_loss_precent", "stop_loss_percent"),
        ("stop_loss_percents", "stop_loss_percent"),
        ("stopLossPercent", "stop_loss_percent"),
        ("stop_loss", "stopLoss"),
        ("Quantity", "quantity"),
        ("quantitiy", "quantity"),
        ("quantuty", "quantity"),
        ("acton", "action"),
        ("sell-percentage", "sell_percentage"),
        ("secrte", "secret"),
        ("trailing_stop_pip", "trailing_stop_pips"),
        ("STRIKE", "strike"),
    ],
)
def test_a_slip_is_refused_with_the_key_that_was_meant(key, known):
    """A misspelt stop that is ignored leaves a position without one; so does a misspelt null."""
    message = refused(BUY | {key: None})

    assert f"{key} is not a field: did you mean {known}?" in message


def test_a_misspelt_secret_stays_secret():
    """The error names the key, never what it holds."""
    assert "hush-hush" not in refused(BUY | {"secrets": "hush-hush"})


def test_other_unknown_keys_are_listed():
    """They change nothing, and their sender should know."""
    webhook = read_webhook(
        BUY | {"comment": "x", "bar_\x1b[31m": 1, "": 2, "k" * 70: 3, "extended_hours": True}
    )

    assert webhook.ignored == (
        "comment",
        r"'bar_\x1b[31m'",
        "an empty text",
        "k" * 57 + "...",
        "extended_hours",
    )


@pytest.mark.parametrize("key", sorted(FOREIGN))
def test_what_is_meant_for_other_brokers_is_listed(key):
    """The host's templates serve all of its brokers."""
    assert read_webhook(BUY | {key: "x"}).ignored == (key,)


@pytest.mark.parametrize("key", sorted(FOREIGN_RISK))
def test_a_foreign_stop_or_size_is_refused(key):
    """Ignored, it would leave the position unprotected or of another size."""
    assert refused(BUY | {key: 20}).startswith(key)


OPTION = {"right": "call", "strike": 170, "expiration": "2026-12-18"}


@pytest.mark.parametrize(
    ("fields", "text", "kind"),
    [
        (OPTION, "AAPL 2026-12-18 170 C", SecType.OPTION),
        ({"option_type": "P", "strike": "172.50", "expiration": "20261218"}, "AAPL 2026-12-18 172.5 P", None),
        (OPTION | {"expiration": "18DEC26"}, "AAPL 2026-12-18 170 C", None),
        (OPTION | {"expiration": "2026-12"}, "AAPL 2026-12 170 C", None),
        (OPTION | {"expiration": "dec26"}, "AAPL 2026-12 170 C", None),
        (OPTION | {"symbol": "NASDAQ:AAPL"}, "AAPL 2026-12-18 170 C", None),
        (OPTION | {"symbol": "FOP:ES"}, "FOP:ES 2026-12-18 170 C", SecType.FUTURE_OPTION),
        (OPTION | {"symbol": None, "underlying": "SPX"}, "SPX 2026-12-18 170 C", None),
        (OPTION | {"underlying": "aapl"}, "AAPL 2026-12-18 170 C", None),
        ({"symbol": "ES", "expiration": "2026-12"}, "FUT:ES 2026-12", SecType.FUTURE),
        ({"symbol": "FUT:ES", "expiration": "2026-12-18"}, "FUT:ES 2026-12-18", SecType.FUTURE),
    ],
)
@pytest.mark.parametrize("payload", [BUY, CLOSE])
def test_fields_beside_the_symbol_name_an_option_or_a_future(payload, fields, text, kind):
    """The same for a close: it is the option that is to be closed, not the stock."""
    webhook = read_webhook(payload | fields)

    assert webhook.symbol == text
    assert webhook.contract == names.read(text, date(2026, 11, 24))
    assert webhook.contract.text == ""
    assert kind is None or webhook.contract.sec_type is kind
    assert webhook.ignored == ()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"right": "call", "strike": 170}, "right and strike without expiration"),
        ({"strike": 170}, "strike without expiration"),
        ({"right": "C", "expiration": "2026-12-18"}, "an option needs strike, too"),
        ({"strike": 1, "expiration": "2026-12-18"}, "an option needs right, too"),
        (OPTION | {"right": "both"}, "right must be call or put, not both"),
        (OPTION | {"strike": 0}, "strike must be above 0"),
        (OPTION | {"strike": "at the money"}, "strike must be a number"),
        (OPTION | {"expiration": "friday"}, "expiration must be a day such as 2026-12-18"),
        (OPTION | {"expiration": "2026-13-01"}, "expiration must be a day"),
        # This year's or that of ten years later.
        (OPTION | {"expiration": "Z6"}, "expiration must be a day"),
        (OPTION | {"expiration": 20261218.5}, "expiration must be a day"),
        (OPTION | {"underlying": "MSFT"}, "symbol AAPL and underlying MSFT are two underlyings"),
        (OPTION | {"symbol": "STK:AAPL"}, "cannot be read as an option"),
        (OPTION | {"symbol": "A~PL"}, "is no symbol"),
        (OPTION | {"option_type": "put"}, "right and option_type are the same field"),
        (OPTION | {"symbol": None}, "symbol is missing"),
        (OPTION | {"symbol": "AAPL261218P00170000"}, "right call is not that of the option"),
        (OPTION | {"symbol": "AAPL261218C00175000"}, "strike 170 is not that of the option"),
        (OPTION | {"symbol": "AAPL270115C00170000"}, "expiration 2026-12-18 is not that of the option"),
    ],
)
def test_half_an_option_or_two_are_refused(fields, said):
    """The nearest day, or a strike of our choice, would be a guess with money."""
    assert said in refused(BUY | fields)


@pytest.mark.parametrize("more", [{}, {"underlying": "AAPL"}, {"strike": "170.0"}, OPTION])
def test_an_options_own_name_may_be_said_twice(more):
    """The host's own close has the option's symbol and its underlying."""
    webhook = read_webhook(CLOSE | {"symbol": "AAPL261218C00170000"} | more)

    assert (webhook.symbol, webhook.contract) == ("AAPL261218C00170000", None)


def test_an_underlying_beside_a_symbol_alone_changes_nothing():
    assert read_webhook(BUY | {"underlying": "MSFT"}) == Webhook(
        action=Action.BUY, symbol="AAPL", ignored=("underlying",)
    )


@pytest.mark.parametrize(
    ("written", "symbol"),
    [
        ("CFD:AAPL", "CFD:AAPL"),
        ("fut: ES 2026-12", "fut:ES 2026-12"),
        ("CME:FUT:ES", "FUT:ES"),
        ("conid:265598", "conid:265598"),
        ("ISIN:US0378331005", "ISIN:US0378331005"),
        ("CRYPTO:BTC", "CRYPTO:BTC"),
        ("NYSE:BRK.B", "BRK.B"),
        ("FX:EURUSD", "EURUSD"),
        ("OANDA:EURUSD", "EURUSD"),
    ],
)
def test_a_class_before_the_symbol_is_kept_and_a_venue_is_not(written, symbol):
    """CFD:AAPL without its class is the share, and would be bought instead."""
    assert read_webhook(BUY | {"symbol": written}).symbol == symbol


@pytest.mark.parametrize("key", sorted(FOREIGN_INSTRUMENT))
@pytest.mark.parametrize("payload", [BUY, CLOSE])
def test_what_names_something_else_is_not_taken_for_the_symbol(payload, key):
    """Buying or closing the stock instead would be another trade altogether."""
    assert refused(payload | {key: "call"}).startswith(f"{key} names a")


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "null",
        "[]",
        "7",
        '"buy"',
        "{",
        b"\xff\xfe\x00",
        "[" * 60_000,
        '{"a": ' + "1" * 5000 + "}",
        "x" * 70_000,
        {1: 2},
        None,
        7,
    ],
)
def test_what_is_no_json_object_is_refused(payload):
    """Whatever reaches the host's port is answered with one kind of error."""
    refused(payload)


def test_a_key_that_is_there_twice_is_refused():
    """JSON readers silently keep the last one."""
    text = '{"action": "buy", "symbol": "AAPL", "quantity": 1, "quantity": 100}'

    assert "quantity is there twice" in refused(text)


def test_what_cannot_be_read_is_not_repeated():
    """The text holds the secret."""
    assert "hush-hush" not in refused('{"secret": "hush-hush", ')


@pytest.mark.parametrize("number", ["1e99999999999999999999", "-1e-99999999999999999999"])
@pytest.mark.parametrize("key", ["price", "remark"])
def test_a_number_that_no_decimal_can_hold_is_refused(key, number):
    """A decimal of it raises an error of its own, which no host expects."""
    refused(f'{{"action": "buy", "symbol": "AAPL", "quantity": 1, "{key}": {number}}}')


def test_what_is_nested_without_end_is_not_kept():
    """Python cannot walk down into it; what a remark of a strategy needs is kept."""
    payload: dict = {}
    for _ in range(900):
        payload = {"note": [payload]}

    with pytest.raises(InvalidOrder, match=r"nested deeper than 32 levels\. Nothing was sent"):
        masked(payload)
    assert masked({"note": [{"by": ["me", {"password": 1}]}]}) == {
        "note": [{"by": ["me", {"password": "***"}]}]
    }


def test_bytes_are_as_good_as_text():
    """Web servers hand over bytes."""
    assert parse(b'{"a": 1.10}') == {"a": Decimal("1.10")}


@pytest.mark.parametrize("value", [1, 1.5, True, ["x"], {}])
def test_a_secret_that_is_no_text_is_refused_without_being_shown(value):
    """Comparing anything else would depend on how it is written."""
    assert refused(BUY | {"secret": value}) == "secret must be a text. Nothing was sent."


def test_the_secret_is_not_shown():
    """A webhook may end up in a log or in a traceback."""
    assert "hush-hush" not in repr(read_webhook(BUY | {"secret": "hush-hush"}))


@pytest.mark.parametrize("value", [True, [], {}, "a\nb", "x" * 201])
def test_words_are_short_and_printable(value):
    """They are shown in logs and dashboards."""
    assert refused(BUY | {"strategy": value}).startswith("strategy must be a")


@pytest.mark.parametrize(("value", "word"), [("  ", None), (" x ", "x"), (3, "3"), (1.5, "1.5")])
def test_words_are_trimmed(value, word):
    """An empty word is none, and a number is taken for its digits."""
    assert read_webhook(BUY | {"strategy": value}).strategy == word


def test_a_number_of_thousands_of_digits_is_no_word():
    """Python itself refuses to write it out."""
    assert refused(BUY | {"strategy": 10**5000}).startswith("strategy must be")


def test_a_masked_payload_keeps_everything_but_its_secrets():
    """It is shown by the demonstration and kept by audits."""
    payload = {
        "secret": "a",
        "Secrt": "b",
        "api_key": "c",
        "nested": {"password": "d", "list": [{"accessToken": "e"}, 1]},
        "token": None,
        "price": Decimal("1.0"),
        7: "odd",
    }

    assert masked(payload) == {
        "secret": "***",
        "Secrt": "***",
        "api_key": "***",
        "nested": {"password": "***", "list": [{"accessToken": "***"}, 1]},
        "token": None,
        "price": Decimal("1.0"),
        7: "odd",
    }


def test_a_message_shows_what_came():
    """Whoever reads it must recognise the value, whatever its type."""
    assert [shown(value) for value in ("", "a b", " a", True, 1.5, 10**70, {}, "x" * 61)] == [
        "an empty text",
        "a b",
        "' a'",
        "true",
        "1.5",
        "1" + "0" * 56 + "...",
        "a dict",
        "x" * 57 + "...",
    ]


KEYS = sorted({key for spellings in SPELLINGS.values() for key in spellings})


@given(st.sampled_from(KEYS), st.data())
def test_any_one_slip_in_a_known_key_is_noticed(key, data):
    """The law behind the examples: a letter dropped, doubled, changed, or two exchanged."""
    at = data.draw(st.integers(0, len(key) - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz"))
    slips = [
        key[:at] + key[at + 1 :],
        key[:at] + letter + key[at:],
        key[:at] + letter + key[at + 1 :],
        key[:at] + key[at : at + 2][::-1] + key[at + 2 :],
        key.upper(),
        key.replace("_", ""),
    ]

    for slip in slips:
        assert slip in KEYS or nearest(slip) is not None


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_a_slip_is_a_slip_in_both_directions(one, other):
    """The distance between two words has no direction, and to itself there is none."""
    assert is_one_slip(one, other) == is_one_slip(other, one)
    assert not is_one_slip(one, one)


@given(st.text("abc", max_size=5), st.text("abc", max_size=5))
def test_one_slip_is_what_the_long_way_finds(one, other):
    """All words one edit or exchange away, written out, are the measure."""
    away = {one[:i] + one[i + 1 :] for i in range(len(one))}
    away |= {one[:i] + c + one[i:] for i in range(len(one) + 1) for c in "abc"}
    away |= {one[:i] + c + one[i + 1 :] for i in range(len(one)) for c in "abc"}
    away |= {one[:i] + one[i : i + 2][::-1] + one[i + 2 :] for i in range(len(one) - 1)}

    assert is_one_slip(one, other) == (other in away - {one})


def test_a_key_of_nothing_but_separators_is_no_slip():
    """It has no letters to be near anything."""
    assert nearest("_-_") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=12), JSON, max_size=6))
def test_whatever_is_posted_is_read_or_refused(payload):
    """Nothing but InvalidOrder may leave the reader, and reading twice gives the same."""
    try:
        webhook = read_webhook(payload)
    except InvalidOrder:
        return

    assert webhook == read_webhook(dict(payload))
    assert json.dumps(webhook.ignored)
