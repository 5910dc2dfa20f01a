"""One seeded course over several virtual days, checked after each step against the broker's books."""

from __future__ import annotations

import itertools
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from ibkr_adapter.doors import Doors
from ibkr_adapter.errors import IBKRError, OrderOutcomeUnknown, OutcomeUnknown, PartlyPlaced
from ibkr_adapter.exchange import IBKRExchange
from tests.adapter.worlds import URL, World
from tests.thoroughly import MEMORY

ALIVE = {"PreSubmitted", "Submitted", "PendingSubmit", "PendingCancel"}
UNKNOWN = (OrderOutcomeUnknown, OutcomeUnknown, PartlyPlaced)
# No call may take longer than an order with its dialogue, its lookup and what mends it.
BOUND = 45 + 40 + 60
STEPS_A_DAY = 16
DAY = 86400.0
OPEN = 6 * 3600.0  # of the day that the host works; then it closes, and nothing tickles
FAULTS = [
    ("F02", "reset"),
    ("F03", "reset"),
    ("F03", "close"),
    ("F05", "unprocessed"),
    ("F05", "processed"),
    ("F07", "taken"),
    ("F08", "unprocessed"),
    ("F10", "html"),
    ("F11", "json"),
    ("F12", "no_bridge"),
    ("F12", "accounts"),
    ("F13", "error"),
    ("F14", "processed"),
    ("F15", "json"),
    ("F15", "missing"),
    ("F15", "null"),
    ("F16", "truncate"),
    ("F18", "twice"),
    ("F18", "reply_503_live"),
    ("F20", "registered"),
    ("F23", "filled"),
    ("F24", "lost"),
    ("F24", "crosses"),
    ("F25", "child"),
    ("F26", "empty"),
    ("F33", "restart"),
]
READS: list[Callable[[IBKRExchange], Any]] = [
    lambda x: x.get_balance(),
    lambda x: x.get_positions(),
    lambda x: x.get_ticker("AAPL"),
    lambda x: x.get_open_orders(),
]


class BreachError(Exception):
    """An invariant did not hold; ``steps`` are the last ones of the course."""

    def __init__(self, message: str, steps: list[str]) -> None:
        super().__init__(message)
        self.steps = steps


@attrs.define
class Course:
    """What was done: a line for each step, and how often each thing came out."""

    log: list[str] = attrs.field(factory=list)
    ends: Counter[str] = attrs.field(factory=Counter)

    @property
    def summary(self) -> str:
        """One line."""
        return ", ".join(f"{name} {count}" for name, count in sorted(self.ends.items()))


def run(seed: int, days: float, made: type[Host] | None = None) -> Course:
    """Go through a course.

    Raises:
        BreachError: An invariant did not hold.
    """
    folder = Path(tempfile.mkdtemp(dir=MEMORY))
    host = (made or Host)(seed, folder)
    try:
        for day in range(max(1, round(days))):
            host.day(day)
    except AssertionError as broken:
        raise BreachError(str(broken), host.course.log[-12:]) from broken
    finally:
        host.end()
        shutil.rmtree(folder, ignore_errors=True)
    return host.course


