"""The two sessions: opened once, restored once, never stolen, never stormed."""

from __future__ import annotations

import threading

import pytest

from crowd import at_once
from ibkr_adapter.errors import (
    ApiError,
    BrokerageUnavailable,
    CompetingSession,
    IBKRError,
    LoginRequired,
    Throttled,
)
from ibkr_adapter.session import SessionState

INIT = "POST /iserver/auth/ssodh/init"
STATUS = "POST /iserver/auth/status"
TICKLE = "POST /tickle"
ORDERS = "GET /iserver/account/orders"
SNAPSHOT = "GET /iserver/marketdata/snapshot"


def test_nothing_is_sent_before_the_first_call(world):
    exchange = world.exchange()

    assert exchange.get_exchange_name() == "ibkr"
    assert repr(exchange)
    assert world.doorway.sent == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ibkr-keeper")]


def test_nobody_logged_in_names_the_login_page(world, ibkr):
    world.gateway.change_session("logout")

    with pytest.raises(LoginRequired, match=r"http://127\.0\.0\.1:5000"):
        ibkr.get_ticker("AAPL")

    assert ibkr.session.state is SessionState.LOGIN_REQUIRED


def test_a_login_that_comes_later_is_noticed(world, ibkr):
    world.gateway.change_session("logout")
    with pytest.raises(LoginRequired):
        ibkr.get_ticker("AAPL")

    world.gateway.change_session("login")
    world.clock.sleep(6)

    assert ibkr.get_ticker("AAPL")["lastPrice"]


def test_a_competing_session_is_not_stolen_and_balances_still_answer(world, ibkr):
    world.gateway.change_session("rival")

    with pytest.raises(CompetingSession, match="compete"):
        ibkr.place_market_order("AAPL", "buy", 1)

    assert world.count(INIT) == 0
    assert ibkr.get_balance()[0]["balance"] == 1000000
    assert ibkr.get_positions() == []
    assert ibkr.session.state is SessionState.COMPETING


def test_compete_takes_the_session(world):
    world.gateway.change_session("rival")

    ack = world.exchange(compete=True).place_market_order("AAPL", "buy", 1)

    assert ack["status"] == "filled"


def test_the_session_is_taken_when_the_rival_has_left(world, ibkr):
    world.gateway.change_session("rival")
    with pytest.raises(CompetingSession):
        ibkr.open()
    world.gateway.change_session("rival_leaves")
    world.clock.sleep(6)

    assert ibkr.place_market_order("AAPL", "buy", 1)["status"] == "filled"


def test_a_tickle_leaves_every_sixty_seconds(world, ibkr):
    ibkr.open()
    before = world.count(TICKLE)

    world.clock.sleep(601)

    assert world.count(TICKLE) - before == 10


def test_the_keeper_outlives_failing_tickles(world, ibkr):
    ibkr.open()
    world.arm("F03", TICKLE, times=9)

    world.clock.sleep(3600)

    assert ibkr.get_ticker("AAPL")["lastPrice"]
    assert world.count(INIT) == 1


def test_a_dropped_brokerage_session_is_restored_by_the_keeper(world, ibkr):
    ibkr.open()
    world.gateway.change_session("drop")

    world.clock.sleep(70)

    assert ibkr.session.state is SessionState.READY
    assert world.count(INIT) == 2


@pytest.mark.parametrize("fault", ["F05", "F12", "F14"])
def test_a_read_that_met_a_lost_session_is_made_again_once(world, ibkr, fault):
    ibkr.get_ticker("AAPL")
    world.arm(fault, SNAPSHOT)

    assert ibkr.get_ticker("AAPL")["lastPrice"]


def test_a_burst_of_lost_sessions_is_restored_once_for_all_threads(world, ibkr):
    """Eight threads meet the loss together; one of them restores, all go on."""
    ibkr.get_ticker("AAPL")
    world.gateway.change_session("drop")
    results: list[object] = []

    at_once(world, *[lambda: results.append(ibkr.get_ticker("AAPL"))] * 8)

    assert len(results) == 8
    assert world.count(INIT) == 2


def test_401_for_ever_ends_in_an_error_after_few_requests(world, ibkr):
    """F06: no login storm."""
    world.arm("F06", None, times=None)
    before = len(world.doorway.sent)

    for _ in range(20):
        with pytest.raises(IBKRError):
            ibkr.get_ticker("AAPL")

    assert len(world.doorway.sent) - before <= 12


def test_429_is_not_repeated_and_closes_the_path(world, ibkr):
    ibkr.get_ticker("AAPL")
    world.arm("F08", SNAPSHOT)
    with pytest.raises(Throttled):
        ibkr.get_ticker("AAPL")
    before = world.count(SNAPSHOT)

    with pytest.raises(Throttled):
        ibkr.get_ticker("AAPL")

    assert world.count(SNAPSHOT) == before


def test_a_wrong_account_id_is_no_lost_session(world, ibkr):
    ibkr.get_balance()

    with pytest.raises(ApiError, match="account id"):
        ibkr.request("GET", "/portfolio/U0000000/ledger")

    assert world.count(INIT) <= 1
    assert ibkr.get_balance()


def test_503_on_a_read_is_asked_again_with_pauses(world, ibkr):
    ibkr.get_ticker("AAPL")
    world.arm("F10", SNAPSHOT, times=2)

    assert ibkr.get_ticker("AAPL")["lastPrice"]


def test_after_close_the_object_opens_anew(world, ibkr):
    ibkr.open()
    ibkr.close()

    assert world.doorway.closed
    assert ibkr.get_available_margin() == 4000000.0


def test_listeners_are_told_of_changes(world, ibkr):
    heard: list[SessionState] = []
    ibkr.session.on_change(heard.append)
    ibkr.open()
    world.gateway.change_session("drop")

    world.clock.sleep(70)

    assert heard == [SessionState.READY, SessionState.LOST, SessionState.READY]


def test_a_closed_session_refuses_to_work(world, ibkr):
    session = ibkr.session
    ibkr.close()

    with pytest.raises(BrokerageUnavailable, match="closed"):
        session.ensure(world.clock.monotonic() + 5)


def test_many_threads_that_come_cold_ask_for_the_portfolios_accounts_once(world, ibkr):
    """One such call is allowed in five seconds: eight of them would keep the last one 35 seconds waiting."""
    results = []
    # The first one is still waiting for its answer when the others come.
    world.doorway.after["GET /portfolio/accounts"] = lambda: world.clock.sleep(0.5)
    threads = [
        threading.Thread(target=lambda: results.append(ibkr.get_balance()[0]["asset"]), name=f"cold{number}")
        for number in range(8)
    ]
    for thread in threads:
        world.clock.expect(thread)

    for thread in threads:
        thread.start()
    with world.clock.aside():
        for thread in threads:
            thread.join()

    assert results == ["USD"] * 8
    assert world.count("GET /portfolio/accounts") == 1


def test_who_waits_for_a_portfolio_that_does_not_come_is_told_in_time(world, ibkr):
    """Its own deadline counts, not that of the thread which asks."""
    link = ibkr.open()._connection
    link.session._warming = world.clock.flag()  # another thread asks, and gets no answer

    with pytest.raises(BrokerageUnavailable, match="was not ready in time"):
        ibkr.get_balance()
