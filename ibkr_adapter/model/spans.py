"""Read the moments between which history is asked for, as people write them.

``"30d"`` and ``timedelta(days=30)`` count back from the end, a day is its midnight by the exchange's
clock, and a moment must say its time zone, because a bar an hour off is a wrong bar.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from ibkr_adapter.errors import InvalidRequest, quoted

When = datetime | date | timedelta | str
_PERIOD = re.compile(r"([0-9]{1,4}) ?(min|h|d|w|m|y)", re.IGNORECASE)
_SPANS = {
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(days=7),
}
_MONTHS = {"m": 1, "y": 12}
_HOW = 'Write "30d", a day such as 2026-11-24, or a moment with its time zone, 2026-11-24T09:30-05:00.'


def moment(when: When, *, back_from: datetime, zone: tzinfo) -> datetime:
    """Tell the moment that is meant, in UTC.

    Args:
        when: What somebody wrote.
        back_from: From where periods count back.
        zone: Whose midnight begins a day.

    Raises:
        InvalidRequest: It is none, or does not say its time zone.
    """
    try:
        return _moment(when, back_from, zone)
    except OverflowError:
        raise InvalidRequest(
            f"{quoted(when, 60)} is too long ago; no bar was asked for.", remedy=_HOW
        ) from None


def _moment(when: When, back_from: datetime, zone: tzinfo) -> datetime:
    if isinstance(when, timedelta):
        return back_from - when
    if isinstance(when, str):
        period = _period(when)
        if period is not None:
            return _back(back_from, *period)
        when = _written(when.strip())
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise InvalidRequest(
                f"{when.isoformat()} does not say its time zone; no bar was asked for.", remedy=_HOW
            )
        return when.astimezone(UTC)
    if not isinstance(when, date):
        raise InvalidRequest(
            f"{quoted(when, 60)} is no moment and no period; no bar was asked for.", remedy=_HOW
        )
    return datetime.combine(when, time(), zone).astimezone(UTC)


def _period(word: str) -> tuple[int, str] | None:
    found = _PERIOD.fullmatch(word.strip())
    return (int(found[1]), found[2].lower()) if found else None


def _back(moment: datetime, count: int, unit: str) -> datetime:
    if unit in _SPANS:
        return moment - count * _SPANS[unit]
    months = moment.year * 12 + moment.month - 1 - count * _MONTHS[unit]
    year, month = divmod(months, 12)
    if year < 1:
        raise OverflowError
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))


def _written(word: str) -> datetime | date:
    try:
        return date.fromisoformat(word)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(word)
    except ValueError:
        raise InvalidRequest(
            f"{word!r:.60} is no moment and no period; no bar was asked for.", remedy=_HOW
        ) from None
