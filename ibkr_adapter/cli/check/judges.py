"""Decide from a recording alone which beliefs it bears out and which it contradicts.

A judge answers ``True``, ``False``, or ``None`` where the recording shows neither. Each is tied to its
fact by the beginning of that fact's text, or its number; a test sees to it that the fact is there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import attrs

from .facts import Fact
from .recording import Exchanged

PLACE = "POST /iserver/account/{accountId}/orders"
REPLY = "POST /iserver/reply/{replyId}"
CANCEL = "DELETE /iserver/account/{accountId}/order/{orderId}"
LIVE = "GET /iserver/account/orders"
TRADES = "GET /iserver/account/trades"
SNAPSHOT = "GET /iserver/marketdata/snapshot"
WHATIF = "POST /iserver/account/{accountId}/orders/whatif"
STATUS = "POST /iserver/auth/status"
INIT = "POST /iserver/auth/ssodh/init"
TICKLE = "POST /tickle"
PNL = "GET /iserver/account/pnl/partitioned"
POSITIONS = "GET /portfolio2/{accountId}/positions"
_GOOD, _WRONG = 200, 400
_LISTED_WITHIN = 15.0

Recording = Sequence[Exchanged]
Judge = Callable[[Recording], bool | None]


class Finding(StrEnum):
    """What a recording says of a belief."""

    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"
    NOT_TRIED = "not tried"


@attrs.frozen(kw_only=True)
class Judged:
    """A fact and what was found."""

    fact: Fact
    finding: Finding


def judge(facts: Iterable[Fact], recording: Recording) -> list[Judged]:
    """Judge every fact; of most a recording cannot tell."""
    return [Judged(fact=fact, finding=_finding(fact, recording)) for fact in facts]


def _finding(fact: Fact, recording: Recording) -> Finding:
    for beginning, decide in JUDGES.items():
        if fact.key == beginning or fact.text.startswith(beginning):
            found = decide(recording)
            if found is not None:
                return Finding.CONFIRMED if found else Finding.CONTRADICTED
    return Finding.NOT_TRIED


# What is in a recording -----------------------------------------------------------------------


def _of(recording: Recording, *endpoints: str) -> list[Exchanged]:
    return [one for one in recording if one.endpoint in endpoints and one.status is not None]


def _rows(content: Any, key: str = "orders") -> list[Mapping[str, Any]]:
    found = content.get(key) if isinstance(content, Mapping) else content
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []


def _acknowledged(recording: Recording) -> list[Exchanged]:
    """Answers in which an order was acknowledged."""
    return [
        one
        for one in _of(recording, PLACE, REPLY)
        if any("order_id" in row for row in _rows(one.content)) or "order_id" in _object(one.content)
    ]


def _object(content: Any) -> Mapping[str, Any]:
    return content if isinstance(content, Mapping) else {}


def _live(recording: Recording) -> list[Mapping[str, Any]]:
    return [row for one in _of(recording, LIVE) for row in _rows(one.content)]


def _tickets(recording: Recording) -> list[Mapping[str, Any]]:
    return [row for one in _of(recording, PLACE) for row in _rows(one.body)]


def _opened_here(recording: Recording) -> bool:
    return bool(_of(recording, INIT))


def _all(found: Iterable[bool]) -> bool | None:
    listed = list(found)
    return all(listed) if listed else None


# The judges -----------------------------------------------------------------------------------


def _wrapper(recording: Recording) -> bool | None:
    answers = _of(recording, PLACE)
    if any(one.status == _WRONG and "order parameters" in str(one.content) for one in answers):
        return False
    return True if _acknowledged(recording) else None


def _stop_in_price(recording: Recording) -> bool | None:
    stops = [row for row in _tickets(recording) if row.get("orderType") == "STP"]
    shown = [row for row in _live(recording) if "stop" in str(row.get("orderType", "")).lower()]
    if not stops or not shown:
        return None
    prices = {str(float(row["price"])) for row in stops}
    return any(str(value) != "" and _figure(value) in prices for row in shown for value in row.values())


def _figure(value: Any) -> str:
    try:
        return str(float(str(value).replace(",", "")))
    except ValueError:
        return ""


def _acknowledgements(recording: Recording) -> bool | None:
    return _all(isinstance(one.content, list | Mapping) for one in _acknowledged(recording))


def _children_first(recording: Recording) -> bool | None:
    several = [_rows(one.content) for one in _acknowledged(recording)]
    return _all(
        "parent_order_id" in rows[0] or "parent_order_id" not in rows[-1] for rows in several if len(rows) > 1
    )


def _prose(recording: Recording) -> bool | None:
    return _all(
        re.search(r"[A-Z]{3}", str(_object(one.content.get("amount")).get("amount"))) is not None
        for one in _of(recording, WHATIF)
        if isinstance(one.content, Mapping) and one.content.get("amount")
    )


def _cores(recording: Recording) -> bool | None:
    keys = [key for one in _of(recording, PNL) for key in _object(_object(one.content).get("upnl"))]
    return _all("." in key for key in keys)


def _asked_to_cancel(recording: Recording) -> bool | None:
    return _all(
        "submitted" in str(one.content).lower()
        for one in _of(recording, CANCEL)
        if one.status == _GOOD and "error" not in str(one.content).lower()
    )


def _cancel_shape(recording: Recording) -> bool | None:
    return _all(
        isinstance(one.content, Mapping | list) for one in _of(recording, CANCEL) if one.status == _GOOD
    )


def _gone(recording: Recording) -> bool | None:
    refused = [one for one in _of(recording, CANCEL) if one.status != _GOOD]
    return _all(
        one.status == _WRONG and any(word in str(one.content) for word in ("doesn't exist", "inactive"))
        for one in refused
    )


def _first_empty(recording: Recording) -> bool | None:
    first = [found[0] for endpoint in (LIVE, TRADES) if (found := _of(recording, endpoint))]
    if not _opened_here(recording):
        return None
    return _all(not _rows(one.content) for one in first)


def _order_ref(recording: Recording) -> bool | None:
    coids = {row["cOID"] for row in _tickets(recording) if "cOID" in row}
    rows = _live(recording)
    if not coids or not rows:
        return None
    return any(row.get("order_ref") in coids for row in rows)


def _day_is_close(recording: Recording) -> bool | None:
    ids = {str(row.get("order_id")) for one in _acknowledged(recording) for row in _rows(one.content)}
    words = {str(row.get("timeInForce")) for row in _live(recording) if str(row.get("orderId")) in ids}
    return None if not words else words != {"DAY"}


def _established(recording: Recording) -> bool | None:
    answers = [_object(one.content) for one in _of(recording, STATUS)]
    return True if any("established" in answer for answer in answers) else None


def _no_bridge(recording: Recording) -> bool | None:
    # It means nothing if the calls that follow it are answered.
    told = [_object(_object(one.content).get("hmds")).get("error") for one in _of(recording, TICKLE)]
    return bool(_live(recording) or _of(recording, SNAPSHOT)) if "no bridge" in told else None


def _preflight(recording: Recording) -> bool | None:
    snapshots = _of(recording, SNAPSHOT)
    if not snapshots or not _opened_here(recording):
        return None
    return all("31" not in row for row in _rows(snapshots[0].content))


def _letters(recording: Recording) -> bool | None:
    told = {
        str(row["6509"]) for one in _of(recording, SNAPSHOT) for row in _rows(one.content) if "6509" in row
    }
    return _all(bool(set(letters) & set("RDZYNO")) for letters in told)


def _text_ids(recording: Recording) -> bool | None:
    rows = [row for one in _of(recording, POSITIONS) for row in _rows(one.content)]
    return _all(isinstance(row.get("conid"), str) for row in rows)


def _market_question(recording: Recording) -> bool | None:
    kinds = {row.get("orderType") for row in _tickets(recording)}
    asked = [
        " ".join(map(str, row["message"])).lower()
        for one in _of(recording, PLACE, REPLY)
        for row in _rows(one.content)
        if isinstance(row.get("message"), list)
    ]
    market = [text for text in asked if "market order" in text]
    if "MKT" not in kinds or not market:
        return None
    return all("confirm" in text or "risk" in text for text in market)


def _aux_price(recording: Recording) -> bool | None:
    rows = [row for row in _live(recording) if "limit" in str(row.get("orderType", "")).lower()]
    two = [row for row in rows if "stop" in str(row.get("orderType", "")).lower()]
    return _all("auxPrice" in row for row in two)


def _cancel_question(recording: Recording) -> bool | None:
    asked = [one for one in _of(recording, CANCEL) for row in _rows(one.content) if "message" in row]
    return True if asked else None


def _listed_in_time(recording: Recording) -> bool | None:
    """Whether an acknowledged order is in the list that was read after fifteen seconds, or before."""
    told: list[bool] = []
    for one in _acknowledged(recording):
        ids = {str(row["order_id"]) for row in _rows(one.content) if "order_id" in row}
        for read in _of(recording, LIVE):
            waited = (read.sent_at - one.sent_at).total_seconds()
            listed = ids & {str(row.get("orderId")) for row in _rows(read.content)}
            if waited >= 0 and listed:
                told.append(True)
                break
            if waited > _LISTED_WITHIN and _rows(read.content):
                told.append(False)
                break
    return _all(told)


def _one_group(recording: Recording) -> bool | None:
    by_parent: dict[str, set[Any]] = {}
    for row in _live(recording):
        if row.get("parentId"):
            by_parent.setdefault(str(row["parentId"]), set()).add(row.get("ocaGroupId"))
    return _all(len(groups) == 1 and None not in groups for groups in by_parent.values())


JUDGES: dict[str, Judge] = {
    "The body of an order is": _wrapper,
    "A plain stop's trigger goes into": _stop_in_price,
    "Acknowledgements are a list": _acknowledgements,
    "Acknowledgements come children first": _children_first,
    "A preview (": _prose,
    "Today's profit (": _cores,
    "The answer says that a cancel was asked for": _asked_to_cancel,
    "The answer is an object with numbers": _cancel_shape,
    "An order that is gone is 400": _gone,
    "The first read of the live orders": _first_empty,
    "The client order id comes back as": _order_ref,
    "What is read back is not what was sent": _day_is_close,
    "`established` is what counts": _established,
    "`hmds: no bridge`": _no_bridge,
    "The first snapshot of a contract": _preflight,
    "6509 tells how fresh": _letters,
    "The paged positions are a cache": _text_ids,
    "both/1": _market_question,
    "both/2": _aux_price,
    "both/4": _cancel_question,
    "both/7": _listed_in_time,
    "both/22": _one_group,
}
