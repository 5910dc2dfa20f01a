"""One seed: days of steps, each held against the broker's books, and a reckoning every evening."""

from __future__ import annotations

import random
import tempfile
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from ibkr_adapter.errors import IBKRError, OrderOutcomeUnknown, OrderRejected, OutcomeUnknown, PartlyPlaced
from tests.soak.soak_stage import Killed, Stage
from tests.soak.soak_steps import ALIVE, STEPS, Step

STEPS_A_DAY = 24
# An order with its dialogue, what others left open, its look-up and what mends it; twice where two orders go.
BOUND = 2 * (45 + 45 + 40 + 60)
_OPEN = (OrderOutcomeUnknown, OutcomeUnknown, PartlyPlaced)


class Breach(AssertionError):  # noqa: N818  (named by what it is)
    """An invariant does not hold."""


@attrs.define
class Run:
    """The life of one seed."""

    seed: int
    days: int
    log: list[str] = attrs.field(factory=list)
    _exits: set[int] = attrs.field(factory=set)
    _executions: int = 0
    _unknown: list[OrderOutcomeUnknown] = attrs.field(factory=list)
    _held: dict[int, Decimal] = attrs.field(factory=dict)

    def go(self) -> None:
        """Live through all days.

        Raises:
            Breach: What does not hold; ``log`` has how it came to that.
        """
        draw = random.Random(self.seed)
        options = {
            "late_parent": draw.choice(["accept", "ignore", "refuse"]),
            "scale_children": draw.random() < 0.5,
            "fill_chunk": draw.choice([None, 3]),
            "duplicate_status": draw.choice([200, 400]),
            "ack_shape": draw.choice(["list", "object"]),
            "cancel_question": draw.random() < 0.3,
            "strict_dialogue": draw.random() < 0.5,
            "orders_lag": draw.choice([0.0, 0.0, 3.0]),
        }
        with tempfile.TemporaryDirectory() as folder:
            stage = Stage(Path(folder) / "state", self.seed, options)
            try:
                self._note(stage, f"options {options}")
                for day in range(self.days):
                    self._day(stage, draw, day)
            finally:
                stage.close()

    def _day(self, stage: Stage, draw: random.Random, day: int) -> None:
        _sleep_until(stage, day, hour=14.6)
        stage.gateway.change_session("login")
        pause = 6.2 * 3600 / STEPS_A_DAY
        for step in draw.choices(STEPS, [step.weight for step in STEPS], k=STEPS_A_DAY):
            stage.clock.sleep(draw.uniform(0.1, 2) * draw.choice([1, pause]))
            self._step(stage, draw, step)
        self._evening(stage)

    def _step(self, stage: Stage, draw: random.Random, step: Step) -> None:
        before = {row["order_id"] for row in stage.ledger()["orders"]}
        began = stage.clock.monotonic()
        outcome: Any
        try:
            outcome = step.run(stage, draw)
        except IBKRError as failure:
            outcome = failure
        except Killed:
            outcome = "killed"
            stage.restart(killed=True)
        except Exception as failure:
            self._note(stage, f"{step.name}: {failure!r}")
            raise Breach(f"I5: {failure!r} left the library") from failure
        ledger = stage.ledger()
        fresh = [row for row in ledger["orders"] if row["order_id"] not in before]
        if step.exits:
            self._exits |= {row["order_id"] for row in fresh}
        if isinstance(outcome, OrderOutcomeUnknown) and outcome.coid:
            self._unknown.append(outcome)
        self._note(stage, f"{step.name}: {_told(outcome)}; {_books(ledger)}")
        if step.orders and stage.clock.monotonic() - began > BOUND:
            raise Breach(f"I4: it took {stage.clock.monotonic() - began:.0f} s")
        self._check(ledger, stage)
        if step.orders and outcome != "killed":
            _honest(outcome, fresh, ledger)

    def _check(self, ledger: dict[str, Any], stage: Stage) -> None:
        coids = [row["coid"] for row in ledger["orders"] if row["coid"]]
        if len(coids) != len(set(coids)):
            raise Breach("I1: one cOID was booked twice")
        if ledger["pacing_breaches"]:
            raise Breach(f"I3: {ledger['pacing_breaches'][:3]}")
        for one in stage.gateway.world.book.executions[self._executions :]:
            conid, after = one.instrument.conid, one.position_after
            before = self._held.get(conid, Decimal(0))
            self._held[conid] = after
            is_exit = one.order.parent_id is not None or one.order.order_id in self._exits
            if is_exit and (abs(after) >= abs(before) or after * before < 0):
                raise Breach(f"an exit, order {one.order.order_id}, took {before} of {conid} to {after}")
        self._executions = len(stage.gateway.world.book.executions)

    def _evening(self, stage: Stage) -> None:
        """Everything works again: nothing stays unknown, everything of ours is known, all can be ended."""
        stage.gateway.faults.clear()
        stage.process.kill_in = None
        stage.gateway.change_session("rival_leaves")
        stage.gateway.change_session("login")
        # Over any penalty, and over whatever the session's loss has brought.
        stage.clock.sleep(1000)
        for unknown in self._unknown:
            self._resolve(stage, unknown)
        self._unknown.clear()
        try:
            stage.exchange.open()
            for left in stage.exchange.orders.unsettled():
                left.resolve()
            left_over = stage.exchange.orders.unsettled()
            listed = {row["orderId"] for row in stage.exchange.get_open_orders()}
            flat = stage.exchange.orders.flatten(scope="account")
        except IBKRError as failure:
            raise Breach(f"in the evening, with nothing in the way: {failure!r}") from failure
        ledger = stage.ledger()
        self._note(stage, f"evening: {_books(ledger)}")
        if left_over:
            raise Breach(f"I2: unsettled although all can be read: {left_over}")
        if not flat.is_done:
            # Outside hours a market order is queued, and told as such.
            failures = [one.failure for one in (*flat.orders, *flat.positions) if one.failure is not None]
            if failures:
                raise Breach(f"it cannot be ended: {failures}")
        self._exits |= {int(order) for order in listed if order.isdigit()} - set()
        for one in flat.positions:
            if one.placed is not None:
                self._exits.add(int(one.placed.entry.order_id))
        self._check(ledger, stage)

    def _resolve(self, stage: Stage, unknown: OrderOutcomeUnknown) -> None:
        try:
            told = unknown.resolve()
        except OrderRejected:
            told = None
        except (OrderOutcomeUnknown, PartlyPlaced):
            return
        except IBKRError:
            # Its process is dead; the journal's own entry is resolved below.
            return
        except Killed:
            return
        booked = [row for row in stage.ledger()["orders"] if row["coid"] == unknown.coid]
        alive = [row for row in booked if row["status"] in ALIVE or row["filled"]]
        if told is None and alive and unknown.order_id is None:
            raise Breach(f"I2: {unknown.coid} was resolved as absent or refused, and stands")
        if told is not None and unknown.order_id is None and not booked:
            raise Breach(f"I2: {unknown.coid} was resolved as placed, and the broker has none")

    def _note(self, stage: Stage, line: str) -> None:
        self.log.append(f"{stage.clock.now():%a %H:%M:%S} {line}")


