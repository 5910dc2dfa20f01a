"""Serve ``GET /balance/ibkr`` to a dashboard: a small WSGI application.

A dashboard must not log in to IBKR by itself, because there is one brokerage session for each user name
and the trading host holds it; so it asks the host. It expects 200 whatever went wrong, reads why in the
body, and gives up after ten seconds: a reader with the right token is always answered 200, in time, in the one
shape, be it that path or verb are wrong. Who is no reader is told 401 or 403, as a page is that
nobody is logged in to: without the token, or from another machine.

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
from typing import Any, Protocol, runtime_checkable
from urllib.parse import parse_qs

import attrs

from ibkr_adapter.clock import Clock, Flag, SystemClock
from ibkr_adapter.errors import ConfigurationError, IBKRError
from ibkr_adapter.setting_readers import is_loopback

from .contract import BaseExchange

log = logging.getLogger(__name__)

TITLE = "Interactive Brokers"
PATHS = frozenset({"/balance/ibkr", "/api/balance/ibkr"})
WITHIN = 9.5
LONGEST = 10.0
SHORTEST_TOKEN = 16
MOST = 16

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


@runtime_checkable
class Summed(Protocol):
    """What the application needs of an exchange."""

    def get_balance_summary(self) -> dict[str, Any]:
        """What a dashboard shows of an account."""


# (user id, environment) -> that user's exchange, lent. One that cannot sum up is told the dashboard as that.
Find = Callable[[str, str], AbstractContextManager[Summed | BaseExchange]]


@attrs.define(eq=False)
class _Reading:
    done: Flag
    answer: bytes | None = None


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
        status, body = self._answer(environ)
        start_response(
            status,
            [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
            ],
        )
        return [body]

    def _answer(self, environ: Mapping[str, Any]) -> tuple[str, bytes]:
        if not self._anywhere and not is_loopback(str(environ.get("REMOTE_ADDR", ""))):
            return "403 Forbidden", _failed("Only this machine is answered.")
        if not self._is_let_in(str(environ.get("HTTP_AUTHORIZATION", ""))):
            return "401 Unauthorized", _failed("The bearer token is missing or wrong.")
        return "200 OK", self._read_for(environ)

    def _read_for(self, environ: Mapping[str, Any]) -> bytes:
        if str(environ.get("PATH_INFO", "")).rstrip("/") not in PATHS:
            return _failed("There is only /balance/ibkr.")
        if environ.get("REQUEST_METHOD") != "GET":
            return _failed("A balance can only be read, with GET.")
        query = parse_qs(str(environ.get("QUERY_STRING", "")))
        user_id = query.get("userId", query.get("user_id", [""]))[0]
        environment = query.get("environment", ["production"])[0]
        return self._balance(user_id, environment)

    def _is_let_in(self, authorization: str) -> bool:
        if self._token is None:
            return True
        scheme, _, given = authorization.partition(" ")
        right = hmac.compare_digest(given.strip().encode("utf-8", "surrogatepass"), self._token.encode())
        return right and scheme.lower() == "bearer"

    def _balance(self, user_id: str, environment: str) -> bytes:
        key = (user_id, environment)
        with self._lock:
            reading = self._reading.get(key)
            if reading is None:
                if len(self._reading) >= self._most:
                    return _failed("Too many balances are being read at once; try again in a moment.")
                reading = self._reading[key] = _Reading(self._clock.flag())
                thread = threading.Thread(
                    target=self._read, args=(key, reading), name="ibkr-balance", daemon=True
                )
                self._clock.expect(thread)
                thread.start()
        reading.done.wait(self._within)
        if reading.answer is None:
            return _failed(f"{TITLE} did not answer within {self._within:g} seconds.")
        return reading.answer

    def _read(self, key: tuple[str, str], reading: _Reading) -> None:
        answer = _failed("The balance could not be read.")
        try:
            with self._find(*key) as exchange:
                if isinstance(exchange, Summed):
                    answer = _written(exchange.get_balance_summary())
                else:
                    answer = _failed("This exchange does not tell a balance in this shape.")
        except IBKRError as error:
            answer = _failed(str(error))
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
        within: Seconds for an answer, ten at most.
        most: How many balances may be read at once.

    Raises:
        ConfigurationError: The token is too short, other machines would be answered without one, or an answer
            could come when the dashboard has given up.
    """
    if token is not None and len(token) < SHORTEST_TOKEN:
        raise ConfigurationError(
            f"the token has {len(token)} characters, and {SHORTEST_TOKEN} are the least.",
            remedy="Make one with python -c 'import secrets; print(secrets.token_urlsafe())'.",
        )
    if token is None and anywhere:
        raise ConfigurationError("balances are not served to other machines without a token.")
    if not 0 < within <= LONGEST:
        raise ConfigurationError(
            f"a dashboard waits for {LONGEST:g} seconds, so within cannot be {within:g}."
        )
    return BalanceApp(
        find, token=token, anywhere=anywhere, clock=clock or SystemClock(), within=within, most=most
    )


def _written(answer: Mapping[str, Any]) -> bytes:
    if not answer.get("success"):
        answer = {**answer, "balance": None, "error": "IBKR does not say what this account is worth."}
    try:
        return json.dumps(answer, allow_nan=False).encode()
    except (TypeError, ValueError):
        # Another package's exchange may answer anything.
        return _failed("The balance cannot be written as JSON.")


def _failed(error: str) -> bytes:
    """The shape of a balance that could not be had."""
    return json.dumps({"success": False, "exchange": TITLE, "balance": None, "error": error}).encode()
