"""How a channel fares on the line: who hears it, whether it was heard of, and what is due for it when.

For the stream's thread, but for its consumers, which :mod:`ibkr_adapter.streaming.feed` guards.
"""

from __future__ import annotations

import math
from datetime import datetime

from ibkr_adapter.streaming.channels import Channel
from ibkr_adapter.streaming.mailbox import Mailbox

# When to read once more where IBKR has not shown that it had taken up a subscription before the read.
READ_AGAIN_AFTER = 30.0


class Running:
    """A channel with its consumers; those who wait were not told yet how it stands."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.boxes: tuple[Mailbox, ...] = ()
        self.waiting: tuple[tuple[Mailbox, Channel], ...] = ()
        self.is_live = False
        self._is_stale = False
        self._heard = 0.0
        self._heard_at: datetime | None = None
        self._renew_at = math.inf
        self._read_again_at = math.inf

    @property
    def is_wanted(self) -> bool:
        """Whether anybody is left."""
        return bool(self.boxes or self.waiting)

    def begun(self, now: float, at: datetime) -> None:
        """Note that it was subscribed to."""
        self.is_live = True
        self._read_again_at = math.inf
        self.was_heard(now, at)
        self.renewed(now)

    def was_heard(self, now: float, at: datetime) -> None:
        """Note that a frame of it came."""
        self._heard, self._heard_at, self._is_stale = now, at, False

    def renewed(self, now: float) -> None:
        """Note that it was asked for anew."""
        every = self.channel.renew_every
        self._renew_at = math.inf if every is None else now + every

    def doubt(self, now: float) -> None:
        """Note that it was read before it is known to have been taken up: something may have gone unheard."""
        self._read_again_at = now + READ_AGAIN_AFTER

    # What is due ------------------------------------------------------------------------------

    @property
    def is_in_doubt(self) -> bool:
        """Whether something may have gone unheard, and was not read since."""
        return self.is_live and self._read_again_at != math.inf

    def is_to_be_read(self, now: float, *, heeded: bool) -> bool:
        """Whether it must be read once more; it is told once. ``heeded``: by now it was taken up for sure."""
        if not self.is_in_doubt or not (heeded or now >= self._read_again_at):
            return False
        self._read_again_at = math.inf
        return True

    def falls_silent(self, now: float) -> datetime | None:
        """Since when nothing has come, where that is too long by now; it is told once."""
        if self._is_stale or now < self._stale_at():
            return None
        self._is_stale = True
        return self._heard_at

    def is_to_be_renewed(self, now: float) -> bool:
        """Whether it would run out."""
        return now >= self._renew_at

    def due(self) -> float:
        """When to look again."""
        return min(self._renew_at, self._read_again_at, math.inf if self._is_stale else self._stale_at())

    def _stale_at(self) -> float:
        after = self.channel.stale_after
        return math.inf if after is None else self._heard + after
