"""What must hold after every cell, held against the broker's own books.

I1 at most once, I2 honest, I3 paced, I4 bounded, I5 typed, I6 free of secrets, I8 fresh or marked.
I7 is about streams.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs
from matrix_faults import Cell
from matrix_rows import Row
from matrix_stage import Stage

from ibkr_adapter.errors import (
    IBKRError,
    OrderOutcomeUnknown,
    OrderRejected,
    OutcomeUnknown,
    PartlyPlaced,
    QuestionRefused,
    Throttled,
)

ALIVE = {"PreSubmitted", "Submitted", "PendingSubmit", "PendingCancel"}
# No call may take longer than an order with its dialogue, its lookup and what mends it.
BOUND = 45 + 40 + 60
# Nobody can tell, and it is said.
OPEN = (OrderOutcomeUnknown, OutcomeUnknown, PartlyPlaced)


@attrs.frozen(kw_only=True)
class Scene:
    """One cell as it went."""

    row: Row
    cell: Cell
    before: dict[str, Any]
    after: dict[str, Any]
    outcome: Any
    calm: Any  # what came of the same call without the fault
    seconds: float

    @property
    def fresh(self) -> list[dict[str, Any]]:
        """The orders that were booked by the call."""
        known = {row["order_id"] for row in self.before["orders"]}
        return [row for row in self.after["orders"] if row["order_id"] not in known]


def check(scene: Scene, stage: Stage) -> None:
    """Hold one cell against all of them."""
    at_most_once(scene)
    honest(scene)
    paced(scene)
    bounded(scene)
    typed(scene)
    secret_free(scene, stage)
    fresh_or_marked(scene)


def at_most_once(scene: Scene) -> None:
    coids = [row["coid"] for row in scene.fresh if row["coid"]]
    assert len(coids) == len(set(coids)), "I1: one intent was booked twice"
    most = scene.row.most if scene.row.changes else 0
    # What is put beside an entry without its legs is an exit of its own; fills of those are checked below.
    entries = [
        row for row in scene.fresh if row["parent_id"] is None and row["side"] == scene.fresh[0]["side"]
    ]
    standing = [row for row in entries if row["status"] not in {"Inactive", "Cancelled"}]
    assert len(standing) <= most, f"I1: {len(standing)} stand where at most {most} may"
    beside = [
        row["quantity"]
        for row in scene.fresh
        if row["parent_id"] is None and row["status"] in ALIVE and row["side"] != scene.fresh[0]["side"]
    ]
    if beside:
        most_held = max((abs(row["quantity"]) for row in scene.after["positions"]), default=0)
        assert max(beside) <= most_held, "an exit beside an entry is larger than what is held"
    if scene.row.once is not None:
        sent = [books["requests"].get(scene.row.once, 0) for books in (scene.before, scene.after)]
        assert sent[1] - sent[0] <= 1, "I1: one change was sent twice"
    if scene.row.held:
        assert 0 <= _held(scene.after) <= scene.row.held + 2 * scene.row.resting, "an exit opened a position"


def honest(scene: Scene) -> None:
    if isinstance(scene.outcome, BaseException):
        if scene.row.changes and not isinstance(scene.outcome, OPEN):
            left = [row["order_id"] for row in scene.fresh if row["status"] in ALIVE]
            assert not left, f"I2: refused, but {left} stand"
            if scene.row.once is not None:
                assert scene.after["alerts"] == scene.before["alerts"], (
                    "I2: refused, but the alert is changed"
                )
            # Where the fault fills the entry that rests, an exit of it can be refused all the same.
            if not (scene.row.resting and scene.cell.fault == "F25"):
                assert _held(scene.after) == _held(scene.before), "I2: refused, but filled"
        return
    if scene.row.changes and isinstance(scene.outcome, dict):
        for order_id in _ids(scene.outcome):
            rows = [row for row in scene.after["orders"] if str(row["order_id"]) == order_id]
            assert rows, f"I2: {order_id} was told and is not there"
            assert rows[0]["status"] != "Inactive", "I2: placed, but it does not stand"


def resolved(scene: Scene, stage: Stage) -> None:
    """I2: what is unknown is known within a bounded time once the line is back, and nothing is sent."""
    if not isinstance(scene.outcome, OrderOutcomeUnknown):
        return
    stage.mend(scene.cell)
    orders = len(stage.gateway.ledger()["orders"])
    try:
        found = _conclusion(scene.outcome)
    except IBKRError:
        stage.clock.sleep(120)
        found = _conclusion(scene.outcome)
    books = stage.gateway.ledger()["orders"]
    assert len(books) == orders, "I1: looking up has sent something"
    if found is not None:
        entry = getattr(found, "entry", found)  # of a bracket it is all legs
        assert str(entry.order_id) in {str(row["order_id"]) for row in books}, "I2: resolved to nothing"
    else:
        fresh = {row["order_id"] for row in scene.fresh}
        left = [row for row in books if row["order_id"] in fresh and row["status"] in ALIVE]
        assert not left, "I2: proven absent, but it stands"


def _conclusion(unknown: OrderOutcomeUnknown) -> Any:
    try:
        return unknown.resolve()
    except (OrderRejected, QuestionRefused):
        return None  # proven absent, and told in the words of a refused order


def paced(scene: Scene) -> None:
    own = [row for row in scene.after["pacing_breaches"] if not _probes(row)]
    # The simulator's box closes with the first 429; only a second one tells a client that it is shut.
    if scene.cell.fault == "F09":
        own = own[1:]
    assert not own, f"I3: {scene.after['pacing_breaches']}"


def bounded(scene: Scene) -> None:
    assert scene.seconds <= BOUND, f"I4: it took {scene.seconds:.0f} s"


def typed(scene: Scene) -> None:
    failure = scene.outcome
    if not isinstance(failure, BaseException):
        return
    assert isinstance(failure, IBKRError), f"I5: {type(failure).__name__}: {failure}"
    assert str(failure), "I5: it says nothing"
    assert isinstance(failure.remedy, str), "I5: the remedy is no text"
    assert isinstance(failure.repeatable, bool), "I5: repeatable is neither yes nor no"
    if isinstance(failure, OPEN):
        assert not failure.repeatable, "I5: unknown, and said to be repeatable"
    if isinstance(failure, Throttled):
        assert failure.retry_at >= 0, "I5: it may be sent again in the past"


def secret_free(scene: Scene, stage: Stage) -> None:
    seen = "\n".join(stage.ears.lines) + repr(scene.outcome)
    failure = scene.outcome if isinstance(scene.outcome, BaseException) else None
    if failure is not None:
        seen += "".join(traceback.format_exception(failure))
    while failure is not None:
        seen += f"{failure!s} {failure!r} {vars(failure)!r}"
        failure = failure.__cause__ or failure.__context__
    written = b"".join(path.read_bytes() for path in stage.folder.rglob("*") if path.is_file())
    for secret in stage.secrets:
        assert secret not in seen, "I6: a secret was said"
        assert secret.encode() not in written, "I6: a secret was written"


def fresh_or_marked(scene: Scene) -> None:
    """A figure that was lost is missing or an error, and never nothing."""
    if scene.row.changes or isinstance(scene.outcome, BaseException):
        return
    calm = dict(_figures(scene.calm))
    for path, value in _figures(scene.outcome):
        if value == 0:
            assert not calm.get(path), f"I8: {path} is 0 instead of {calm[path]}"


def _probes(row: dict[str, Any]) -> bool:
    return row["rule"] == "penalty box" and row["template"] == "/tickle"


def _held(books: dict[str, Any]) -> float:
    return sum(float(row["quantity"]) for row in books["positions"])


def _ids(outcome: Any) -> Iterator[str]:
    if isinstance(outcome, dict):
        if outcome.get("orderId"):
            yield str(outcome["orderId"])
        for value in outcome.values():
            yield from _ids(value)


def _figures(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float | Decimal):
        yield path, value
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from _figures(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _figures(one, f"{path}.{key}")
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for index, one in enumerate(value):
            yield from _figures(one, f"{path}[{index}]")
