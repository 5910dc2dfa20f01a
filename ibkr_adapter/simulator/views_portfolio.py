"""Accounts, positions and sums in the JSON of the portfolio endpoints.

After the recorded answers: a cold row lacks contract data and has a number for the strike, a
warm row has text there and ``multiplier`` 0.0; the fresh list spells prices differently and has
conids as text; the ledger's stamps are seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from ibkr_adapter.simulator.account import Account, Position, Standing
from ibkr_adapter.simulator.currencies import RATES
from ibkr_adapter.simulator.figures import number, seconds
from ibkr_adapter.simulator.instrument import Instrument
from ibkr_adapter.simulator.views_contracts import definition_part

NOTHING = Decimal(0)


def account_object(account: Account, *, access: bool = True) -> dict[str, Any]:
    """One account as the account lists and ``meta`` show it."""
    identity = account.account_id
    return {
        "id": identity,
        "PrepaidCrypto-Z": False,
        "PrepaidCrypto-P": False,
        "brokerageAccess": access,
        "accountId": identity,
        "accountVan": identity,
        "accountTitle": "Simulated User",
        "displayName": "Simulated User",
        "accountAlias": None,
        "accountStatus": 1769922000000,
        "currency": "USD",
        "type": "DEMO" if account.is_paper else "INDIVIDUAL",
        "tradingType": "STKNOPT",
        "businessType": "INDEPENDENT",
        "category": "",
        "ibEntity": "IBLLC-US",
        "faclient": False,
        "clearingStatus": "O",
        "covestor": False,
        "noClientTrading": False,
        "trackVirtualFXPortfolio": False,
        "acctCustType": "INDIVIDUAL",
        "parent": {"mmc": [], "accountId": "", "isMParent": False, "isMChild": False, "isMultiplex": False},
        "desc": identity,
    }


def cold_row(account: str, held: Position, last: Decimal) -> dict[str, Any]:
    """A position before its contract data was loaded."""
    return {
        "acctId": account,
        "conid": held.instrument.conid,
        "contractDesc": held.instrument.symbol,
        "position": number(held.quantity),
        "mktPrice": number(last, 8),
        "mktValue": number(held.quantity * last, 2),
        "currency": held.instrument.currency,
        "avgCost": number(held.average, 8),
        "avgPrice": number(held.average, 8),
        "realizedPnl": number(held.realised, 2),
        "unrealizedPnl": number(held.unrealised(last), 2),
        "exchs": None,
        "expiry": None,
        "putOrCall": None,
        "multiplier": None,
        "strike": 0.0,
        "exerciseStyle": None,
        "conExchMap": [],
        "assetClass": held.instrument.sec_type,
        "undConid": 0,
        "model": "",
    }


def warm_row(account: str, held: Position, last: Decimal) -> dict[str, Any]:
    """A position with its contract data."""
    instrument = held.instrument
    return {
        **cold_row(account, held, last),
        **definition_part(instrument),
        "crossCurrency": False,
        "time": 6,
        "chineseName": "",
    }


def fresh_row(held: Position, last: Decimal, stamp: int) -> dict[str, Any]:
    """A position in the near real-time list."""
    return {
        "position": number(held.quantity),
        "conid": str(held.instrument.conid),
        "avgCost": number(held.average),
        "avgPrice": number(held.average),
        "currency": held.instrument.currency,
        "description": held.instrument.symbol,
        "isLastToLoq": False,
        "marketPrice": number(last),
        "marketValue": number(held.quantity * last),
        "realizedPnl": number(held.realised),
        "secType": held.instrument.sec_type,
        "timestamp": stamp,
        "unrealizedPnl": number(held.unrealised(last)),
        "assetClass": held.instrument.sec_type,
        "sector": None,
        "group": None,
        "model": "",
    }


def ledger_body(account: Account, last: Callable[[Instrument], Decimal], now: datetime) -> dict[str, Any]:
    """Cash and values by currency, and everything in the base currency."""
    body: dict[str, Any] = {}
    sums = [NOTHING] * 4
    for currency in account.currencies():
        row = _currency_sums(account, currency, last)
        sums = [total + part * RATES[currency] for total, part in zip(sums, row, strict=True)]
        rate = 1 if currency == "USD" else number(RATES[currency], 6)
        body[currency] = _ledger_row(account.account_id, currency, rate, row, now)
    body["BASE"] = _ledger_row(account.account_id, "BASE", 1, sums, now)
    return body


def _currency_sums(account: Account, currency: str, last: Callable[[Instrument], Decimal]) -> list[Decimal]:
    stocks = gain = realised = NOTHING
    for held in account.positions.values():
        if held.instrument.currency == currency:
            realised += held.realised
            if held.quantity:
                price = last(held.instrument)
                stocks += held.quantity * price
                gain += held.unrealised(price)
    return [account.cash.get(currency, NOTHING), stocks, gain, realised]


def _ledger_row(
    account: str, currency: str, rate: float, sums: list[Decimal], now: datetime
) -> dict[str, Any]:
    cash, stocks, gain, realised = sums
    return {
        "commoditymarketvalue": 0.0,
        "futuremarketvalue": 0.0,
        "settledcash": number(cash, 2),
        "exchangerate": rate,
        "sessionid": 1,
        "cashbalance": number(cash, 2),
        "corporatebondsmarketvalue": 0.0,
        "warrantsmarketvalue": 0.0,
        "netliquidationvalue": number(cash + stocks, 2),
        "interest": 0.0,
        "unrealizedpnl": number(gain, 2),
        "stockmarketvalue": number(stocks, 2),
        "moneyfunds": 0.0,
        "currency": currency,
        "realizedpnl": number(realised, 2),
        "funds": 0.0,
        "acctcode": account,
        "issueroptionsmarketvalue": 0.0,
        "key": "LedgerList",
        "timestamp": seconds(now),
        "severity": 0,
        "stockoptionmarketvalue": 0.0,
        "futuresonlypnl": 0.0,
        "tbondsmarketvalue": 0.0,
        "futureoptionmarketvalue": 0.0,
        "cashbalancefxsegment": 0.0,
        "secondkey": currency,
        "tbillsmarketvalue": 0.0,
        "endofbundle": 1,
        "dividends": 0.0,
        "cryptocurrencyvalue": 0.0,
    }


# Money keys of the summary by the sum they show; "-s" repeats them for the securities segment.
_MONEY: dict[str, tuple[str, ...]] = {
    "net": ("netliquidation", "equitywithloanvalue", "regtequity", "previousdayequitywithloanvalue"),
    "available": (
        "availablefunds",
        "availabletotrade",
        "availabletowithdraw",
        "excessliquidity",
        "fullavailablefunds",
        "fullexcessliquidity",
        "lookaheadavailablefunds",
        "lookaheadexcessliquidity",
        "sma",
    ),
    "margin": (
        "initmarginreq",
        "maintmarginreq",
        "fullinitmarginreq",
        "fullmaintmarginreq",
        "lookaheadinitmarginreq",
        "lookaheadmaintmarginreq",
    ),
    "gross": ("grosspositionvalue",),
    "cash": ("totalcashvalue",),
    "nothing": (
        "accruedcash",
        "accrueddividend",
        "billable",
        "guarantee",
        "indianstockhaircut",
        "pasharesvalue",
        "physicalcertificatevalue",
        "postexpirationexcess",
        "postexpirationmargin",
        "totaldebitcardpendingcharges",
    ),
}


def summary_body(account: Account, sums: Standing, now: datetime) -> dict[str, Any]:
    """All sums of an account, each an object; an account without commodities has no "-c" keys."""
    stamp = seconds(now)
    amounts = {
        "net": sums.net,
        "available": sums.available,
        "margin": sums.margin,
        "gross": sums.gross,
        "cash": sums.cash,
        "nothing": NOTHING,
    }
    body: dict[str, Any] = {}
    for which, keys in _MONEY.items():
        for key in keys:
            body[key] = body[f"{key}-s"] = _amount(amounts[which], stamp)
    body["buyingpower"] = _amount(sums.buying_power, stamp)
    body["netliquidationuncertainty"] = _amount(NOTHING, stamp)
    body["regtmargin"] = body["regtmargin-s"] = _amount(sums.margin * 2, stamp)
    cushion = sums.available / sums.net if sums.net else NOTHING
    leverage = sums.gross / sums.net if sums.net else NOTHING
    texts = {
        "accountcode": account.account_id,
        "accountready": "true",
        "accounttype": "INDIVIDUAL",
        "columnprio-s": "1",
        "cushion": f"{cushion:.6f}",
        "daytradesremaining": "-1",
        "daytradesremainingt+1": "-1",
        "daytradesremainingt+2": "-1",
        "daytradesremainingt+3": "-1",
        "daytradesremainingt+4": "-1",
        "daytradingstatus-s": ": : false: 0.0: :false",
        "depositoncredithold": "null",
        "highestseverity": "null",
        "leverage-s": f"{leverage:.2f}",
        "lookaheadnextchange": str(stamp),
        "nlvandmargininreview": "false",
        "segmenttitle-s": "US Securities",
        "tradingtype-s": "STKNOPT",
        "whatifpmenabled": "true",
    }
    for key, text in texts.items():
        body[key] = _sum_object(0.0, None, text, stamp)
    return dict(sorted(body.items()))


def _amount(amount: Decimal, stamp: int) -> dict[str, Any]:
    figure = number(amount, 2)
    # The recording repeats the number as text; the documents show null.
    return _sum_object(figure, "USD", str(figure), stamp)


def _sum_object(amount: float, currency: str | None, value: str | None, stamp: int) -> dict[str, Any]:
    return {
        "amount": amount,
        "currency": currency,
        "isNull": False,
        "timestamp": stamp,
        "value": value,
        "severity": 0,
    }
