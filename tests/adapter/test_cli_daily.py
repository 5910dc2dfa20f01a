"""The daily commands over every floor: what is printed, what is asked, and what reached the broker."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest
from terminals import Person, Shell
from worlds import AAPL, MSFT, World

from ibkr_adapter.cli.printing import as_json
from ibkr_adapter.doors import Doors
from ibkr_adapter.model.contract import SecType

ORDERS = "POST /iserver/account/{accountId}/orders"
CANCEL = "DELETE /iserver/account/{accountId}/order/{orderId}"


@pytest.fixture
def shell(world, tmp_path):
    return Shell(world, tmp_path)


@pytest.fixture
def live(tmp_path):
    made = World(tmp_path, account="U7654321")
    yield Shell(made, tmp_path)
    made.close()


# Looking ----------------------------------------------------------------------------------


def test_status_tells_the_session_and_the_account(shell):
    """What somebody looks at first in the morning."""
    told = shell.json("status")

    assert told["session"] == "ready"
    assert (told["account"], told["kind"], told["may_be_traded"]) == ("DU1234567", "PAPER", True)
    assert told["unsettled_orders"] == 0


def test_a_live_account_is_said_in_capitals_and_not_traded_unasked(live):
    """The one line that must not be overlooked."""
    told = live.json("status")

    assert (told["kind"], told["may_be_traded"]) == ("LIVE", False)
    assert "LIVE" in live.run("accounts").stdout


def test_every_looking_command_prints_json_and_a_table(shell):
    """Programs read the one, people the other."""
    shell.run("buy", "AAPL", "10", "--yes")
    shell.run("buy", "MSFT", "1", "--limit", "300", "--yes")
    commands = {
        ("accounts",): "DU1234567",
        ("positions",): "AAPL",
        ("positions", "AAPL"): "AAPL",
        ("orders",): "MSFT",
        ("orders", "--all"): "filled",
        ("trades",): "AAPL",
        ("quote", "AAPL", "MSFT"): "MSFT",
        ("chain", "AAPL", "--low", "164", "--high", "166", "--right", "c"): "165",
        ("conid", "AAPL"): "265598",
        ("conid", "AAPL", "--search"): "APPLE",
    }

    for words, expected in commands.items():
        rows = shell.json(*words)
        drawn = shell.run(*words)

        assert rows, words
        assert expected in json.dumps(rows), words
        assert (drawn.exit_code, expected in drawn.stdout) == (0, True), words


def test_nothing_is_said_to_be_nothing(shell):
    """An empty table would look like a mistake."""
    assert shell.run("positions").stdout == "Positions: none\n"
    assert shell.json("positions", "AAPL") == []
    assert shell.json("orders", "--unsettled") == []


def test_a_class_without_a_search_is_refused(shell):
    """Passed over, it would look as if nothing of that class was there."""
    told = shell.run("conid", "SPX", "--type", "IND")

    assert (told.exit_code, told.stdout) == (2, "")
    assert "--search" in told.stderr


def test_every_class_can_be_searched_for_and_nothing_else(shell):
    """An empty word would be no class, and is refused instead of passed over."""
    told = shell.run("conid", "--help")
    choices = re.search(r"--type <([^>]*)>", re.sub(r"\n\s*", "", told.stdout)).group(1)

    assert choices.upper().split("|") == [kind.value for kind in SecType if kind is not SecType.UNKNOWN]
    assert shell.run("conid", "SPX", "--search", "--type", "").exit_code == 2
    assert shell.run("conid", "SPX", "--search", "--type", "ind").exit_code == 0


def test_a_quote_tells_how_far_the_price_has_changed(shell):
    """The column is in the table, so the field must be asked for."""
    (row,) = shell.json("quote", "AAPL")

    change = Decimal(row["last"]) / Decimal(row["prior_close"]) - 1
    assert abs(Decimal(row["change_percent"]) - change * 100) < Decimal("0.01")


def test_a_quote_says_why_sizes_are_not_computed_from_it(shell):
    """A number that looks like a price may be twenty minutes old."""
    shell.world.gateway.set_options({"availability": {"*": "DPB"}})

    (row,) = shell.json("quote", "AAPL")

    assert "delayed" in row["freshness"]
    assert "delayed" in row["not_for_sizes"]


def test_history_is_shown_or_kept_with_what_is_missing(shell, tmp_path):
    """Gaps are told beside the bars, never among them."""
    file = tmp_path / "bars.csv"
    words = ("history", "AAPL", "--span", "3d", "--bar", "1h")

    bars = shell.json(*words)
    drawn = shell.run(*words)
    kept = shell.json(*words, "--save", str(file))
    again = shell.run(*words, "--save", str(file))

    assert {"begins", "open", "high", "low", "close", "volume"} <= bars[0].keys()
    assert "by the exchange's clock" in drawn.stdout
    assert "gaps" in drawn.stderr
    assert (kept["bars"], len(file.read_text().splitlines())) == (len(bars), len(bars) + 1)
    assert again.exit_code == 1


def test_a_bar_that_ibkr_does_not_have_is_told(shell):
    """With those it has."""
    told = shell.run("history", "AAPL", "--bar", "7min")

    assert told.exit_code == 1
    assert "5min" in told.stderr


def test_an_unknown_name_is_a_failure_with_a_remedy(shell):
    """Not an empty list."""
    told = shell.run("conid", "NOSUCHTHING", "--json")

    assert (told.exit_code, told.stdout) == (1, "")
    assert "NOSUCHTHING" in told.stderr


def test_an_order_is_found_by_its_client_order_id(shell):
    """It is what somebody has after a lost answer."""
    shell.run("buy", "AAPL", "10", "--limit", "162", "--coid", "signal-17", "--yes")

    (row,) = shell.json("orders", "--coid", "signal-17")
    missing = shell.run("orders", "--coid", "signal-18")

    assert row["clientOrderId"] == "signal-17"
    assert missing.exit_code == 1
    assert "--unsettled" in missing.stderr


def test_wrong_settings_are_wrong_usage(shell):
    """Nothing was opened."""
    shell.environ["IBKR_ADAPTER_ACOUNT_ID"] = "DU1"

    told = shell.run("positions", "--json")

    assert (told.exit_code, told.stdout) == (2, "")
    assert "account_id" in told.stderr


def test_simulated_needs_no_settings(shell, world):
    """Everybody can try every command."""
    from worlds import Doorway

    shell.environ = {"IBKR_ADAPTER_NONSENSE": "1"}
    doors = Doors(clock=world.clock, transport=lambda _settings, _clock: Doorway(world.gateway))
    world.doors = doors

    told = shell.json("quote", "AAPL", "--simulated")

    assert told[0]["conid"] == AAPL


# Agreeing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("buy", "AAPL", "10"),
        ("sell", "AAPL", "10"),
        ("bracket", "buy", "AAPL", "10", "--target", "180", "--stop", "150"),
        ("combo", "buy", "1", "SPY=1", "QQQ=-1"),
        ("flatten",),
    ],
)
def test_nothing_leaves_without_a_word(shell, words):
    """Neither from a script without --yes, nor after a no, nor after an interrupt at the question."""
    silent = shell.run(*words)
    declined = shell.run(*words, person=Person("no"))
    interrupted = shell.run(*words, person=Person("^C"))

    assert [told.exit_code for told in (silent, declined, interrupted)] == [5, 5, 5]
    assert all("nothing was sent" in told.stderr for told in (silent, declined, interrupted))
    assert "--yes" in silent.stderr
    assert shell.world.count(ORDERS) == 0


def test_a_word_after_the_preview_sends_it(shell):
    """The preview shows what it would cost, on which account."""
    person = Person("yes")

    told = shell.run("buy", "AAPL", "10", "--json", person=person)

    assert told.exit_code == 0
    assert json.loads(told.stdout)["orders"][0]["status"] == "filled"
    assert "commission" in told.stderr
    assert person.asked == ["BUY 10 AAPL MKT\nPAPER account DU1234567. Type yes to send it: "]
    assert shell.world.position() == 10


def test_a_live_order_wants_the_accounts_number(live):
    """A yes that was meant for paper is no yes."""
    live.environ["IBKR_ADAPTER_ENVIRONMENT"] = "production"

    refused = live.run("buy", "AAPL", "1", person=Person("yes"))
    sent = live.run("buy", "AAPL", "1", person=Person("U7654321"))

    assert (refused.exit_code, sent.exit_code) == (5, 0)
    assert live.world.count(ORDERS) == 1


def test_yes_does_not_open_a_live_account(live):
    """It agrees to an order, not to real money."""
    told = live.run("buy", "AAPL", "1", "--yes")

    assert told.exit_code == 2
    assert "LIVE" in told.stderr
    assert live.world.count(ORDERS) == 0


def test_what_ibkr_would_refuse_is_not_sent(shell):
    """It says so in the preview already."""
    shell.world.arm("F13", "POST /iserver/account/{accountId}/orders/whatif", variant="error")

    told = shell.run("buy", "AAPL", "10", person=Person("yes"))

    assert told.exit_code == 1
    assert "would not take it" in told.stderr
    assert shell.world.count(ORDERS) == 0


def test_a_preview_that_fails_is_said_and_the_question_asked(shell):
    """A broker that gives no preview takes orders all the same."""
    shell.world.arm("F11", "POST /iserver/account/{accountId}/orders/whatif", times=3)

    told = shell.run("buy", "AAPL", "10", person=Person("yes"))

    assert told.exit_code == 0
    assert shell.world.position() == 10


# Sending ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ((), "MKT"),
        (("--limit", "162"), "LMT"),
        (("--stop", "175"), "STP"),
        (("--stop", "175", "--limit", "176"), "STOP_LIMIT"),
        (("--trail", "2"), "TRAIL"),
    ],
)
def test_the_prices_choose_the_order_type(shell, options, kind):
    """Nobody has to know IBKR's words."""
    side = "sell" if kind == "TRAIL" else "buy"

    told = shell.run(side, "AAPL", "10", *options, "--yes")

    assert told.exit_code == 0, told.stderr
    (row,) = shell.world.ledger()["orders"]
    assert row["order_type"] == kind


