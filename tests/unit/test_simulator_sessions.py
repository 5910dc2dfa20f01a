"""Both tiers of a login: what opens, what ends, and what is answered in between."""

from __future__ import annotations

import pytest
from simulator_client import Broker, Reply

from ibkr_adapter.simulator.door import Request

ACCOUNTS_FIRST = {"error": "Bad Request: Please query /accounts first", "statusCode": 400}
NO_BRIDGE = {"error": "Bad Request: no bridge", "statusCode": 400}


def test_a_login_has_no_brokerage_session_yet():
    """A successful login is about the outer session only."""
    broker = Broker()

    status = broker.post("/iserver/auth/status").body

    assert (status["authenticated"], status["connected"], status["fail"]) == (False, True, "")
    assert broker.get("/iserver/accounts").body == NO_BRIDGE
    assert broker.get("/trsrv/stocks", symbols="AAPL").status == 200


def test_the_session_counts_only_when_it_is_established():
    """Authenticated comes first; until then data calls say no bridge."""
    broker = Broker()

    opened = broker.post("/iserver/auth/ssodh/init", {"publish": True, "compete": True}).body
    early = broker.get("/iserver/accounts")
    status = broker.post("/iserver/auth/status").body

    assert (opened["authenticated"], opened["established"]) == (True, False)
    assert "fail" not in opened
    assert early.body == NO_BRIDGE
    assert status["established"] is True
    assert broker.get("/iserver/accounts").status == 200


def test_a_session_is_established_by_time_as_well():
    """Without a status read, after three seconds."""
    broker = Broker()
    broker.post("/iserver/auth/ssodh/init", {"publish": True})
    broker.wait(3)

    assert broker.get("/iserver/accounts").status == 200


@pytest.mark.parametrize("parameters", [{"publish": "true", "compete": "true"}, {"publish": True}])
def test_init_takes_parameters_from_query_and_body(parameters):
    """All forms are documented."""
    in_query = Broker().call("POST", "/iserver/auth/ssodh/init", None, **parameters)
    in_body = Broker().post("/iserver/auth/ssodh/init", parameters)

    assert in_query.body["authenticated"] is in_body.body["authenticated"] is True


@pytest.mark.parametrize(
    "form", ["publish=true&compete=true", "compete=true&locale=en_US&mac=F4-03&machineId=1&username=-"]
)
def test_init_takes_a_form_also_without_publishing(form):
    """The portal's own form names the machine instead."""
    request = Request(
        method="POST",
        path="/v1/api/iserver/auth/ssodh/init",
        headers={"content-type": "application/x-www-form-urlencoded; charset=UTF-8"},
        body=form.encode(),
    )

    reply = Reply(Broker().gateway.handle(request))

    assert (reply.status, reply.body["authenticated"]) == (200, True)


def test_init_without_publishing_fails_unless_a_session_is_up():
    """One source says 500, a recording 200; both can be had."""
    broker = Broker()
    cold = broker.post("/iserver/auth/ssodh/init", {"publish": False})
    broker.ready()

    assert (cold.status, cold.body) == (500, {"error": "failed to generate sso dh token"})
    assert broker.post("/iserver/auth/ssodh/init", {"publish": False}).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/iserver/account/orders",
        "/iserver/account/trades",
        "/iserver/marketdata/snapshot",
        "/iserver/account/pnl/partitioned",
        "/iserver/account/DU1234567/summary",
        "/iserver/account/order/status/1",
    ],
)
def test_the_account_list_is_the_key_to_the_rest(path):
    """Once in every brokerage session, also after init was called again."""
    broker = Broker()
    broker.post("/iserver/auth/ssodh/init", {"publish": True})
    broker.post("/iserver/auth/status")
    before = broker.get(path, conids=1)
    broker.get("/iserver/accounts")
    after = broker.get(path, conids=1)
    broker.post("/iserver/auth/ssodh/init", {"publish": True})

    assert (before.status, before.body) == (400, ACCOUNTS_FIRST)
    assert after.body != ACCOUNTS_FIRST
    assert broker.get(path, conids=1).body == ACCOUNTS_FIRST


def test_nobody_logged_in_is_401_with_no_body():
    """No JSON, no redirect; the login page is at the root."""
    broker = Broker(logged_in=False)

    for path in ("/tickle", "/iserver/auth/status", "/portfolio/accounts", "/nowhere"):
        reply = broker.post(path) if path == "/tickle" else broker.get(path)
        assert (reply.status, reply.answer.body) == (401, b"")


def test_a_tickle_without_login_may_say_so_in_200():
    """An exact body that was compared by others."""
    broker = Broker(logged_in=False, tickle_without_login="no session")

    assert (broker.post("/tickle").status, broker.post("/tickle").body) == (200, {"error": "no session"})


def test_logging_in_at_the_page_opens_the_outer_session():
    """With another session id than before."""
    broker = Broker()
    before = broker.post("/tickle").body["session"]
    broker.post("/logout")
    out = broker.post("/tickle").status

    page = broker.call("POST", "/sso/Dispatcher", root=True)

    assert (out, page.body) == (401, b"Client login succeeds")
    assert broker.post("/tickle").body["session"] != before


