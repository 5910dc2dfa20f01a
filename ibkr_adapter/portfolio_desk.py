"""Read all that IBKR tells of accounts, as one object sees them: its own account unless another is named.

Values come as tables that show themselves. What a close is clamped on is read by
:mod:`ibkr_adapter.portfolio`, on which this stands; which account the brokerage session answers for
is for :mod:`ibkr_adapter.selection`. Nothing here is kept: an object's account is asked for with
every call, so that two objects of one login never see each other's.

Source: Web API reference, "Accounts", "Portfolio"; docs/portfolio.md.
"""

from __future__ import annotations

from ibkr_adapter.analyst import Analyst
from ibkr_adapter.errors import InvalidRequest, UnexpectedAnswer, quoted
from ibkr_adapter.model.account import Account, AccountSummary, LedgerRow, PnlRow, Position
from ibkr_adapter.model.holding import (
    ACCOUNT_COLUMNS,
    COMBO_COLUMNS,
    FIGURE_COLUMNS,
    FOUND_COLUMNS,
    LEDGER_COLUMNS,
    PNL_COLUMNS,
    POSITION_COLUMNS,
    SHARE_COLUMNS,
    Figure,
    FoundAccount,
    HeldCombo,
    Owners,
    Share,
)
from ibkr_adapter.model.kinds import is_text
from ibkr_adapter.model.table import Table
from ibkr_adapter.wire import allocation, balances, endpoints, portfolio
from ibkr_adapter.wire.endpoints import Endpoint

# IBKR's own limits: sub-accounts in one list, and on one page.
MOST_SUBACCOUNTS = 100
MOST_PAGES = 500
# IBKR's ids of accounts have a dozen letters.
_LONGEST_ACCOUNT = 40


