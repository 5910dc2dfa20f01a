"""A webhook is carried out once, whatever comes twice, at once, or after a death."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from worlds import AAPL, World

from crowd import at_once
from ibkr_adapter.errors import (
    BrokerageUnavailable,
    ConfigurationError,
    GuardrailRefused,
    InvalidOrder,
    OrderError,
    OrderOutcomeUnknown,
    OrderRejected,
)
from ibkr_adapter.host.book import SCHEMA_STEPS, Arrival, Entry, WebhookBook
from ibkr_adapter.host.executor import TradeExecutor
from ibkr_adapter.host.limits import RiskLimits
from ibkr_adapter.redact import remember
from ibkr_adapter.state import StateUnavailable, Store

SECRET = "a-secret-that-nobody-may-read"
MARKET = {"action": "buy", "symbol": "AAPL", "orderType": "market", "quantity": 2}
PLACE = "POST /iserver/account/{accountId}/orders"


class Killed(BaseException):
    """Stands for the end of the process."""


class Dying:
    """An exchange on which the process ends in the call of a method, before or after it was made."""

    def __init__(self, exchange, method, *, after):
        self._exchange = exchange
        self._method = method
        self._after = after

    def __getattr__(self, name):
        found = getattr(self._exchange, name)
        if name != self._method:
            return found

        def call(*args, **keywords):
            if self._after:
                found(*args, **keywords)
            raise Killed

        return call


class Unreachable:
    """An exchange of which one method fails for want of a session."""

    def __init__(self, exchange, method):
        self._exchange = exchange
        self._method = method

    def __getattr__(self, name):
        def fail(*_args, **_keywords):
            raise BrokerageUnavailable("there is no session; nothing was sent.")

        return fail if name == self._method else getattr(self._exchange, name)


def run(world, payload=MARKET, exchange=None, **more):
    limits, user = more.pop("limits", None), more.pop("user", None)
    executor = TradeExecutor(exchange or world.exchange(), clock=world.clock, limits=limits)
    return executor.execute_webhook(payload, user, **more)


def die(world, payload, method, *, after, **more):
    with pytest.raises(Killed):
        run(world, payload, Dying(world.exchange(), method, after=after), **more)


def positioned(world, quantity):
    world.gateway.seed_position(AAPL, Decimal(quantity))


# Repeats -----------------------------------------------------------------------------------------


def test_ten_seconds_after_its_end_the_same_content_is_another_webhook(world):
    """A strategy may say the same thing again; whoever wants it told apart for longer gives an id."""
    limit = {"action": "buy", "symbol": "MSFT", "orderType": "limit", "price": 300, "quantity": 1}
    first = run(world, limit)
    world.clock.sleep(9.5)
    repeat = run(world, limit)
    world.clock.sleep(0.6)
    other = run(world, limit)

    assert repeat == first | {"repeated": True}
    assert other["orderId"] != first["orderId"]
    assert len(world.orders()) == 2


@pytest.mark.parametrize(
    "again",
    [
        MARKET | {"quantity": "2.0"},
        dict(reversed(MARKET.items())),
        '{"symbol": "AAPL", "action": "BUY", "quantity": 2, "order_type": "MARKET"}',
    ],
)
def test_what_is_said_counts_and_not_how(world, again):
    run(world)

    assert run(world, again)["repeated"] is True


@pytest.mark.parametrize("more", [{"quantity": 3}, {"comment": "second bar"}, {"timestamp": 1}])
def test_other_words_are_another_webhook(world, more):
    """Even those that change nothing here: two alerts may differ by nothing but a remark."""
    run(world)

    assert run(world, MARKET | more)["action"] == "skipped"


def test_a_failure_is_answered_to_its_repeat_and_not_tried_again(world):
    """IBKR refused; asking again at once would only be refused again, or worse, not."""
    world.gateway.set_options({"buying_power": 10.0})
    payload = MARKET | {"webhook_id": "a1"}
    with pytest.raises(OrderRejected) as first:
        run(world, payload)
    world.gateway.set_options({"buying_power": None})

    with pytest.raises(OrderRejected) as second:
        run(world, payload)

    assert second.value.message == f"{first.value.message} This is what the first of equal webhooks came to."
    assert second.value.text == first.value.text
    assert world.count(PLACE) == 1


def test_a_failure_that_sent_nothing_does_not_keep_the_next_one_out(world):
    """A host that tries again because the prices were down must be able to succeed."""
    payload = {"action": "buy", "symbol": "AAPL", "webhook_id": "a1"}
    world.gateway.set_options({"availability": {"*": "D"}})
    with pytest.raises(InvalidOrder, match="delayed"):
        run(world, payload)
    world.gateway.set_options({"availability": {}})

    assert run(world, payload)["action"] == "opened"


def test_an_unknown_outcome_keeps_what_is_needed_to_look_it_up(world):
    world.arm("F03", PLACE, times=1)
    for _ in range(40):
        world.arm("F10", "GET /iserver/account/orders", times=1)
    limit = {"action": "buy", "symbol": "MSFT", "orderType": "limit", "price": 300, "quantity": 1}
    with pytest.raises(OrderOutcomeUnknown) as first:
        run(world, limit | {"webhook_id": "u1"})

    with pytest.raises(OrderOutcomeUnknown) as second:
        run(world, limit | {"webhook_id": "u1"})

    assert (second.value.coid, second.value.sent_at) == (first.value.coid, first.value.sent_at)
    assert world.count(PLACE) == 1


def test_the_id_may_come_beside_the_payload(world):
    first = run(world, webhook_id="header-1")
    world.clock.sleep(60)

    assert run(world, webhook_id="header-1") == first | {"repeated": True}
    with pytest.raises(InvalidOrder, match="not the one that this webhook came under"):
        run(world, MARKET | {"webhook_id": "other"}, webhook_id="header-1")


def test_users_do_not_repeat_each_other(world):
    """Two users of one host may be told the same by the same strategy."""
    limit = {"action": "buy", "symbol": "MSFT", "orderType": "limit", "price": 300, "quantity": 1}
    run(world, limit, user="ann", webhook_id="1")

    assert "repeated" not in run(world, limit, user="bob", webhook_id="1")


# At once ------------------------------------------------------------------------------------------


def test_equal_webhooks_at_the_same_moment_are_one_order(world):
    results = []

    at_once(world, *[lambda: results.append(run(world)) for _ in range(4)])

    assert world.count(PLACE) == 1
    assert world.position() == 2
    assert sorted(str(result.get("repeated")) for result in results) == ["None", "True", "True", "True"]


def test_different_webhooks_of_one_symbol_take_turns(world):
    """Both would find the account flat, and there would be two positions in one."""
    results = []

    at_once(world, *[lambda n=n: results.append(run(world, MARKET | {"quantity": n})) for n in (2, 3)])

    assert sorted(result["action"] for result in results) == ["opened", "skipped"]
    assert world.count(PLACE) == 1


def test_who_waits_too_long_is_told_so_and_sends_nothing(world, tmp_path):
    """Another process is at work on the symbol, and does not come to an end."""
    store = Store(tmp_path, "webhooks", steps=SCHEMA_STEPS)
    other = WebhookBook(clock=world.clock, store=lambda: store)
    exchange = world.exchange()
    tenant = TradeExecutor(exchange, clock=world.clock)._tenant(None)
    other.admit(Arrival(tenant=tenant, symbol="AAPL", name="x", content="x", came="{}"), within=1)

    with pytest.raises(
        OrderError, match="another webhook for AAPL is still being carried out after 45 s"
    ) as late:
        run(world, exchange=exchange)
    assert late.value.repeatable
    assert run(world, MARKET | {"symbol": "MSFT"})["action"] == "opened"
    other.close()
    assert run(world)["action"] == "opened"
    store.close()


# Deaths -------------------------------------------------------------------------------------------


def test_an_entry_of_a_dead_process_is_found_and_not_sent_again(world):
    bracket = MARKET | {"stop_loss_price": 150, "take_profit_price": 180, "webhook_id": "d1"}
    die(world, bracket, "place_bracket_order", after=True)

    result = run(world, bracket)

    assert (result["action"], result["recovered"], result["quantity"]) == ("opened", True, 2)
    assert (result["stopLossPrice"], result["takeProfitPrice"]) == ("150", "180")
    assert result["orderId"] == str(world.orders()[0]["order_id"])
    assert {result["stopLossOrderId"], result["takeProfitOrderId"]} == {
        str(row["order_id"]) for row in world.orders()[1:]
    }
    assert world.count(PLACE) == 1
    assert run(world, bracket) == result | {"repeated": True}


def test_an_entry_that_is_not_found_is_not_sent_again_either(world):
    """It may only not be listed yet; each repeat looks anew."""
    die(world, MARKET | {"webhook_id": "d1"}, "place_market_order", after=False)

    for _ in range(2):
        with pytest.raises(OrderOutcomeUnknown, match="ended in the midst of it") as lost:
            run(world, MARKET | {"webhook_id": "d1"})

    assert lost.value.coid.startswith("ibka-w")
    assert world.count(PLACE) == 0
    assert run(world, MARKET | {"webhook_id": "d2"})["action"] == "opened"


@pytest.mark.parametrize("method", ["find_order", "get_open_orders"])
def test_an_entry_that_cannot_be_looked_up_is_not_sent_again(world, method):
    """A host that is started anew may hear of the webhook before it is logged in."""
    resting = MARKET | {"orderType": "limit", "price": 162, "stop_loss_price": 155}
    die(world, resting, "place_bracket_order", after=True)

    for _ in range(2):
        with pytest.raises(BrokerageUnavailable):
            run(world, resting, Unreachable(world.exchange(), method))
    result = run(world, resting)

    assert (result["action"], result["recovered"]) == ("opened", True)
    assert world.count(PLACE) == 1


@pytest.mark.parametrize("after", [False, True])
def test_a_close_of_a_dead_process_is_made_again(world, after):
    """It closes what is still there, be it nothing."""
    positioned(world, 5)
    die(world, {"action": "close", "symbol": "AAPL"}, "close_position", after=after)
    world.pass_time(2)

    result = run(world, {"action": "close", "symbol": "AAPL"})

    assert result["action"] == ("none" if after else "closed")
    assert world.position() == 0


def test_a_part_is_not_closed_again_by_guess(world):
    positioned(world, 10)
    half = {"action": "close", "symbol": "AAPL", "sell_percentage": 50}
    die(world, half, "close_position", after=True)
    world.pass_time(2)

    for _ in range(3):
        with pytest.raises(OrderError, match="a part is not closed again"):
            run(world, half)

    assert world.position() == 5


def test_what_died_before_it_sent_anything_is_carried_out(world):
    die(world, MARKET, "get_position", after=False)

    assert run(world)["action"] == "opened"


def test_a_reversal_that_died_between_its_two_orders_goes_on_from_the_position(world):
    positioned(world, -3)
    die(world, MARKET, "close_position", after=True)
    world.pass_time(2)

    assert run(world)["action"] == "opened"
    world.pass_time(2)
    assert world.position() == 2


# The book itself ----------------------------------------------------------------------------------


def test_without_a_book_nothing_is_opened_and_everything_can_be_closed(world, tmp_path):
    """What cannot be told from its repeat must not be sent; a close may be made twice."""
    positioned(world, 5)
    spoilt = WebhookBook(
        clock=world.clock,
        store=lambda: Store(tmp_path / "a-file" / "below", "webhooks", steps=SCHEMA_STEPS),
    )
    (tmp_path / "a-file").write_text("no folder")
    executor = TradeExecutor(world.exchange(), clock=world.clock, book=spoilt)

    with pytest.raises(ConfigurationError, match=r"book of webhooks .* cannot be used"):
        executor.execute_webhook(MARKET)
    result = executor.execute_webhook({"action": "close", "symbol": "AAPL"})

    assert result["action"] == "closed"
    assert world.count(PLACE) == 1


def test_the_audit_says_what_came_what_was_sent_and_what_happened(world, tmp_path):
    exchange = world.exchange(webhook_secret=SECRET)
    executor = TradeExecutor(exchange, clock=world.clock)
    executor.execute_webhook(MARKET | {"secret": SECRET, "api_key": "another-secret"}, "ann")
    with pytest.raises(InvalidOrder):
        executor.execute_webhook({"secret": SECRET, "action": "buy", "symbol": "AAPL", "quantity": -1}, "ann")

    refused, done = executor.audit("ann")

    assert done["came"] == MARKET | {"secret": "***", "api_key": "***"}
    assert [step["step"] for step in done["steps"]] == ["place_market_order", "heard"]
    assert done["answer"]["action"] == done["state"].replace("done", "opened") == "opened"
    assert (refused["state"], refused["answer"]["errorType"]) == ("refused", "InvalidOrder")
    assert executor.audit("bob") == []
    exchange.close()
    for path in tmp_path.iterdir():
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("odd", "kept"),
    [
        ({"session": True}, {"session": True}),
        ({"note": 'session=regular"hours'}, {"note": 'session=***"hours'}),
        ({"note": "-----BEGIN QUOTE-----"}, {"note": "***"}),
        ({"note": ["Bearer abcdefgh", 1.5]}, {"note": ["Bearer ***", 1.5]}),
        (
            {"assertion": "canary-1", "note": [{"session": 12345}]},
            {"assertion": "***", "note": [{"session": 12345}]},
        ),
    ],
)
def test_what_looks_like_a_secret_is_kept_in_a_form_that_can_be_read_again(world, odd, kept):
    """One webhook that cannot be read would take the whole list with it, for two weeks."""
    executor = TradeExecutor(world.exchange(), clock=world.clock)
    executor.execute_webhook(MARKET | odd)
    with pytest.raises(InvalidOrder):
        executor.execute_webhook({"action": "hold"} | odd)

    turned_away, done = executor.audit()

    assert done["came"] == MARKET | kept
    assert turned_away["came"] == {"action": "hold"} | kept


def test_a_long_webhook_that_makes_no_sense_is_kept_in_part(world):
    executor = TradeExecutor(world.exchange(), clock=world.clock)
    with pytest.raises(InvalidOrder):
        executor.execute_webhook({"action": "hold", "note": "x" * 60_000})

    (row,) = executor.audit()

    assert row["came"]["cut"].startswith('{"action": "hold", "note": "xxx')
    assert len(row["came"]["cut"]) == 4000


def test_a_long_webhook_is_not_cut_in_the_middle_of_a_secret(world):
    secret = "canary-" + "7" * 60
    remember(secret)
    executor = TradeExecutor(world.exchange(), clock=world.clock)
    with pytest.raises(InvalidOrder):
        executor.execute_webhook({"action": "hold", "note": "x" * 3940 + secret + "x" * 3940})

    assert "canary" not in str(executor.audit())


def test_what_is_over_for_two_weeks_is_forgotten(world, tmp_path):
    executor = TradeExecutor(world.exchange(), clock=world.clock)
    executor.execute_webhook({"action": "close", "symbol": "AAPL"})
    world.clock.advance(timedelta(days=15).total_seconds())
    world.gateway.change_session("login")

    executor.execute_webhook({"action": "close", "symbol": "MSFT"})

    assert [row["came"]["symbol"] for row in executor.audit()] == ["MSFT"]
    with sqlite3.connect(tmp_path / "webhooks.sqlite3") as raw:
        assert raw.execute("SELECT count(*) FROM webhook").fetchone() == (1,)
    raw.close()


class Failing:
    """A file that is full from some moment on."""

    def __init__(self, folder, *args, **keywords):
        self._store = Store(folder, "webhooks", steps=SCHEMA_STEPS)
        self.path = self._store.path
        self.full_from = None
        self.writes = 0

    def read(self, *args):
        return self._store.read(*args)

    def write(self, *args):
        self.writes += 1
        if self.full_from is not None and self.writes >= self.full_from:
            raise StateUnavailable(self.path, "no space left")
        return self._store.write(*args)

    def transaction(self):
        return self._store.transaction()


def test_an_order_that_cannot_be_written_down_is_not_sent(world, tmp_path):
    store = Failing(tmp_path)
    book = WebhookBook(clock=world.clock, store=lambda: store)
    store.full_from = 2

    with pytest.raises(ConfigurationError, match=r"no space left\. Nothing was sent"):
        TradeExecutor(world.exchange(), clock=world.clock, book=book).execute_webhook(MARKET)

    assert world.count(PLACE) == 0


def test_what_is_sent_already_is_answered_although_it_cannot_be_written(world, tmp_path):
    """The repeat looks the order up by what was written before."""
    store = Failing(tmp_path)
    book = WebhookBook(clock=world.clock, store=lambda: store)
    executor = TradeExecutor(world.exchange(), clock=world.clock, book=book)
    # The row, the step and its state; then the disk is full.
    store.full_from = 4

    first = executor.execute_webhook(MARKET)
    store.full_from = None
    second = executor.execute_webhook(MARKET)

    assert (first["action"], second["action"], second["recovered"]) == ("opened", "opened", True)
    assert second["orderId"] == first["orderId"]
    assert world.count(PLACE) == 1


def test_a_webhook_that_makes_no_sense_is_refused_with_or_without_a_book(world, tmp_path):
    store = Failing(tmp_path)
    store.full_from = 1
    book = WebhookBook(clock=world.clock, store=lambda: store)

    with pytest.raises(InvalidOrder, match="quantity must be above 0"):
        TradeExecutor(world.exchange(), clock=world.clock, book=book).execute_webhook(
            MARKET | {"quantity": 0}
        )


def test_an_entry_of_no_book_writes_nothing():
    entry = Entry.unwritten()

    entry.sending("close_position", {})
    entry.heard({})
    entry.end("done", {})
    entry.leave()

    assert entry.steps == ()


# Limits -------------------------------------------------------------------------------------------


def test_money_is_cut_down_to_what_the_user_may_spend(world):
    """As hosts do; a quantity is somebody's own figure and is refused instead."""
    limits = {"maxPositionSizeUsd": "400"}

    assert (
        run(world, {"action": "buy", "symbol": "AAPL", "position_size_usd": 9000}, limits=limits)["quantity"]
        == 2
    )
    assert run(world, {"action": "buy", "symbol": "MSFT"}, limits=limits)["quantity"] == 1
    with pytest.raises(GuardrailRefused, match="max_position_size_usd allows 400") as refused:
        run(world, {"action": "buy", "symbol": "TSLA", "quantity": 2}, limits=limits)
    assert refused.value.rule == "max_position_size_usd"
    assert refused.value.limit == 400
    assert refused.value.figure > 400


