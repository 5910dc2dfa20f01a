"""Speak snapshots: how much fits into a call, what a row says.

Values are texts for the eye, with nothing but ``_updated`` and ``87_raw`` as numbers, and a last
price may begin with ``C`` for the prior close or ``H`` for a halt. Which field is which tag is in
:mod:`ibkr_adapter.wire.fields`; how often to ask until all has come is for
:mod:`ibkr_adapter.market.snapshots`.

Source: Web API reference, "Live Market Data Snapshot", and answers observed; held by
``tests/unit/test_wire_marketdata.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.market import Availability, Quote
from ibkr_adapter.wire import numbers
from ibkr_adapter.wire.fields import FIGURES, TAGS

SNAPSHOT = "GET /iserver/marketdata/snapshot"
MOST_CONIDS = 100
MOST_TAGS = 50

# Those that a quote has attributes for.
QUOTED = (
    "bid",
    "ask",
    "last_size",
    "bid_size",
    "ask_size",
    "open",
    "high",
    "low",
    "close",
    "prior_close",
    "mark",
    "change",
    "change_percent",
)
ATTRIBUTES = frozenset({*QUOTED, "last", "volume", "availability"})
# The display text of the volume is rounded; the first two are not, or less so.
VOLUMES = (TAGS["volume_long"], "87_raw", TAGS["volume"])
# What a row has before its stream delivers.
_BARE = frozenset({"conid", "conidEx", "server_id", "_updated", "topic", TAGS["delivery_marker"]})


def snapshot_params(conids: Iterable[int], names: Sequence[str]) -> Iterator[dict[str, str]]:
    """Cut a wish into calls of at most 100 contracts and 50 fields."""
    tags = [TAGS[name] for name in names]
    listed = list(dict.fromkeys(conids))
    for first in range(0, len(listed), MOST_CONIDS):
        chunk = ",".join(str(conid) for conid in listed[first : first + MOST_CONIDS])
        for start in range(0, len(tags), MOST_TAGS):
            yield {"conids": chunk, "fields": ",".join(tags[start : start + MOST_TAGS])}


def is_preflight(row: Mapping[str, Any]) -> bool:
    """Whether a row only says that its stream was opened: no field has come yet."""
    return not row.keys() - _BARE


def rows_by_conid(content: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Give every row that names its contract, in any order.

    A row that names none says nothing of anything and is left out: its contract counts as one for
    which nothing came.

    Raises:
        UnexpectedAnswer: It is no list, or a row is no object.
    """
    if not isinstance(content, list):
        raise UnexpectedAnswer(
            "the snapshot came in an unknown shape; no price was guessed.", endpoint=SNAPSHOT
        )
    for row in content:
        conid = conid_of(row)
        if conid is not None:
            yield conid, row


def read_snapshot(content: Any, names: Sequence[str]) -> list[Quote]:
    """Read the quotes of one answer."""
    return [quote_of(conid, row, names) for conid, row in rows_by_conid(content)]


def conid_of(row: Any) -> int | None:
    """Tell which contract a row is about, or ``None`` where it names none."""
    if not isinstance(row, Mapping):
        raise UnexpectedAnswer("a row of the snapshot is no object; no price was guessed.", endpoint=SNAPSHOT)
    return numbers.conid(row.get("conid")) or numbers.conid(_named(row)[0])


def _named(row: Mapping[str, Any]) -> tuple[str, str]:
    written, _, exchange = (numbers.text(row.get("conidEx")) or "").partition("@")
    return written, exchange


def quote_of(conid: int, row: Mapping[str, Any], names: Sequence[str]) -> Quote:
    """Read the row of a contract; an empty one says that nothing came."""
    prefix, last = _last(row.get(TAGS["last"]))
    values = {name: numbers.decimal(row.get(TAGS[name])) for name in QUOTED}
    volumes = (numbers.decimal(row.get(key)) for key in VOLUMES)
    volume = next((figure for figure in volumes if figure is not None), None)
    code = numbers.text(row.get(TAGS["availability"]))
    others = _others(row)
    came = {name for name, value in {**values, "last": last, "volume": volume}.items() if value is not None}
    return Quote(
        conid=conid,
        exchange=_named(row)[1] or None,
        last=last,
        volume=volume,
        last_is_close=prefix == "C",
        halted=prefix == "H",
        availability=None if code is None else Availability(code=code),
        updated=numbers.moment(row.get("_updated")),
        # Less the keys of a mapping a frozen set is a plain one, and the quote could not be hashed.
        missing=frozenset(names).difference(came, others, ("availability",) if code else ()),
        others=others,
        **values,
    )


def _last(value: Any) -> tuple[str, Decimal | None]:
    if not isinstance(value, str):
        return "", numbers.decimal(value)
    # Any other letter in front makes it no number, and so no price.
    bare = value.strip()
    prefix = bare[:1] if bare[:1] in {"C", "H"} else ""
    return prefix, numbers.decimal(bare.removeprefix(prefix))


def _others(row: Mapping[str, Any]) -> dict[str, Decimal | str | None]:
    """The fields that a quote has no attribute for, as far as they have a value."""
    found: dict[str, Decimal | str | None] = {}
    for name, tag in TAGS.items():
        if tag not in row or name in ATTRIBUTES:
            continue
        value = numbers.decimal(row[tag]) if name in FIGURES else _words(row[tag])
        if value is not None:
            found[name] = value
    return found


def _words(value: Any) -> str | None:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else numbers.text(value)
