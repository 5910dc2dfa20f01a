"""``watch`` over every floor: what is told as it changes, what the stream could not tell, and how it ends."""

from __future__ import annotations

import json
import threading

import attrs
import pytest
from stream_door import ScriptedServer
from terminals import Shell
from worlds import AAPL, START, World

from ibkr_adapter.cli.watch import Board
from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.stream import BulletinEvent, Dropped, Refused, Stale, Unreadable

POSITIONS = "GET /portfolio2/{accountId}/positions"
# No other wait is as long.
WAIT = 0.77


class Talking(ScriptedServer):
    """Says ``quotes`` whenever somebody subscribes to one, or at the first time only."""

    def __init__(self, clock):
        super().__init__(clock)
        self.quotes = {AAPL: [{"31": "165.00", "6509": "RpB"}]}
        self.extra = []
        self.once = self.breaks = False

    def heard(self, link, text):
        super().heard(link, text)
        for conid, frames in self.quotes.items():
            if frames and text.startswith(f"smd+{conid}"):
                if self.once:
                    self.quotes[conid] = []
                rows = [{"topic": f"smd+{conid}", "conid": conid, **frame} for frame in frames]
                self.say(*rows, *self.extra, link=link)
                if self.breaks:
                    self.breaks = False
                    link.break_off()


class Interrupting:
    """A clock on which somebody presses Ctrl-C as soon as the command only waits."""

    def __init__(self, clock):
        self._clock = clock
        self._person = threading.current_thread()

    def sleep(self, seconds):
        if threading.current_thread() is self._person and seconds == WAIT:
            raise KeyboardInterrupt
        self._clock.sleep(seconds)

    def __getattr__(self, name):
        return getattr(self._clock, name)


@pytest.fixture
def server(world: World) -> Talking:
    made = Talking(world.clock)
    world.doors = made.doors(world.doors)
    return made


@pytest.fixture
def shell(world, server, tmp_path):
    return Shell(world, tmp_path)


def lines(told):
    assert told.exit_code == 0, told.stderr
    return [json.loads(line) for line in told.stdout.splitlines()]


def test_each_change_of_a_quote_is_one_line(shell, server):
    """What a program reads while it runs, with how fresh it is."""
    server.quotes[AAPL].append({"31": "165.10", "6509": "DPB"})

    first, second = lines(shell.run("watch", "AAPL", "--json", "--count", "2"))

    assert (first["kind"], first["symbol"], first["last"], first["freshness"]) == (
        "quote",
        "AAPL",
        "165.00",
        "real time",
    )
    assert (second["last"], second["at"][:10]) == ("165.10", "2026-11-24")
    assert "delayed" in second["freshness"]


def test_the_change_of_a_quote_is_asked_for(shell, server):
    """It has a column, and IBKR sends on a stream what was asked for and nothing else."""
    shell.run("watch", "AAPL", "--count", "1")

    (asked,) = server.texts(f"smd+{AAPL}")
    assert '"83"' in asked


def test_a_person_sees_a_table_with_what_has_not_come(shell):
    """Where no terminal is it is printed once, at the end."""
    told = shell.run("watch", "AAPL", "MSFT", "--for", "3")

    assert told.exit_code == 0
    assert told.stdout.count("Quotes") == 1
    assert "165.00" in told.stdout
    assert "nothing came yet" in told.stdout
    assert "Orders" not in told.stdout


