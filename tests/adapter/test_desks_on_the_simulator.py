"""The desks beside orders against the simulated broker, which was written without a look at them."""

from __future__ import annotations

import gc
import pickle
import weakref

import pytest
from worlds import AAPL

from ibkr_adapter.errors import ApiError, OutcomeUnknown
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.model.alert import Condition, NewAlert
from ibkr_adapter.model.performance import Measure


def test_the_account_is_read_whole(ibkr):
    """The same position by every road."""
    ibkr.place_market_order("AAPL", "buy", 5)
    portfolio = ibkr.portfolio

    held = [portfolio.position("AAPL"), portfolio.position_details(AAPL), *portfolio.everywhere("AAPL")]

    assert {found.quantity for found in (*held, *portfolio.positions(), *portfolio.paged())} == {5}
    assert portfolio.meta().account_id == portfolio.switch() == portfolio.selected()
    assert portfolio.brokerage_summary().net_liquidation == round(portfolio.summary().net_liquidation)
    for table in (
        portfolio.available_funds(),
        portfolio.balances(),
        portfolio.margins(),
        portfolio.market_values(),
    ):
        assert any(row.amount for row in table)
    assert {share.name for share in portfolio.allocation()} >= {"STK", "CASH"}
    assert sum(share.weight for share in portfolio.weights() if share.view == "ASSET_CLASS") == pytest.approx(
        1
    )
    assert portfolio.profit()[0].daily is not None
    assert portfolio.performance("1M").of(Measure.VALUE).points
    assert portfolio.all_periods().of("1D").table()
    assert [row.kind for row in portfolio.transactions("AAPL").rows] == ["Buy"]


def test_an_alert_lives_and_dies(ibkr):
    """And one that is gone is not told apart from a service that is down."""
    alert = NewAlert(name="A", message="fell", conditions=[Condition(operator="<=", value=5, conid=AAPL)])
    alerts = ibkr.alerts

    made = alerts.create(alert)
    alerts.deactivate(made)

    assert [(row.alert_id, row.is_active) for row in alerts.list()] == [(made, False)]
    assert alerts.get(made).conditions[0].value == "5"
    assert alerts.modify(made, alert) == made
    alerts.delete(made)
    assert len(alerts.list()) == 0
    with pytest.raises(ApiError, match="not found"):
        alerts.get(made)
    with pytest.raises(OutcomeUnknown):
        alerts.delete(made)


def test_a_watchlist_lives_and_dies(ibkr):
    watchlists = ibkr.watchlists

    made = watchlists.create("mine", ["AAPL", "MSFT"])

    assert [row.symbol for row in watchlists.get(made).rows] == ["AAPL", "MSFT"]
    assert made in {row.watchlist_id for row in watchlists.list()}
    watchlists.delete(made)
    assert made not in {row.watchlist_id for row in watchlists.list()}


def test_notices_are_read_and_chosen(ibkr):
    notifications = ibkr.notifications

    notifications.mark_read(notifications.list()[0].notice_id)
    notifications.disable("BA")
    notifications.by_email(enabled=False)
    notifications.add_device("phone", "apn://1")

    assert notifications.list()[0].is_read is True
    assert next(kind for kind in notifications.kinds() if kind.code == "BA").is_enabled is False
    assert notifications.delivery().by_email is False
    assert [device.name for device in notifications.delivery().devices] == ["phone"]
    notifications.remove_device("apn://1")
    assert len(notifications.delivery().devices) == 0


def test_lists_are_there_for_everybody(ibkr):
    assert any(category.markets for category in ibkr.forecasts.categories())
    assert len(ibkr.catalogue.venues("AAPL")) > 0
    assert ibkr.catalogue.validate().is_valid is True


def test_tables_cross_to_another_process_whole(ibkr):
    """A pool of processes, or a cache on disk, pickles what it is handed."""
    ibkr.place_market_order("AAPL", "buy", 5)
    ibkr.watchlists.create("mine", ["AAPL"])
    ibkr.alerts.create(
        NewAlert(name="A", message="fell", conditions=[Condition(operator="<=", value=5, conid=AAPL)])
    )
    portfolio, market = ibkr.portfolio, ibkr.market_data
    tables = [
        portfolio.accounts(),
        portfolio.positions(),
        portfolio.ledger(),
        portfolio.balances(),
        portfolio.allocation(),
        portfolio.combos(),
        portfolio.profit(),
        portfolio.performance("1M").table(),
        portfolio.transactions("AAPL").rows,
        market.snapshot(["AAPL"], fields=["bid", "conid"]),
        market.chain("AAPL", expiries=1, within=2),
        market.history("AAPL", since="5d"),
        ibkr.contracts.option_chain("AAPL", expiries=1, between=(150, 160)),
        ibkr.contracts.futures_chain("ES"),
        ibkr.contracts.find("AAPL"),
        ibkr.watchlists.list(),
        ibkr.notifications.list(),
        ibkr.alerts.list(),
    ]

    for table in tables:
        other = pickle.loads(pickle.dumps(table))  # noqa: S301  (our own bytes)
        assert (type(other), other, str(other)) == (type(table), table, str(table))
        assert other.where(lambda _: True).records() == table.records()


def test_an_embedded_simulator_that_was_closed_is_forgotten():
    """Whoever makes one for each of a thousand tests would else keep a thousand brokers."""
    with IBKRExchange.simulated() as ibkr:
        assert ibkr.get_balance()
        broker = weakref.ref(ibkr.simulator.gateway)

    del ibkr
    gc.collect()

    assert broker() is None