def test_a_bracket_is_one_submission(shell):
    """Entry, target and stop."""
    told = shell.json("bracket", "buy", "AAPL", "10", "--target", "180", "--stop", "150", "--yes")

    assert [row["leg"] for row in told["orders"]] == ["entry", "take_profit", "stop_loss"]
    assert shell.world.count(ORDERS) == 1


def test_a_combination_is_one_order(shell):
    """Its legs are written with their ratios."""
    told = shell.json("combo", "buy", "1", "SPY=1", "QQQ=-1", "--yes")

    assert told["outcome"] == "placed"
    assert shell.world.count(ORDERS) == 1


def test_the_same_client_order_id_is_sent_once(shell):
    """A script that is run twice buys once."""
    first = shell.json("buy", "AAPL", "10", "--coid", "signal-17", "--yes")
    second = shell.json("buy", "AAPL", "10", "--coid", "signal-17", "--yes")

    assert first["orders"][0]["orderId"] == second["orders"][0]["orderId"]
    assert shell.world.position() == 10


def test_a_lost_answer_has_its_own_code_and_tells_what_is_known(shell):
    """The broker took it, nobody can look it up, and it is not sent again."""
    shell.world.arm("F03", ORDERS)
    for read in ("GET /iserver/account/orders", "GET /iserver/account/trades"):
        shell.world.arm("F10", read, times=1000)

    told = shell.json("buy", "AAPL", "10", "--coid", "signal-17", "--yes", code=3)
    spoken = shell.run("orders", "--unsettled")

    assert (told["outcome"], told["coid"]) == ("unknown", "signal-17")
    assert told["sent_at"].startswith("2026-11-24T15:")
    assert shell.world.count(ORDERS) == 1
    assert "signal-17" in spoken.stdout