@pytest.mark.parametrize("asked", [{"position_size_usd": 5000}, {}])
def test_a_limit_that_buys_nothing_is_named(world, asked):
    """The webhook's own size was named, which is large enough."""
    words = r"limit max_position_size_usd cuts \d+ down to 100, which buys less than 1 AAPL"

    with pytest.raises(GuardrailRefused, match=words) as refused:
        run(world, {"action": "buy", "symbol": "AAPL", **asked}, limits={"max_position_size_usd": 100})

    assert (refused.value.rule, refused.value.limit) == ("max_position_size_usd", 100)
    assert refused.value.figure > 100
    assert world.count(PLACE) == 0


def test_a_signal_that_is_too_old_opens_nothing(world):
    now = world.clock.now().timestamp() * 1000
    limits = {"max_signal_age_sec": 10}

    with pytest.raises(GuardrailRefused, match="15 seconds old"):
        run(world, MARKET | {"timestamp": now - 15_000}, limits=limits)
    with pytest.raises(GuardrailRefused, match="cannot be held against the timestamp 1000"):
        run(world, MARKET | {"timestamp": "1" + "0" * 30}, limits=limits)
    with pytest.raises(InvalidOrder, match="timestamp must be a number"):
        run(world, MARKET | {"timestamp": "soon"}, limits=limits)
    assert run(world, MARKET | {"timestamp": now - 5_000}, limits=limits)["action"] == "opened"


