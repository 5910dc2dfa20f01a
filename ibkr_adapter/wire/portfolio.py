"""Read accounts, positions and balances.

The same position comes in three shapes: cold and warm from the paged list, and near real time
with the contract id as text. A row without its quantity or its contract is an error, because
whoever reads positions is about to close one. Flat rows are left out, and so are the ``C`` twins
of accounts, which repeat the same positions.

Source: Web API reference, "Accounts" and "Portfolio", and answers recorded from a paper account.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.account import Account, AccountSummary, LedgerRow, PnlRow, Position
from ibkr_adapter.model.contract import SecType
from ibkr_adapter.wire import numbers

BASE = "BASE"
_PORTFOLIO_ACCOUNTS = "GET /portfolio/accounts"
_POSITIONS = "GET /portfolio/{accountId}/positions/{pageId}"
_POSITIONS2 = "GET /portfolio2/{accountId}/positions"
_LEDGER = "GET /portfolio/{accountId}/ledger"
_SUMMARY = "GET /portfolio/{accountId}/summary"
_PNL = "GET /iserver/account/pnl/partitioned"


@attrs.frozen(kw_only=True)
class BrokerageAccounts:
    """What the brokerage session may trade; ``is_paper`` is missing where IBKR did not say."""

    accounts: tuple[str, ...]
    selected: str | None
    is_paper: bool | None
    fractions: frozenset[str] = frozenset()
    cash_quantity: frozenset[str] = frozenset()


def read_accounts(content: Any) -> BrokerageAccounts:
    """Read ``/iserver/accounts``; an empty object means that the session is not up."""
    if not isinstance(content, Mapping):
        raise UnexpectedAnswer("the accounts came in an unknown shape.", endpoint="GET /iserver/accounts")
    listed = content.get("accounts")
    accounts = (
        tuple(account for account in listed if isinstance(account, str)) if isinstance(listed, list) else ()
    )
    properties = content.get("acctProps")
    properties = properties if isinstance(properties, Mapping) else {}

    def having(key: str) -> frozenset[str]:
        return frozenset(
            account
            for account in accounts
            if isinstance(found := properties.get(account), Mapping) and numbers.flag(found.get(key))
        )

    paper = content.get("isPaper")
    selected = content.get("selectedAccount")
    return BrokerageAccounts(
        accounts=accounts,
        selected=selected if isinstance(selected, str) and selected else None,
        is_paper=paper if isinstance(paper, bool) else None,
        fractions=having("supportsFractions"),
        cash_quantity=having("supportsCashQty"),
    )


def read_portfolio_accounts(content: Any) -> tuple[Account, ...]:
    """Read the accounts of the outer session."""
    if not isinstance(content, list):
        raise UnexpectedAnswer("the accounts came in an unknown shape.", endpoint=_PORTFOLIO_ACCOUNTS)
    accounts: dict[str, Account] = {}
    for row in content:
        account_id = _account_id(row)
        if account_id is None:
            raise UnexpectedAnswer("an account came without its id.", endpoint=_PORTFOLIO_ACCOUNTS)
        accounts[account_id] = Account(
            account_id=account_id,
            title=numbers.text(row.get("displayName") or row.get("accountTitle")),
            currency=numbers.text(row.get("currency")),
            account_type=numbers.text(row.get("type")),
        )
    return tuple(
        account
        for name, account in accounts.items()
        if not (name.endswith("C") and name.removesuffix("C") in accounts)
    )


def read_positions(content: Any) -> tuple[Position, ...]:
    """Read one page of positions, cold or warm rows."""
    if not isinstance(content, list):
        raise UnexpectedAnswer(
            "the positions came in an unknown shape; nothing is known of them.", endpoint=_POSITIONS
        )
    return tuple(position for row in content if (position := _paged(row)) is not None)


def read_positions2(content: Any, account_id: str) -> tuple[Position, ...]:
    """Read the near real time positions, which name no account."""
    if not isinstance(content, list):
        raise UnexpectedAnswer(
            "the positions came in an unknown shape; nothing is known of them.", endpoint=_POSITIONS2
        )
    found = []
    for row in content:
        conid, quantity = _held(row, _POSITIONS2)
        if quantity == 0:
            continue
        found.append(
            Position(
                account_id=account_id,
                conid=conid,
                symbol=numbers.text(row.get("description")) or str(conid),
                sec_type=SecType(str(row.get("secType") or row.get("assetClass"))),
                quantity=quantity,
                currency=numbers.text(row.get("currency")),
                average_price=numbers.decimal(row.get("avgPrice")),
                average_cost=numbers.decimal(row.get("avgCost")),
                market_price=numbers.decimal(row.get("marketPrice", row.get("mktPrice"))),
                market_value=numbers.decimal(row.get("marketValue", row.get("mktValue"))),
                unrealised=numbers.decimal(row.get("unrealizedPnl")),
                realised=numbers.decimal(row.get("realizedPnl")),
                multiplier=_multiplier(row.get("multiplier")),
            )
        )
    return tuple(found)


def read_ledger(content: Any) -> tuple[LedgerRow, ...]:
    """Read cash by currency; the row ``BASE`` repeats everything in the base currency."""
    if not isinstance(content, Mapping):
        raise UnexpectedAnswer("the ledger came in an unknown shape.", endpoint=_LEDGER)
    return tuple(
        LedgerRow(
            currency=str(currency),
            cash=numbers.decimal(row.get("cashbalance")),
            settled_cash=numbers.decimal(row.get("settledcash")),
            net_liquidation=numbers.decimal(row.get("netliquidationvalue")),
            stock_value=numbers.decimal(row.get("stockmarketvalue")),
            unrealised=numbers.decimal(row.get("unrealizedpnl")),
            realised=numbers.decimal(row.get("realizedpnl")),
            exchange_rate=numbers.decimal(row.get("exchangerate")),
            at=numbers.moment(row.get("timestamp")),
        )
        for currency, row in content.items()
        if isinstance(row, Mapping)
    )


def read_summary(content: Any) -> AccountSummary:
    """Read the portfolio summary: texts stand in ``value``, amounts of money in ``amount``."""
    if not isinstance(content, Mapping):
        raise UnexpectedAnswer("the summary came in an unknown shape.", endpoint=_SUMMARY)
    rows = {str(key): row for key, row in content.items() if isinstance(row, Mapping)}

    def amount(key: str) -> Decimal | None:
        value = _value(rows.get(key))
        return value if isinstance(value, Decimal) else numbers.decimal(value)

    liquidation = rows.get("netliquidation", {})
    return AccountSummary(
        currency=numbers.text(liquidation.get("currency")),
        net_liquidation=amount("netliquidation"),
        available_funds=amount("availablefunds"),
        buying_power=amount("buyingpower"),
        total_cash=amount("totalcashvalue"),
        excess_liquidity=amount("excessliquidity"),
        equity_with_loan=amount("equitywithloanvalue"),
        initial_margin=amount("initmarginreq"),
        maintenance_margin=amount("maintmarginreq"),
        cushion=amount("cushion"),
        at=numbers.moment(liquidation.get("timestamp")),
        raw={key: _value(row) for key, row in rows.items()},
    )


def read_pnl(content: Any) -> tuple[PnlRow, ...]:
    """Read the partitioned profit; it is empty while IBKR is still collecting it."""
    rows = content.get("upnl") if isinstance(content, Mapping) else None
    if not isinstance(rows, Mapping):
        raise UnexpectedAnswer("the profit came in an unknown shape.", endpoint=_PNL)
    found = []
    for key, row in rows.items():
        if not isinstance(row, Mapping):
            raise UnexpectedAnswer("a row of the profit is no object.", endpoint=_PNL)
        account_id, _, model = str(key).partition(".")
        found.append(
            PnlRow(
                account_id=account_id,
                model=model or "Core",
                daily=numbers.decimal(row.get("dpl")),
                unrealised=numbers.decimal(row.get("upl")),
                net_liquidation=numbers.decimal(row.get("nl")),
                excess_liquidity=numbers.decimal(row.get("el")),
                market_value=numbers.decimal(row.get("mv")),
            )
        )
    return tuple(found)


def _account_id(row: Any) -> str | None:
    if not isinstance(row, Mapping):
        return None
    found = row.get("accountId") or row.get("id")
    return found if isinstance(found, str) and found else None


def _held(row: Any, endpoint: str) -> tuple[int, Decimal]:
    conid = numbers.conid(row.get("conid")) if isinstance(row, Mapping) else None
    quantity = numbers.decimal(row.get("position")) if isinstance(row, Mapping) else None
    if conid is None or quantity is None:
        raise UnexpectedAnswer(
            "a position came without its contract or its quantity; none was guessed.", endpoint=endpoint
        )
    return conid, quantity


def _paged(row: Any) -> Position | None:
    conid, quantity = _held(row, _POSITIONS)
    if quantity == 0:
        return None
    return Position(
        account_id=str(row.get("acctId") or ""),
        conid=conid,
        symbol=numbers.text(row.get("ticker")) or numbers.text(row.get("contractDesc")) or str(conid),
        sec_type=SecType(str(row.get("assetClass"))),
        quantity=quantity,
        currency=numbers.text(row.get("currency")),
        average_price=numbers.decimal(row.get("avgPrice")),
        average_cost=numbers.decimal(row.get("avgCost")),
        market_price=numbers.decimal(row.get("mktPrice")),
        market_value=numbers.decimal(row.get("mktValue")),
        unrealised=numbers.decimal(row.get("unrealizedPnl")),
        realised=numbers.decimal(row.get("realizedPnl")),
        multiplier=_multiplier(row.get("multiplier")),
    )


def _multiplier(value: Any) -> Decimal:
    # IBKR writes null or zero for contracts without one.
    return numbers.decimal(value) or Decimal(1)


def _value(row: Mapping[str, Any] | None) -> Decimal | str | None:
    if row is None or numbers.flag(row.get("isNull")):
        return None
    amount, value = numbers.decimal(row.get("amount")), numbers.text(row.get("value"))
    return value if not amount and value is not None else amount