def test_an_interrupt_while_an_order_is_under_way_is_no_refusal(shell):
    """It may stand: the code says so, and where to look."""

    def interrupt():
        raise KeyboardInterrupt

    shell.world.doorway.after["POST /iserver/account/DU1234567/orders"] = interrupt

    told = shell.run("buy", "AAPL", "10", "--limit", "162", "--yes")

    assert told.exit_code == 3
    assert "may stand" in told.stderr
    assert len(shell.world.working()) == 1


def test_the_kill_switch_holds_for_commands_too(shell):
    """A yes does not go past a guardrail."""
    shell.world.environ["IBKR_ADAPTER_KILL_SWITCH"] = "1"

    told = shell.run("buy", "AAPL", "10", "--yes")

    assert told.exit_code == 1
    assert shell.world.count(ORDERS) == 0


# Ending -----------------------------------------------------------------------------------


def test_a_cancel_asks_nobody(shell):
    """It adds nothing, and it may be urgent."""
    placed = shell.json("buy", "AAPL", "10", "--limit", "162", "--yes")

    told = shell.json("cancel", placed["orders"][0]["orderId"])

    assert told["orders"][0]["status"] == "canceled"
    assert shell.world.working() == []


def test_flatten_ends_what_is_ours(shell):
    """Working orders first, then what they had bought."""
    shell.run("bracket", "buy", "AAPL", "10", "--target", "180", "--stop", "150", "--yes")
    shell.world.gateway.seed_position(MSFT, 5)

    told = shell.run("flatten", "--json", person=Person("yes"))

    found = json.loads(told.stdout)
    assert (told.exit_code, found["done"]) == (0, True)
    assert {row["what"] for row in found["ended"]} == {"order", "position"}
    assert (shell.world.position(), shell.world.position(MSFT)) == (0, 5)


def test_what_could_not_be_ended_has_its_own_code(shell):
    """Some of it may still work."""
    shell.run("buy", "AAPL", "10", "--limit", "162", "--yes")
    shell.world.arm("F24", CANCEL, variant="refused", times=10)

    told = shell.run("flatten", "--yes")

    assert told.exit_code == 4
    assert "order" in told.stdout


# Being typed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("buy", "AAPL", "many"),
        ("buy", "AAPL", "0"),
        ("buy", "AAPL", "1", "--limit", "x"),
        ("sell", "AAPL", "1", "--trail", "1", "--limit", "5"),
        ("combo", "buy", "1", "SPY", "QQQ=-1"),
        ("combo", "buy", "1", "SPY=1", "QQQ=-1", "--limit", "x"),
        ("bracket", "up", "AAPL", "1"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(shell, words):
    """Before anything is opened."""
    told = shell.run(*words, "--yes")

    assert (told.exit_code, told.stdout) == (2, "")
    assert sum(shell.world.ledger()["requests"].values()) == 0


def test_figures_keep_their_digits_in_json():
    """A float would lose some."""
    from datetime import UTC, date, datetime
    from decimal import Decimal

    assert as_json({"a": Decimal("1.10"), "b": (1, None, "x"), "c": date(2026, 1, 2)}) == {
        "a": "1.10",
        "b": [1, None, "x"],
        "c": "2026-01-02",
    }
    assert as_json(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00+00:00"
