"""Streams with the two logins by token: what the address and the cookie have to bear."""

from __future__ import annotations

import pytest
from oauth_clients import Bearer, Signer
from simulator_client import recorded
from stream_client import Listener

from ibkr_adapter.simulator.streams import StreamRefusedError

CLIENTS = {"oauth1a": Signer, "oauth2": Bearer}


@pytest.fixture(params=CLIENTS)
def client(request):
    return CLIENTS[request.param]().ready()


def token(client):
    """What stands in the address: the access token, or the token of the SSO session."""
    if client.auth == "oauth1a":
        return {"oauth_token": client.mine["access_token"]}
    return {"bearer_token": client.bearer}


def session(client):
    return client.get("/tickle").body["session"]


def refused(client, query):
    with pytest.raises(StreamRefusedError) as found:
        client.gateway.open_stream(query=query)
    return found.value.answer.status


def test_a_stream_opens_by_the_address_and_the_cookie(client):
    """Unsigned, unlike every other call."""
    stream = Listener(client.broker, query=token(client), cookies={"api": session(client)})

    assert stream.after(1).new()[0]["topic"] == "system"


def test_without_the_cookie_the_session_is_asked_for(client):
    """And told by a frame."""
    stream = Listener(client.broker, query=token(client))
    asked = stream.after(5).new()
    stream.write(f'{{"session":"{session(client)}"}}').after(1)

    assert asked == [{"message": "waiting for session"}]
    assert stream.new()[0]["topic"] == "system"


@pytest.mark.parametrize("query", [{}, {"oauth_token": "x"}, {"bearer_token": "x"}])
def test_without_the_token_there_is_no_stream(client, query):
    """And the log says why, without the token."""
    status = refused(client, query)

    assert status == 401
    assert client.broker.ledger["requests_log"][-1]["refused"]
    assert client.broker.ledger["streams"] == []


def test_with_dead_tokens_there_is_no_stream(client):
    """Also where the address names the right one."""
    query = token(client)
    client.gateway.change_session("revoke")

    assert refused(client, query) == 401


def test_the_end_of_the_login_ends_the_stream(client):
    """With the code that tells nothing."""
    stream = Listener(client.broker, query=token(client), cookies={"api": session(client)}).opened()
    client.gateway.change_session("revoke")

    assert stream.new() == []
    assert stream.socket.closed == 1000


def test_a_new_token_silences_the_subscriptions(client):
    """The session id has changed; the stream itself goes on."""
    stream = Listener(client.broker, query=token(client), cookies={"api": session(client)}).opened()
    stream.write("spl+{}").new()
    client.log_in()

    assert [one["topic"] for one in stream.after(10).new()] == ["system"]


def test_tic_tells_of_the_outer_session_only_where_there_is_one(client):
    """OAuth 1.0a has no SSO."""
    stream = Listener(client.broker, query=token(client), cookies={"api": session(client)}).opened()

    (answer,) = stream.write("tic").new()

    assert ("lastAccessed" in answer) is (client.auth == "oauth2")


def test_a_moved_address_has_no_stream():
    """A bearer is bound to where it was made for."""
    client = Bearer().ready()
    client.gateway.set_options({"public_ip": "198.51.100.7"})

    assert refused(client, token(client)) == 401


@pytest.mark.recorded
def test_quotes_have_the_recorded_keys():
    """A change of one tag, as it was recorded."""
    client = Signer().ready()
    stream = Listener(client.broker, query=token(client), cookies={"api": session(client)}).opened()
    client.get("/iserver/accounts")
    theirs = recorded("websocket/smd-2023.json")
    conid = 265598
    stream.write(f'smd+{conid}+{{"fields":["86"]}}').after(0.5).new()
    client.broker.price(conid, 170)

    (ours,) = stream.after(0.5).of(f"smd+{conid}")

    assert {key: type(value) for key, value in ours.items()} == {
        key: type(value) for key, value in theirs.items()
    }
