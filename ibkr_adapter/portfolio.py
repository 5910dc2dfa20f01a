"""Positions, balances and profit, fresh when that matters.

Portfolio calls need the outer session only, so they answer while another login holds the
brokerage session. What a close is clamped on is never a cache: ``/portfolio2`` is near real
time, and where it is not to be had the server's cache is dropped before it is read.

Source: Web API reference, "Portfolio"; docs/ibkr-facts.md.
"""

from __future__ import annotations

from ibkr_adapter import verdicts
from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import ApiError, ConfigurationError, UnexpectedAnswer
from ibkr_adapter.model.account import Account, AccountSummary, LedgerRow, PnlRow, Position
from ibkr_adapter.selection import Selection
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.wire import balances, endpoints, portfolio

MOST_PAGES = 100
# IBKR sends pages of a hundred rows, older servers of thirty.
PAGE_SIZES = (100, 30)


class Portfolio:
    """Reads one login's accounts."""

    def __init__(
        self, *, clock: Clock, session: SessionKeeper, selection: Selection, read_deadline: float
    ) -> None:
        self._clock = clock
        self._session = session
        self._selection = selection
        self._read_deadline = read_deadline
        self._accounts: tuple[Account, ...] | None = None

    def accounts(self) -> tuple[Account, ...]:
        """The accounts of this login; read once, they do not change while it lasts."""
        if self._accounts is None:
            self._accounts = portfolio.read_portfolio_accounts(self._session.portfolio_accounts())
        return self._accounts

    def choose(self, account_id: str | None) -> Account:
        """Find the account that settings name, or the only one.

        Raises:
            ConfigurationError: It is not among this login's, or several are and none is named.
        """
        accounts = self.accounts()
        listed = ", ".join(account.account_id for account in accounts) or "none"
        if account_id is None:
            if len(accounts) == 1:
                return accounts[0]
            if not accounts:
                raise ConfigurationError("IBKR lists no account of this login.")
            raise ConfigurationError(
                f"this login has several accounts and account_id names none of them: {listed}.",
                remedy="Set account_id to the one that is meant.",
            )
        for account in accounts:
            if account.account_id == account_id:
                return account
        raise ConfigurationError(
            f"account_id {account_id!s:.40} is not an account of this login: {listed}.",
            remedy="Set account_id to one of these, or log in as its user.",
        )

    def positions(self, account_id: str) -> tuple[Position, ...]:
        """All positions that are not flat, near real time."""
        try:
            return self._near_real_time(account_id)
        except (ApiError, UnexpectedAnswer) as refusal:
            if refusal.status not in verdicts.UNHEARD_OF:
                raise
        try:
            self._session.read(
                endpoints.INVALIDATE_POSITIONS, path={"accountId": account_id}, body={}, empty={}
            )
        except ApiError as refusal:
            # Who knows neither has no cache to be dropped.
            if refusal.status not in verdicts.UNHEARD_OF:
                raise
        return self.paged(account_id)

    def position(self, account_id: str, conid: int) -> Position | None:
        """One contract's position as it is now, or ``None`` when flat."""
        return next((found for found in self.positions(account_id) if found.conid == conid), None)

    def paged(self, account_id: str) -> tuple[Position, ...]:
        """All positions over all pages, with what IBKR's cache knows of the contracts."""
        rows: dict[int, Position] = {}
        for page in range(MOST_PAGES):
            content = self._session.read(
                endpoints.POSITIONS,
                path={"accountId": account_id, "page": page},
                query={"sort": "position", "direction": "d"},
                empty=[],
            )
            found = portfolio.read_positions(content)
            rows.update((position.conid, position) for position in found)
            if not isinstance(content, list) or len(content) not in PAGE_SIZES:
                break
        return tuple(rows.values())

    def ledger(self, account_id: str) -> tuple[LedgerRow, ...]:
        """Cash by currency; the sum in the base currency is the row named BASE."""
        return portfolio.read_ledger(self._session.read(endpoints.LEDGER, path={"accountId": account_id}))

    def summary(self, account_id: str) -> AccountSummary:
        """What the account is worth and what it may still buy.

        To the cent, or rounded as the brokerage session sees it where a gateway has no better.
        """
        path = {"accountId": account_id}
        try:
            return portfolio.read_summary(self._session.read(endpoints.PORTFOLIO_SUMMARY, path=path))
        except ApiError as refusal:
            if refusal.status not in verdicts.UNHEARD_OF:
                raise
        return balances.read_account_summary(
            self._session.read(endpoints.ACCOUNT_SUMMARY, path=path), account_id
        )

    def profit(self, account_id: str) -> tuple[PnlRow, ...]:
        """Today's profit of an account, by model; the first read of a session may be empty."""
        rows: tuple[PnlRow, ...] = ()
        for _ in range(2):
            until = self._clock.monotonic() + self._read_deadline
            content = self._selection.read(account_id, endpoints.PNL, deadline=until).content
            rows = tuple(row for row in portfolio.read_pnl(content) if row.account_id == account_id)
            if rows:
                break
        return rows

    def _near_real_time(self, account_id: str) -> tuple[Position, ...]:
        content = self._session.read(endpoints.POSITIONS2, path={"accountId": account_id}, empty=[])
        return portfolio.read_positions2(content, account_id)
