"""Read what IBKR answers to the question what an order would do.

All figures are prose for the eye: ``"1,977.60 USD (10 Shares)"``, ``"-401,693"``, one documented
example even ``590""``. What cannot be read exactly is missing, never 0. A refusal comes as a text in
``error``, with or without figures beside it; warnings are ``"<number>/<text>"``.

Source: Web API reference, "Preview Order / WhatIf Order", and answers recorded from paper and cash
accounts; held by ``tests/unit/test_wire_whatif.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.preview import Notice, Preview, Shift
from ibkr_adapter.wire import numbers
from ibkr_adapter.wire.replies import words_of

WHATIF = "POST /iserver/account/{accountId}/orders/whatif"

_KNOWN = frozenset({"amount", "equity", "initial", "maintenance", "position", "warn", "warns", "error"})
_SUM = re.compile(r"(\S+) ([A-Z]{3})(?: \((\S+) [^()]*\))?")
_NOTICE = re.compile(r"([0-9]{1,8})/(.*)", re.DOTALL)
_LONGEST = 2000


def read_whatif(content: Any) -> Preview:
    """Read a preview, bare or as a list of one.

    Raises:
        UnexpectedAnswer: It is nothing of the kind; nothing was placed either way.
    """
    if isinstance(content, list) and len(content) == 1:
        content = content[0]
    if not isinstance(content, Mapping) or not _KNOWN & content.keys():
        raise UnexpectedAnswer(
            "the preview came in an unknown shape; no figure was guessed and nothing was placed.",
            endpoint=WHATIF,
        )
    amounts = content.get("amount")
    amounts = amounts if isinstance(amounts, Mapping) else {}
    amount, currency, quantity = _sum(amounts.get("amount"))
    commission, commission_currency, _ = _sum(amounts.get("commission"))
    total, total_currency, _ = _sum(amounts.get("total"))
    return Preview(
        amount=amount,
        currency=currency,
        quantity=quantity,
        commission=commission,
        commission_currency=commission_currency,
        total=total,
        total_currency=total_currency,
        equity=_shift(content.get("equity")),
        initial_margin=_shift(content.get("initial")),
        maintenance_margin=_shift(content.get("maintenance")),
        position=_shift(content.get("position")),
        warnings=_notices(content),
        refusal=_words(content.get("error")),
    )


def _sum(written: Any) -> tuple[Decimal | None, str | None, Decimal | None]:
    """Read a sum of money with its currency, and the size in brackets where there is one."""
    found = _SUM.fullmatch(written.strip()) if isinstance(written, str) else None
    amount = numbers.decimal(found[1]) if found is not None else None
    if found is None or amount is None:
        return None, None, None
    return amount, found[2], numbers.decimal(found[3])


def _shift(written: Any) -> Shift:
    if not isinstance(written, Mapping):
        return Shift()
    return Shift(
        current=_figure(written.get("current")),
        change=_figure(written.get("change")),
        after=_figure(written.get("after")),
    )


def _figure(written: Any) -> Decimal | None:
    return numbers.decimal(written.strip('"') if isinstance(written, str) else written)


def _notices(content: Mapping[str, Any]) -> tuple[Notice, ...]:
    several = content.get("warns")
    listed = [content.get("warn"), *(several if isinstance(several, list) else [several])]
    found: list[Notice] = []
    for each in listed:
        coded = _NOTICE.fullmatch(each.strip()) if isinstance(each, str) else None
        text = _words(coded[2] if coded is not None else each)
        notice = None if text is None else Notice(text=text, code=coded[1] if coded is not None else None)
        # The first of several is said twice.
        if notice is not None and notice not in found:
            found.append(notice)
    return tuple(found)


def _words(written: Any) -> str | None:
    return (words_of(written, _LONGEST) or None) if isinstance(written, str) else None