@pytest.mark.parametrize("name", ["max_entries_per_day", "max_webhooks_per_minute"])
def test_so_many_entries_and_no_more(world, name):
    limits = {name: 1}
    assert run(world, limits=limits)["action"] == "opened"

    with pytest.raises(GuardrailRefused, match=f"{name} allows 1, and there are 1"):
        run(world, MARKET | {"symbol": "MSFT"}, limits=limits)

    assert run(world, {"action": "close", "symbol": "AAPL"}, limits=limits)["action"] == "closed"
    assert world.position() == 0


def test_so_many_positions_and_no_more(world):
    positioned(world, 1)

    with pytest.raises(GuardrailRefused, match="max_open_positions allows 1"):
        run(world, MARKET | {"symbol": "MSFT"}, limits={"max_open_positions": 1})


def test_only_the_symbols_that_the_user_may_trade(world):
    with pytest.raises(GuardrailRefused, match="allowed_symbols does not have AAPL"):
        run(world, limits={"allowed_symbols": "msft, SPY"})

    assert run(world, MARKET | {"symbol": "MSFT"}, limits={"allowed_symbols": "msft"})["action"] == "opened"


def test_the_weekend_is_for_closing_where_the_user_wants_it_so(tmp_path):
    from ibkr_adapter.host.webhook import read_webhook

    webhook = read_webhook(MARKET)
    limits = RiskLimits.of({"allowWeekends": "false"})

    limits.check(webhook, datetime(2026, 11, 27, 23, 59, tzinfo=UTC))
    with pytest.raises(GuardrailRefused, match="it is the weekend in UTC"):
        limits.check(webhook, datetime(2026, 11, 28, tzinfo=UTC))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"max_position_usd": 1}, "Did you mean max_position_size_usd"),
        ({"colour": 1}, "colour is not a risk limit"),
        ({"max_open_positions": "few"}, "must be a number, not 'few'"),
        ({"allowed_symbols": ""}, "must name at least one"),
    ],
)
def test_a_limit_that_cannot_be_read_is_refused(world, given, words):
    """A misspelt limit that is ignored would be none."""
    with pytest.raises(ConfigurationError, match=words):
        run(world, limits=given)


