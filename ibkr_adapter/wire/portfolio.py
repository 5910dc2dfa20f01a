"""Read accounts, positions, cash and profit.

One position comes in three shapes: cold and warm from the paged list, and near real time with the
contract id as text. A row without its contract or its quantity is an error, because whoever reads
positions may be about to close one. An account's ``C`` twin, a ledger inside the same account,
repeats its positions and is left out. Which call to make, and when, is for
:mod:`ibkr_adapter.portfolio` and :mod:`ibkr_adapter.session`.

Source: Web API reference, "Accounts" and "Portfolio", and answers recorded from paper accounts;
held by ``tests/unit/test_wire_portfolio.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.account import Account, AccountSummary, LedgerRow, PnlRow, Position
from ibkr_adapter.model.contract import SecType
from ibkr_adapter.wire import numbers

ACCOUNTS = "GET /iserver/accounts"
PORTFOLIO_ACCOUNTS = "GET /portfolio/accounts"
POSITIONS = "GET /portfolio/{accountId}/positions/{pageId}"
POSITIONS2 = "GET /portfolio2/{accountId}/positions"
POSITIONS_BY_CONID = "GET /portfolio/positions/{conid}"
LEDGER = "GET /portfolio/{accountId}/ledger"
SUMMARY = "GET /portfolio/{accountId}/summary"
PNL = "GET /iserver/account/pnl/partitioned"

BASE = "BASE"
# What advisers see among their accounts without its being one.
_ALL = "All"
# Ids of paper accounts begin with these: a client's, an adviser's, an introducing broker's.
_PAPER = ("DU", "DF", "DI")
_TWIN = "C"
# What stands among the figures of a ledger and is none.
_NO_MONEY = {"sessionid", "timestamp", "severity", "endofbundle", "acctcode", "key", "secondkey", "currency"}


@attrs.frozen(kw_only=True)
class AccountProperties:
    """What the brokerage session says of one account; ``None`` where it says nothing."""

    supports_fractions: bool | None = None
    supports_cash_qty: bool | None = None


@attrs.frozen(kw_only=True)
class BrokerageAccounts:
    """What the brokerage session may trade; without accounts it is not up.

    ``is_paper`` is ``None`` where IBKR did not say. ``groups`` are advisers' names for several
    accounts at once, which are no accounts.
    """

    accounts: tuple[str, ...] = ()
    selected: str | None = None
    is_paper: bool | None = None
    properties: Mapping[str, AccountProperties] = attrs.field(factory=dict)
    groups: tuple[str, ...] = ()


def read_accounts(content: Any) -> BrokerageAccounts:
    """Read the accounts of the brokerage session; an empty object means that it is not up."""
    body = _object(content, ACCOUNTS, "the accounts")
    names = _texts(body.get("accounts"), ACCOUNTS)
    groups = {_ALL, *_texts(body.get("groups"), ACCOUNTS)}
    properties = body.get("acctProps")
    properties = properties if isinstance(properties, Mapping) else {}
    return BrokerageAccounts(
        accounts=tuple(name for name in names if name not in groups),
        selected=numbers.text(body.get("selectedAccount")),
        is_paper=numbers.flag(body.get("isPaper")),
        properties={
            name: AccountProperties(
                supports_fractions=numbers.flag(found.get("supportsFractions")),
                supports_cash_qty=numbers.flag(found.get("supportsCashQty")),
            )
            for name in names
            if isinstance(found := properties.get(name), Mapping)
        },
        groups=tuple(name for name in names if name in groups),
    )


def read_portfolio_accounts(content: Any) -> tuple[Account, ...]:
    """Read the accounts of the outer session, as a list or as one page of sub-accounts."""
    if isinstance(content, Mapping) and "subaccounts" in content:
        content = content["subaccounts"]
    accounts = [_account(row) for row in _rows(content, PORTFOLIO_ACCOUNTS, "the accounts")]
    kept = _without_twins(account.account_id for account in accounts)
    return tuple(account for account in accounts if account.account_id in kept)


def read_positions(content: Any, *, include_flat: bool = False) -> tuple[Position, ...]:
    """Read one page of positions, cold or warm; flat ones are left out unless asked for."""
    rows = _rows(content, POSITIONS, "the positions")
    return _held((_position(row, None, POSITIONS) for row in rows), include_flat=include_flat)


def read_positions2(content: Any, account_id: str, *, include_flat: bool = False) -> tuple[Position, ...]:
    """Read the near real time positions, whose rows name no account; flat ones as above."""
    rows = _rows(content, POSITIONS2, "the positions")
    return _held((_position(row, account_id, POSITIONS2) for row in rows), include_flat=include_flat)


def read_positions_by_conid(content: Any, *, include_flat: bool = False) -> tuple[Position, ...]:
    """Read what every account holds of one contract; twins of accounts are left out."""
    body = _object(content, POSITIONS_BY_CONID, "the positions")
    found: list[Position] = []
    for account_id in _without_twins(body):
        rows = _rows(body[account_id], POSITIONS_BY_CONID, f"the positions of {account_id}")
        found += (_position(row, account_id, POSITIONS_BY_CONID) for row in rows)
    return _held(found, include_flat=include_flat)


def read_ledger(content: Any) -> tuple[LedgerRow, ...]:
    """Read cash by currency; the sum of all in the base currency comes last, named ``BASE``."""
    body = _object(content, LEDGER, "the ledger")
    if not body:
        # Every account has at least the sum: this is how a call out of order is answered.
        raise UnexpectedAnswer("the ledger came empty; nothing is known of the cash.", endpoint=LEDGER)
    rows = [_ledger_row(str(currency), row) for currency, row in body.items()]
    return tuple(sorted(rows, key=lambda row: row.currency == BASE))


def read_summary(content: Any) -> AccountSummary:
    """Read the portfolio's summary, which is exact to the cent.

    A figure stands in ``amount``, a word in ``value`` beside an amount of 0.
    """
    cells = _object(content, SUMMARY, "the summary")
    if not cells:
        raise UnexpectedAnswer("the summary came empty; no balance was guessed.", endpoint=SUMMARY)
    raw = {str(key): _cell(_object(cell, SUMMARY, "a cell of the summary")) for key, cell in cells.items()}
    worth = cells.get("netliquidation", {})
    account_id = raw.get("accountcode")
    return AccountSummary(
        account_id=account_id if isinstance(account_id, str) else None,
        currency=numbers.text(worth.get("currency")),
        at=numbers.moment(worth.get("timestamp")),
        net_liquidation=numbers.decimal(raw.get("netliquidation")),
        available_funds=numbers.decimal(raw.get("availablefunds")),
        buying_power=numbers.decimal(raw.get("buyingpower")),
        total_cash=numbers.decimal(raw.get("totalcashvalue")),
        excess_liquidity=numbers.decimal(raw.get("excessliquidity")),
        equity_with_loan=numbers.decimal(raw.get("equitywithloanvalue")),
        initial_margin=numbers.decimal(raw.get("initmarginreq")),
        maintenance_margin=numbers.decimal(raw.get("maintmarginreq")),
        cushion=numbers.decimal(raw.get("cushion")),
        raw=raw,
    )


def read_pnl(content: Any) -> tuple[PnlRow, ...]:
    """Read profit by account and model; it is empty while IBKR is still collecting it."""
    body = _object(content, PNL, "the profit")
    found = []
    for key, row in _object(body.get("upnl", {}), PNL, "the profit").items():
        figures = _object(row, PNL, f"the profit of {key}")
        account_id, _, model = str(key).partition(".")
        found.append(
            PnlRow(
                account_id=account_id,
                model=model or "Core",
                daily=numbers.decimal(figures.get("dpl")),
                unrealised=numbers.decimal(figures.get("upl")),
                net_liquidation=numbers.decimal(figures.get("nl")),
                excess_liquidity=numbers.decimal(figures.get("el")),
                market_value=numbers.decimal(figures.get("mv")),
            )
        )
    return tuple(found)


def _account(row: Mapping[str, Any]) -> Account:
    account_id = numbers.text(row.get("accountId")) or numbers.text(row.get("id"))
    if account_id is None:
        raise UnexpectedAnswer("an account came without its id.", endpoint=PORTFOLIO_ACCOUNTS)
    kind = numbers.text(row.get("type"))
    paper = account_id.startswith(_PAPER) or kind == "DEMO"
    parent = row.get("parent")
    parent = parent if isinstance(parent, Mapping) else {}
    clients = parent.get("mmc")
    return Account(
        account_id=account_id,
        title=numbers.text(row.get("displayName")) or numbers.text(row.get("accountTitle")),
        alias=numbers.text(row.get("accountAlias")),
        currency=numbers.text(row.get("currency")),
        account_type=kind,
        # Without a word on its type nothing says that an account is live, or that it is not.
        is_paper=True if paper else None if kind is None else False,
        opened=numbers.moment(row.get("accountStatus")),
        trading_type=numbers.text(row.get("tradingType")),
        business_type=numbers.text(row.get("businessType")),
        customer_type=numbers.text(row.get("acctCustType")),
        entity=numbers.text(row.get("ibEntity")),
        clearing=numbers.text(row.get("clearingStatus")),
        # One spelling on the wire, another in the description.
        is_adviser=numbers.flag(row.get("faclient", row.get("faClient"))),
        has_brokerage_access=numbers.flag(row.get("brokerageAccess")),
        parent_id=numbers.text(parent.get("accountId")),
        clients=_texts(clients, PORTFOLIO_ACCOUNTS) if isinstance(clients, list) else (),
    )


def _position(row: Mapping[str, Any], account_id: str | None, endpoint: str) -> Position:
    conid, quantity = numbers.conid(row.get("conid")), numbers.decimal(row.get("position"))
    holder = account_id or numbers.text(row.get("acctId"))
    if conid is None or quantity is None or holder is None:
        raise UnexpectedAnswer(
            "a position came without its contract, its quantity or its account; none was guessed.",
            endpoint=endpoint,
        )
    sec_type = SecType(row.get("assetClass") or row.get("secType") or "")
    described = numbers.text(row.get("contractDesc")) or numbers.text(row.get("description"))
    ends = numbers.day(row.get("expiry"))
    return Position(
        account_id=holder,
        conid=conid,
        symbol=numbers.text(row.get("ticker")) or described or str(conid),
        sec_type=sec_type,
        quantity=quantity,
        currency=numbers.text(row.get("currency")),
        description=described,
        average_price=numbers.decimal(row.get("avgPrice")),
        average_cost=numbers.decimal(row.get("avgCost")),
        market_price=_first(row, "mktPrice", "marketPrice"),
        market_value=_first(row, "mktValue", "marketValue"),
        unrealised=numbers.decimal(row.get("unrealizedPnl")),
        realised=numbers.decimal(row.get("realizedPnl")),
        multiplier=_multiplier(row, sec_type),
        model=numbers.text(row.get("model")),
        at=numbers.moment(row.get("timestamp")),
        expiry=f"{ends:%Y%m%d}" if ends is not None else None,
        # Contracts without a strike have 0, as a number or a text.
        strike=numbers.decimal(row.get("strike")) or None,
        right=_right(row.get("putOrCall")),
        underlying_conid=numbers.conid(row.get("undConid")),
    )


def _right(value: Any) -> str | None:
    letter = (numbers.text(value) or "")[:1].upper()
    return letter if letter in {"C", "P"} else None


def _multiplier(row: Mapping[str, Any], sec_type: SecType) -> Decimal:
    written = numbers.decimal(row.get("multiplier"))
    if written is not None and written > 0:
        return written
    price, cost = numbers.decimal(row.get("avgPrice")), numbers.decimal(row.get("avgCost"))
    if sec_type is SecType.STOCK or not price or not cost:
        # IBKR writes null or zero for contracts without one.
        return Decimal(1)
    # The cost includes the multiplier and the price does not; both are rounded a little.
    ratio = cost / price
    whole = ratio.to_integral_value()
    return whole if abs(ratio - whole) < ratio / 10_000 else Decimal(1)


def _ledger_row(currency: str, row: Any) -> LedgerRow:
    figures = _object(row, LEDGER, f"the ledger's row {currency}")
    return LedgerRow(
        currency=currency,
        cash=numbers.decimal(figures.get("cashbalance")),
        settled_cash=numbers.decimal(figures.get("settledcash")),
        net_liquidation=numbers.decimal(figures.get("netliquidationvalue")),
        stock_value=numbers.decimal(figures.get("stockmarketvalue")),
        unrealised=numbers.decimal(figures.get("unrealizedpnl")),
        realised=numbers.decimal(figures.get("realizedpnl")),
        interest=numbers.decimal(figures.get("interest")),
        dividends=numbers.decimal(figures.get("dividends")),
        exchange_rate=numbers.decimal(figures.get("exchangerate")),
        at=numbers.moment(figures.get("timestamp")),
        values={
            str(key): number
            for key, value in figures.items()
            if key not in _NO_MONEY and (number := numbers.decimal(value)) is not None
        },
    )


def _cell(cell: Mapping[str, Any]) -> Decimal | str | None:
    if numbers.flag(cell.get("isNull")):
        return None
    amount, word = numbers.decimal(cell.get("amount")), numbers.text(cell.get("value"))
    if amount:
        return amount
    # Beside a word the amount is 0 and says nothing, also where the word cannot be read.
    return amount if cell.get("value") is None else word


def _held(positions: Iterable[Position], *, include_flat: bool) -> tuple[Position, ...]:
    return tuple(position for position in positions if include_flat or position.quantity)


def _without_twins(account_ids: Iterable[str]) -> list[str]:
    known = list(account_ids)
    return [name for name in known if not (name.endswith(_TWIN) and name.removesuffix(_TWIN) in known)]


def _first(row: Mapping[str, Any], *keys: str) -> Decimal | None:
    return next((value for key in keys if (value := numbers.decimal(row.get(key))) is not None), None)


def _texts(value: Any, endpoint: str) -> tuple[str, ...]:
    texts = [numbers.text(name) for name in _list(value or [], endpoint, "a list of names")]
    return tuple(name for name in texts if name is not None)


def _rows(content: Any, endpoint: str, what: str) -> list[Mapping[str, Any]]:
    return [_object(row, endpoint, f"a row of {what}") for row in _list(content, endpoint, what)]


def _list(content: Any, endpoint: str, what: str) -> list[Any]:
    if not isinstance(content, list):
        raise UnexpectedAnswer(f"{what} came in an unknown shape; nothing was guessed.", endpoint=endpoint)
    return content


def _object(content: Any, endpoint: str, what: str) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise UnexpectedAnswer(f"{what} came in an unknown shape; nothing was guessed.", endpoint=endpoint)
    return content
