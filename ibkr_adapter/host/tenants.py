"""Many users in one process: each has an exchange of their own, open while it is used.

Credentials are loaded for every use, so that what a user changes counts at once; as long as they stay the
same the object stays open, and with it the session, which equal objects share. After a quiet time it is
closed, and nobody is logged out at IBKR by that. The process's one keeper thread sees to it, beside
the sessions; there is no thread for each user.

A user's failure is an answer to that user. What hosts and their loaders raise themselves is theirs.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.connections import shared
from ibkr_adapter.doors import DEFAULT_DOORS, Doors
from ibkr_adapter.errors import BrokerageUnavailable, ConfigurationError, IBKRError
from ibkr_adapter.exchange import IBKRExchange

from . import failures
from .contract import BaseExchange
from .executor import TradeExecutor
from .factory import ExchangeFactory, Loader
from .limits import RiskLimits
from .webhook import parse

log = logging.getLogger(__name__)

IDLE_AFTER = 900.0
MOST = 2000


@attrs.define(kw_only=True, eq=False)
class _Held:
    exchange: BaseExchange
    config: Any
    used_at: float
    users: int = 0
    retired: bool = False


class Tenants:
    """The exchanges of a host's users.

    Args:
        load: Finds a user's row of credentials.
        limits: Finds what a user's webhooks may open; none for everybody if unset.
        factory: Makes exchanges.
        doors: Another clock and transport, for tests.
        idle_after: Seconds after which an exchange that nobody uses is closed.
        most: How many may be open at once; the one that was idle for longest makes room.
    """

    def __init__(
        self,
        load: Loader,
        *,
        limits: Callable[[str], RiskLimits | Mapping[str, Any] | None] | None = None,
        factory: ExchangeFactory | None = None,
        doors: Doors | None = None,
        idle_after: float = IDLE_AFTER,
        most: int = MOST,
    ) -> None:
        self._load = load
        self._limits = limits
        self._doors = doors or DEFAULT_DOORS
        self._factory = factory or ExchangeFactory(doors=doors)
        self._idle_after = idle_after
        self._most = most
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str, str, str | None], _Held] = {}
        self._is_kept = False

    @property
    def open_exchanges(self) -> int:
        """How many are open now."""
        with self._lock:
            return len(self._open)

    @contextmanager
    def exchange(
        self,
        user_id: str,
        exchange: str = "ibkr",
        environment: str = "production",
        credential_id: str | None = None,
    ) -> Iterator[BaseExchange]:
        """Lend a user's exchange; it is not closed while it is lent.

        Raises:
            ConfigurationError: The user has no credentials, or they are wrong.
            BrokerageUnavailable: As many as may be are open, and all of them in use; try again.
        """
        key = (str(user_id), str(exchange).lower(), str(environment).lower(), credential_id)
        held = self._take(key)
        try:
            yield held.exchange
        finally:
            self._give_back(held)

    def execute_webhook(
        self,
        payload: Mapping[str, Any] | str | bytes,
        user_id: str,
        *,
        exchange: str = "ibkr",
        environment: str = "production",
        credential_id: str | None = None,
        webhook_id: str | None = None,
    ) -> dict[str, Any]:
        """Carry out a user's webhook and answer whatever comes of it; see :class:`.executor.TradeExecutor`.

        Returns:
            The result, or ``{"success": False, "action": "failed", "error", "errorType", "retryable"}``.
        """
        try:
            with self.exchange(user_id, exchange, environment, credential_id) as found:
                if not isinstance(found, IBKRExchange):
                    raise ConfigurationError(f"webhooks for {exchange!s:.40} are carried out elsewhere.")
                limits = None if self._limits is None else self._limits(str(user_id))
                executor = TradeExecutor(found, clock=self._clock, limits=limits)
                return executor.execute_webhook(parse(payload), str(user_id), webhook_id=webhook_id)
        except IBKRError as error:
            log.warning(
                "a webhook was not carried out: %s", type(error).__name__, extra={"user": str(user_id)}
            )
            return failures.answer(error)

    def tickle(self) -> None:
        """Close what nobody has used for some time; for the keeper thread."""
        self.close_idle()

    def close_idle(self) -> int:
        """Close what nobody has used for some time, and tell how many that were."""
        now = self._clock.monotonic()
        with self._lock:
            idle = [
                key
                for key, held in self._open.items()
                if held.users == 0 and now - held.used_at >= self._idle_after
            ]
            closing = [self._open.pop(key) for key in idle]
        for held in closing:
            held.exchange.close()
        return len(closing)

    def close(self) -> None:
        """Close all that is open; what is lent is closed when it comes back. Nobody is logged out."""
        with self._lock:
            self._is_kept = False
            held = list(self._open.values())
            self._open.clear()
            for one in held:
                one.retired = True
            closing = [one for one in held if one.users == 0]
        shared.keeper(self._clock).drop(self)
        for one in closing:
            one.exchange.close()

    # Holding ------------------------------------------------------------------------------

    @property
    def _clock(self) -> Clock:
        return self._doors.clock

    def _take(self, key: tuple[str, str, str, str | None]) -> _Held:
        user_id, exchange, environment, credential_id = key
        made = self._factory.create_exchange_for_user(
            user_id, exchange, environment, credential_id, load=self._load
        )
        if made is None:
            raise ConfigurationError(
                f"No {exchange} API credentials found. {environment} was asked for.",
                remedy="Save the credentials first.",
            )
        config = getattr(made, "settings", made)
        closing: list[_Held] = []
        with self._lock:
            held = self._open.get(key)
            if held is None or held.config != config:
                if held is not None:
                    closing += self._retire(key)
                elif len(self._open) >= self._most:
                    closing += self._make_room()
                held = self._open[key] = _Held(exchange=made, config=config, used_at=0.0)
            held.users += 1
            held.used_at = self._clock.monotonic()
            first, self._is_kept = not self._is_kept, True
        if first:
            shared.keeper(self._clock).keep(self)
        for one in closing:
            one.exchange.close()
        return held

    def _give_back(self, held: _Held) -> None:
        with self._lock:
            held.users -= 1
            held.used_at = self._clock.monotonic()
            closing = held.retired and held.users == 0
        if closing:
            held.exchange.close()

    def _retire(self, key: tuple[str, str, str, str | None]) -> list[_Held]:
        held = self._open.pop(key)
        held.retired = True
        return [held] if held.users == 0 else []

    def _make_room(self) -> list[_Held]:
        idle = [key for key, held in self._open.items() if held.users == 0]
        if not idle:
            raise BrokerageUnavailable(
                f"{self._most} users are being served at once, which is the most; nothing was sent.",
                remedy="Try again in a moment.",
            )
        return self._retire(min(idle, key=lambda key: self._open[key].used_at))
