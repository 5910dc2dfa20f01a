"""Every public call under every fault that it can meet, against the broker's own books.

A rehearsal tells which endpoints a call meets; then each is broken in turn in every applicable way.
A seeded tenth is run; with ``IBKR_TESTS_ALL`` every cell of what changes an order, and a third of the reads.
``IBKR_TESTS_MATRIX=1`` runs all but a part of the desks' cells; it may be another share, too.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import matrix_invariants as invariants
import pytest
from matrix_calls import HOST, ROWLESS, ROWS, public_calls
from matrix_faults import Cell, cells, sample
from matrix_stage import Stage

from thoroughly import ALL

SHARE = float(os.environ.get("IBKR_TESTS_MATRIX", "1" if ALL else "0.1"))
# Reads are many and alike, and cannot act twice: of their cells a part is run, unless a share is asked for.
OF_READS = 1.0 if "IBKR_TESTS_MATRIX" in os.environ else 0.3
FEW = 10
# The calls beside orders are many and alike: of their cells a smaller part is run.
OF_DESKS = 0.2
TOKENS = ("oauth1a", "oauth2")
# These go over sockets as well, where time-outs and cut lines are real.
ON_THE_LINE = (
    "place_limit_order",
    "place_market_order",
    "place_bracket_order",
    "place_oco_order",
    "close_position",
    "cancel_order",
    "orders.modify",
    "request",
    "get_ticker",
    "get_open_orders",
    "portfolio.positions",
)
SIGNED = ("place_limit_order", "cancel_order", "get_ticker", "get_balance")


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.stop()


@pytest.fixture(scope="module", params=TOKENS)
def by_token(request: pytest.FixtureRequest) -> Iterator[Stage]:
    made = Stage(request.param)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def sockets() -> Iterator[Stage]:
    made = Stage(sockets=True)
    yield made
    made.stop()


def rehearse(stage, name):
    """Call it without a fault; answer what came of it and the endpoints it met."""
    row = ROWS[name]
    exchange, order = stage.set(row)
    outcome, _ = stage.run(row, exchange, order)
    met = stage.met()
    stage.clear(exchange)
    assert not isinstance(outcome, BaseException), f"{name} fails without a fault: {outcome!r}"
    return outcome, met


def play(stage: Stage, name: str, cell: Cell, calm: object) -> bool:
    """Run one cell and hold it against the invariants; tell whether its fault was met at all."""
    row = ROWS[name]
    exchange, order = stage.set(row)
    before = stage.gateway.ledger()
    stage.gateway.arm(cell.wishes)
    try:
        outcome, seconds = stage.run(row, exchange, order)
        after = stage.gateway.ledger()
        struck = [line for line in after["requests_log"] if line["fault"] == cell.fault]
        if not after["faults"][0]["consumed"]:
            return False
        assert all(line["name"] == cell.endpoint for line in struck), "another call has met the fault"
        scene = invariants.Scene(
            row=row, cell=cell, before=before, after=after, outcome=outcome, calm=calm, seconds=seconds
        )
        invariants.check(scene, stage)
        invariants.resolved(scene, stage)
    except Exception as broken:
        broken.add_note(f"{name} under {cell}: {locals().get('outcome')!r}")
        raise
    finally:
        stage.clear(exchange)
    return True


def play_all(stage, name, wanted, calm):
    """All cells of a call, and then every breach at once; a cell without its fault does not count."""
    broken, counted = [], 0
    for cell in wanted:
        try:
            counted += play(stage, name, cell, calm)
        except Exception as failure:  # noqa: BLE001  (all are shown together)
            broken.append(failure)
    if broken:
        raise ExceptionGroup(f"{len(broken)} of {len(wanted)} cells of {name}", broken)
    # A cut text or a leg that vanishes finds nothing to strike in some calls, and waits on.
    assert len(wanted) < FEW or counted >= len(wanted) / 2, f"{counted} of {len(wanted)} met their fault"


def test_every_public_call_has_its_row():
    """A method that nobody has broken is not done."""
    rows = {name.split(":")[0] for name in ROWS}

    assert public_calls() == rows | set(ROWLESS)
    assert not rows & set(ROWLESS)


def test_the_matrix_has_its_size(stage):
    """All of it, whatever part is run: each cell that is run must have met its fault."""
    planned = sum(len(cells(stage.gateway, rehearse(stage, name)[1])) for name in HOST)

    assert planned >= 1500


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ROWS)
def test_no_fault_makes_a_call_lie_or_act_twice(stage, name):
    """I1 to I6 and I8, with limits kept by the broker."""
    calm, met = rehearse(stage, name)
    row = ROWS[name]
    share = SHARE * (OF_DESKS if row.beside else 1.0 if row.changes else OF_READS)
    wanted = sample(name, cells(stage.gateway, met), share)

    play_all(stage, name, wanted, calm)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ON_THE_LINE)
def test_no_broken_line_makes_a_call_lie_or_act_twice(sockets, name):
    """Resets, cuts and silence longer than the read time-out, over real sockets."""
    calm, met = rehearse(sockets, name)
    wanted = [cell for cell in cells(sockets.gateway, met) if cell.on_the_line]

    play_all(sockets, name, sample(name, wanted, 0.5 if ALL else 0.1), calm)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SIGNED)
def test_no_fault_makes_a_call_tell_a_secret(by_token, name):
    """I6 with real keys and tokens in the settings, and the others with them."""
    calm, met = rehearse(by_token, name)
    wanted = cells(by_token.gateway, met)

    play_all(by_token, name, sample(name, wanted, 0.2 if ALL else 0.05), calm)


def test_nothing_outlives_the_last_object(stage):
    """I4: closing ends the keeper."""
    exchange, _ = stage.set(ROWS["get_balance"])
    assert any(thread.name == "ibkr-keeper" for thread in threading.enumerate())

    stage.clear(exchange)

    assert not any(thread.name == "ibkr-keeper" for thread in threading.enumerate())
