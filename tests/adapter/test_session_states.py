"""Every state of the session and what leads from one to another, over all three logins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from worlds import World

from crowd import at_once
from ibkr_adapter import opening, outage
from ibkr_adapter.clock import Redated
from ibkr_adapter.errors import (
    ApiError,
    AuthenticationError,
    BrokerageUnavailable,
    CompetingSession,
    IBKRError,
    LoginRequired,
    NotSent,
    OutcomeUnknown,
    SessionError,
)
from ibkr_adapter.session import SessionState
from ibkr_adapter.transport import Answer

EVERY_LOGIN = True

INIT = "POST /iserver/auth/ssodh/init"
STATUS = "POST /iserver/auth/status"
TICKLE = "POST /tickle"
SNAPSHOT = "GET /iserver/marketdata/snapshot"
SWITCH = "POST /iserver/account"
SUPPRESS = "POST /iserver/questions/suppress"

# A request that IBKR is too busy for is made three times.
REPEATS = 3

READY, LOST, COMPETING = SessionState.READY, SessionState.LOST, SessionState.COMPETING


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def sleep_until(world: World, text: str) -> None:
    world.clock.sleep((at(text) - world.clock.now()).total_seconds())


def heard_by(ibkr) -> list[SessionState]:
    heard: list[SessionState] = []
    ibkr.session.on_change(heard.append)
    return heard


def first_asked(world: World, since: int) -> str:
    return next(path for _, path, _ in world.doorway.sent[since:] if path.startswith("/iserver"))


# Listeners ------------------------------------------------------------------------------------


def test_from_new_to_ready_to_closed(world, ibkr):
    heard = heard_by(ibkr)
    session = ibkr.session
    before = session.state

    ibkr.open()
    ibkr.close()

    assert before is SessionState.NEW
    assert heard == [READY, SessionState.CLOSED]


def test_a_listener_that_ends_hears_no_more(world, ibkr):
    heard: list[SessionState] = []
    stop = ibkr.session.on_change(heard.append)
    ibkr.open()

    stop()
    world.gateway.change_session("drop")
    ibkr.get_ticker("AAPL")

    assert heard == [READY]


def test_a_listener_that_raises_breaks_nothing(world, ibkr, caplog):
    def broken(_: SessionState) -> None:
        raise ValueError("no display")

    ibkr.session.on_change(broken)
    heard = heard_by(ibkr)

    assert ibkr.get_ticker("AAPL")["lastPrice"]
    world.gateway.change_session("drop")
    world.clock.sleep(70)

    assert heard == [READY, LOST, READY]
    assert "no display" in caplog.text


def test_a_listener_may_call_the_library(world, ibkr):
    """No lock is held: what it asks for is answered, over the session that it was told of."""
    prices = []

    def asking(state: SessionState) -> None:
        if state is READY:
            prices.append(ibkr.get_ticker("AAPL")["lastPrice"])

    ibkr.session.on_change(asking)
    ibkr.open()

    assert len(prices) == 1


def test_a_failing_restore_is_no_news_after_the_first(world, ibkr):
    """A host that sends mail for each change must not be flooded."""
    ibkr.open()
    heard = heard_by(ibkr)
    world.gateway.change_session("drop")
    world.arm("F10", INIT, times=None)

    world.clock.sleep(1790)

    assert heard == [LOST]


# Lost and restored ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "wishes"),
    [
        ("F05", {}),
        ("F12", {"variant": "no_bridge"}),
        ("F12", {"variant": "accounts"}),
        ("F14", {}),
        ("F10", {"status": 410}),
        ("F33", {}),
    ],
)
def test_a_read_that_meets_the_loss_restores_it(world, ibkr, fault, wishes):
    """401, no bridge, a login page, 410 and a restarted gateway; nobody sees more than a longer read."""
    ibkr.get_ticker("AAPL")
    heard = heard_by(ibkr)
    world.arm(fault, SNAPSHOT, **wishes)

    assert ibkr.get_ticker("AAPL")["lastPrice"]
    assert heard[-1:] in ([], [READY])
    assert ibkr.session.state is READY


@pytest.mark.parametrize("status", [401, 410])
def test_an_opening_that_is_refused_for_an_old_login(world, ibkr, login, status):
    """OAuth logs in again and opens it then; at the gateway a person must."""
    ibkr.open()
    logins = 0 if login == "gateway" else world.logins()
    world.gateway.change_session("drop")
    world.arm("F10", INIT, status=status)

    if login == "gateway":
        with pytest.raises(LoginRequired, match="127"):
            ibkr.get_ticker("AAPL")
        world.clock.sleep(70)
    else:
        assert ibkr.get_ticker("AAPL")["lastPrice"]
        assert world.logins() == logins + 1
        assert world.count(SUPPRESS) == 2  # once for each opening: the new one counts as that login's

    assert ibkr.session.state is READY


def test_an_opening_that_stays_refused_after_a_new_login_is_told_at_once(world, ibkr, login):
    """Not after twenty seconds of looking whether it is established."""
    if login == "gateway":
        pytest.skip("nobody logs in again")
    ibkr.open()
    world.gateway.change_session("drop")
    world.arm("F10", INIT, status=410, times=None)
    before = world.clock.monotonic()

    with pytest.raises(AuthenticationError):
        ibkr.get_ticker("AAPL")

    assert world.clock.monotonic() - before < 5


def test_401_for_ever_costs_few_requests(world, ibkr):
    """F06: ten minutes of a strategy that asks each second, and no storm of logins."""
    ibkr.open()
    world.arm("F06", None, times=None)
    before = len(world.doorway.sent)

    for _ in range(600):
        with pytest.raises(IBKRError):
            ibkr.get_ticker("AAPL")
        world.clock.sleep(1)

    # One try in ten seconds, and a tickle in a minute; each try is one request, or two.
    assert len(world.doorway.sent) - before <= 600 / outage.LONGEST_HOLD * 2 + 10 + 20


def test_many_threads_share_one_restore_and_its_failure(world, ibkr):
    """Eight callers, one attempt, eight errors with a traceback each."""
    ibkr.get_ticker("AAPL")
    world.gateway.change_session("drop")
    world.arm("F10", INIT, times=None)
    before = world.count(INIT)
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            ibkr.get_ticker("AAPL")
        except IBKRError as failure:
            failures.append(failure)

    at_once(world, *[ask] * 8)

    assert len({id(failure) for failure in failures}) == 8
    assert world.count(INIT) - before == REPEATS


def test_a_restarted_gateway_is_back_in_time(world, login):
    """F33: down for five minutes, then a new session id and nothing remembered.

    Within the longest pause and the time of an opening, without a tickle's help.
    """
    if login != "gateway":
        pytest.skip("there is no gateway")
    ibkr = world.exchange()
    ibkr.get_ticker("AAPL")
    ibkr.get_balance()
    world.arm("F01", None, **{"for": 300})
    down = world.clock.now()
    while (world.clock.now() - down).total_seconds() < 300:
        with pytest.raises(IBKRError):
            ibkr.get_ticker("AAPL")
        world.clock.sleep(1)
    world.gateway.change_session("restart")
    back = world.clock.now()

    while True:
        try:
            ibkr.get_ticker("AAPL")
            break
        except IBKRError:
            world.clock.sleep(1)

    assert (world.clock.now() - back).total_seconds() <= outage.LONGEST_HOLD + 5
    assert ibkr.get_balance()[0]["balance"] == 1000000
    assert world.ledger()["sessions"][0]["suppressed"]


def test_the_keeper_brings_back_a_restarted_gateway_by_itself(world, ibkr):
    """With nobody asking, at the next tickle."""
    ibkr.open()
    world.gateway.change_session("restart")

    world.clock.sleep(75)

    assert ibkr.session.state is READY
    assert world.count(INIT) == 2


# Awake again ----------------------------------------------------------------------------------


class Jumpy:
    """The wall clock of a machine that slept: its monotonic one stood still meanwhile."""

    def __init__(self, world: World) -> None:
        self.slept = timedelta()
        self.clock = Redated(world.clock, lambda: world.clock.now() + self.slept)


def test_a_machine_that_slept_looks_at_its_session_first(tmp_path, login):
    """F39: the order of the morning leaves over a session that was opened again, not into nothing."""
    world = World(tmp_path, login)
    jumpy = Jumpy(world)
    world.doors = attrs.evolve(world.doors, clock=jumpy.clock)
    ibkr = world.exchange()
    ibkr.get_ticker("AAPL")
    world.gateway.change_session("drop")
    jumpy.slept = timedelta(hours=2)
    before = len(world.doorway.sent)

    ack = ibkr.place_limit_order("AAPL", "buy", 1, 164)

    assert ack["orderId"]
    assert len(world.working()) == 1
    assert first_asked(world, before) == "/iserver/auth/status"
    world.close()


def test_a_session_that_still_stands_after_a_sleep_is_not_opened_again(tmp_path, login):
    """Looked at: a status, the accounts and the suppressed disclosures.

    Here IBKR did not grow older with the machine, so that OAuth 1.0a looks once more, at its own time.
    """
    world = World(tmp_path, login)
    jumpy = Jumpy(world)
    world.doors = attrs.evolve(world.doors, clock=jumpy.clock)
    ibkr = world.exchange()
    ibkr.get_ticker("AAPL")
    inits, statuses = world.count(INIT), world.count(STATUS)
    jumpy.slept = timedelta(hours=2)

    ibkr.get_ticker("AAPL")
    ibkr.get_ticker("AAPL")

    assert world.count(INIT) == inits
    assert 1 <= world.count(STATUS) - statuses <= 1 + (login == "oauth1a")
    world.close()


@pytest.mark.parametrize("where", [SNAPSHOT, TICKLE])
def test_a_gateway_that_could_not_be_reached_is_looked_at_first(world, ibkr, where):
    """It may have been restarted, so that an order would leave into nothing; a call or a tickle finds that."""
    ibkr.get_ticker("AAPL")

    def nobody() -> None:
        raise NotSent("nobody is listening.", unreachable=True)

    world.doorway.before[where] = nobody
    if where == SNAPSHOT:
        with pytest.raises(NotSent):
            ibkr.get_ticker("AAPL")
    else:
        world.clock.sleep(61)
    world.doorway.before.clear()
    before = len(world.doorway.sent)

    ibkr.get_ticker("AAPL")

    assert first_asked(world, before) == "/iserver/auth/status"


@pytest.mark.parametrize("asking", [True, False])
def test_a_session_that_answers_is_not_looked_at(world, ibkr, asking):
    """Calls are proof of it where tickles fail, and tickles where nobody calls."""
    ibkr.get_ticker("AAPL")
    before = world.count(STATUS)
    if asking:
        world.arm("F03", TICKLE, times=None)

    for _ in range(10):
        world.clock.sleep(61)
        if asking:
            ibkr.get_ticker("AAPL")
    ibkr.get_ticker("AAPL")

    assert world.count(STATUS) == before


# Midnight and one o'clock -----------------------------------------------------------------------


def test_a_night_is_survived(tmp_path, login):
    """Midnight ends the login, one o'clock the brokerage session; at the gateway a person logs in at eight."""
    world = World(tmp_path, login, nightly_reset=True)
    ibkr = world.exchange()
    ibkr.get_ticker("AAPL")
    heard = heard_by(ibkr)
    sleep_until(world, "2026-11-25 05:10")
    if login == "gateway":
        assert ibkr.session.state is SessionState.LOGIN_REQUIRED
        with pytest.raises(LoginRequired):
            ibkr.get_ticker("AAPL")
        sleep_until(world, "2026-11-25 13:00")
        assert heard.count(SessionState.LOGIN_REQUIRED) == 1
        world.gateway.change_session("login")
        world.clock.sleep(70)
    else:
        assert ibkr.session.state is READY
        sleep_until(world, "2026-11-25 06:30")

    assert ibkr.session.state is READY
    assert heard[-1] is READY
    assert ibkr.get_ticker("AAPL")["lastPrice"]
    assert ibkr.get_balance()[0]["balance"] == 1000000
    world.close()