def test_a_terminal_is_drawn_anew(shell, monkeypatch):
    """Rich asks the environment whether somebody looks."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")

    told = shell.run("watch", "AAPL", "--for", "3")

    assert told.exit_code == 0
    assert told.stdout.count("Quotes") >= 3
    # The prompt stands on a line of its own, and the cursor is there again.
    assert told.stdout.endswith("\n\x1b[?25h")


def test_a_quote_that_is_late_is_called_stale(shell, server, world):
    """The last price stays on the screen, and must not be taken for one of this moment."""
    server.once = True
    frames = server.quotes[AAPL]

    told = shell.run("watch", "AAPL", "MSFT", "--for", "100", "--every", "10")
    server.quotes[AAPL] = frames
    rows = lines(shell.run("watch", "AAPL", "--json", "--for", "100"))

    assert "STALE: nothing came since" in told.stdout
    assert "165.00" in told.stdout
    assert [(row["kind"], row["symbol"]) for row in rows] == [("quote", "AAPL"), ("stale", "AAPL")]


def test_a_lost_line_is_told_with_the_time_it_was_lost(shell, server):
    """Prices of that time are gone for ever."""
    server.breaks = True

    told = shell.run("watch", "AAPL", "--for", "20")
    server.breaks = True
    rows = lines(shell.run("watch", "AAPL", "--json", "--for", "20"))

    assert "nothing was heard from" in told.stdout
    assert [row["kind"] for row in rows if row["kind"] != "quote"] == ["gap"]


def test_what_ibkr_refuses_on_the_stream_is_told(shell, server):
    """In its words, without what a terminal would act on."""
    server.extra = [{"error": "no \x1b[31mmarket data", "code": 3}]

    told = shell.run("watch", "AAPL", "--for", "2")

    assert "market data" in told.stdout
    assert "\x1b" not in told.stdout


def test_orders_and_positions_are_told_as_they_stand_at_first(shell, server):
    """Without a name that is what is watched."""
    shell.run("buy", "AAPL", "10", "--yes")
    shell.run("buy", "MSFT", "1", "--limit", "300", "--yes")

    rows = lines(shell.run("watch", "--json", "--for", "1"))
    told = shell.run("watch", "--for", "1").stdout

    assert [(row["kind"], row["symbol"]) for row in rows] == [("order", "MSFT"), ("position", "AAPL")]
    assert rows[1]["positionAmt"] == "10"
    assert told.index("Orders") < told.index("MSFT") < told.index("Positions") < told.index("AAPL")


def test_what_ends_while_somebody_watches_is_told_once_and_stays_on_the_screen(world, server):
    """An order that only vanished could have been filled or cancelled."""
    ibkr = world.exchange()
    ibkr.place_market_order("AAPL", "buy", 10)
    order = ibkr.place_limit_order("MSFT", "buy", 1, 300)["orderId"]
    board = Board(ibkr, world.clock, (), orders=True, positions=True)
    changes = board.changes(30, 1.0)
    first = [next(changes) for _ in range(4)]

    ibkr.cancel_order("MSFT", order)
    ibkr.close_position("AAPL")
    later = [change for change in changes if change is not None]

    assert [change and change["kind"] for change in first] == [None, "order", "position", None]
    assert [change["status"] for change in later if change["kind"] == "order"] == ["canceled"]
    assert [change["positionAmt"] for change in later if change["kind"] == "position"][-1] == "0"
    assert [row["status"] for row in board._orders.values()] == ["canceled"]
    assert board._positions == {}


def test_a_read_that_fails_for_a_while_is_told_and_made_again(world, server):
    """IBKR is away every night, and what stands on the screen is then of before."""
    ibkr = world.exchange()
    ibkr.place_market_order("AAPL", "buy", 10)
    board = Board(ibkr, world.clock, (), orders=False, positions=True)
    changes = board.changes(60, 1.0)
    first = [next(changes) for _ in range(3)]
    world.arm("F11", on=POSITIONS, times=6)

    later = [change for change in changes if change is not None]

    assert first[1]["positionAmt"] == "10"
    assert later[0]["kind"] == "unread"
    assert "could not be read at 15:" in board._notes[0]
    assert board._positions["AAPL"]["positionAmt"] == "10"


def test_a_read_that_will_never_work_ends_it(world, server):
    """An answer that nobody understands is no pause."""
    board = Board(world.exchange(), world.clock, (), orders=False, positions=True)
    changes = board.changes(60, 1.0)
    assert [next(changes) for _ in range(2)] == [None, None]
    world.arm("F15", on=POSITIONS, times=99)

    with pytest.raises(UnexpectedAnswer):
        list(changes)


@pytest.mark.parametrize(
    ("event", "kind", "words"),
    [
        (Dropped(at=START, count=3), "dropped", "3 changes came faster"),
        (Unreadable(at=START, topic="smd+1", text="no figure"), "refused", "no figure"),
        (Refused(at=START, topic="smd+1", text="No data."), "refused", "smd+1: No data."),
        (Stale(at=START, topic="sor", since=START), "stale", "sor: nothing came since 15:00:00Z"),
    ],
)
def test_what_the_stream_could_not_tell_is_a_line_and_a_note(world, server, event, kind, words):
    board = Board(world.exchange(), world.clock, ["AAPL"], orders=False, positions=False)

    (row,) = board._told(event)
    board.close()

    assert (row["kind"], row["at"]) == (kind, START)
    assert words in row["text"]
    assert words in board._notes[0]
    assert board._told(BulletinEvent(at=START, text="x")) == []


def test_with_nothing_to_show_it_says_so(shell):
    told = shell.run("watch", "--orders", "--for", "1")

    assert told.stdout == "Orders: none\n"


def test_ctrl_c_ends_it_well(shell, world):
    """It is how a person ends it, so nothing has failed, and what was seen last stays."""
    world.doors = attrs.evolve(world.doors, clock=Interrupting(world.clock))

    told = shell.run("watch", "--positions", "--every", str(WAIT))

    assert (told.exit_code, told.stdout, told.stderr) == (0, "Positions: none\n", "")


def test_a_name_that_fits_nothing_is_a_failure(shell):
    told = shell.run("watch", "NOSUCHTHING", "--for", "1")

    assert told.exit_code == 1
    assert "NOSUCHTHING" in told.stderr
