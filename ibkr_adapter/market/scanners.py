"""Run market scanners, every wish held against IBKR's own lists first.

The lists come as one answer that may be asked for once in a quarter of an hour, so it is kept for a
day, on disk too, where the next process finds it. Where it cannot be had, scans are run all the same.
Scans are one a second and fifty rows at most.

Source: Web API reference, "Iserver Market Scanner".
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from decimal import Decimal

from ibkr_adapter.discovery.kept import DAY, Kept
from ibkr_adapter.errors import ApiError, InvalidRequest, Throttled, quoted
from ibkr_adapter.model.kinds import is_text
from ibkr_adapter.model.scan import SCAN_COLUMNS, Parameters, ScanRow
from ibkr_adapter.model.table import Table
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.wire import endpoints, numbers
from ibkr_adapter.wire.scanners import read_parameters, read_scan, scan_body

log = logging.getLogger(__name__)

Figure = Decimal | float | str


class Scanners:
    """Scans over one session."""

    def __init__(self, *, session: SessionKeeper, kept: Kept) -> None:
        self._session = session
        self._kept = kept

    def parameters(self) -> Parameters:
        """All that can be scanned for; kept for a day."""
        content = self._kept.asked(
            "scanners",
            DAY,
            lambda: self._session.read(endpoints.SCANNER_PARAMS),
            lambda content: read_parameters(content).scans,
        )
        return read_parameters(content)

    def _lists(self) -> Parameters | None:
        """The lists, or ``None`` where they cannot be had now, for a quarter of an hour perhaps."""
        try:
            return self.parameters()
        except (ApiError, Throttled) as refusal:
            # The scan may be asked for all the same: IBKR says itself what it does not know.
            log.warning("a scan is not held against IBKR's lists: %s", refusal)
            return None

    def scan(
        self, code: str, *, instrument: str, location: str, filters: Mapping[str, Figure]
    ) -> Table[ScanRow]:
        """Run one scan."""
        _check(filters, code=code, instrument=instrument, location=location)
        exact = {name: _figure(name, value) for name, value in filters.items()}
        lists = self._lists()
        if lists is not None:
            lists.check(code, instrument, location, exact)
        content = self._session.read(endpoints.SCANNER_RUN, body=scan_body(code, instrument, location, exact))
        column, rows = read_scan(content)
        title = f"{code} in {location}: {len(rows)} rows"
        # The figure that ranks bears IBKR's name for it, and is left out where no row has it.
        columns = {
            (column or name if name == "value" else name): read
            for name, read in SCAN_COLUMNS.items()
            if name != "value" or any(row.value is not None for row in rows)
        }
        return Table(rows, columns, title=title)


def _check(filters: object, **codes: object) -> None:
    for what, code in codes.items():
        if not is_text(code):
            raise InvalidRequest(f"{what}={quoted(code)} is no code of a scan; nothing was sent.")
    if not isinstance(filters, Mapping) or not all(isinstance(name, str) for name in filters):
        raise InvalidRequest(
            f"filters={quoted(filters)} are no filters by their codes; nothing was sent.",
            remedy='Write {"priceAbove": 5}, or leave them out.',
        )


def _figure(name: str, value: Figure) -> Decimal | str:
    if isinstance(value, str):
        return numbers.decimal(value) or value
    figure = numbers.decimal(value)
    if figure is None:
        raise InvalidRequest(
            f"the filter {name:.40} takes a figure and not {quoted(value)}; nothing was sent."
        )
    return figure
