"""What an algorithm is told is on the contract's own list, letter by letter; what was sent is read back whole."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from ibkr_adapter import written_tickets
from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.model.algos import ChosenAlgo, choose, described
from ibkr_adapter.model.order import OrderType, Origin, Side, Ticket, Tif, TrailingUnit
from ibkr_adapter.model.rules import Algo, AlgoParameter
from ibkr_adapter.wire.tickets import ticket_body

D = Decimal
URGENCY = AlgoParameter(
    parameter_id="adaptivePriority",
    kind="String",
    required=True,
    default="Normal",
    choices=("Urgent", "Normal", "Patient"),
)
SHARE = AlgoParameter(
    parameter_id="maxPctVol", kind="Double", minimum=D("0.01"), maximum=D(50), required=True
)
START = AlgoParameter(parameter_id="startTime", kind="Time")
PAST = AlgoParameter(parameter_id="allowPastEndTime", kind="Boolean")
OFFERED = (
    Algo(algo_id="Adaptive", name="Adaptive", parameters=(URGENCY,)),
    Algo(algo_id="Vwap", name="VWAP", parameters=(SHARE, START, PAST)),
    Algo(algo_id="Twap", name="TWAP", parameters=None),
)


def chosen(name, **given):
    return choose("AAPL", OFFERED, name, given)


def ticket(**changed):
    return Ticket(
        **{
            "account": "DU1",
            "conid": 1,
            "side": Side.BUY,
            "order_type": OrderType.LIMIT,
            "tif": Tif.DAY,
            "quantity": D(10),
            "limit_price": D("1.50"),
            "coid": "c",
        }
        | changed
    )


def test_a_choice_is_written_as_it_was_made():
    choice = chosen("Vwap", maxPctVol=D("12.5"), startTime="10:00:00 US/Eastern", allowPastEndTime=False)

    assert ticket_body(ticket(algo=choice)) == ticket_body(ticket()) | {
        "strategy": "Vwap",
        "strategyParameters": {
            "maxPctVol": 12.5,
            "startTime": "10:00:00 US/Eastern",
            "allowPastEndTime": False,
        },
    }
    assert described(choice).startswith("Vwap maxPctVol=12.5")


def test_what_is_needed_and_not_given_is_ibkrs_default():
    assert chosen("Adaptive").parameters == (("adaptivePriority", "Normal"),)


def test_an_algorithm_may_take_nothing():
    choice = choose("AAPL", (Algo(algo_id="DarkIce", name="Dark Ice", parameters=()),), "DarkIce", {})

    assert ticket_body(ticket(algo=choice)) == ticket_body(ticket()) | {"strategy": "DarkIce"}


@pytest.mark.parametrize(("given", "written"), [(D("2.5"), D("2.5")), (3, D(3)), ("x", "x"), (True, True)])
def test_a_parameter_without_a_kind_takes_what_it_is_given(given, written):
    """IBKR's list does not give every parameter a kind."""
    offered = (Algo(algo_id="A", name="A", parameters=(AlgoParameter(parameter_id="p", kind=""),)),)

    assert choose("AAPL", offered, "A", {"p": given}).parameters == (("p", written),)


@pytest.mark.parametrize(
    ("name", "given", "why"),
    [
        ("adaptive", {}, "Did you mean Adaptive"),
        ("Iceberg", {}, "takes no algorithm 'Iceberg'"),
        ("Adaptive", {"adaptivepriority": "Normal"}, "Did you mean adaptivePriority"),
        ("Adaptive", {"adaptivePriority": "normal"}, "is one of Urgent, Normal, Patient"),
        ("Adaptive", {"adaptivePriority": D(1)}, "is a text"),
        ("Vwap", {}, "maxPctVol of Vwap is needed"),
        ("Vwap", {"maxPctVol": D(51)}, "between 0.01 and 50"),
        ("Vwap", {"maxPctVol": D("NaN")}, "is a number"),
        ("Vwap", {"maxPctVol": 0.5}, "a Decimal"),
        ("Vwap", {"maxPctVol": True}, "a Decimal"),
        ("Vwap", {"maxPctVol": 1, "startTime": "soon"}, "is a time"),
        ("Vwap", {"maxPctVol": 1, "allowPastEndTime": "yes"}, "is true or false"),
        ("Twap", {}, "does not tell the parameters of Twap"),
    ],
)
def test_what_is_not_on_the_list_is_refused_with_the_nearest_that_is(name, given, why):
    with pytest.raises(InvalidOrder, match=why) as refused:
        chosen(name, **given)

    assert "othing was sent" in refused.value.message


FULL = ticket(
    conidex=None,
    route="ARCA",
    origin=Origin(manual=False, operator="me"),
    parent_coid="p",
    outside_rth=True,
    single_group=True,
    algo=ChosenAlgo(algo_id="Vwap", parameters=(("maxPctVol", D("12.50")), ("b", True), ("t", "12"))),
)
TRAIL = ticket(
    order_type=OrderType.TRAIL,
    limit_price=None,
    trailing=D("2.5"),
    trailing_unit=TrailingUnit.PERCENT,
)


@pytest.mark.parametrize(
    "sent", [(FULL,), (TRAIL, FULL), (ticket(quantity=None, cash_quantity=D("100.10")),), ()]
)
def test_tickets_are_read_back_as_they_were_written(sent):
    read = written_tickets.read(written_tickets.write(sent))

    assert read == sent
    assert [ticket_body(one) for one in read] == [ticket_body(one) for one in sent]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{",
        "5",
        '["x"]',
        "[{}]",
        json.dumps([json.loads(written_tickets.write([FULL]))[0] | {"condition": 1}]),
        json.dumps([json.loads(written_tickets.write([FULL]))[0] | {"side": "HOLD"}]),
        json.dumps([json.loads(written_tickets.write([FULL]))[0] | {"quantity": "many"}]),
    ],
)
def test_a_note_that_cannot_be_understood_is_as_good_as_none(text):
    """Also one with a key of another version, which would be lost by a modification."""
    assert written_tickets.read(text) == ()
