"""Whether a signed request is of now, and new.

A timestamp has ten digits and is close to the wall clock; a nonce is used once. Only requests that
were accepted count: one that was refused has used nothing up.

Guess: how close. IBKR's documents say that ten digits are the most and that timestamps must not
go back; clients that sign in parallel are nevertheless served, so the second rule is a switch.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ibkr_adapter.simulator.options import Options

_TEN_DIGITS = re.compile(r"[0-9]{10}")
_MOST_REMEMBERED = 50_000


class NonceError(ValueError):
    """A request that is not of now, or not new; ``name`` is the parameter to be named, if any."""

    def __init__(self, reason: str, name: str | None = None) -> None:
        super().__init__(reason)
        self.name = name


class Nonces:
    """The nonces and the newest timestamp of one consumer."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._newest = 0

    def check(self, parameters: Mapping[str, str], now: datetime) -> None:
        """Check a request's time and nonce; nothing is noted.

        Raises:
            NonceError: The timestamp is malformed, off or older than the last, or the nonce was used.
        """
        if not _TEN_DIGITS.fullmatch(parameters["oauth_timestamp"]):
            raise NonceError("the timestamp is not ten digits", "oauth_timestamp")
        moment = int(parameters["oauth_timestamp"])
        off = moment - now.timestamp()
        if abs(off) > self._options.clock_tolerance:
            raise NonceError(f"the timestamp is {off:+.0f} s from the wall clock")
        if self._options.timestamps_rise and moment < self._newest:
            raise NonceError("the timestamp is before that of an earlier request")
        if parameters["oauth_nonce"] in self._seen:
            raise NonceError("the nonce was used before")

    def note(self, parameters: Mapping[str, str]) -> None:
        """Remember an accepted request."""
        self._newest = max(self._newest, int(parameters["oauth_timestamp"]))
        self._seen[parameters["oauth_nonce"]] = None
        if len(self._seen) > _MOST_REMEMBERED:
            self._seen.popitem(last=False)
