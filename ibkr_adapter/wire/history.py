"""Speak price history: how bars are asked for, and what an answer holds.

Prices of bars are real prices; only the texts ``high`` and ``low`` beside them are scaled by
``priceFactor``. Volumes are scaled by ``volumeFactor``: a share volume that is no whole number after
that tells that the factor is wrong. ``points`` is one less than the number of bars, and the delay
is in seconds although the document says milliseconds. How answers are put together is for
:mod:`ibkr_adapter.market.history`.

Source: Web API reference, "Historical Market Data", and answers recorded; held by
``tests/unit/test_wire_history.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any

import attrs

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.bars import Bar, BarSize, BarSource
from ibkr_adapter.wire import numbers

HISTORY = "GET /iserver/marketdata/history"
_EXACT = Context(prec=60)


@attrs.frozen(kw_only=True)
class Page:
    """One answer: its bars, the oldest first.

    ``delay`` is by how many seconds prices are delayed. ``cut`` is whether IBKR counts more bars, or
    names a higher high or a lower low, than came. ``whole_volumes`` is whether every volume is a
    whole number.
    """

    bars: tuple[Bar, ...]
    delay: int = 0
    cut: bool = False
    whole_volumes: bool = True


def history_query(
    conid: int,
    *,
    period: str,
    size: BarSize,
    until: datetime,
    source: BarSource = BarSource.LAST,
    outside_rth: bool = False,
    exchange: str | None = None,
) -> dict[str, Any]:
    """Ask for the bars of a period that end at a moment; what IBKR has defaults for is said all the same."""
    query: dict[str, Any] = {
        "conid": conid,
        "period": period,
        "bar": size.value,
        "outsideRth": outside_rth,
        "startTime": format(until.astimezone(UTC), "%Y%m%d-%H:%M:%S"),
        "direction": -1,
        "source": source.value,
    }
    return query if exchange is None else {**query, "exchange": exchange}


def is_empty(text: str) -> bool:
    """Whether an error only says that there are no bars in the period."""
    return "no data" in text.casefold()


def read_history(content: Any, source: BarSource = BarSource.LAST) -> Page:
    """Read an answer.

    Raises:
        UnexpectedAnswer: It is no history, or a bar has no time or lacks a price.
    """
    rows = content.get("data") if isinstance(content, Mapping) else None
    if not isinstance(rows, list):
        raise UnexpectedAnswer("the history came in an unknown shape; no bar was guessed.", endpoint=HISTORY)
    factor = numbers.decimal(content.get("volumeFactor"))
    scaled = source is BarSource.LAST
    bars = sorted((_bar(row, factor or Decimal(1), scaled=scaled) for row in rows), key=_begins)
    volumes = [bar.volume for bar in bars if bar.volume is not None]
    return Page(
        bars=tuple(bars),
        delay=max(0, numbers.integer(content.get("mktDataDelay")) or 0),
        cut=_is_cut(content, bars),
        whole_volumes=factor is not None and all(volume == volume.to_integral_value() for volume in volumes),
    )


def _bar(row: Any, factor: Decimal, *, scaled: bool) -> Bar:
    about = row if isinstance(row, Mapping) else {}
    begins = numbers.moment(about.get("t"))
    opened, high, low, closed = (numbers.decimal(about.get(key)) for key in "ohlc")
    if begins is None or opened is None or high is None or low is None or closed is None:
        raise UnexpectedAnswer(
            "a bar of the history lacks its time or a price; none was guessed.", endpoint=HISTORY
        )
    volume = volume_of(about.get("v"), factor) if scaled else None
    return Bar(begins, opened, high, low, closed, volume)


def volume_of(value: Any, factor: Decimal) -> Decimal | None:
    """The real volume of a bar, here and in the stream, where it is written in units of ``volumeFactor``."""
    volume = numbers.decimal(value)
    if volume is None:
        return None
    return numbers.decimal(_EXACT.multiply(volume, factor).normalize(_EXACT))


def _begins(bar: Bar) -> datetime:
    return bar.begins


def _is_cut(content: Mapping[str, Any], bars: list[Bar]) -> bool:
    points = numbers.integer(content.get("points"))
    if points is not None and points + 1 > max(1, len(bars)):
        return True
    scale = numbers.decimal(content.get("priceFactor"))
    if not bars or not scale or scale < 0:
        return False
    high, low = (_extreme(content.get(key)) for key in ("high", "low"))
    # The texts are whole numbers, so each may be off by less than one.
    too_high = high is not None and high > max(bar.high for bar in bars) * scale + 1
    too_low = low is not None and low < min(bar.low for bar in bars) * scale - 1
    return too_high or too_low


def _extreme(value: Any) -> Decimal | None:
    """The price of ``33622/847829.15/36000``: price, volume and minutes since the beginning."""
    return numbers.decimal(value.partition("/")[0]) if isinstance(value, str) else None
