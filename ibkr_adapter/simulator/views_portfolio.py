"""Accounts, positions and sums in the JSON of the portfolio endpoints.

After the recorded answers: a cold row lacks contract data and has a number for the strike, a
warm row has text there and ``multiplier`` 0.0; the fresh list spells prices differently and has
conids as text; the ledger's stamps are seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from ibkr_adapter.simulator.account import Account, Combination, Position, Standing
from ibkr_adapter.simulator.asset_classes import HEADINGS, CurrencySums, currency_sums
from ibkr_adapter.simulator.combos import upright
from ibkr_adapter.simulator.contract_names import position_line
from ibkr_adapter.simulator.currencies import RATES
from ibkr_adapter.simulator.figures import number, seconds
from ibkr_adapter.simulator.instrument import Instrument
from ibkr_adapter.simulator.views_contracts import definition_part

NOTHING = Decimal(0)


def account_object(account: Account, *, access: bool = True, virtual: bool = False) -> dict[str, Any]:
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
        "trackVirtualFXPortfolio": virtual,
        "acctCustType": "INDIVIDUAL",
        "parent": {"mmc": [], "accountId": "", "isMParent": False, "isMChild": False, "isMultiplex": False},
        "desc": identity,
    }


def cold_row(account: str, held: Position, last: Decimal) -> dict[str, Any]:
    """A position before its contract data was loaded."""
    return {
        "acctId": account,
        "conid": held.instrument.conid,
        "contractDesc": position_line(held.instrument),
        "position": number(held.quantity),
        "mktPrice": number(last, 8),
        "mktValue": number(held.market_value(last), 2),
        "currency": held.instrument.currency,
        "avgCost": number(held.average, 8),
        "avgPrice": number(held.average_price, 8),
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
        "avgPrice": number(held.average_price),
        "currency": held.instrument.currency,
        "description": position_line(held.instrument),
        "isLastToLoq": False,
        "marketPrice": number(last),
        "marketValue": number(held.market_value(last)),
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
    total = CurrencySums()
    for currency in account.currencies():
        sums = currency_sums(account, currency, last)
        total.add(sums, RATES[currency])
        rate = 1 if currency == "USD" else number(RATES[currency], 6)
        body[currency] = _ledger_row(account.account_id, currency, rate, sums, now)
    body["BASE"] = _ledger_row(account.account_id, "BASE", 1, total, now)
    return body


def _ledger_row(
    account: str, currency: str, rate: float, sums: CurrencySums, now: datetime
) -> dict[str, Any]:
    values = {key: number(sums.values.get(sec_type, NOTHING), 2) for sec_type, (key, _) in HEADINGS.items()}
    return {
        **values,
        "commoditymarketvalue": 0.0,
        "settledcash": number(sums.cash, 2),
        "exchangerate": rate,
        "sessionid": 1,
        "cashbalance": number(sums.cash, 2),
        "netliquidationvalue": number(sums.net, 2),
        "interest": 0.0,
        "unrealizedpnl": number(sums.unrealised, 2),
        "moneyfunds": 0.0,
        "currency": currency,
        "realizedpnl": number(sums.realised, 2),
        "acctcode": account,
        "issueroptionsmarketvalue": 0.0,
        "key": "LedgerList",
        "timestamp": seconds(now),
        "severity": 0,
        # Guess: what futures have gained since they were entered.
        "futuresonlypnl": values["futuremarketvalue"],
        "tbondsmarketvalue": 0.0,
        "cashbalancefxsegment": 0.0,
        "secondkey": currency,
        "tbillsmarketvalue": 0.0,
        "endofbundle": 1,
        "dividends": 0.0,
    }


def combination_row(
    account: Account, combined: Combination, last: Callable[[Instrument], Decimal]
) -> dict[str, Any]:
    """A combination that is held, with the positions of its legs."""
    instrument = combined.instrument
    name, _ = upright(instrument)
    digest = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
    legs = [
        {"conid": str(leg.instrument.conid), "ratio": leg.ratio * combined.sign} for leg in instrument.legs
    ]
    held = [account.positions[leg.instrument.conid] for leg in instrument.legs]
    rows = [cold_row(account.account_id, one, last(one.instrument)) for one in held]
    return {"name": f"CP.CP{digest}", "description": name, "legs": legs, "positions": rows}


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


def documented_summary(body: dict[str, Any]) -> dict[str, Any]:
    """The same sums as the documents show them: stamps in milliseconds, money without a text."""
    return {
        key: one | {"timestamp": one["timestamp"] * 1000, "value": None if one["currency"] else one["value"]}
        for key, one in body.items()
    }


def spelt_out(value: Any) -> Any:
    """The same answer with the word "None" for nothing, as one example has it."""
    if isinstance(value, dict):
        return {key: spelt_out(one) for key, one in value.items()}
    if isinstance(value, list):
        return [spelt_out(one) for one in value]
    return "None" if value is None else value


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
