"""Both OAuth logins through a day: tokens end, clocks go wrong, bursts of refusals, revocation."""

from __future__ import annotations

import attrs
import pytest
from worlds import LOGINS, TOKEN_CALLS, URL, World

from crowd import together
from ibkr_adapter.connections import authorizing
from ibkr_adapter.errors import (
    AuthenticationError,
    BrokerageUnavailable,
    IBKRError,
    OrderOutcomeUnknown,
    SessionError,
)
from ibkr_adapter.session import SessionState
from ibkr_adapter.settings import Settings

PLACE = "POST /iserver/account/{accountId}/orders"
INIT = "POST /iserver/auth/ssodh/init"

pytestmark = pytest.mark.parametrize("login", LOGINS[1:], indirect=True)


def test_the_first_calls_log_in_once_however_many_come(world, ibkr):
    """One login, one brokerage session."""
    results = together(world, lambda: ibkr.get_ticker("AAPL")["symbol"])

    assert results == ["AAPL"] * 8
    assert world.logins() == 1
    assert world.count(INIT) == 1


def test_a_cold_start_asks_for_a_token_and_then_as_behind_a_gateway(world, ibkr):
    """Nothing above the login is different."""
    ibkr.get_balance()

    first = [f"{method} {path}" for method, path, _ in world.doorway.sent[:4]]
    steps = TOKEN_CALLS[world.login]
    assert first[: len(steps)] == steps
    assert first[len(steps)].split("/")[1] in {"portfolio", "iserver"}


def test_a_burst_of_refusals_makes_one_login(world, ibkr):
    """Eight threads meet a revoked token; all of them get their answer."""
    ibkr.get_ticker("AAPL")
    world.clock.sleep(3600)
    before = world.logins()
    world.gateway.change_session("revoke")

    results = together(world, lambda: ibkr.get_ticker("MSFT")["symbol"])

    assert results == ["MSFT"] * 8
    assert world.logins() == before + 1


def test_a_day_and_a_night_go_by(tmp_path, login):
    """Tokens end, midnight ends the login, 01:00 the brokerage session, and every call is answered."""
    world = World(tmp_path, login, nightly_reset=True)
    ibkr = world.exchange()
    ibkr.place_bracket_order("AAPL", "buy", "market", 3, take_profit_price=173.5, stop_loss_price=161.2)

    for _ in range(17):
        world.clock.sleep(3600)
        assert ibkr.get_position("AAPL")["positionAmt"] == "3"
        assert ibkr.get_ticker("AAPL")["symbol"] == "AAPL"

    assert 2 <= world.logins() <= 6
    assert world.ledger()["pacing_breaches"] == []
    world.close()


def test_a_token_that_ends_on_the_brokers_clock_alone_is_replaced(world, ibkr):
    """Ours has not moved; a 401 tells it."""
    ibkr.get_ticker("AAPL")
    before = world.logins()
    world.pass_time(25 * 3600)

    assert ibkr.get_balance()
    assert ibkr.get_ticker("AAPL")["symbol"] == "AAPL"
    assert world.logins() == before + 1


def test_a_token_is_renewed_before_an_order_could_find_it_dead(world, ibkr):
    """The keeper's tickle does it, within an hour of the end."""
    ibkr.get_ticker("AAPL")
    world.clock.sleep(23 * 3600 + 300)

    assert world.logins() == 2
    sent = len(world.doorway.sent)
    ack = ibkr.place_limit_order("AAPL", "buy", 1, 162)

    assert ack["orderId"]
    assert not any("oauth" in path or "sso-sessions" in path for _, path, _ in world.doorway.sent[sent:])


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("kept", [True, False])
def test_after_a_new_login_the_brokerage_session_is_looked_at_before_an_order_leaves(
    tmp_path, login, kept, ended
):
    """It may be gone with the old token; an order that met that would be unknown.

    Whether the token was renewed before its end by another call, or has to be for this order.
    """
    world = World(tmp_path, login, keep_brokerage=kept)
    ibkr = world.exchange()
    ibkr.place_limit_order("AAPL", "buy", 1, 161)
    link = ibkr._connection
    renewal = link.session._auth._renewal
    if ended:
        renewal._grant = attrs.evolve(renewal._grant, ends=world.clock.now())
    else:
        renewal.renew(link.clock.monotonic() + 15)

    ack = ibkr.place_limit_order("AAPL", "buy", 1, 162)

    assert ack["orderId"]
    assert world.logins() == 2
    assert world.count(PLACE) == 2
    assert len(world.orders()) == 2
    assert world.count(INIT) == (1 if kept else 2)
    world.close()


