"""Any course of orders, fills, faults, deaths and restarts, from two processes over one journal.

After every step: no intent is booked twice, what was told stands in the books or is said to be
unknown, and no exit has opened a position.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from worlds import URL, World

from ibkr_adapter.doors import Doors
from ibkr_adapter.errors import IBKRError, OrderOutcomeUnknown, OutcomeUnknown, PartlyPlaced
from ibkr_adapter.exchange import IBKRExchange
from thoroughly import ALL, MEMORY

ALIVE = {"PreSubmitted", "Submitted", "PendingSubmit", "PendingCancel"}
UNKNOWN = (OrderOutcomeUnknown, OutcomeUnknown, PartlyPlaced)
ORDERS = "POST /iserver/account/{accountId}/orders"
FAULTS = [
    ("F02", "reset"),
    ("F03", "reset"),
    ("F05", "unprocessed"),
    ("F05", "processed"),
    ("F08", "unprocessed"),
    ("F10", "html"),
    ("F11", "json"),
    ("F12", "no_bridge"),
    ("F13", "error"),
    ("F14", "processed"),
    ("F15", "json"),
    ("F15", "missing"),
    ("F16", "truncate"),
    ("F18", "twice"),
    ("F20", "registered"),
    ("F23", "filled"),
    ("F24", "lost"),
    ("F24", "crosses"),
    ("F25", "child"),
    ("F26", "empty"),
    ("F33", "restart"),
]
SIDES = st.sampled_from(["buy", "sell"])
WHO = st.integers(0, 1)


class Orders(RuleBasedStateMachine):
    """Two processes of one login; ``told`` are the order ids that were told to stand."""

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY))
        self.world = World(self.folder)
        self.numbers = itertools.count(1)
        self.told: list[str] = []
        self.intents = 0
        self.left: list[IBKRExchange] = []
        self.processes = [self.process(), self.process()]

    def process(self):
        """A set of objects of its own over the same folder, as another process has them."""
        doors = Doors(
            clock=self.world.clock,
            transport=lambda _settings, _clock: self.world.doorway,
            new_id=lambda: f"{next(self.numbers):08d}",
            environ={},
        )
        return IBKRExchange({"base_url": URL, "state_dir": str(self.folder)}, doors=doors)

    def enter(self, who, work):
        """Carry out one intent; it may book one entry at most, and an error says whether it did."""
        before = {row["order_id"] for row in self.world.orders()}
        self.intents += 1
        try:
            outcome = work(self.processes[who])
        except IBKRError as failed:
            outcome = failed
        fresh = [row for row in self.world.orders() if row["order_id"] not in before]
        assert len([row for row in fresh if row["parent_id"] is None]) <= 1, "I1: booked twice"
        if isinstance(outcome, IBKRError):
            alive = [row["order_id"] for row in fresh if row["status"] in ALIVE]
            assert isinstance(outcome, UNKNOWN) or not alive, f"I2: {outcome!r}, but {alive} stand"
        else:
            found = [outcome] if "orderId" in outcome else list(outcome.values())
            self.told += [str(leg["orderId"]) for leg in found if leg and leg["orderId"]]

    # What a host does ---------------------------------------------------------------------

    @rule(who=WHO, side=SIDES)
    def limit(self, who, side):
        price = 163 if side == "buy" else 168
        self.enter(who, lambda ibkr: ibkr.place_limit_order("AAPL", side, 2, price))

    @rule(who=WHO)
    def market(self, who):
        self.enter(who, lambda ibkr: ibkr.place_market_order("AAPL", "buy", 3))

    @rule(who=WHO)
    def bracket(self, who):
        self.enter(
            who,
            lambda ibkr: ibkr.place_bracket_order(
                "AAPL", "buy", "limit", 2, 163, take_profit_price=170, stop_loss_price=160
            ),
        )

    @rule(who=WHO, quantity=st.sampled_from([None, 1]))
    def close(self, who, quantity):
        before = self.world.position()
        self.enter(who, lambda ibkr: ibkr.close_position("AAPL", None, quantity))
        after = self.world.position()
        assert before * after >= 0, f"closing went from {before} to {after}"
        assert abs(after) <= abs(before), f"closing went from {before} to {after}"

    @precondition(lambda self: self.told)
    @rule(who=WHO, which=st.integers(0, 50))
    def cancel(self, who, which):
        order_id = self.told[which % len(self.told)]
        try:
            ended = self.processes[who].cancel_order("AAPL", order_id)
        except IBKRError:
            return
        (row,) = self.world.orders(order_id=int(order_id))
        assert row["status"] not in ALIVE, f"I2: {ended} is told, and it works"

    @precondition(lambda self: self.told)
    @rule(who=WHO, which=st.integers(0, 50), price=st.integers(158, 162))
    def modify(self, who, which, price):
        booked = len(self.world.orders())
        order_id = self.told[which % len(self.told)]
        with contextlib.suppress(IBKRError):
            self.processes[who].orders.modify(order_id, limit_price=Decimal(price))
        assert len(self.world.orders()) == booked, "I1: a change has booked another order"

    # What the world does ------------------------------------------------------------------

    @precondition(lambda self: self.world.working())
    @rule(which=st.integers(0, 50), part=st.booleans())
    def fill(self, which, part):
        entries = [row for row in self.world.working() if row["parent_id"] is None]
        if entries:
            reference = str(entries[which % len(entries)]["order_id"])
            self.world.gateway.fill(reference, Decimal(1) if part else None)

    @rule(fault=st.sampled_from(FAULTS), everywhere=st.booleans())
    def break_something(self, fault, everywhere):
        number, variant = fault
        homed = number in {"F18", "F20", "F23", "F24", "F25", "F26"}
        on = {} if homed or number in {"F12", "F33"} or everywhere else {"on": ORDERS}
        self.world.gateway.arm({"fault": number, "variant": variant, **on})

    @rule()
    def nothing_is_broken_any_more(self):
        self.world.gateway.faults.clear()

    @rule(who=WHO)
    def die(self, who):
        """The objects are dropped as they are; only the folder stays."""
        self.left.append(self.processes[who])
        self.processes[who] = self.process()

    @rule(who=WHO)
    def restart(self, who):
        self.processes[who].close()
        self.processes[who] = self.process()

    @rule(seconds=st.sampled_from([5, 120]))
    def wait(self, seconds):
        self.world.clock.sleep(seconds)

    # What always holds --------------------------------------------------------------------

    @invariant()
    def no_intent_is_booked_twice(self):
        if not hasattr(self, "world"):
            return
        rows = self.world.orders()
        coids = [row["coid"] for row in rows if row["coid"]]
        assert len(coids) == len(set(coids)), "I1"
        assert len([row for row in rows if row["parent_id"] is None]) <= self.intents, "I1"

    @invariant()
    def what_was_told_is_there(self):
        if not hasattr(self, "world"):
            return
        known = {str(row["order_id"]) for row in self.world.orders()}
        assert set(self.told) <= known, "I2"

    def teardown(self):
        if not hasattr(self, "world"):
            return
        for process in [*self.processes, *self.left]:
            process.close()
        self.world.close()
        shutil.rmtree(self.folder, ignore_errors=True)


TestOrders = pytest.mark.timeout(600)(Orders.TestCase)
TestOrders.settings = settings(
    max_examples=150 if ALL else 12,
    stateful_step_count=25,
    deadline=None,
    derandomize=not ALL,
    suppress_health_check=list(HealthCheck),
)
