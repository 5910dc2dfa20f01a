"""A single value shows itself: what is seen of it, what is marked, and what is kept out."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from datetime import UTC, date, datetime
from decimal import Decimal

import attrs
import pytest

from ibkr_adapter import model
from ibkr_adapter.model.account import AccountSummary
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.holding import Owner, Owners
from ibkr_adapter.model.market import Availability, Quote
from ibkr_adapter.model.optionrow import OptionRow
from ibkr_adapter.model.rules import Hours, Schedule
from ibkr_adapter.model.shown import Shown, doubt_of, plain
from ibkr_adapter.model.stream import BarsEvent, Dropped, Gap, QuoteEvent, Stale

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def values():
    """Every value of the model."""
    rooms = [
        importlib.import_module(f"{model.__name__}.{room.name}")
        for room in pkgutil.iter_modules(model.__path__)
    ]
    return sorted(
        {
            kind
            for room in rooms
            for name, kind in inspect.getmembers(room, inspect.isclass)
            if kind.__module__ == room.__name__ and attrs.has(kind) and not name.startswith("_")
        },
        key=lambda kind: (kind.__module__, kind.__name__),
    )


def test_every_value_shows_itself():
    """A new one is not forgotten."""
    assert [kind.__name__ for kind in values() if not issubclass(kind, Shown)] == []
    assert len(values()) > 90


def test_a_value_is_a_small_table_of_its_parts():
    summary = AccountSummary(currency="USD", net_liquidation=Decimal("1000.50"))

    shown = summary._repr_html_()

    assert shown.startswith("<table><caption>AccountSummary</caption><tbody><tr>")
    assert '<th align="left" style="text-align:left">net_liquidation</th>' in shown
    assert '<td align="right" style="text-align:right">1000.50</td>' in shown
    # What did not come is no balance of nothing.
    assert '>buying_power</th><td align="left" style="text-align:left">–</td>' in shown  # noqa: RUF001  (an en dash)


def test_everything_that_is_shown_is_escaped():
    contract = Contract(conid=1, symbol="<img src=x>\x1b]0;x\x07\u202e", sec_type=SecType.STOCK, name='"&')

    shown = contract._repr_html_()

    assert "<img" not in shown
    assert "&lt;img src=x&gt; ]0;x  <" in shown
    assert "&quot;&amp;" in shown


def test_what_is_kept_out_of_the_logs_is_kept_out_of_notebooks():
    """Notebooks are sent around."""
    owner = Owner(role="OWNER", first_name="Ada", user_name="ada1815", entity_name="Ada L.")
    owners = Owners(account_id="U1", users=(owner,), signatures=("Ada Lovelace",))

    assert "Ada" not in owner._repr_html_() + owners._repr_html_()
    assert "ada1815" not in owner._repr_html_()
    assert "1 of Owner" in owners._repr_html_()


def test_a_quote_says_how_old_it_is_and_what_else_came():
    quote = Quote(
        conid=1, last=Decimal(5), availability=Availability(code="DPB"), others={"beta": Decimal("1.2")}
    )

    shown = quote._repr_html_()

    assert ">delayed by 15 to 20 minutes</strong></caption>" in shown
    assert ">DPB</td>" in shown
    assert '>beta</th><td align="right" style="text-align:right">1.2</td>' in shown


def test_an_option_shows_what_a_chain_shows():
    row = OptionRow(contract=Contract(conid=7, symbol="AAPL", sec_type=SecType.OPTION), quote=Quote(conid=7))

    assert ">nothing came</strong></caption>" in row._repr_html_()
    assert ">open_interest</th>" in row._repr_html_()


def test_events_of_a_stream_show_what_they_say():
    quote = QuoteEvent(
        at=NOON, conid=1, fields={"last": Decimal(5), "availability": Availability(code="RpB")}
    )
    late = QuoteEvent(at=NOON, conid=1, fields={})

    assert ">at</th>" in quote._repr_html_()
    assert '>last</th><td align="right" style="text-align:right">5</td>' in quote._repr_html_()
    assert (doubt_of(quote), doubt_of(late)) == (None, "nothing came")
    assert doubt_of(BarsEvent(at=NOON, conid=1, bars=())) is None


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Stale(at=NOON, topic="smd+1", since=NOON), "nothing has come for it since then"),
        (Gap(at=NOON, since=NOON, until=NOON), "prices of that time are lost"),
        (Dropped(at=NOON, count=3), "not all that came was told"),
    ],
)
def test_what_a_stream_could_not_tell_is_marked(event, said):
    assert f">{said}</strong>" in event._repr_html_()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "–"),  # noqa: RUF001  (an en dash)
        (True, "yes"),
        (False, "no"),
        (Decimal("1E+3"), "1000"),
        (date(2026, 12, 18), "2026-12-18"),
        (NOON, "2026-11-24T12:00:00+00:00"),
        (SecType.STOCK, "STK"),
        ({"a": Decimal(1), "b": None}, "a=1, b=–"),  # noqa: RUF001
        (frozenset({"b", "a"}), "a, b"),
        ((), "–"),  # noqa: RUF001
        ([1, "x"], "1, x"),
        ((Hours(opens=NOON, closes=NOON),) * 2, "2 of Hours"),
        ("a\nb", "a b"),
        ("x" * 300, "x" * 200 + "…"),
    ],
)
def test_values_are_written_in_a_line(value, written):
    assert plain(value) == written


def test_a_value_becomes_a_frame_of_one_row():
    pytest.importorskip("pandas")
    schedule = Schedule(zone="UTC", regular=(), extended=())
    summary = AccountSummary(currency="USD", net_liquidation=Decimal("1.5"))

    assert summary.to_frame()["net_liquidation"].tolist() == [1.5]
    assert summary.to_frame(exact=True)["net_liquidation"].tolist() == [Decimal("1.5")]
    assert list(schedule.to_frame().columns) == ["zone", "regular", "extended"]