class Host:
    """A host that trades one stock through two objects, and whose days are bad."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.chance = random.Random(seed)
        self.folder = folder
        self.world = World(folder, idle_timeout=360.0, nightly_reset=True)
        self.world.gateway.reset(seed=seed)
        self.numbers = itertools.count(1)
        self.course = Course()
        self.told: list[str] = []
        self.intents = 0
        self.left: list[IBKRExchange] = []
        self.ibkr = self.process()

    def process(self) -> IBKRExchange:
        """Objects of a process of its own over the same folder."""
        doors = Doors(
            clock=self.world.clock,
            transport=lambda _settings, _clock: self.world.doorway,
            new_id=lambda: f"{next(self.numbers):08d}",
            environ={},
            # Each set of objects stands for a process, and all processes keep one book of pacing.
            across_processes=True,
        )
        return IBKRExchange({"base_url": URL, "state_dir": str(self.folder)}, doors=doors)

    def day(self, number: int) -> None:
        """Some hours of steps, then a night in which the host is closed."""
        began = self.world.clock.monotonic()
        for _ in range(STEPS_A_DAY):
            self.world.clock.sleep(self.chance.expovariate(STEPS_A_DAY / (OPEN / 8)))
            self.step()
            self.check()
        self.world.gateway.faults.clear()
        self.ibkr.close()
        for dead in self.left:
            dead.close()
        self.left.clear()
        self.world.clock.sleep(max(0.0, began + DAY - self.world.clock.monotonic()))
        self.world.gateway.change_session("login", None)  # a person does, every morning
        self.ibkr = self.process()
        self.note("night", f"after day {number}")

    def step(self) -> None:
        """Do one thing, by chance."""
        doing = self.chance.choices(
            [self.enter, self.bracket, self.close, self.cancel, self.read, self.fault, self.fill, self.die],
            [4, 4, 3, 2, 4, 6, 3, 1],
        )[0]
        doing()

    # What the host does -------------------------------------------------------------------

    def enter(self) -> None:
        if self.chance.random() < 0.5:
            self.intend("market", lambda x: x.place_market_order("AAPL", "buy", 3))
        else:
            self.intend("limit", lambda x: x.place_limit_order("AAPL", "buy", 2, 163))

    def bracket(self) -> None:
        exits = {"take_profit_price": 172, "stop_loss_price": 158}
        self.intend("bracket", lambda x: x.place_bracket_order("AAPL", "buy", "limit", 2, 163, **exits))

    def close(self) -> None:
        before = self.world.position()
        self.intend("close", lambda x: x.close_position("AAPL", None, self.chance.choice([None, 1])))
        after = self.world.position()
        assert after >= 0 or before < 0, f"closing went from {before} to {after}"

    def cancel(self) -> None:
        if not self.told:
            return
        order_id = self.chance.choice(self.told)
        outcome = self.call("cancel", lambda x: x.cancel_order("AAPL", order_id))
        (row,) = self.world.orders(order_id=int(order_id))
        if not isinstance(outcome, IBKRError):
            assert row["status"] not in ALIVE, f"I2: cancelled, but {order_id} works"

    def read(self) -> None:
        self.call("read", self.chance.choice(READS))

    def intend(self, name: str, work: Callable[[IBKRExchange], Any]) -> None:
        """Carry out one intent, which may book one entry at most."""
        known = {row["order_id"] for row in self.world.orders()}
        self.intents += 1
        outcome = self.call(name, work)
        fresh = [row for row in self.world.orders() if row["order_id"] not in known]
        # Exits that are put beside an entry whose own were refused are no second entry.
        loose = [row for row in fresh if row["parent_id"] is None and row["side"] == fresh[0]["side"]]
        assert len(loose) <= 1, f"I1: {name} was booked twice"
        alive = [row["order_id"] for row in fresh if row["status"] in ALIVE]
        if isinstance(outcome, IBKRError):
            assert isinstance(outcome, UNKNOWN) or not alive, f"I2: {outcome!r}, but {alive} stand"
        else:
            legs = [outcome] if "orderId" in outcome else list(outcome.values())
            self.told += [str(leg["orderId"]) for leg in legs if leg and leg["orderId"]]

    def call(self, name: str, work: Callable[[IBKRExchange], Any]) -> Any:
        """Call the library within its time; anything but its own errors goes on."""
        began = self.world.clock.monotonic()
        try:
            outcome = work(self.ibkr)
        except IBKRError as failure:
            outcome = failure
        took = self.world.clock.monotonic() - began
        assert took <= BOUND, f"I4: {name} took {took:.0f} s"
        self.note(name, type(outcome).__name__ if isinstance(outcome, IBKRError) else "done")
        return outcome

    # What the world does ------------------------------------------------------------------

    def fault(self) -> None:
        number, variant = self.chance.choice(FAULTS)
        more = {"seconds": 60} if number == "F07" else {}
        self.world.gateway.arm({"fault": number, "variant": variant, **more})
        self.note("fault", f"{number} {variant}")

    def fill(self) -> None:
        working = [row for row in self.world.working() if row["parent_id"] is None]
        if working:
            order_id = self.chance.choice(working)["order_id"]
            self.world.gateway.fill(str(order_id))
            self.note("fill", str(order_id))

    def die(self) -> None:
        """Drop the objects as they are, or close them; either way the next ones start from the folder."""
        if self.chance.random() < 0.5:
            self.ibkr.close()
        else:
            self.left.append(self.ibkr)
        self.ibkr = self.process()
        self.note("restart", "of the host")

    # What always holds --------------------------------------------------------------------

    def check(self) -> None:
        books = self.world.ledger()
        coids = [row["coid"] for row in books["orders"] if row["coid"]]
        assert len(coids) == len(set(coids)), "I1: a client order id stands twice"
        entries = [row for row in books["orders"] if row["parent_id"] is None and row["side"] == "BUY"]
        assert len(entries) <= self.intents, "I1"
        missing = set(self.told) - {str(row["order_id"]) for row in books["orders"]}
        assert not missing, f"I2: {missing} were told and are not there"
        assert self.world.position() >= 0, "an exit has opened a position"
        assert not books["pacing_breaches"], f"I3: {books['pacing_breaches'][0]}"

    def note(self, what: str, how: str) -> None:
        self.course.ends[f"{what} {how}" if what not in {"fault", "fill", "night"} else what] += 1
        self.course.log.append(f"{self.world.clock.now():%m-%d %H:%M:%S} {what}: {how}")

    def end(self) -> None:
        for process in [self.ibkr, *self.left]:
            process.close()
        self.world.close()