def test_a_clock_that_is_five_minutes_wrong_is_corrected_once(world, ibkr):
    """And every signature after that is made at IBKR's time."""
    world.arm("F34", seconds=300)

    assert ibkr.get_ticker("AAPL")["symbol"] == "AAPL"
    assert ibkr.place_market_order("AAPL", "buy", 1)["status"] == "filled"
    assert world.count(TOKEN_CALLS[world.login][0]) == 2


def test_a_clock_that_goes_wrong_in_the_middle_of_the_day_is_corrected(world, ibkr):
    """A laptop wakes up; the calls go on."""
    ibkr.get_ticker("AAPL")
    world.clock.sleep(3600)
    world.arm("F34", seconds=-300)

    assert ibkr.get_ticker("AAPL")["symbol"] == "AAPL"
    assert ibkr.get_balance()


def test_credentials_that_are_refused_for_good_cost_few_logins_and_say_so(world, ibkr):
    """And when they are let in again, the keeper or the next call gets in."""
    ibkr.get_ticker("AAPL")
    world.clock.sleep(3600)
    before = world.count(TOKEN_CALLS[world.login][0])
    world.gateway.change_session("disable")
    world.gateway.change_session("revoke")

    failures = []
    for _ in range(300):
        with pytest.raises(SessionError) as refusal:
            ibkr.get_ticker("MSFT")
        failures.append(refusal.value)
        world.clock.sleep(1)
    tries = world.count(TOKEN_CALLS[world.login][0]) - before
    world.gateway.change_session("enable")
    world.clock.sleep(1800)

    assert tries <= 10
    assert all(isinstance(failure, AuthenticationError) for failure in failures)
    assert "nothing was sent" in str(failures[0])
    assert ibkr.get_ticker("MSFT")["symbol"] == "MSFT"


def test_a_login_service_that_is_down_is_no_refusal_and_comes_back(world, ibkr):
    """Maintenance, say."""
    world.arm("F10", TOKEN_CALLS[world.login][-1])

    with pytest.raises(BrokerageUnavailable, match="login service is down"):
        ibkr.get_ticker("AAPL")
    with pytest.raises(BrokerageUnavailable):
        ibkr.get_ticker("AAPL")
    assert world.logins() == 1
    world.clock.sleep(10)

    assert ibkr.get_ticker("AAPL")["symbol"] == "AAPL"


@pytest.mark.parametrize("fault", ["F02", "F03", "F16", "F11", "F13", "F14", "F15", "F17"])
def test_a_broken_login_sends_no_order_and_the_next_one_is_good(world, ibkr, fault):
    """Whatever breaks is the login; the order has not left."""
    world.arm(fault, TOKEN_CALLS[world.login][-1])

    for _ in range(6):
        try:
            ack = ibkr.place_market_order("AAPL", "buy", 1)
        except OrderOutcomeUnknown:
            raise
        except IBKRError:
            world.clock.sleep(6)
        else:
            break

    assert ack["status"] == "filled"
    assert len(world.orders()) == 1
    assert world.ledger()["faults"][0]["consumed"] == 1


@pytest.mark.parametrize("variant", ["unprocessed", "processed"])
def test_an_order_that_was_answered_401_is_looked_up_and_never_sent_again(world, ibkr, variant):
    """One new login, one look, no second order."""
    ibkr.get_ticker("AAPL")
    world.arm("F05", PLACE, variant=variant)

    try:
        ibkr.place_limit_order("AAPL", "buy", 1, 162)
    except IBKRError:
        assert variant == "unprocessed"

    assert world.count(PLACE) == 1
    assert len(world.orders()) == (variant == "processed")


def test_a_reply_is_not_preceded_by_a_renewal(tmp_path, login):
    """The token is old, not dead: between a question and its reply nothing else leaves."""
    world = World(tmp_path, login, strict_dialogue=True, extra_questions=["o163"])
    ibkr = world.exchange(answer_messages=["o163"])
    ibkr.get_ticker("AAPL")
    world.clock.sleep(23 * 3600 - 30)
    before = world.logins()
    place = "POST /iserver/account/DU1234567/orders"
    world.doorway.after[place] = lambda: world.clock.sleep(40)  # the token comes to its renewal now

    ibkr.place_limit_order("AAPL", "buy", 1, 162)

    sent = [f"{method} {path}" for method, path, _ in world.doorway.sent]
    asked = len(sent) - 1 - sent[::-1].index(place)
    assert sent[asked + 1].startswith("POST /iserver/reply/")
    assert len(world.working()) == 1
    world.clock.sleep(90)  # the keeper's next tickle
    assert world.logins() == before + 1
    world.close()


def test_an_outer_session_that_is_refused_again_and_again_is_told(world, ibkr):
    """Another program with the same credentials throws us out."""
    ibkr.get_ticker("AAPL")
    tries = []
    for _ in range(60):
        world.gateway.change_session("revoke")
        try:
            ibkr.get_balance()
        except IBKRError as failure:
            tries.append(failure)
        world.clock.sleep(1)

    assert any("another program" in str(failure) for failure in tries)
    assert world.logins() <= 10