# Maintenance ----------------------------------------------------------------------------------

IN_RESET = "2026-11-25 06:00"
REOPENS = datetime(2026, 11, 25, 6, 30, tzinfo=UTC)
LIMIT = ("AAPL", "buy", 1, 164)


@pytest.fixture
def night(world):
    """Ten minutes into the nightly reset."""
    sleep_until(world, IN_RESET)
    return world


def test_a_read_waits_for_a_session_that_is_reset(night, ibkr):
    """It came back within the read's deadline: the host sees a slow read."""
    ibkr.get_ticker("AAPL")
    night.gateway.change_session("drop")
    night.arm("F10", INIT, **{"for": 8})

    assert ibkr.get_ticker("AAPL")["lastPrice"]


def test_a_read_that_waited_in_vain_tells_when_it_reopens(night, ibkr):
    ibkr.get_ticker("AAPL")
    night.gateway.change_session("drop")
    night.arm("F10", INIT, **{"for": 1800})
    before = night.clock.monotonic()

    with pytest.raises(BrokerageUnavailable, match="06:30 UTC") as refused:
        ibkr.get_ticker("AAPL")

    assert refused.value.reopens_at == REOPENS
    assert refused.value.maintenance
    assert refused.value.repeatable
    assert 5 < night.clock.monotonic() - before <= 15


