"""The example's bot: what people copy must be right where it matters, that is where something fails."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest
from worlds import AAPL, World

from ibkr_adapter.errors import LoginRequired
from ibkr_adapter.model.bars import Bar

SCRIPT = Path(__file__).parents[2] / "examples" / "13_bot.py"
PLACE = "POST /iserver/account/{accountId}/orders"
CLOSES = [100] * 20 + [101]


def load() -> ModuleType:
    specification = importlib.util.spec_from_file_location("example_bot", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def bot() -> ModuleType:
    """A fresh one, because whether it was stopped is the module's."""
    return load()


def bars(closes: list[int], begins: datetime = datetime(2026, 11, 24, 14, 55, tzinfo=UTC)) -> list[Bar]:
    return [
        Bar(begins + timedelta(minutes=5 * (place - len(closes) + 1)), *[Decimal(close)] * 4)
        for place, close in enumerate(closes)
    ]


def signal(price: str) -> Bar:
    return Bar(datetime(2026, 11, 24, 14, 55, tzinfo=UTC), *[Decimal(price)] * 4)


@pytest.mark.parametrize(
    ("closes", "turns"),
    [
        (CLOSES, True),
        ([*CLOSES, 102], False),  # it had risen already
        ([100] * 21, False),
        ([*[100] * 20, 99], False),
        (CLOSES[1:], False),  # too few to know
    ],
)
def test_it_buys_at_the_bar_that_turns_upward_and_at_no_other(bot, closes, turns):
    assert bot.turns_upward(bars(closes)) is turns


def test_a_signal_becomes_one_bracket_whose_exits_work_once_it_has_filled(bot, world: World):
    """Whatever it holds has its stop at the broker."""
    ibkr = world.exchange(guardrails=bot.GUARDRAILS)

    bot.Bot(ibkr).enter(signal("165.20"))
    world.clock.sleep(5)

    assert world.position() == 10
    assert sorted(row["order_type"] for row in world.working()) == ["LMT", "STP"]


def test_one_signal_is_bought_once_also_after_a_restart(bot, world: World):
    """The client order id is made of the bar, so the broker's own order is found."""
    first, second = bot.Bot(world.exchange()), load().Bot(world.exchange())

    first.enter(signal("162"))
    second.enter(signal("162"))

    assert world.count(PLACE) == 1


def turn_upward(world: World) -> None:
    """A market that stood still for two hours and rises in the last bar."""
    world.gateway.set_price(AAPL, Decimal("165.00"))
    world.clock.sleep(2 * 3600 + 1)
    world.gateway.set_price(AAPL, Decimal("165.50"))
    world.clock.sleep(300)


def test_a_market_that_turns_upward_is_bought_once(bot, world: World):
    """The rule, the bars and the order together; what is held already is not added to."""
    made = bot.Bot(world.exchange(guardrails=bot.GUARDRAILS))
    turn_upward(world)

    made.look()
    world.clock.sleep(5)
    held = world.position()
    made.look()

    assert (held, world.position(), world.count(PLACE)) == (10, 10, 1)


def test_whoever_holds_something_buys_nothing(bot, world: World):
    """Also where somebody else bought it."""
    made = bot.Bot(world.exchange())
    world.gateway.seed_position(AAPL, Decimal(5))
    turn_upward(world)

    made.look()

    assert world.count(PLACE) == 0


def test_an_entry_that_still_works_is_not_followed_by_another(bot, world: World):
    """Also one from before a restart, of another signal."""
    bot.Bot(world.exchange()).enter(signal("162"))
    turn_upward(world)

    load().Bot(world.exchange()).look()

    assert world.count(PLACE) == 1


def test_a_lost_answer_stops_all_buying_until_it_is_settled(bot, world: World, capsys):
    """It is looked up, never sent again, and nothing is bought meanwhile."""
    ibkr = world.exchange(unknown_deadline=1)
    made = bot.Bot(ibkr)
    world.arm("F03", PLACE)

    made.enter(signal("162"))
    stopped = ibkr.orders.stopped
    world.clock.sleep(20)
    made.look()

    assert "nobody knows" in stopped
    assert (made.unknown, ibkr.orders.stopped) == (None, None)
    assert world.count(PLACE) == 1
    assert "settled: it stands as" in capsys.readouterr().out


def test_an_order_that_never_arrived_is_settled_as_well(bot, world: World, capsys):
    """It is proven absent, and the bot may buy again at the next signal."""
    ibkr = world.exchange(unknown_deadline=12)
    made = bot.Bot(ibkr)
    world.arm("F10", PLACE)

    made.enter(signal("162"))
    was_unknown = made.unknown
    world.clock.sleep(20)
    made.settle(was_unknown)

    assert was_unknown is not None
    assert (made.unknown, ibkr.orders.stopped) == (None, None)
    assert world.orders() == []
    assert "settled: no order" in capsys.readouterr().out


def test_what_nobody_can_tell_at_the_end_is_told_to_a_person(bot, world: World, capsys):
    """The last look may fail, too; the order is named then."""
    made = bot.Bot(world.exchange(unknown_deadline=1))
    world.arm("F10", PLACE)

    made.enter(signal("162"))
    made.stop()

    assert "a person must look: nobody can tell whether order bot-AAPL-" in capsys.readouterr().out


def test_at_its_end_nothing_works_that_could_open_a_position(bot, world: World):
    """An entry that has not filled is ended, and its exits go with it."""
    made = bot.Bot(world.exchange())

    def entering() -> None:
        made.enter(signal("162"))

    made.run(next_bar=entering, rounds=1)

    assert world.count(PLACE) == 1
    assert world.working() == []


def test_a_position_keeps_its_exits_when_the_bot_stops(bot, world: World, capsys):
    """The broker holds them, whether the program runs or not."""
    made = bot.Bot(world.exchange())

    made.enter(signal("165.20"))
    world.clock.sleep(5)
    made.stop()

    assert world.position() == 10
    assert sorted(row["order_type"] for row in world.working()) == ["LMT", "STP"]
    assert "protected by limit and stop" in capsys.readouterr().out


def test_a_guardrail_keeps_the_bot_from_what_it_should_not_do(bot, world: World, capsys):
    """It says so and goes on; nothing was sent."""
    ibkr = world.exchange(guardrails=bot.GUARDRAILS | {"max_notional": 100})

    bot.Bot(ibkr).enter(signal("165.20"))

    assert "not bought: " in capsys.readouterr().out
    assert world.count(PLACE) == 0


def test_a_failure_that_may_be_repeated_does_not_end_the_bot(bot, world: World, capsys):
    """A line that fails for a moment is no reason to leave."""
    made = bot.Bot(world.exchange())
    world.arm("F10", "GET /iserver/marketdata/history", times=None)

    made.run(next_bar=world.gateway.faults.armed.clear, rounds=2)

    said = capsys.readouterr().out
    assert said.count("not now: ") == 1
    assert "stopped; nothing is held" in said


def test_a_failure_that_may_not_be_repeated_ends_it(bot, world: World, capsys):
    """Nobody is logged in: waiting brings nothing, and the caller is told."""
    made = bot.Bot(world.exchange().open())
    world.gateway.change_session("logout")

    with pytest.raises(LoginRequired):
        made.run(next_bar=lambda: None, rounds=2)


def test_a_stop_ends_it_before_the_next_bar(bot, world: World):
    """As Ctrl-C and SIGTERM do."""
    made, bars_seen = bot.Bot(world.exchange()), []

    def next_bar() -> None:
        bars_seen.append(1)
        bot.stopped.set()

    made.run(next_bar=next_bar)

    assert len(bars_seen) == 1
