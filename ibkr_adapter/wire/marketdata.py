"""Speak snapshots: which field is which tag, how many fit into a call, what a row says.

Two pairs are commonly mistaken for each other: 85 is the *ask* size and 88 the *bid* size; 7059
is the size of the last trade and 87 the day's volume. A last price may carry a letter: ``C`` for
the prior close, ``H`` for a halt.

Source: field table of the Web API reference, and the columns of IBKR's own portal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.market import Availability, Quote
from ibkr_adapter.wire import numbers

MOST_CONIDS = 100
MOST_TAGS = 50

TAGS: Mapping[str, str] = {
    "last": "31",
    "high": "70",
    "low": "71",
    "change": "82",
    "change_percent": "83",
    "bid": "84",
    "ask_size": "85",
    "ask": "86",
    "volume": "87",
    "bid_size": "88",
    "availability": "6509",
    "last_size": "7059",
    "open": "7295",
    "close": "7296",
    "mark": "7635",
    "prior_close": "7741",
    "volume_long": "7762",
}
FIELD_SETS: Mapping[str, tuple[str, ...]] = {
    "quote": (
        "last",
        "bid",
        "ask",
        "bid_size",
        "ask_size",
        "last_size",
        "volume",
        "open",
        "high",
        "low",
        "prior_close",
        "mark",
        "availability",
    ),
}
_QUOTED = (
    "last",
    "bid",
    "ask",
    "bid_size",
    "ask_size",
    "last_size",
    "volume",
    "open",
    "high",
    "low",
    "prior_close",
    "mark",
)
_LAST = re.compile(r"\s*([CH]?)\s*(.*?)\s*", re.IGNORECASE)
_ENDPOINT = "GET /iserver/marketdata/snapshot"


def snapshot_params(conids: Iterable[int], names: Sequence[str]) -> Iterator[dict[str, str]]:
    """Cut a wish into calls of at most 100 contracts and 50 fields."""
    listed = list(conids)
    tags = [TAGS[name] for name in names]
    for first in range(0, len(listed), MOST_CONIDS):
        for start in range(0, len(tags), MOST_TAGS):
            yield {
                "conids": ",".join(str(conid) for conid in listed[first : first + MOST_CONIDS]),
                "fields": ",".join(tags[start : start + MOST_TAGS]),
            }


def read_snapshot(content: Any, names: Sequence[str]) -> list[Quote]:
    """Read every row that names its contract; the order of rows means nothing."""
    if not isinstance(content, list):
        raise UnexpectedAnswer(
            "the snapshot came in an unknown shape; no price was guessed.", endpoint=_ENDPOINT
        )
    return [quote for row in content if (quote := _quote(row, names)) is not None]


def empty_quote(conid: int, names: Sequence[str]) -> Quote:
    """A quote of a contract for which nothing came."""
    return Quote(conid=conid, missing=frozenset(names))


def _quote(row: Any, names: Sequence[str]) -> Quote | None:
    if not isinstance(row, Mapping):
        raise UnexpectedAnswer("a row of the snapshot is no object.", endpoint=_ENDPOINT)
    conid = numbers.conid(row.get("conid")) or numbers.conid(str(row.get("conidEx", "")).partition("@")[0])
    if conid is None:
        return None
    values: dict[str, Decimal | None] = {name: numbers.decimal(row.get(TAGS[name])) for name in _QUOTED}
    letter, price = _last(row.get(TAGS["last"]))
    values["last"] = price
    # The display text of the volume is rounded; these two are not.
    exact = (numbers.decimal(row.get(key)) for key in ("87_raw", TAGS["volume_long"]))
    values["volume"] = next((volume for volume in exact if volume is not None), values["volume"])
    code = numbers.text(row.get(TAGS["availability"]))
    came = {name for name, value in values.items() if value is not None} | (
        {"availability"} if code else set()
    )
    return Quote(
        conid=conid,
        last_is_close=letter == "C",
        halted=letter == "H",
        availability=Availability(code=code) if code is not None else None,
        updated=numbers.moment(row.get("_updated")),
        missing=frozenset(names) - came,
        last=values["last"],
        bid=values["bid"],
        ask=values["ask"],
        bid_size=values["bid_size"],
        ask_size=values["ask_size"],
        last_size=values["last_size"],
        volume=values["volume"],
        open=values["open"],
        high=values["high"],
        low=values["low"],
        prior_close=values["prior_close"],
        mark=values["mark"],
    )


def _last(value: Any) -> tuple[str, Decimal | None]:
    if not isinstance(value, str):
        return "", numbers.decimal(value)
    found = _LAST.fullmatch(value)
    if found is None:
        return "", None
    return found[1].upper(), numbers.decimal(found[2])
