"""Ask the Portfolio Analyst: performance, transactions, and the allocation with its weights.

Each of its four questions may be asked once in fifteen minutes, whatever is asked. A second one is
refused here at once with :class:`~ibkr_adapter.errors.Throttled`, which says when it may be asked
again, instead of keeping its caller waiting. No brokerage session is needed.

Source: Web API reference, "Portfolio Analyst"; docs/portfolio.md.
"""

from __future__ import annotations

from ibkr_adapter.account_desk import AccountDesk
from ibkr_adapter.errors import InvalidRequest, quoted
from ibkr_adapter.model.holding import SHARE_COLUMNS, Share
from ibkr_adapter.model.kinds import is_text
from ibkr_adapter.model.performance import AllPeriods, Performance, Transactions
from ibkr_adapter.model.table import Table
from ibkr_adapter.wire import allocation, endpoints, performance

MOST_DAYS = 366 * 30


class Analyst(AccountDesk):
    """The questions to the analyst."""

    def performance(self, period: str = "1M", *accounts: str) -> Performance:
        """How accounts have done over one period; several are told as one.

        Args:
            period: ``1D``, ``7D``, ``MTD``, ``1M``, ``YTD`` or ``1Y``.
            accounts: The account of the settings if none is given.

        Raises:
            InvalidRequest: IBKR knows no such period; nothing was sent.
            Throttled: It was asked less than fifteen minutes ago; nothing was sent.
        """
        wanted = period.strip().upper() if is_text(period) else ""
        if wanted not in performance.PERIODS:
            raise InvalidRequest(
                f"{quoted(period, 20)} is no period that IBKR answers for; nothing was sent.",
                remedy=f"Write one of {', '.join(performance.PERIODS)}.",
            )
        body = performance.performance_body(self._several(accounts), wanted)
        return performance.read_performance(self._session.read(endpoints.PA_PERFORMANCE, body=body), wanted)

    def all_periods(self, *accounts: str) -> AllPeriods:
        """How accounts have done over every period that IBKR tells.

        Raises:
            Throttled: It was asked less than fifteen minutes ago; nothing was sent.
        """
        body = performance.all_periods_body(self._several(accounts))
        return performance.read_all_periods(self._session.read(endpoints.PA_ALL_PERIODS, body=body))

    def transactions(
        self, contract: str | int, *accounts: str, days: int = 90, currency: str | None = None
    ) -> Transactions:
        """What was booked for one contract, and what that realised.

        Args:
            contract: A name as everywhere, or a contract id.
            accounts: The account of the settings if none is given.
            days: How many days back.
            currency: The contract's own if unset.

        Raises:
            InvalidRequest: The days are none; nothing was sent.
            Throttled: It was asked less than fifteen minutes ago; nothing was sent.
        """
        if type(days) is not int or not 0 < days <= MOST_DAYS:
            raise InvalidRequest(f"{quoted(days, 20)} is no number of days; nothing was sent.")
        if currency is not None and not is_text(currency):
            raise InvalidRequest(f"{quoted(currency)} is no currency; nothing was sent.")
        conid = self._conid(contract)
        if currency is None:
            found, _ = self._connection.conids.rules(conid)
            currency = found.currency
        if not currency:
            raise InvalidRequest(
                f"the currency of contract {conid} is not known; nothing was sent.",
                remedy="Name it: currency=.",
            )
        body = performance.transactions_body(self._several(accounts), conid, currency.upper(), days)
        return performance.read_transactions(self._session.read(endpoints.PA_TRANSACTIONS, body=body))

    def weights(self, *accounts: str) -> Table[Share]:
        """What is held by instrument, class, country, sector and region, with its weight in the whole.

        Raises:
            Throttled: It was asked less than fifteen minutes ago; nothing was sent.
        """
        body = performance.all_periods_body(self._several(accounts))
        content = self._session.read(endpoints.PA_ALLOCATION, body=body)
        return Table(allocation.read_analysis(content), SHARE_COLUMNS, title="weights")