def test_a_tickle_tells_the_state_in_the_gateways_shape():
    """With IBKR's own misspelling, and the harmless error of the history service."""
    body = Broker().ready().get("/tickle").body

    assert set(body) == {"session", "ssoExpires", "collission", "userId", "hmds", "iserver"}
    assert body["iserver"]["authStatus"]["established"] is True
    assert body["hmds"] == {"error": "no bridge"}


def test_six_minutes_without_a_request_end_the_brokerage_session():
    """A tickle a minute keeps it."""
    broker = Broker().ready()
    for _ in range(10):
        broker.clock.advance(60)
        broker.post("/tickle")
    kept = broker.get("/iserver/accounts").status

    broker.clock.advance(361)

    assert kept == 200
    assert broker.get("/iserver/accounts").body == NO_BRIDGE
    assert broker.get("/portfolio/accounts").status == 200


def test_a_day_ends_the_login():
    """24 hours, however busy."""
    broker = Broker().ready()
    for _ in range(24 * 12):
        broker.clock.advance(300)
        broker.post("/tickle")

    assert broker.post("/tickle").status == 401


def test_the_night_resets_when_it_is_switched_on():
    """One in the morning ends the brokerage session; midnight the login."""
    broker = Broker(nightly_reset=True, idle_timeout=None).ready()
    broker.gateway.advance(14 * 3600 + 60)
    midnight = broker.post("/tickle").status
    broker.gateway.change_session("login")
    broker.ready()
    broker.gateway.advance(3600)

    assert midnight == 401
    assert broker.get("/iserver/accounts").body == NO_BRIDGE
    assert broker.post("/tickle").status == 200


def test_another_login_takes_the_brokerage_session():
    """Status says competing; only compete brings it back."""
    broker = Broker().ready()
    broker.gateway.change_session("rival")

    status = broker.post("/iserver/auth/status").body
    polite = broker.post("/iserver/auth/ssodh/init", {"publish": True, "compete": False}).body
    portfolio = broker.get("/portfolio/accounts").status
    rude = broker.post("/iserver/auth/ssodh/init", {"publish": True, "compete": True}).body

    assert (status["authenticated"], status["competing"]) == (False, True)
    assert (polite["authenticated"], polite["competing"]) == (False, True)
    assert portfolio == 200
    assert (rude["authenticated"], rude["competing"]) == (True, False)


def test_a_rival_leaves_by_itself_or_when_told():
    """Then a polite init is enough."""
    broker = Broker()
    broker.gateway.change_session("rival", 60)
    broker.wait(60)
    first = broker.post("/iserver/auth/status").body["competing"]
    broker.gateway.change_session("rival")
    broker.gateway.change_session("rival_leaves")

    assert first is False
    assert broker.post("/iserver/reauthenticate").body == {"message": "triggered"}
    assert broker.post("/iserver/auth/status").body["authenticated"] is True


def test_logout_ends_both_tiers():
    """And says so."""
    broker = Broker().ready()

    assert broker.get("/logout").body == {"status": True}
    assert broker.post("/iserver/auth/status").status == 401


def test_a_restart_forgets_the_session_id_and_all_warm_ups():
    """The login stays."""
    broker = Broker().ready()
    broker.get("/portfolio/accounts")
    before = broker.post("/tickle").body["session"]
    broker.gateway.change_session("restart")

    after = broker.post("/tickle")
    assert broker.get("/portfolio/DU1234567/summary").body == {}

    assert (after.status, after.body["session"] != before) == (200, True)
    assert broker.get("/iserver/accounts").body == NO_BRIDGE


@pytest.mark.parametrize(("account", "kind"), [("DU1234567", 2), ("U1234567", 1)])
def test_validation_tells_live_from_paper(account, kind):
    """In milliseconds and capital letters."""
    body = Broker(account=account).get("/sso/validate").body

    assert (body["RESULT"], body["LOGIN_TYPE"], body["features"]["env"]) == (True, kind, "PROD")
    assert body["AUTH_TIME"] == 1795532400000


def test_small_endpoints_answer():
    """Keep-alive of the outer session and the user's name."""
    broker = Broker()

    assert broker.get("/sso/ping").body == {"result": "true"}
    assert broker.get("/one/user").status == 200


def test_the_old_root_serves_the_same():
    """/v1/portal is the older name of /v1/api."""
    assert Broker().call("POST", "/v1/portal/tickle", root=True).status == 200


@pytest.mark.parametrize(
    ("path", "status"), [("/", 200), ("/sso/Login", 200), ("/v2/api/tickle", 404), ("/v1/api/nowhere", 404)]
)
def test_pages_are_html(path, status):
    """The login page at the root, a page for what is not there."""
    broker = Broker()

    reply = broker.call("GET", path, root=True)

    assert reply.status == status
    assert dict(reply.answer.headers)["Content-Type"].startswith("text/html")


def test_the_ledger_tells_the_sessions():
    """The state now, then what happened."""
    broker = Broker().ready("o163")

    rows = broker.ledger["sessions"]

    assert (rows[0]["established"], rows[0]["suppressed"]) == (True, ["o163"])
    assert [row["event"] for row in rows[1:]] == ["brokerage opened"]
