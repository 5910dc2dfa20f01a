"""Bounds of one user on what webhooks may open; all of them are off unless set.

They are held against entries only: nothing that closes or protects is ever kept back. The
figures come from the host's own table of settings, under its names. Bounds on every order of a login,
whoever places it, are the guardrails of its settings; these here go before them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter import setting_readers as read
from ibkr_adapter.errors import ConfigurationError, Figure, GuardrailRefused, Limit

from .values import NOTHING_SENT, number, shown
from .webhook import Webhook

_SATURDAY = 5


@attrs.frozen(kw_only=True)
class RiskLimits:
    """What one user's webhooks may open.

    ``max_position_size_usd`` cuts a size in money down to it and refuses a larger quantity,
    ``max_signal_age_sec`` is in seconds; a webhook's ``timestamp`` is in milliseconds. Days are UTC.
    """

    max_position_size_usd: Decimal | None = None
    max_signal_age_sec: float | None = None
    max_open_positions: int | None = None
    max_entries_per_day: int | None = None
    max_webhooks_per_minute: int | None = None
    allowed_symbols: tuple[str, ...] | None = None
    allow_weekends: bool = True

    @classmethod
    def of(cls, given: Mapping[str, Any] | RiskLimits | None) -> RiskLimits:
        """Read a row of the host's; ``None`` in it is off.

        Raises:
            ConfigurationError: A name is unknown or its value is none; a misspelt limit would be none.
        """
        if given is None:
            return cls()
        if isinstance(given, RiskLimits):
            return given
        found: dict[str, Any] = {}
        for key, value in given.items():
            name = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", str(key)).lower()
            if name not in _READERS:
                near = difflib.get_close_matches(name, _READERS, n=1, cutoff=0.6)
                hint = f" Did you mean {near[0]}?" if near else ""
                raise ConfigurationError(f"{key!s:.40} is not a risk limit.{hint}")
            if value is None:
                continue
            try:
                found[name] = _READERS[name](value)
            except ValueError as wrong:
                raise ConfigurationError(f"the risk limit {key} {wrong}, not {value!r:.60}.") from None
        return cls(**found)

    def check(self, webhook: Webhook, now: datetime) -> None:
        """Refuse what can be told from the webhook and the time alone.

        Raises:
            GuardrailRefused: It is too old, at the weekend, or for another symbol; nothing was sent.
        """
        if not self.allow_weekends and now.weekday() >= _SATURDAY:
            raise refused("allow_weekends", "is off, and it is the weekend in UTC", None, limit=False)
        if self.allowed_symbols is not None and webhook.symbol.upper() not in self.allowed_symbols:
            raise refused(
                "allowed_symbols",
                f"does not have {webhook.symbol}",
                webhook.symbol,
                limit=self.allowed_symbols,
            )
        if self.max_signal_age_sec is not None and webhook.timestamp is not None:
            age = now - _moment(webhook.timestamp)
            if age > timedelta(seconds=self.max_signal_age_sec):
                seconds = age.total_seconds()
                raise refused(
                    "max_signal_age_sec",
                    f"allows {self.max_signal_age_sec:g} seconds, and this webhook is {seconds:.0f} seconds old",
                    seconds,
                    limit=self.max_signal_age_sec,
                )

    def check_count(self, name: str, figure: int) -> None:
        """Refuse one more where ``figure`` of them are what ``name`` allows.

        Raises:
            GuardrailRefused: The limit is reached; nothing was sent.
        """
        limit: int | None = getattr(self, name)
        if limit is not None and figure >= limit:
            raise refused(name, f"allows {limit}, and there are {figure}", figure, limit=limit)

    def check_value(self, usd: Decimal) -> None:
        """Refuse a quantity that is worth more than is allowed.

        Raises:
            GuardrailRefused: It is; nothing was sent.
        """
        limit = self.max_position_size_usd
        if limit is not None and usd > limit:
            raise refused(
                "max_position_size_usd", f"allows {limit:f}, and this is worth {usd:.2f}", usd, limit=limit
            )


def refused(name: str, why: str, figure: Figure | None, *, limit: Limit | None) -> GuardrailRefused:
    """Make the error that a limit of the user stands in the way."""
    return GuardrailRefused(
        f"the risk limit {name} {why}. {NOTHING_SENT}",
        rule=name,
        figure=figure,
        limit=limit,
        remedy="Closing is always possible; to open more, change the user's limits.",
    )


def _moment(timestamp: str) -> datetime:
    try:
        milliseconds = float(number("timestamp", timestamp))
        return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
    except (OverflowError, OSError, ValueError):
        raise refused(
            "max_signal_age_sec", f"cannot be held against the timestamp {shown(timestamp)}", None, limit=None
        ) from None


def _symbols(value: Any) -> tuple[str, ...]:
    found = tuple(name.upper() for name in read.names(value))
    if not found:
        raise ValueError("must name at least one")
    return found


_READERS: dict[str, Any] = {
    "max_position_size_usd": read.number,
    "max_signal_age_sec": read.seconds,
    "max_open_positions": read.whole,
    "max_entries_per_day": read.whole,
    "max_webhooks_per_minute": read.whole,
    "allowed_symbols": _symbols,
    "allow_weekends": read.switch,
}
