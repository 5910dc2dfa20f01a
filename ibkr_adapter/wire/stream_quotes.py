"""Keep a contract's quote as its frames change it.

After the first frame IBKR sends the fields that changed, and no others. So a quote of the stream
is what all frames have said together, and equals what :func:`ibkr_adapter.wire.marketdata.quote_of`
reads in one row with the latest of each; that is held by a test. Only what came is read, because
frames come by the thousand.

Source: as of :mod:`ibkr_adapter.wire.marketdata`; frames recorded from accounts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ibkr_adapter.model.market import Availability
from ibkr_adapter.wire import numbers
from ibkr_adapter.wire.fields import TAGS
from ibkr_adapter.wire.marketdata import QUOTED, VOLUMES, quote_of

_PLAIN = {TAGS[name]: name for name in QUOTED}
_LAST, _AVAILABILITY = TAGS["last"], TAGS["availability"]
# What a frame has besides fields.
_AROUND = frozenset({"conid", "conidEx", "server_id", "topic", TAGS["delivery_marker"]})


class RunningQuote:
    """What has been said of one contract so far."""

    def __init__(self, exchange: str | None, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._values: dict[str, Any] = {"exchange": exchange, "missing": self._names}
        self._volumes: dict[str, Decimal | None] = {}
        self._came: set[str] = set()

    def ask_for(self, names: Iterable[str]) -> None:
        """Add to the fields that are asked for."""
        self._names |= frozenset(names)
        self._values["missing"] = self._names - self._came

    def forget(self) -> None:
        """Forget the figures: nobody said what became of them meanwhile."""
        self._values = {"exchange": self._values["exchange"], "missing": self._names}
        self._volumes.clear()
        self._came.clear()

    @property
    def fields(self) -> dict[str, Any]:
        """How it stands: what a :class:`~ibkr_adapter.model.market.Quote` of it has, besides its contract."""
        return self._values.copy()

    def take(self, row: Mapping[str, Any]) -> bool:
        """Take a frame; tell whether it brings a field."""
        values, came, fresh = self._values, self._came, False
        for tag, value in row.items():
            name = _PLAIN.get(tag)
            if name is not None:
                values[name] = figure = _figure(value)
                if (figure is not None) is not (name in came):
                    self._note(name, came=figure is not None)
            elif tag in _AROUND:
                continue
            elif tag == "_updated":
                values["updated"] = _moment(value)
                continue
            elif tag == _LAST:
                self._take_last(value)
            elif tag == _AVAILABILITY:
                code = numbers.text(value)
                values["availability"] = None if code is None else Availability(code=code)
                self._note("availability", came=code is not None)
            elif tag in VOLUMES:
                self._take_volume(tag, value)
            elif tag in _NAMES:
                name = _NAMES[tag]
                self._note(name, came=self._take_other(name, tag, value))
            else:
                continue
            fresh = True
        return fresh

    def _take_volume(self, tag: str, value: Any) -> None:
        self._volumes[tag] = numbers.decimal(value)
        figures = (self._volumes.get(key) for key in VOLUMES)
        volume = next((found for found in figures if found is not None), None)
        self._values["volume"] = volume
        self._note("volume", came=volume is not None)
        if tag == TAGS["volume_long"]:
            self._note("volume_long", came=self._take_other("volume_long", tag, value))

    def _take_last(self, value: Any) -> None:
        # The prefix is read where snapshots are.
        bare = _figure(value)
        found = None if bare is not None else quote_of(1, {_LAST: value}, ())
        self._values["last"] = bare if found is None else found.last
        self._values["last_is_close"] = found is not None and found.last_is_close
        self._values["halted"] = found is not None and found.halted
        self._note("last", came=self._values["last"] is not None)

    def _take_other(self, name: str, tag: str, value: Any) -> bool:
        """Read a field that quotes have no attribute for, as snapshots do; tell whether it has a value."""
        found = quote_of(1, {tag: value}, ())
        others = dict(self._values.get("others", {}))
        others.pop(name, None)
        others.update(found.others)
        self._values["others"] = others
        return name in others

    def _note(self, name: str, *, came: bool) -> None:
        if came is (name in self._came):
            return
        if came:
            self._came.add(name)
        else:
            self._came.discard(name)
        self._values["missing"] = self._names - self._came


_NAMES = {tag: name for name, tag in TAGS.items()}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS = range(10**12, 10**13)
_PLAIN_LENGTH = 16


def _figure(value: Any) -> Decimal | None:
    # Nearly all figures are plain digits with a point, for which all that numbers looks at is far away.
    plain = type(value) is str and len(value) < _PLAIN_LENGTH and value.isascii()
    if plain and value.replace(".", "", 1).isdigit():
        return Decimal(value) or Decimal(0)
    return numbers.decimal(value)


def _moment(value: Any) -> datetime | None:
    return (
        _EPOCH + timedelta(milliseconds=value)
        if type(value) is int and value in _MILLISECONDS
        else numbers.moment(value)
    )