def test_a_read_fails_at_once_where_the_settings_say_so(night):
    ibkr = night.exchange(during_maintenance="fail")
    ibkr.get_ticker("AAPL")
    night.gateway.change_session("drop")
    night.arm("F10", INIT, **{"for": 8})
    before = night.clock.monotonic()

    with pytest.raises(BrokerageUnavailable) as refused:
        ibkr.get_ticker("AAPL")

    assert refused.value.reopens_at == REOPENS
    assert night.clock.monotonic() - before < 3


def test_an_answer_that_ibkr_is_busy_is_waited_for_in_the_window(night, ibkr):
    """The session stands, and 503 comes nevertheless."""
    ibkr.get_ticker("AAPL")
    night.arm("F10", SNAPSHOT, **{"for": 8})

    assert ibkr.get_ticker("AAPL")["lastPrice"]


def test_the_same_answer_by_day_is_not_waited_for(world, ibkr):
    """IBKR answers 503 to wrong calls as well."""
    ibkr.get_ticker("AAPL")
    world.arm("F10", SNAPSHOT, **{"for": 8})
    before = world.clock.monotonic()

    with pytest.raises(IBKRError) as refused:
        ibkr.get_ticker("AAPL")

    assert not isinstance(refused.value, SessionError)
    assert world.clock.monotonic() - before < 3


