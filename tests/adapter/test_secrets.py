"""No secret is seen by people: not in logs at DEBUG, reprs, errors, recorded requests, files.

The secrets are collected where they are: in the settings, in what was sent and in what came back.
Then everything that a person or another program could read is searched for them.
"""

from __future__ import annotations

import json
import logging
import re
import tempfile
import traceback
from pathlib import Path
from urllib.parse import parse_qs, unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import LOGINS, TOKEN_CALLS, World

from ibkr_adapter.errors import IBKRError
from thoroughly import examples

OPERATIONS = {
    "price": lambda ibkr: ibkr.get_ticker("AAPL"),
    "balance": lambda ibkr: ibkr.get_balance(),
    "order": lambda ibkr: ibkr.place_market_order("AAPL", "buy", 1),
    "bracket": lambda ibkr: ibkr.place_bracket_order(
        "AAPL", "buy", "limit", 2, 162, take_profit_price=170, stop_loss_price=150
    ),
    "close": lambda ibkr: ibkr.close_position("AAPL"),
    "orders": lambda ibkr: ibkr.get_open_orders(),
    "nonsense": lambda ibkr: ibkr.request("GET", "/iserver/nothing"),
}
FAULTS = ("F02", "F03", "F05", "F08", "F10", "F11", "F13", "F14", "F15", "F16", "F17", "F34", "F35", "F37")
BROKEN = (
    "none",
    "signature_key",
    "private_key",
    "access_token_secret",
    "dh_prime",
    "encryption_key",
    "ip_address",
)
# Shorter pieces would be found by accident.
SHORTEST = 12