class PortfolioDesk(Analyst):
    """Accounts, balances, positions, allocation, profit and performance.

    ``account`` is the account of the settings where it is not given.
    """

    # Accounts -----------------------------------------------------------------------------

    def accounts(self) -> Table[Account]:
        """The accounts of this login; read once, they do not change while it lasts.

        Raises:
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        return Table(self._books.accounts(), ACCOUNT_COLUMNS, title="accounts")

    def choose(self, account_id: str | None = None) -> Account:
        """Find the account that is named, or the only one.

        Raises:
            ConfigurationError: It is not among this login's, or several are and none is named.
        """
        return self._books.choose(account_id)

    def subaccounts(self) -> Table[Account]:
        """The accounts below an adviser or broker, all of them: beyond a hundred they are read by page."""
        rows = list(portfolio.read_portfolio_accounts(self._session.read(endpoints.SUBACCOUNTS, empty=[])))
        if len(rows) >= MOST_SUBACCOUNTS:
            rows = self._paged_subaccounts()
        return Table(rows, ACCOUNT_COLUMNS, title="sub-accounts")

    def _paged_subaccounts(self) -> list[Account]:
        found: dict[str, Account] = {}
        for page in range(MOST_PAGES):
            content = self._session.read(endpoints.SUBACCOUNTS2, query={"page": page}, empty=[])
            rows = portfolio.read_portfolio_accounts(content)
            fresh = [row for row in rows if row.account_id not in found]
            found.update((row.account_id, row) for row in fresh)
            # A plain list is all of them; a page of known ones only would come for ever.
            if not fresh or isinstance(content, list):
                break
        return list(found.values())

    def meta(self, account: str | None = None) -> Account:
        """One account's attributes, read now."""
        content = self._session.read(endpoints.PORTFOLIO_META, path={"accountId": self._named(account)})
        found = portfolio.read_portfolio_accounts([content])
        return found[0]

    def owners(self, account: str | None = None) -> Owners:
        """Who may act for an account: people's names, so keep them to yourself."""
        content = self._session.read(
            endpoints.SIGNATURES_AND_OWNERS, path={"accountId": self._named(account)}
        )
        return allocation.read_owners(content)

    def find_accounts(self, pattern: str) -> Table[FoundAccount]:
        """Search the accounts of a login that selects them by search.

        Raises:
            InvalidRequest: The pattern is empty; nothing was sent.
            ApiError: This login is not of that kind (IBKR says 503 then).
        """
        if not is_text(pattern):
            raise InvalidRequest("an empty pattern finds no account; nothing was sent.")
        content = self._session.read(endpoints.SEARCH_ACCOUNTS, path={"pattern": pattern.strip()})
        return Table(allocation.read_found_accounts(content), FOUND_COLUMNS, title=f"accounts like {pattern}")

    # Which account the brokerage session answers for --------------------------------------

    def selected(self) -> str | None:
        """The account that the brokerage session answers for, as far as is known."""
        return self._connection.selection.selected

    def switch(self, account: str | None = None) -> str:
        """Have the brokerage session answer for an account, and see that it does.

        Waits for an order that is in dialogue. Everything else here selects what it needs by itself, so
        this is for calls by hand; it holds until a call for another account is made.

        Returns:
            The account that is selected now.

        Raises:
            ConfigurationError: It is not an account of this login; nothing was sent.
            GuardrailRefused: This object may only read, or sends nothing; nothing was sent.
            ApiError: IBKR refuses, or shows another account afterwards.
            OutcomeUnknown: The answer was lost; either account may be selected.
        """
        wanted = self._named(account)
        self._guard.check_request(endpoints.SWITCH_ACCOUNT)
        self._connection.selection.select(wanted)
        return wanted

    def set_dynamic_account(self, account: str) -> str:
        """Set the account of a login that selects its accounts by search (IBKR's DYNACCT).

        Raises:
            ApiError: IBKR said no; nothing was changed.
            OutcomeUnknown: The answer was lost, or is 401 or 503, by which IBKR also refuses other logins.
        """
        wanted = account.strip() if is_text(account) else ""
        if not wanted or len(wanted) > _LONGEST_ACCOUNT:
            raise InvalidRequest(f"{quoted(account)} names no account; nothing was sent.")
        look = "ibkr.portfolio.selected()"
        answer = self._change(
            endpoints.DYNAMIC_ACCOUNT, what=f"setting account {wanted}", look=look, body={"acctId": wanted}
        )
        said = answer.get("acctId") if isinstance(answer, dict) and answer.get("set") is True else None
        if said != wanted:
            raise UnexpectedAnswer(
                f"setting account {wanted} was answered without a confirmation.",
                endpoint=endpoints.DYNAMIC_ACCOUNT.name,
                remedy=f"Look with {look}.",
            )
        return wanted

    # Balances -----------------------------------------------------------------------------

    def summary(self, account: str | None = None) -> AccountSummary:
        """What the account is worth and what it may still buy, to the cent; works without a brokerage session.

        Raises:
            ConfigurationError: It is not an account of this login, or several are and none is named; nothing
                of it was read.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        return self._books.summary(self._named(account))

    def brokerage_summary(self, account: str | None = None) -> AccountSummary:
        """The same as the brokerage session sees it, rounded to whole units of currency.

        Raises:
            ConfigurationError: It is not an account of this login, or several are and none is named; nothing
                of it was read.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        named = self._named(account)
        content = self._session.read(endpoints.ACCOUNT_SUMMARY, path={"accountId": named})
        return balances.read_account_summary(content, named)

    def available_funds(self, account: str | None = None) -> Table[Figure]:
        """What may still be used, by segment.

        Raises:
            ConfigurationError: It is not an account of this login, or several are and none is named; nothing
                of it was read.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        return self._figures(endpoints.ACCOUNT_AVAILABLE_FUNDS, "available funds", account)

    def balances(self, account: str | None = None) -> Table[Figure]:
        """Cash, equity and interest, by segment.

        Raises:
            ConfigurationError: It is not an account of this login, or several are and none is named; nothing
                of it was read.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        return self._figures(endpoints.ACCOUNT_BALANCES, "balances", account)

    def margins(self, account: str | None = None) -> Table[Figure]:
        """What is bound as margin, now, ahead and overnight, by segment.

        Raises:
            ConfigurationError: It is not an account of this login, or several are and none is named; nothing
                of it was read.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        return self._figures(endpoints.ACCOUNT_MARGINS, "margins", account)

    def market_values(self, account: str | None = None) -> Table[Figure]:
        """What is held by class of asset, by currency; the sum is the segment ``total``.

        Raises:
            ConfigurationError: It is not an account of this login, or several are and none is named; nothing
                of it was read.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        endpoint = endpoints.ACCOUNT_MARKET_VALUE
        content = self._session.read(endpoint, path={"accountId": self._named(account)})
        rows = balances.read_market_values(content, endpoint.name)
        return Table(rows, FIGURE_COLUMNS, title="market values")

    def _figures(self, endpoint: Endpoint, title: str, account: str | None) -> Table[Figure]:
        content = self._session.read(endpoint, path={"accountId": self._named(account)})
        return Table(balances.read_figures(content, endpoint.name), FIGURE_COLUMNS, title=title)

    def ledger(self, account: str | None = None) -> Table[LedgerRow]:
        """Cash and values by currency; the sum in the base currency is the row named BASE, never to be added.

        Raises:
            ConfigurationError: It is not an account of this login, or several are and none is named; nothing
                of it was read.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        return Table(self._books.ledger(self._named(account)), LEDGER_COLUMNS, title="ledger")

    # Positions ----------------------------------------------------------------------------

    def positions(self, account: str | None = None) -> Table[Position]:
        """All positions that are not flat, near real time.

        Raises:
            ConfigurationError: It is not an account of this login, or several are and none is named; nothing
                of it was read.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        return self._held(self._books.positions(self._named(account)))

    def paged(self, account: str | None = None) -> Table[Position]:
        """The same out of IBKR's cache, over all pages, with what it knows of the contracts.

        Raises:
            ConfigurationError: It is not an account of this login, or several are and none is named; nothing
                of it was read.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        return self._held(self._books.paged(self._named(account)))

    def position(self, contract: str | int, account: str | None = None) -> Position | None:
        """One contract's position as it is now, or ``None`` when flat.

        Args:
            contract: A name as everywhere, or a contract id.
            account: Whose.

        Raises:
            ConfigurationError: It is not an account of this login, or several are and none is named; nothing
                of it was read.
            ContractError: ``contract`` fits no contract, or several.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        return self._books.position(self._named(account), self._conid(contract))

    def position_details(self, contract: str | int, account: str | None = None) -> Position | None:
        """One contract's position out of IBKR's cache, with what it knows of the contract.

        The first answer of a session has less of the contract, so it is asked for twice.

        Raises:
            ConfigurationError: It is not an account of this login, or several are and none is named; nothing
                of it was read.
            ContractError: ``contract`` fits no contract, or several.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        path = {"accountId": self._named(account), "conid": self._conid(contract)}
        self._session.read(endpoints.POSITION_BY_CONID, path=path, empty=[])
        found = portfolio.read_positions(self._session.read(endpoints.POSITION_BY_CONID, path=path, empty=[]))
        return found[0] if found else None

    def everywhere(self, contract: str | int) -> Table[Position]:
        """What every account of this login holds of one contract; twins of accounts are left out."""
        content = self._session.read(
            endpoints.POSITIONS_OF_CONID, path={"conid": self._conid(contract)}, empty={}
        )
        return self._held(portfolio.read_positions_by_conid(content))

    def combos(self, account: str | None = None) -> Table[HeldCombo]:
        """The combinations that are held; their legs are positions as well, so never add the two.

        Raises:
            ConfigurationError: It is not an account of this login, or several are and none is named; nothing
                of it was read.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        content = self._session.read(
            endpoints.COMBO_POSITIONS,
            path={"accountId": self._named(account)},
            query={"nocache": True},
            empty=[],
        )
        return Table(allocation.read_combos(content), COMBO_COLUMNS, title="combinations")

    def invalidate(self, account: str | None = None) -> None:
        """Have IBKR drop its cache, so that the next read of pages is a fresh one."""
        self._session.read(
            endpoints.INVALIDATE_POSITIONS, path={"accountId": self._named(account)}, body={}, empty={}
        )

    @staticmethod
    def _held(rows: tuple[Position, ...]) -> Table[Position]:
        return Table(rows, POSITION_COLUMNS, title="positions")

    # Allocation and profit ----------------------------------------------------------------

    def allocation(self, *accounts: str) -> Table[Share]:
        """What is held by asset class, sector and group: of one account, or of several together.

        Raises:
            ConfigurationError: It is not an account of this login, or several are and none is named; nothing
                of it was read.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        if len(accounts) > 1:
            endpoint = endpoints.ALLOCATION_OF_ACCOUNTS
            content = self._session.read(endpoint, body={"acctIds": list(self._several(accounts))})
        else:
            endpoint = endpoints.ALLOCATION
            content = self._session.read(
                endpoint, path={"accountId": self._named(accounts[0] if accounts else None)}
            )
        return Table(allocation.read_allocation(content, endpoint.name), SHARE_COLUMNS, title="allocation")

    def profit(self, account: str | None = None) -> Table[PnlRow]:
        """Today's profit of an account, by model; where a login has several, it is selected for that.

        Empty where IBKR does not tell it, which is not a profit of nothing.

        Raises:
            ConfigurationError: It is not an account of this login, or several are and none is named; nothing
                of it was read.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        return Table(self._books.profit(self._named(account)), PNL_COLUMNS, title="profit today")