def test_a_lost_session_by_day_is_not_waited_for(world, ibkr):
    ibkr.get_ticker("AAPL")
    world.gateway.change_session("drop")
    world.arm("F10", INIT, **{"for": 8})

    with pytest.raises(BrokerageUnavailable) as refused:
        ibkr.get_ticker("AAPL")

    assert (refused.value.maintenance, refused.value.reopens_at) == (False, None)


def test_an_order_in_the_window_is_refused_with_the_time_it_reopens(night, ibkr):
    ibkr.get_ticker("AAPL")
    night.gateway.change_session("drop")
    night.arm("F10", INIT, **{"for": 1800})

    with pytest.raises(BrokerageUnavailable, match="06:30 UTC") as refused:
        ibkr.place_limit_order(*LIMIT)

    assert refused.value.reopens_at == REOPENS
    assert night.orders() == []


def test_an_exit_in_the_window_goes_out_while_ibkr_answers(night, ibkr):
    """The calendar alone refuses nothing."""
    night.gateway.seed_position(265598, 10)

    ibkr.place_stop_loss("AAPL", "sell", 10, 160)

    assert len(night.working()) == 1


def test_an_order_in_the_window_restores_a_session_that_can_be_had(night, ibkr):
    ibkr.get_ticker("AAPL")
    night.gateway.change_session("drop")

    assert ibkr.place_limit_order(*LIMIT)["orderId"]
    assert len(night.working()) == 1


def test_a_reset_is_not_hammered(night, ibkr):
    """Twenty minutes of a strategy that asks each second cost an opening in half a minute."""
    ibkr.get_ticker("AAPL")
    night.gateway.change_session("drop")
    night.arm("F10", INIT, times=None)
    before = night.count(INIT)

    start = night.clock.monotonic()
    while night.clock.monotonic() - start < 1200:
        with pytest.raises(BrokerageUnavailable):
            ibkr.get_ticker("AAPL")
        night.clock.sleep(1)

    tries = 1200 / outage.LONGEST_IN_MAINTENANCE + 6
    assert night.count(INIT) - before <= tries * REPEATS


def test_after_the_reset_the_session_comes_back_by_itself(night, ibkr):
    ibkr.get_ticker("AAPL")
    night.gateway.change_session("drop")
    night.arm("F10", INIT, **{"for": 1200})

    sleep_until(night, "2026-11-25 06:22")

    assert ibkr.session.state is READY


