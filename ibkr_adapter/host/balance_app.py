"""Serve ``GET /balance/ibkr`` to a dashboard: a small WSGI application.

A dashboard must not log in to IBKR by itself, because there is one brokerage session for each user name
and the trading host holds it; so it asks the host. It reads the body whatever the status and gives up after
ten seconds: who is let in is always answered 200, in time, in the one shape. Only this machine is
let in, and only with the token.

A balance that is being read is waited for by everybody who asks for the same one. The readers are threads,
because a wait cannot be cut short otherwise, and there are never more than ``most`` of them.
"""

from __future__ import annotations

import hmac
import json
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol
from urllib.parse import parse_qs

import attrs

from ibkr_adapter.clock import Clock, Flag, SystemClock
from ibkr_adapter.errors import ConfigurationError, IBKRError
from ibkr_adapter.setting_readers import is_loopback

log = logging.getLogger(__name__)

TITLE = "Interactive Brokers"
PATHS = frozenset({"/balance/ibkr", "/api/balance/ibkr"})
WITHIN = 9.5
SHORTEST_TOKEN = 16
MOST = 16

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class Summed(Protocol):
    """What the application needs of an exchange."""

    def get_balance_summary(self) -> dict[str, Any]:
        """What a dashboard shows of an account."""


# (user id, environment) -> that user's exchange, lent.
Find = Callable[[str, str], AbstractContextManager[Summed]]


@attrs.define(eq=False)
class _Reading:
    done: Flag
    answer: dict[str, Any] | None = None


class BalanceApp:
    """The application; see :func:`balance_app`."""

    def __init__(
        self, find: Find, *, token: str | None, anywhere: bool, clock: Clock, within: float, most: int
    ) -> None:
        self._find = find
        self._token = token
        self._anywhere = anywhere
        self._clock = clock
        self._within = within
        self._most = most
        self._lock = threading.Lock()
        self._reading: dict[tuple[str, str], _Reading] = {}

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        status, answer = self._answer(environ)
        body = json.dumps(answer).encode()
        start_response(
            status,
            [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
            ],
        )
        return [body]

    def _answer(self, environ: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        if not self._anywhere and not is_loopback(str(environ.get("REMOTE_ADDR", ""))):
            return "403 Forbidden", failed("Only this machine is answered.")
        if not self._is_let_in(str(environ.get("HTTP_AUTHORIZATION", ""))):
            return "401 Unauthorized", failed("The bearer token is missing or wrong.")
        if str(environ.get("PATH_INFO", "")).rstrip("/") not in PATHS:
            return "404 Not Found", failed("There is only /balance/ibkr.")
        if environ.get("REQUEST_METHOD") != "GET":
            return "405 Method Not Allowed", failed("A balance can only be read, with GET.")
        query = parse_qs(str(environ.get("QUERY_STRING", "")))
        user_id = query.get("userId", query.get("user_id", [""]))[0]
        environment = query.get("environment", ["production"])[0]
        return "200 OK", self._balance(user_id, environment)

    def _is_let_in(self, authorization: str) -> bool:
        if self._token is None:
            return True
        scheme, _, given = authorization.partition(" ")
        right = hmac.compare_digest(given.strip().encode("utf-8", "surrogatepass"), self._token.encode())
        return right and scheme.lower() == "bearer"

    def _balance(self, user_id: str, environment: str) -> dict[str, Any]:
        key = (user_id, environment)
        with self._lock:
            reading = self._reading.get(key)
            if reading is None:
                if len(self._reading) >= self._most:
                    return failed("Too many balances are being read at once; try again in a moment.")
                reading = self._reading[key] = _Reading(self._clock.flag())
                thread = threading.Thread(
                    target=self._read, args=(key, reading), name="ibkr-balance", daemon=True
                )
                self._clock.expect(thread)
                thread.start()
        reading.done.wait(self._within)
        if reading.answer is None:
            return failed(f"{TITLE} did not answer within {self._within:g} seconds.")
        return reading.answer

    def _read(self, key: tuple[str, str], reading: _Reading) -> None:
        answer = failed("The balance could not be read.")
        try:
            with self._find(*key) as exchange:
                answer = exchange.get_balance_summary()
            if not answer.get("success"):
                answer = {**answer, "balance": None, "error": "IBKR does not say what this account is worth."}
        except IBKRError as error:
            answer = failed(str(error))
        finally:
            with self._lock:
                reading.answer = answer
                del self._reading[key]
            reading.done.set()


def balance_app(
    find: Find,
    *,
    token: str | None,
    anywhere: bool = False,
    clock: Clock | None = None,
    within: float = WITHIN,
    most: int = MOST,
) -> BalanceApp:
    """Make the application.

    Args:
        find: Lends a user's exchange, as :meth:`ibkr_adapter.host.tenants.Tenants.exchange` does in
            ``lambda user, environment: tenants.exchange(user, "ibkr", environment)``.
        token: What ``Authorization: Bearer`` must hold, 16 characters or more; ``None`` lets everybody in who may
            reach it, which is for this machine only.
        anywhere: Answer other machines, too; behind something that speaks TLS.
        clock: Times the wait.
        within: Seconds for an answer.
        most: How many balances may be read at once.

    Raises:
        ConfigurationError: The token is too short, or other machines would be answered without one.
    """
    if token is not None and len(token) < SHORTEST_TOKEN:
        raise ConfigurationError(
            f"the token has {len(token)} characters, and {SHORTEST_TOKEN} are the least.",
            remedy="Make one with python -c 'import secrets; print(secrets.token_urlsafe())'.",
        )
    if token is None and anywhere:
        raise ConfigurationError("balances are not served to other machines without a token.")
    return BalanceApp(
        find, token=token, anywhere=anywhere, clock=clock or SystemClock(), within=within, most=most
    )


def failed(error: str) -> dict[str, Any]:
    """The shape of a balance that could not be had."""
    return {"success": False, "exchange": TITLE, "balance": None, "error": error}
