"""A world for tests: the simulated broker, a clock that jumps, and a door without sockets."""

from __future__ import annotations

import functools
import itertools
import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs

from ibkr_adapter.clock import ManualClock
from ibkr_adapter.doors import Doors
from ibkr_adapter.errors import NotSent, OutcomeUnknown
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.simulator.door import Request, WireFaultKind
from ibkr_adapter.simulator.gateway import Gateway
from ibkr_adapter.transport import Answer

START = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
URL = "http://127.0.0.1:5000/v1/api"
AAPL, MSFT = 265598, 272093

LOGINS = ("gateway", "oauth1a", "oauth2")
# What each OAuth login asks for before anything else, on a cold start.
TOKEN_CALLS = {
    "gateway": [],
    "oauth1a": ["POST /oauth/live_session_token"],
    "oauth2": ["POST /oauth2/api/v1/token", "POST /gw/api/v1/sso-sessions"],
}

# A cOID is used once, and worlds may share a folder.
_worlds_of: dict[str, Any] = {}

_NOT_SENT = {WireFaultKind.REFUSE, WireFaultKind.RESET_UNREAD}
_HARMLESS = {WireFaultKind.EARLY_HINTS}


@functools.cache
def credentials(login: str) -> Any:
    """Keys cost a third of a second, so all worlds of a process have the same."""
    if login == "gateway":
        return None
    from ibkr_adapter.simulator.credentials import generate

    return generate(login)


class Doorway:
    """A transport that hands requests to the simulated broker in the same thread."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.sent: list[tuple[str, str, bytes | None]] = []
        self.headers: list[dict[str, str]] = []
        self.answered: list[Answer] = []
        self.closed = False
        self.before: dict[str, Any] = {}
        self.after: dict[str, Any] = {}

    def prepare(self, url: str) -> None:
        """Nothing to load."""

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        deadline: float,
        changes_state: bool,
        on_open: Any = None,
    ) -> Answer:
        parts = urlsplit(url)
        self.sent.append((method, parts.path.removeprefix("/v1/api"), body))
        self.headers.append(dict(headers))
        hook = self.before.get(f"{method} {parts.path.removeprefix('/v1/api')}")
        if hook is not None:
            hook()
        answer = self.gateway.handle(
            Request(
                method=method,
                path=parts.path,
                query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in headers.items()}
                | {"user-agent": "test", "host": parts.netloc},
                body=body or b"",
                secure=parts.scheme == "https",
                raw_query=parts.query,
            )
        )
        hook = self.after.get(f"{method} {parts.path.removeprefix('/v1/api')}")
        if hook is not None:
            hook()
        if answer.wire is not None:
            if answer.wire.kind in _NOT_SENT:
                raise NotSent("the line was reset before the request was read.")
            raise OutcomeUnknown(f"the answer was lost ({answer.wire.kind}).")
        found = {name.lower(): value for name, value in answer.headers}
        told = Answer(status=answer.status, headers=found, body=answer.body)
        self.answered.append(told)
        return told

    def close(self) -> None:
        self.closed = True


class World:
    """One simulated broker and the exchanges that speak to it."""

    def __init__(
        self, tmp_path: Any, login: str = "gateway", account: str = "DU1234567", **options: Any
    ) -> None:
        self.login = login
        self.clock = ManualClock(START, jump=True)
        self.gateway = Gateway(
            self.clock,
            account=account,
            auth=login,
            credentials=credentials(login),
            # The stricter of two readings: what it accepts, the other accepts too.
            options={"questions": True, "query_signing": "documented", **options},
        )
        self.doorway = Doorway(self.gateway)
        self._folder = tmp_path
        taken = next(_worlds_of.setdefault(str(tmp_path), itertools.count()))
        numbers = itertools.count(1 + 1000 * taken)
        lock = threading.Lock()

        def new_id() -> str:
            with lock:
                return f"{next(numbers):08d}"

        self.environ: dict[str, str] = {}
        self.doors = Doors(
            clock=self.clock,
            transport=lambda _settings, _clock: self.doorway,
            new_id=new_id,
            environ=self.environ,
        )
        self._open: list[IBKRExchange] = []

    def exchange(self, **settings: Any) -> IBKRExchange:
        given = {"base_url": URL, "state_dir": str(self._folder), **self.gateway.credentials}
        found = IBKRExchange({**given, **settings}, doors=self.doors)
        self._open.append(found)
        return found

    def close(self) -> None:
        for exchange in self._open:
            exchange.close()
        self.clock.close()

    # What the broker has ------------------------------------------------------------------

    def ledger(self) -> dict[str, Any]:
        return self.gateway.ledger()

    def orders(self, **having: Any) -> list[dict[str, Any]]:
        return [
            row for row in self.ledger()["orders"] if all(row[key] == value for key, value in having.items())
        ]

    def working(self) -> list[dict[str, Any]]:
        return [
            row
            for row in self.ledger()["orders"]
            if row["status"] in {"PreSubmitted", "Submitted", "PendingSubmit"}
        ]

    def position(self, conid: int = AAPL) -> float:
        return sum(float(row["quantity"]) for row in self.ledger()["positions"] if row["conid"] == conid)

    def logins(self) -> int:
        """How often the last step of a login was asked for."""
        return self.count(TOKEN_CALLS[self.login][-1])

    def count(self, template: str) -> int:
        return int(self.ledger()["requests"].get(template, 0))

    def arm(self, fault: str, on: str | None = None, **wishes: Any) -> None:
        self.gateway.arm({"fault": fault, **({"on": on} if on else {}), **wishes})

    def overrule(self, call: str, *answers: tuple[int, object]) -> None:
        """Answer the next calls of one kind with these, one after another, and not with the broker's own."""
        send, waiting = self.doorway.send, list(answers)

        def overruled(method: str, url: str, **about: Any) -> Answer:
            answer = send(method, url, **about)
            if f"{method} {urlsplit(url).path.removeprefix('/v1/api')}" != call or not waiting:
                return answer
            status, content = waiting.pop(0)
            body = content if isinstance(content, str) else json.dumps(content)
            return attrs.evolve(answer, status=status, body=body.encode())

        self.doorway.send = overruled  # type: ignore[method-assign]

    def pass_time(self, seconds: float) -> None:
        self.gateway.advance(seconds)