def test_the_region_decides_when_the_night_is(world):
    """One o'clock in Hong Kong is five in the afternoon in London."""
    sleep_until(world, "2026-11-24 17:00")
    ibkr = world.exchange(region="asia", during_maintenance="fail")
    ibkr.get_ticker("AAPL")
    world.gateway.change_session("drop")
    world.arm("F10", INIT, times=None)

    with pytest.raises(BrokerageUnavailable) as refused:
        ibkr.get_ticker("AAPL")

    assert refused.value.reopens_at == datetime(2026, 11, 24, 17, 30, tzinfo=UTC)


def test_a_missing_login_in_the_window_may_come_back_by_itself(night, ibkr, login):
    """A person who is woken for it shall know that."""
    if login != "gateway":
        pytest.skip("nobody is asked to log in")
    night.gateway.change_session("logout")

    with pytest.raises(LoginRequired, match="come back by itself"):
        ibkr.get_ticker("AAPL")


# Again as it was ------------------------------------------------------------------------------


def test_suppressions_are_sent_again_to_a_restored_session(world):
    ibkr = world.exchange(suppress_messages=["o354"])
    ibkr.open()
    world.gateway.change_session("drop")

    ibkr.get_ticker("AAPL")

    assert world.ledger()["sessions"][0]["suppressed"] == ["o10152", "o10331", "o354"]
    assert world.count(SUPPRESS) == 2


def test_the_chosen_account_is_chosen_again(tmp_path, login):
    """A new session comes with the first account; the call that restored it must not be about that one."""
    world = World(tmp_path, login, accounts=["DU7654321"])
    ibkr = world.exchange(account_id="DU7654321")
    ibkr.get_open_orders()
    ibkr.get_open_orders()
    chosen, switches = world.ledger()["sessions"][0]["selected"], world.count(SWITCH)
    world.gateway.change_session("drop")

    ibkr.get_ticker("AAPL")

    assert (chosen, switches) == ("DU7654321", 1)
    assert world.ledger()["sessions"][0]["selected"] == "DU7654321"
    sent = [f"{method} {path}" for method, path, _ in world.doorway.sent]
    opened = len(sent) - 1 - sent[::-1].index(INIT)
    assert SWITCH in sent[opened : len(sent) - sent[::-1].index(SNAPSHOT)]
    world.close()


def test_the_first_account_is_kept_where_it_was_chosen(tmp_path, login):
    """No call is spent on what is so already."""
    world = World(tmp_path, login, accounts=["DU7654321"])
    ibkr = world.exchange(account_id=world.gateway.account)
    ibkr.get_open_orders()
    world.gateway.change_session("drop")

    ibkr.get_ticker("AAPL")

    assert world.count(SWITCH) == 0
    world.close()


def test_a_session_that_cannot_get_its_account_back_is_not_used(tmp_path, login):
    """Better no call than one about another account."""
    world = World(tmp_path, login, accounts=["DU7654321"])
    ibkr = world.exchange(account_id="DU7654321")
    ibkr.get_open_orders()
    world.gateway.change_session("drop")
    world.arm("F13", SWITCH)

    with pytest.raises(BrokerageUnavailable, match="DU7654321 could not be selected"):
        ibkr.get_ticker("AAPL")
    world.clock.sleep(2)

    assert ibkr.get_ticker("AAPL")["lastPrice"]
    assert world.ledger()["sessions"][0]["selected"] == "DU7654321"
    world.close()


# Another login --------------------------------------------------------------------------------


def test_without_compete_the_session_is_never_taken(world, ibkr):
    """For an hour, with orders and tickles; and the host is told once."""
    ibkr.open()
    heard = heard_by(ibkr)
    world.gateway.change_session("rival")
    before = world.count(INIT)

    for _ in range(60):
        with pytest.raises(CompetingSession):
            ibkr.place_market_order("AAPL", "buy", 1)
        world.clock.sleep(60)

    assert world.count(INIT) == before
    assert heard == [LOST, COMPETING]


def test_it_comes_back_by_itself_when_the_other_login_leaves(world, ibkr):
    ibkr.open()
    heard = heard_by(ibkr)
    world.gateway.change_session("rival", 300)

    world.clock.sleep(400)

    assert heard == [LOST, COMPETING, READY]


def test_two_that_compete_do_not_fight_for_ever(world):
    """The other one takes it back within the minute, all night long."""
    ibkr = world.exchange(compete=True)
    ibkr.open()
    before = world.count(INIT)

    for _ in range(25):
        world.gateway.change_session("rival")
        world.clock.sleep(70)

    assert world.count(INIT) - before <= opening.MOST_TAKEOVERS
    assert ibkr.session.state is COMPETING
    with pytest.raises(CompetingSession, match="takes the brokerage session back each time") as refused:
        ibkr.place_market_order("AAPL", "buy", 1)
    assert "30 quiet minutes" in refused.value.remedy