def _honest(outcome: Any, fresh: list[dict[str, Any]], ledger: dict[str, Any]) -> None:
    rows = {str(row["order_id"]): row for row in ledger["orders"]}
    if isinstance(outcome, IBKRError):
        if isinstance(outcome, _OPEN):
            return
        standing = [
            row["order_id"]
            for row in fresh
            if row["status"] in ALIVE or (row["filled"] and not row["parent_id"])
        ]
        if standing:
            raise Breach(f"I2: refused by {outcome!r}, but {standing} stand")
        return
    for order_id in _ids(outcome):
        if order_id not in rows or rows[order_id]["status"] == "Inactive":
            raise Breach(f"I2: order {order_id} was told as placed and does not stand")


def _ids(outcome: Any) -> list[str]:
    if isinstance(outcome, dict):
        own = [str(outcome["orderId"])] if outcome.get("orderId") else []
        return own + [found for value in outcome.values() for found in _ids(value)]
    return []


def _told(outcome: Any) -> str:
    if isinstance(outcome, IBKRError):
        return f"{type(outcome).__name__} {outcome.message}"
    if isinstance(outcome, str):
        return outcome
    return type(outcome).__name__


def _books(ledger: dict[str, Any]) -> str:
    working = [
        f"{row['order_id']}{row['side'][0]}{row['quantity']:g}"
        for row in ledger["orders"]
        if row["status"] in ALIVE
    ]
    held = [f"{row['conid']}:{row['quantity']:g}" for row in ledger["positions"]]
    return f"works {' '.join(working) or '-'} holds {' '.join(held) or '-'}"


def _sleep_until(stage: Stage, day: int, *, hour: float) -> None:
    from tests.soak.soak_stage import START

    moment = START.replace(hour=0) + timedelta(days=day, hours=hour)
    stage.clock.sleep(max(1.0, (moment - stage.clock.now()).total_seconds()))
