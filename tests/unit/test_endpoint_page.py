"""Every published operation has a method, or a reason; and the page that lists them is true."""

from __future__ import annotations

import pytest

from ibkr_adapter.exchange import IBKRExchange
from tests import endpoint_page

if not endpoint_page.PAGE.exists():
    pytest.skip(
        "the documentation is not here: these are the tests of a built wheel", allow_module_level=True
    )


def test_the_page_is_what_the_source_says():
    """Write it anew with ``python -m tests.endpoint_page``."""
    assert endpoint_page.PAGE.read_text("utf-8") == endpoint_page.page()


def test_every_published_operation_is_in_the_table():
    """One that is missing would be sent without its limits."""
    rows = {
        (row.title.split()[0], endpoint_page._bare(row.title.split()[1]))
        for row in endpoint_page.operations()
    }

    assert endpoint_page.listed().keys() - rows == set()


def test_what_has_no_method_has_a_reason():
    """And what has a method needs none."""
    without = {row.endpoint for row in endpoint_page.operations() if row.versions and not row.through}

    assert without == set(endpoint_page.BY_REQUEST)


def test_every_method_on_the_page_is_there():
    """A name that nobody can call helps nobody."""
    kinds = {**endpoint_page.desks(), "ibkr.": "IBKRExchange"}
    wrong = [
        name
        for names in endpoint_page.methods().values()
        for name in names
        if not any(
            name.startswith(prefix) and endpoint_page.method_of(kind, name.removeprefix(prefix))
            for prefix, kind in kinds.items()
        )
    ]

    assert wrong == []
    assert all(hasattr(IBKRExchange, prefix.split(".")[1]) for prefix in endpoint_page.desks())


def test_an_order_is_seen_down_to_its_address():
    """Through desks, protocols and callbacks, or the page would be half empty and nobody would know."""
    assert "ibkr.orders.place" in endpoint_page.methods()["PLACE_ORDERS"]
    assert "ibkr.orders.live" in endpoint_page.methods()["LIVE_ORDERS"]
    assert "ibkr.portfolio.ledger" in endpoint_page.methods()["LEDGER"]
    assert "ibkr.alerts.delete" not in endpoint_page.methods()["ALERT_CREATE"]
