"""Speak market scanners: what can be scanned for, how a scan is asked for, what it found.

The parameters come as one large answer, whose rows may lack any key. Filters of the type ``combo``
come without the values that they take, so those cannot be checked. ``scan_data``, the figure by
which rows are ranked, is documented and was on no row that anybody recorded.

Source: Web API reference, "Iserver Market Scanner", and answers recorded; held by
``tests/unit/test_wire_scanners.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.contract import SecType
from ibkr_adapter.model.scan import Filter, FilterType, Instrument, Location, Parameters, Scan, ScanRow
from ibkr_adapter.wire import numbers

PARAMS = "GET /iserver/scanner/params"
RUN = "POST /iserver/scanner/run"


def read_parameters(content: Any) -> Parameters:
    """Read what can be scanned for.

    Raises:
        UnexpectedAnswer: It is no list of parameters.
    """
    if not isinstance(content, Mapping):
        raise UnexpectedAnswer("the parameters of scanners came in an unknown shape.", endpoint=PARAMS)
    return Parameters(
        scans=tuple(
            Scan(code=code, name=_text(row, "display_name"), instruments=_words(row.get("instruments")))
            for row, code in _rows(content.get("scan_type_list"), "code")
        ),
        instruments=tuple(
            Instrument(code=code, name=_text(row, "display_name"), filters=_words(row.get("filters")))
            for row, code in _rows(content.get("instrument_list"), "type")
        ),
        filters=tuple(
            Filter(code=code, name=_text(row, "display_name"), kind=FilterType(_text(row, "type")))
            for row, code in _rows(content.get("filter_list"), "code")
        ),
        locations=tuple(_locations(content.get("location_tree"), "")),
    )


def scan_body(
    code: str, instrument: str, location: str, filters: Mapping[str, Decimal | str]
) -> dict[str, Any]:
    """Write a scan; figures as numbers."""
    return {
        "instrument": instrument,
        "location": location,
        "type": code,
        "filter": [{"code": name, "value": _value(value)} for name, value in filters.items()],
    }


def read_scan(content: Any) -> tuple[str | None, list[ScanRow]]:
    """Read what was found: the name of the figure that ranks, and the rows in their order.

    Raises:
        UnexpectedAnswer: It is no result of a scan.
    """
    rows = content.get("contracts") if isinstance(content, Mapping) else None
    if not isinstance(rows, list):
        raise UnexpectedAnswer("the scan came in an unknown shape; nothing was guessed.", endpoint=RUN)
    found = []
    for place, row in enumerate(rows):
        about = row if isinstance(row, Mapping) else {}
        conid = numbers.conid(about.get("con_id")) or numbers.conid(about.get("conidex"))
        if conid is None:
            # Who cannot be named cannot be looked at or traded.
            continue
        rank = numbers.integer(about.get("server_id"))
        found.append(
            ScanRow(
                rank=place if rank is None else rank,
                conid=conid,
                symbol=_text(about, "symbol"),
                name=numbers.text(about.get("company_name")),
                description=numbers.text(about.get("contract_description_1")),
                exchange=numbers.text(about.get("listing_exchange")),
                sec_type=SecType(_text(about, "sec_type")),
                value=numbers.decimal(about.get("scan_data")),
            )
        )
    return numbers.text(content.get("scan_data_column_name")), sorted(found, key=lambda row: row.rank)


def _rows(content: Any, key: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    for row in content if isinstance(content, list) else []:
        code = numbers.text(row.get(key)) if isinstance(row, Mapping) else None
        if code is not None:
            yield row, code


def _locations(content: Any, above: str) -> Iterator[Location]:
    for row, code in _rows(content, "type"):
        yield Location(code=code, name=_text(row, "display_name"), above=above)
        yield from _locations(row.get("locations"), code)


def _text(row: Mapping[str, Any], key: str) -> str:
    return numbers.text(row.get(key)) or ""


def _words(content: Any) -> tuple[str, ...]:
    found = (numbers.text(word) for word in content) if isinstance(content, list) else ()
    return tuple(word for word in found if word is not None)


def _value(value: Decimal | str) -> int | float | str:
    if isinstance(value, str):
        return value
    return int(value) if value == value.to_integral_value() else float(value)