def test_after_a_quiet_time_the_session_is_taken_again(world):
    ibkr = world.exchange(compete=True)
    ibkr.open()
    for _ in range(5):
        world.gateway.change_session("rival")
        world.clock.sleep(70)
    held = ibkr.session.state

    world.clock.sleep(opening.QUIET + 60)

    assert (held, ibkr.session.state) == (COMPETING, READY)


def test_an_opening_that_failed_is_no_takeover(world):
    """After a night of them a session that another login holds is taken as the settings say."""
    ibkr = world.exchange(compete=True)
    ibkr.open()
    world.gateway.change_session("drop")
    world.arm("F10", INIT, **{"for": 600})
    world.clock.sleep(590)
    world.gateway.change_session("rival")

    world.clock.sleep(70)

    assert ibkr.session.state is READY
    assert world.ledger()["sessions"][0]["competing"] is False


def test_who_stands_back_still_takes_what_is_free(world):
    """The other one left: nothing needs to be taken from anybody."""
    ibkr = world.exchange(compete=True)
    ibkr.open()
    for _ in range(5):
        world.gateway.change_session("rival")
        world.clock.sleep(70)
    world.gateway.change_session("rival_leaves")

    world.clock.sleep(70)

    assert ibkr.session.state is READY
    assert b'"compete":false' in [body for _, path, body in world.doorway.sent if path.endswith("/init")][-1]


def test_a_login_page_for_a_tickle_is_a_lost_session(world, ibkr):
    """With status 200, so that it looked like one of the tickles that fail for no reason."""
    ibkr.open()
    heard = heard_by(ibkr)
    world.arm("F14", TICKLE)

    world.clock.sleep(70)

    assert heard == [LOST, READY]


def test_credentials_that_are_refused_leave_it_lost(world, ibkr, login):
    if login == "gateway":
        pytest.skip("there are no credentials")
    ibkr.open()
    world.gateway.change_session("disable")

    with pytest.raises(AuthenticationError):
        ibkr.get_ticker("AAPL")

    assert ibkr.session.state is LOST


# What IBKR says of a session that is not up ---------------------------------------------------


DISCONNECTED = {"authenticated": False, "competing": False, "connected": False, "MAC": "98:B2:C3:45:DE:F6"}
NO_BRIDGE = (400, {"error": "Bad Request: no bridge", "statusCode": 400})


@pytest.mark.parametrize("said", [(200, DISCONNECTED), NO_BRIDGE], ids=["not connected", "no bridge"])
def test_a_status_without_a_brokerage_session_has_it_opened(world, ibkr, login, said):
    """IBKR says "not connected" of a login that is gone, and of a session that only timed out."""
    world.overrule(STATUS, said)

    assert ibkr.get_ticker("AAPL")["lastPrice"]
    assert world.count(INIT) == 1
    if login != "gateway":
        assert world.logins() == 1


def test_a_session_that_is_authenticated_and_not_connected_is_opened(world, ibkr):
    """Waiting for it would take for ever: nobody has it come up."""
    half = {"authenticated": True, "competing": False, "connected": False, "established": False}
    world.overrule(STATUS, (200, half))
    began = world.clock.monotonic()

    assert ibkr.get_ticker("AAPL")["lastPrice"]
    assert world.count(INIT) == 1
    assert world.clock.monotonic() - began < 5


def test_an_opening_that_leaves_it_disconnected_is_a_missing_login(world, ibkr, login):
    """At the gateway a person is asked at once; with OAuth one more login is made before that is said."""
    world.overrule(STATUS, *[(200, DISCONNECTED)] * 9)
    world.overrule(INIT, *[(200, DISCONNECTED)] * 9)
    began = world.clock.monotonic()

    with pytest.raises(LoginRequired if login == "gateway" else AuthenticationError):
        ibkr.get_ticker("AAPL")

    assert world.clock.monotonic() - began < 5
    assert world.count(INIT) == (1 if login == "gateway" else 2)