def test_limits_that_are_read_already_are_taken_as_they_are(world):
    limits = RiskLimits.of({"allowed_symbols": "MSFT", "max_open_positions": None})

    assert RiskLimits.of(limits) is limits
    assert RiskLimits.of(None) == RiskLimits()
    assert limits.max_open_positions is None


def test_a_quantity_within_the_limit_is_bought(world):
    limits = {"max_position_size_usd": 400}

    assert run(world, limits=limits)["quantity"] == 2
    assert (
        run(world, {"action": "buy", "symbol": "MSFT", "position_size_usd": 310}, limits=limits)["quantity"]
        == 1
    )


def test_a_reversal_that_may_not_open_does_not_close_either(world):
    """Half a webhook is not what anybody asked for."""
    positioned(world, -3)

    with pytest.raises(GuardrailRefused):
        run(world, limits={"allowed_symbols": "MSFT"})

    assert world.position() == -3


def test_another_world_is_another_account(tmp_path):
    """Nothing of one login's book keeps another login's webhooks out."""
    one, two = World(tmp_path), World(tmp_path)
    first = run(one, exchange=one.exchange(account_id="DU1234567"))
    second = run(two, exchange=two.exchange())

    assert (first["action"], second["action"]) == ("opened", "opened")
    assert "repeated" not in second
    one.close()
    two.close()
