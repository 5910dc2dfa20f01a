"""Moments as people write them, none of them an hour off."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ibkr_adapter.errors import InvalidRequest
from ibkr_adapter.model.spans import moment

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 3, 31, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("when", "meant"),
    [
        ("30min", datetime(2026, 3, 31, 14, 30, tzinfo=UTC)),
        ("8 h", datetime(2026, 3, 31, 7, tzinfo=UTC)),
        ("30D", datetime(2026, 3, 1, 15, tzinfo=UTC)),
        ("2w", datetime(2026, 3, 17, 15, tzinfo=UTC)),
        ("1m", datetime(2026, 2, 28, 15, tzinfo=UTC)),
        ("3m", datetime(2025, 12, 31, 15, tzinfo=UTC)),
        ("15y", datetime(2011, 3, 31, 15, tzinfo=UTC)),
        (timedelta(days=1), datetime(2026, 3, 30, 15, tzinfo=UTC)),
        ("2026-03-02", datetime(2026, 3, 2, 5, tzinfo=UTC)),
        (date(2026, 3, 9), datetime(2026, 3, 9, 4, tzinfo=UTC)),
        ("2026-03-09T09:30-04:00", datetime(2026, 3, 9, 13, 30, tzinfo=UTC)),
        (datetime(2026, 3, 9, 9, 30, tzinfo=NEW_YORK), datetime(2026, 3, 9, 13, 30, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read(when, meant):
    """Days begin at the exchange's midnight, before and after the clocks change."""
    assert moment(when, back_from=NOW, zone=NEW_YORK) == meant


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("yesterday", "no moment and no period"),
        ("0x5d", "no moment and no period"),
        ("2026-03-09T09:30", "does not say its time zone"),
        (datetime(2026, 3, 9, 9, 30), "does not say its time zone"),  # noqa: DTZ001 - that is the case
        ("9999y", "too long ago"),
        ("9999w", "no moment|too long ago"),
        (timedelta(days=10**6), "too long ago"),
    ],
)
def test_what_is_no_moment_is_refused(when, words):
    with pytest.raises(InvalidRequest, match=words) as refusal:
        moment(when, back_from=datetime(100, 1, 1, tzinfo=UTC) if when == "9999w" else NOW, zone=NEW_YORK)

    assert 'Write "30d"' in str(refusal.value)