class Reader(logging.Handler):
    """Keeps every line of every logger, as it would be printed."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(message)s %(pathname)s"))
        self.lines: list[str] = []

    def emit(self, record):
        self.lines.append(f"{self.format(record)} {record.__dict__!r}")


def secrets_of(world, given):
    """Everything that must not be seen, whole and in the pieces in which it travels."""
    found = set()
    for name, value in given.items():
        if name in {"signature_key", "encryption_key", "private_key"}:
            found |= set(str(value).split("\n")[1:-2])
        elif name in {"access_token", "access_token_secret", "webhook_secret"}:
            found.add(str(value))
    for headers in world.doorway.headers:
        spoken = headers.get("Authorization", "")
        found |= {unquote(part) for part in re.findall(r'oauth_(?:signature|token)="([^"]*)"', spoken)}
        found |= set(re.findall(r'oauth_signature="([^"]*)"', spoken))
        found |= set(re.findall(r'diffie_hellman_challenge="([^"]*)"', spoken))
        found |= set(re.findall(r"Bearer (\S+)", spoken))
    for method, path, body in world.doorway.sent:
        if f"{method} {path}" in TOKEN_CALLS["oauth2"] and body:
            text = body.decode()
            found.add(text if "=" not in text else parse_qs(text)["client_assertion"][0])
    for answer in world.doorway.answered:
        try:
            content = json.loads(answer.body)
        except ValueError:
            continue
        if isinstance(content, dict):
            names = (
                "access_token",
                "oauth_token_secret",
                "diffie_hellman_response",
                "live_session_token_signature",
                "session",
            )
            found |= {str(content[name]) for name in names if isinstance(content.get(name), str)}
    return {text for text in found if len(text) >= SHORTEST}


def tokens_of(ibkr):
    """What a login keeps and never sends as it is: the live session token."""
    renewal = getattr(ibkr._connection.session._auth, "_renewal", None) if ibkr._connection else None
    grant = renewal._grant if renewal is not None else None
    return {grant.token} if grant is not None else set()


def shown_by(failure):
    """All that an exception tells, also to those who look into it."""
    seen = "".join(traceback.format_exception(failure))
    while failure is not None:
        seen += f"{failure!s} {failure!r} {vars(failure)!r}"
        failure = failure.__cause__ or failure.__context__
    return seen


def grown_from(thing, depth=4):
    """The reprs of an object and of what hangs on it."""
    seen = repr(thing)
    if depth and hasattr(thing, "__dict__"):
        for value in vars(thing).values():
            if (
                type(value).__module__.startswith("ibkr_adapter")
                and "simulator" not in type(value).__module__
            ):
                seen += grown_from(value, depth - 1)
    return seen


def assert_unseen(secrets, places):
    for place, text in places.items():
        for secret in secrets:
            assert secret not in text, f"a secret of {len(secret)} characters is in the {place}"


@settings(max_examples=examples(80), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    login=st.sampled_from(LOGINS),
    operations=st.lists(st.sampled_from(sorted(OPERATIONS)), min_size=1, max_size=3),
    fault=st.sampled_from(FAULTS),
    at_login=st.booleans(),
    revoked=st.booleans(),
    broken=st.sampled_from(BROKEN),
    variant=st.integers(0, 4),
)
def test_no_secret_is_seen_whatever_breaks(login, operations, fault, at_login, revoked, broken, variant):
    """Keys, tokens, signatures, assertions and the session's id, over every login and fault."""
    from ibkr_adapter.simulator.faults import VARIANTS

    reader = Reader()
    root = logging.getLogger()
    level = root.level
    root.addHandler(reader)
    root.setLevel(logging.DEBUG)
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), login)
        given_settings = {**world.gateway.credentials, "webhook_secret": "canary-webhook-secret"}
        if broken in given_settings:
            # A key with its middle cut out, which is how they are miscopied.
            whole = str(given_settings[broken])
            given_settings[broken] = whole[: len(whole) // 2] + whole[len(whole) // 2 + 5 :]
        texts, calls = [], []
        try:
            ibkr = world.exchange(**given_settings)
            on = TOKEN_CALLS[login][-1] if at_login and TOKEN_CALLS[login] else "*"
            chosen = VARIANTS[fault][variant % len(VARIANTS[fault])]
            world.arm(fault, None if fault == "F35" else on, variant=chosen)
            for name in operations:
                try:
                    texts.append(repr(OPERATIONS[name](ibkr)))
                except IBKRError as failure:
                    texts.append(shown_by(failure))
                if ibkr._connection is not None and name == operations[0]:
                    ibkr._connection.client.listen(lambda call: calls.append(repr(call)))
                if revoked and login != "gateway":
                    world.gateway.change_session("revoke")
                world.clock.sleep(7)
            derived = tokens_of(ibkr)
            places = {
                "answers and errors": "".join(texts),
                "recorded requests": "".join(calls),
                "logs": "\n".join(reader.lines),
                "reprs": grown_from(ibkr)
                + repr(ibkr.settings)
                + (grown_from(ibkr._connection) if ibkr._connection else ""),
                "ledger": json.dumps(world.ledger(), default=str),
            }
        finally:
            world.close()
            root.removeHandler(reader)
            root.setLevel(level)
        places["files"] = "".join(
            path.read_bytes().decode("latin-1") for path in Path(folder).rglob("*") if path.is_file()
        )
        secrets = secrets_of(world, given_settings) | derived

    assert login == "gateway" or secrets
    assert_unseen(secrets, places)


def test_the_search_finds_a_secret_that_is_there():
    """A search that finds nothing would prove nothing."""
    with pytest.raises(AssertionError, match="in the logs"):
        assert_unseen({"canary-token-1"}, {"logs": "sent canary-token-1"})


@pytest.mark.parametrize("login", LOGINS[1:], indirect=True)
def test_the_secrets_of_a_login_are_collected(world, ibkr):
    """Each kind of them, or the search above would look for nothing."""
    ibkr.get_ticker("AAPL")

    secrets = secrets_of(world, world.gateway.credentials)

    spoken = [headers["Authorization"] for headers in world.doorway.headers if "Authorization" in headers]
    assert len(secrets) > 30
    assert all(any(secret in unquote(one) or secret in one for secret in secrets) for one in spoken)


def test_the_session_that_a_tickle_names_is_hidden_without_a_stream(world, ibkr):
    """Whoever has it can open a stream of the user's."""
    ibkr.open()
    world.clock.sleep(70)
    session = next(
        json.loads(answer.body)["session"]
        for (_, path, _), answer in zip(world.doorway.sent, world.doorway.answered, strict=True)
        if path == "/tickle"
    )

    assert session not in str(IBKRError(f"unknown {session}"))
