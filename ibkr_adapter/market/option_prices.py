"""Put prices and greeks beside an option chain: two tables of IBKR's made one.

Which contracts there are is for :mod:`ibkr_adapter.conids`, their quotes are for
:mod:`ibkr_adapter.market.snapshots`. Each option holds one of the user's market data lines, so a
chain wider than those costs a request more for every line that it takes from another contract.

Source: Web API reference, "Option Chains" and "Market Data Fields".
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from ibkr_adapter.conids import ConidResolver
from ibkr_adapter.discovery.chains import Number
from ibkr_adapter.errors import InvalidRequest, quoted
from ibkr_adapter.market.snapshots import Snapshots
from ibkr_adapter.model.optionrow import OPTION_ROW_COLUMNS, OptionRow
from ibkr_adapter.model.query import ContractQuery
from ibkr_adapter.model.table import Table
from ibkr_adapter.wire import numbers
from ibkr_adapter.wire.fields import FIELD_SETS


class OptionPrices:
    """Chains with their prices, over one session."""

    def __init__(self, *, conids: ConidResolver, snapshots: Snapshots) -> None:
        self._conids = conids
        self._snapshots = snapshots

    def chain(
        self,
        underlying: str | ContractQuery,
        *,
        within: Number | None,
        strikes: Iterable[Number] | None,
        between: tuple[Number, Number] | None,
        **chosen: Any,
    ) -> Table[OptionRow]:
        """Read a chain with its prices; :meth:`ibkr_adapter.market_data.MarketData.chain` tells the arguments."""
        if within is not None:
            if between is not None or strikes is not None:
                raise InvalidRequest("within, between and strikes exclude each other; nothing was sent.")
            between = self._around(underlying, within)
        contracts = self._conids.option_chain(underlying, strikes=strikes, between=between, **chosen)
        on = dict.fromkeys(row.underlying_conid for row in contracts if row.underlying_conid is not None)
        # The underlyings first: where lines are scarce, it is theirs that make room again.
        below = self._snapshots.read(on, FIELD_SETS["quote"])
        quotes = self._snapshots.read([row.conid for row in contracts], FIELD_SETS["option"])
        rows = [
            OptionRow(
                contract=row,
                quote=quotes[row.conid],
                underlying=None if row.underlying_conid is None else below[row.underlying_conid],
            )
            for row in contracts
        ]
        return Table(rows, OPTION_ROW_COLUMNS, title=f"{underlying}: {len(rows)} options")

    def _around(self, underlying: str | ContractQuery, within: Number) -> tuple[Decimal, Decimal]:
        percent = numbers.decimal(within)
        if percent is None or percent <= 0:
            raise InvalidRequest(f"within is so many percent and not {quoted(within)}; nothing was sent.")
        conid = self._conids.resolve(underlying, for_trading=False).conid
        shown = self._snapshots.read([conid], FIELD_SETS["quote"])[conid].display_price()
        if shown is None:
            raise InvalidRequest(
                f"{underlying} has no price, so no strikes can be chosen by it; no option was asked for.",
                remedy="Name strikes, or a range with between.",
            )
        return shown.price * (100 - percent) / 100, shown.price * (100 + percent) / 100
