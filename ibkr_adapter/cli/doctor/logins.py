"""What the server says: whether somebody is logged in, the two sessions, the account, the price rights.

Everything here is a read that opens no session, or is refused: the answers of a program that is at work
are not disturbed. An OAuth login belongs to one process; who has it is named instead of asked, and
nobody's token is replaced. Only :meth:`Visit.log_in` does what a program does when it opens.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import attrs

from ibkr_adapter.connections import shared
from ibkr_adapter.doors import Doors, login_lock, transport_of
from ibkr_adapter.errors import (
    CompetingSession,
    IBKRError,
    LoginInUse,
    LoginRequired,
)
from ibkr_adapter.filelocks import SHARED, FileLock
from ibkr_adapter.model.account import Account
from ibkr_adapter.model.market import Timeline
from ibkr_adapter.setting_readers import AuthMethod, Environment
from ibkr_adapter.settings import PREFIX, Settings
from ibkr_adapter.transport import Answer, Transport
from ibkr_adapter.wire import endpoints, fields, marketdata, portfolio
from ibkr_adapter.wire.response import Deciphered, decipher
from ibkr_adapter.wire.session import SessionStatus, read_status, tells_login

from .steps import Stage, Step, failed, note, ok, skipped

PATIENCE = 15.0
# Beyond this OAuth signatures and assertions may be refused (seconds).
SKEW = 5.0
# A share that every account may see the price of: Apple.
LOOKED_AT = 265598
POLLS = 6
_UNAUTHORISED, _FORBIDDEN, _GOOD, _BROKEN = 401, 403, 200, 500


class _Dated:
    """A transport that remembers the date of the last answer, and how far this machine is from it."""

    def __init__(self, inner: Transport, clock: Any) -> None:
        self._inner = inner
        self._clock = clock
        self.skew: float | None = None
        self.prepare = inner.prepare
        self.close = inner.close

    def send(self, method: str, url: str, **about: Any) -> Answer:
        answer = self._inner.send(method, url, **about)
        try:
            told = parsedate_to_datetime(answer.headers.get("date", ""))
        except (ValueError, TypeError):
            return answer
        if told.tzinfo is None:
            told = told.replace(tzinfo=UTC)
        self.skew = (self._clock.now() - told).total_seconds()
        return answer


class Visit:
    """One look at a server, with a connection of its own that is given back by :meth:`close`."""

    def __init__(self, found: Settings, doors: Doors) -> None:
        self._settings = found
        self._dated = _Dated((doors.transport or transport_of)(found, doors.clock), doors.clock)
        self._clock = doors.clock
        self._lock = login_lock(found) if doors.shared else None
        # A door of its own keeps this connection apart from those of programs.
        doors = attrs.evolve(doors, transport=lambda _settings, _clock: self._dated)
        self._connection = shared.connect(found, doors, user=None, holder=self)
        self._status: SessionStatus | None = None
        self._knock: Deciphered | None = None
        self._may_ask = found.auth_method is AuthMethod.GATEWAY

    def close(self) -> None:
        """Give the connection back; nobody is logged out."""
        shared.release(self._connection, self)

    # The clock ----------------------------------------------------------------------------

    def clock(self) -> Step:
        """How far this machine's clock is from the server's, by the date of one answer."""
        try:
            self._knock_once()
        except IBKRError as failure:
            return failed(Stage.CLOCK, f"no answer to tell the time from: {failure.message}", failure.remedy)
        skew = self._dated.skew
        if skew is None:
            return note(Stage.CLOCK, "the server does not say what time it is.")
        told = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the server"
        if abs(skew) <= SKEW:
            return ok(Stage.CLOCK, f"{told} (a date has no fractions)", skew=round(skew))
        remedy = "Have the system set its clock by the network (NTP)."
        if self._settings.auth_method is AuthMethod.GATEWAY:
            return note(Stage.CLOCK, f"{told}.", remedy, skew=round(skew))
        return failed(Stage.CLOCK, f"{told}: signatures and tokens may be refused.", remedy, skew=round(skew))

    def _knock_once(self) -> Deciphered:
        """Ask for the status without credentials, which a gateway answers and IBKR's own host refuses."""
        if self._knock is None:
            endpoint = endpoints.AUTH_STATUS
            url = f"{self._settings.base_url}{endpoint.path()}"
            self._dated.prepare(url)
            deadline = self._clock.monotonic() + PATIENCE
            with self._connection.throttle.slot(endpoint, deadline=deadline) as slot:
                raw = self._dated.send(
                    endpoint.method,
                    url,
                    headers={"Content-Type": "application/json"},
                    body=b"{}",
                    deadline=deadline,
                    changes_state=False,
                    on_open=slot.put_off,
                )
            self._knock = decipher(raw.status, raw.headers.get("content-type"), raw.body)
        return self._knock

    # Logged in or not ---------------------------------------------------------------------

    def login(self, *, may_log_in: bool) -> Step:
        """Whether the gateway answers, or whose the token is."""
        if self._settings.auth_method is AuthMethod.GATEWAY:
            return self._gateway(self._knock_once())
        owner = self._owner()
        if owner is not None:
            return note(
                Stage.LOGIN,
                f"{owner} of this machine is logged in with these credentials, and the session is its own.",
                "Look at that program's log; to look from here, end it first.",
            )
        if not may_log_in:
            return note(
                Stage.LOGIN,
                "no process of this machine is logged in with these credentials.",
                "To log in and look on: ibkr-adapter doctor --login.",
            )
        try:
            self._connection.client.prepare(self._clock.monotonic() + PATIENCE)
        except LoginInUse as owned:
            return note(Stage.LOGIN, owned.message, owned.remedy)
        except IBKRError as refusal:
            return failed(Stage.LOGIN, refusal.message, refusal.remedy or "See docs/authentication.md.")
        self._may_ask = True
        return ok(Stage.LOGIN, f"IBKR gave a token for {self._settings.auth_method}")

    def _gateway(self, answer: Deciphered) -> Step:
        if answer.status == _FORBIDDEN:
            return failed(
                Stage.LOGIN,
                "the gateway denies this address (403).",
                "Add it to ips.allow in the gateway's conf.yaml, or: ibkr-adapter gateway --allow ADDRESS --write.",
            )
        if answer.status >= _BROKEN:
            return failed(
                Stage.LOGIN,
                f"the gateway answers HTTP {answer.status}: IBKR is not behind it now.",
                "At night and on Saturday evenings that is maintenance. Else restart the gateway.",
            )
        return ok(Stage.LOGIN, "the gateway answers")

    def _owner(self) -> str | None:
        """Who holds the login; looked at without a trace."""
        if self._lock is None or not SHARED or not self._lock.exists():
            return None
        lock = FileLock(self._lock)
        try:
            free = lock.take(shared=True)
        except OSError:
            return None
        finally:
            lock.let_go()
        if free:
            return None
        words = lock.words()
        return f"process {words}" if words.isdigit() else "another process"

    # Sessions -----------------------------------------------------------------------------

    def outer_session(self) -> Step:
        """Whether somebody is logged in."""
        if not self._may_ask:
            return skipped(Stage.OUTER_SESSION, "not asked without a login")
        answer = self._ask_status()
        if self._status is not None and not self._status.connected and self._is_kept_alive():
            self._status = attrs.evolve(self._status, connected=True)
        if self._status is not None and self._status.connected:
            return ok(Stage.OUTER_SESSION, "somebody is logged in")
        if answer.status == _UNAUTHORISED or answer.login_page or self._status is not None:
            page = self._settings.base_url.removesuffix("/v1/api")
            return failed(
                Stage.OUTER_SESSION,
                "nobody is logged in.",
                f"Open {page} in a browser on that machine and log in, or: ibkr-adapter gateway."
                if self._settings.auth_method is AuthMethod.GATEWAY
                else "Run ibkr-adapter doctor --login again; if it stays so, make new tokens.",
            )
        said = answer.error or answer.excerpt or "nothing"
        return failed(
            Stage.OUTER_SESSION,
            f"the status was answered with HTTP {answer.status}: {said}.",
            "Try again in a minute; restart the gateway if it stays so.",
        )

    def log_in(self) -> IBKRError | None:
        """Open the brokerage session as a program does, and tell what stood in the way."""
        try:
            self._connection.session.ensure(self._clock.monotonic() + 2 * PATIENCE)
        except IBKRError as failure:
            return failure
        self._ask_status()
        return None

    def brokerage_session(self, *, may_log_in: bool) -> Step:
        """Whether orders and prices would be answered."""
        if self._status is None:
            return skipped(Stage.BROKERAGE_SESSION, "not asked without an outer session")
        if self._status.ready:
            return ok(Stage.BROKERAGE_SESSION, "up")
        failure = self.log_in() if may_log_in else None
        if not may_log_in:
            return note(
                Stage.BROKERAGE_SESSION,
                "not open; a program opens it with its first call.",
                "" if self._status.competing else "To open it now: ibkr-adapter doctor --login.",
            )
        if failure is None:
            return ok(Stage.BROKERAGE_SESSION, "opened just now")
        if isinstance(failure, CompetingSession):
            self._status = attrs.evolve(self._status, competing=True)
            return note(Stage.BROKERAGE_SESSION, "not ours.")
        remedy = failure.remedy or "Try again in a minute; see docs/session.md."
        stage = Stage.OUTER_SESSION if isinstance(failure, LoginRequired) else Stage.BROKERAGE_SESSION
        return failed(stage, failure.message, remedy)

    def competing_login(self) -> Step:
        """Whether another program of the same user has the brokerage session."""
        if self._status is None:
            return skipped(Stage.COMPETING_LOGIN, "not asked without an outer session")
        if self._status.competing:
            return failed(
                Stage.COMPETING_LOGIN,
                "another login of this user (TWS, the mobile app, another program) holds the brokerage session.",
                f"End that one, use a user name of its own for each, or set {PREFIX}COMPETE=true to take it.",
            )
        return ok(Stage.COMPETING_LOGIN, "none")

    def _is_kept_alive(self) -> bool:
        """Ask whether there is a login, which a status that is not connected does not tell."""
        answer = self._ask(endpoints.TICKLE)
        return answer.status == _GOOD and tells_login(answer.content)

    def _ask_status(self) -> Deciphered:
        answer = self._ask(endpoints.AUTH_STATUS)
        self._status = read_status(answer.content) if answer.status == _GOOD else None
        return answer

    # Account and prices -------------------------------------------------------------------

    def account(self) -> Step:
        """Which account is traded, paper or LIVE."""
        if self._status is None or not self._status.connected:
            return skipped(Stage.ACCOUNT, "not asked without an outer session")
        try:
            answer = self._ask(endpoints.PORTFOLIO_ACCOUNTS)
            accounts = portfolio.read_portfolio_accounts(answer.content)
        except IBKRError as failure:
            return failed(Stage.ACCOUNT, failure.message, failure.remedy or "Try again in a minute.")
        listed = [account.account_id for account in accounts]
        wanted = self._settings.account_id
        if wanted is None and len(accounts) != 1:
            return failed(
                Stage.ACCOUNT,
                f"this login has {', '.join(listed) or 'no account'}, and account_id names none of them.",
                f"export {PREFIX}ACCOUNT_ID={listed[0] if listed else '...'}",
                accounts=listed,
            )
        one = next((each for each in accounts if wanted in {None, each.account_id}), None)
        if one is None:
            return failed(
                Stage.ACCOUNT,
                f"account_id {wanted} is not of this login, which has {', '.join(listed)}.",
                "Correct account_id, or log in as its user.",
                accounts=listed,
            )
        return self._told(one, listed)

    def _told(self, one: Account, listed: list[str]) -> Step:
        facts: dict[str, Any] = {
            "account": one.account_id,
            "kind": "PAPER" if one.is_paper else "LIVE",
            "accounts": listed,
        }
        if one.is_paper:
            return ok(Stage.ACCOUNT, f"{one.account_id} is a PAPER account", **facts)
        if self._settings.environment is Environment.PRODUCTION:
            return note(
                Stage.ACCOUNT,
                f"{one.account_id} is a LIVE account, and environment is production.",
                "ORDERS SPEND REAL MONEY: set guardrails, and begin with a paper user.",
                **facts,
            )
        return note(
            Stage.ACCOUNT,
            f"{one.account_id} is a LIVE account; orders are refused, because environment does not say production.",
            "Log in with a paper user name to try things out.",
            **facts,
        )

    def market_data(self, *, may_log_in: bool) -> Step:
        """Which prices this user may see, by one share that all may see.

        Looking takes one of the user's market data lines, so it is done only where sessions may be opened.
        """
        if not may_log_in:
            return skipped(
                Stage.MARKET_DATA, "asked with --login only: it takes one of the user's market data lines"
            )
        if self._status is None or not self._status.ready:
            return skipped(Stage.MARKET_DATA, "not asked without a brokerage session")
        tags = fields.FIELD_SETS["quote"]
        (query,) = marketdata.snapshot_params([LOOKED_AT], tags)
        try:
            # Prices are refused before the accounts were asked for.
            self._ask(endpoints.ACCOUNTS)
            for _ in range(POLLS):
                answer = self._ask(endpoints.SNAPSHOT, query=query)
                quotes = marketdata.read_snapshot(answer.content, tags)
                known = next((one.availability for one in quotes if one.availability is not None), None)
                if known is not None:
                    break
                self._clock.sleep(0.5)
        except IBKRError as failure:
            return failed(Stage.MARKET_DATA, failure.message, failure.remedy or "Try again in a minute.")
        if known is None:
            return note(Stage.MARKET_DATA, "no price came for AAPL in time.", "Try again in a minute.")
        if known.real_time:
            return ok(Stage.MARKET_DATA, f"AAPL is in real time (6509 is {known.code})", code=known.code)
        remedies = {
            Timeline.NOT_SUBSCRIBED: "Subscribe to it in Client Portal, or set allow_delayed_prices.",
            Timeline.NOT_ACKNOWLEDGED: "Acknowledge the market data agreement in Client Portal.",
        }
        return note(
            Stage.MARKET_DATA,
            f"AAPL is {known.meaning} (6509 is {known.code}): sizes and percentages are not computed from that.",
            remedies.get(
                known.timeline,
                "Subscribe to real-time data (paper users share a live user's), or set allow_delayed_prices.",
            ),
            code=known.code,
        )

    def _ask(self, endpoint: endpoints.Endpoint, query: Mapping[str, Any] | None = None) -> Deciphered:
        return self._connection.client.call(
            endpoint, deadline=self._clock.monotonic() + PATIENCE, query=query
        )