def test_a_disconnected_session_that_stays_so_uses_up_no_takeover(world, login):
    """Nobody was thrown out by it, so the session is still taken when somebody has logged in."""
    if login != "gateway":
        pytest.skip("a login of its own is made, and held off")
    ibkr = world.exchange(compete=True)
    world.overrule(STATUS, *[(200, DISCONNECTED)] * 9)
    world.overrule(INIT, *[(200, DISCONNECTED)] * 9)
    for _ in range(9):
        with pytest.raises(IBKRError):
            ibkr.get_ticker("AAPL")
        world.clock.sleep(20)

    world.gateway.change_session("rival")
    world.clock.sleep(900)

    assert ibkr.session.state is READY


@pytest.mark.parametrize("said", [NO_BRIDGE, (200, {})], ids=["no bridge", "no accounts"])
def test_a_fresh_session_that_has_no_accounts_yet_is_waited_for(world, ibkr, said):
    """They come within seconds of an opening; the call that needed it just takes longer."""
    world.overrule("GET /iserver/accounts", said, said, said)

    assert ibkr.get_ticker("AAPL")["lastPrice"]
    assert world.count(INIT) == 1


def test_a_session_that_never_tells_its_accounts_is_given_up(world, ibkr):
    world.overrule("GET /iserver/accounts", *[(200, {})] * 99)
    began = world.clock.monotonic()

    with pytest.raises(BrokerageUnavailable, match="no account yet"):
        ibkr.get_ticker("AAPL")

    assert world.clock.monotonic() - began <= opening.LIST_WITHIN + 1


def test_a_status_that_is_better_than_the_truth_has_it_opened(world, ibkr):
    """It calls the session established, and every call is answered that there is none."""
    ibkr.open()
    world.overrule("GET /iserver/accounts", NO_BRIDGE)
    world.overrule(SNAPSHOT, NO_BRIDGE)

    assert ibkr.get_ticker("AAPL")["lastPrice"]
    assert world.count(INIT) == 2


def test_a_way_to_the_login_page_is_a_missing_login(world, ibkr, login):
    """Some gateways send whoever is not logged in there, without a page of their own."""
    world.overrule("GET /portfolio/accounts", (302, ""))
    world.overrule(STATUS, (302, ""))

    if login != "gateway":
        assert ibkr.get_positions() == []
        assert world.logins() == 2
        return
    with pytest.raises(LoginRequired, match="127"):
        ibkr.get_positions()

    assert ibkr.session.state is SessionState.LOGIN_REQUIRED


@pytest.mark.parametrize(
    ("call", "status", "said"),
    [
        (INIT, 500, "failed to generate sso dh token"),
        (STATUS, 403, "Access Denied"),
        (INIT, 403, "not allowed"),
    ],
)
def test_an_opening_that_fails_quotes_ibkr(world, ibkr, call, status, said):
    world.overrule(call, (status, {"error": said}))

    with pytest.raises(BrokerageUnavailable, match=said) as caught:
        ibkr.open()

    assert ("entitled" in caught.value.remedy) is (status == 500)


def test_a_call_that_is_refused_for_itself_says_so_where_its_repeat_would_be_too_soon(world, ibkr):
    """IBKR answers 401 to a wrong account; performance may be asked for once in a quarter of an hour."""
    ibkr.open()
    world.overrule("POST /pa/performance", (401, ""))

    with pytest.raises(ApiError, match="account id"):
        ibkr.request("POST", "/pa/performance", json={"acctIds": ["DU7654321"], "period": "1M"})

    assert ibkr.session.state is READY


@pytest.mark.parametrize(
    "ask",
    [
        lambda ibkr: ibkr.get_open_orders(),
        lambda ibkr: ibkr.get_trade_history(),
        lambda ibkr: ibkr.get_order("AAPL", "1"),
        lambda ibkr: ibkr.find_order("mine-1"),
    ],
    ids=["orders", "trades", "order", "own"],
)
def test_a_read_of_a_service_that_keeps_silent_ends_when_the_settings_say(world, ask):
    """The lists of a cold session may take twice as long, and no longer."""
    ibkr = world.exchange(read_deadline=2)

    def silent(method: str, url: str, *, deadline: float, **about: Any) -> Answer:
        world.clock.sleep(deadline - world.clock.monotonic())
        raise OutcomeUnknown(f"{method} {url} had no answer ({len(about)}).")

    world.doorway.send = silent
    began = world.clock.monotonic()

    with pytest.raises(IBKRError):
        ask(ibkr)

    assert world.clock.monotonic() - began <= 4.5