def test_the_states_are_told(world, ibkr):
    """A host shows them."""
    states = []
    ibkr.session.on_change(states.append)
    ibkr.get_ticker("AAPL")
    world.clock.sleep(3600)
    world.gateway.change_session("revoke")
    ibkr.get_ticker("MSFT")

    assert states == [SessionState.READY, SessionState.LOST, SessionState.READY]


@pytest.mark.parametrize(
    ("options", "handshakes"),
    [
        ({"empty_responses": 1}, 2),
        ({"wrong_signatures": 1}, 2),
        ({"sign_byte": "with"}, 1),
        ({"sign_byte": "without"}, 1),
        ({"short_response": True}, 1),
        ({"lst_expiration": "issued"}, 1),
        ({"timestamps_rise": True}, 1),
        ({"query_signing": "lenient"}, 1),
    ],
)
def test_the_handshakes_oddities_are_met(tmp_path, login, options, handshakes):
    """Each was seen or is said of the real service; the calls that follow are all accepted."""
    if login != "oauth1a":
        pytest.skip("there is no handshake in OAuth 2.0")
    world = World(tmp_path, login, **options)
    ibkr = world.exchange()

    assert ibkr.get_ticker("BRK.B")["symbol"] == "BRK.B"  # a blank in its query
    assert ibkr.place_market_order("AAPL", "buy", 1)["status"] == "filled"
    assert world.logins() == handshakes
    world.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"secret_missing": True}, "no access secret at the step live_session_token"),
        ({"credentials_active": False}, "invalid consumer at the step live_session_token"),
        ({"empty_responses": 9}, "did not prove the common token"),
    ],
)
def test_what_ibkr_refuses_in_the_handshake_is_told_in_one_sentence(tmp_path, login, options, words):
    """With the step, the reason and what to do."""
    if login != "oauth1a":
        pytest.skip("there is no handshake in OAuth 2.0")
    world = World(tmp_path, login, **options)

    with pytest.raises(AuthenticationError, match=words) as refusal:
        world.exchange().get_balance()

    assert refusal.value.remedy
    assert world.logins() <= 2
    world.close()


@pytest.mark.parametrize("errors", ["problem", "rfc6749"])
def test_a_changed_address_ends_the_session_and_names_the_setting(tmp_path, login, errors):
    """The bearer is bound to it; the settings still name the old one."""
    if login != "oauth2":
        pytest.skip("OAuth 1.0a is not bound to an address")
    world = World(tmp_path, login, oauth2_errors=errors)
    ibkr = world.exchange()
    ibkr.get_ticker("AAPL")
    world.clock.sleep(3600)
    world.gateway.set_options({"public_ip": "198.51.100.9"})

    with pytest.raises(SessionError) as refusal:
        ibkr.get_ticker("MSFT")

    assert "ip_address" in refusal.value.remedy
    assert "Invalid source address" in str(refusal.value)
    world.close()


def test_the_query_may_be_left_unsigned_where_ibkr_takes_that(tmp_path, login):
    """The documented way is the default; the other is a setting."""
    if login != "oauth1a":
        pytest.skip("OAuth 2.0 signs no requests")
    world = World(tmp_path, login, query_signing="lenient")
    strict = World(tmp_path / "strict", login)

    assert world.exchange(sign_query=False).get_ticker("AAPL")["symbol"] == "AAPL"
    with pytest.raises(IBKRError):
        strict.exchange(sign_query=False).get_ticker("AAPL")
    world.close()
    strict.close()


def test_a_third_party_is_let_in_by_a_user_and_logs_in_with_what_it_was_given(tmp_path, login):
    """Request token, the user's consent, access token, and from there like everybody."""
    if login != "oauth1a":
        pytest.skip("OAuth 2.0 has no third parties of this kind")
    world = World(tmp_path, login, third_party=True)
    ours = {
        name: value
        for name, value in world.gateway.credentials.items()
        if not name.startswith("access_token")
    }
    with authorizing(Settings.of({"base_url": URL, **ours}), world.doors) as third:
        request_token = third.request_token(world.clock.monotonic() + 15)
        verifier = world.gateway.authorise(request_token)
        found = third.exchange(request_token, verifier, world.clock.monotonic() + 15)
        with pytest.raises(AuthenticationError, match="at the step access_token"):
            third.exchange(request_token, verifier, world.clock.monotonic() + 15)

    world.clock.sleep(1)  # the walk has a pacing book of its own
    ibkr = world.exchange(access_token=found.token, access_token_secret=found.secret)

    assert found.is_paper is True
    assert ibkr.get_ticker("AAPL")["symbol"] == "AAPL"
    world.close()
