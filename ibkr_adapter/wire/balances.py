"""Read the brokerage session's balances: a summary of numbers, and four tables of texts.

The summary has numbers rounded to whole units of currency. Its four sub-paths have texts: amounts
with thousands commas and a currency behind, and words such as ``Unlimited``. Keys are abbreviated
without a rule, so they are handed on as they come. Which to ask for is for
:mod:`ibkr_adapter.portfolio_desk`.

Source: Web API reference, "Account Summary" and its sub-paths, and answers recorded from a paper
account; held by ``tests/unit/test_wire_balances.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.account import AccountSummary
from ibkr_adapter.model.holding import Figure
from ibkr_adapter.wire import numbers
from ibkr_adapter.wire.rows import mapping, rows

ACCOUNT_SUMMARY = "GET /iserver/account/{accountId}/summary"

_TOTAL = "Total (in "


def read_account_summary(content: Any, account_id: str | None = None) -> AccountSummary:
    """Read the brokerage session's summary, which is rounded to whole units of currency.

    Balances by currency are in ``raw`` under ``cashBalances.`` and the currency. The base
    currency is the one that IBKR sums them up in.
    """
    body = mapping(content, ACCOUNT_SUMMARY, "the account summary")
    if "netLiquidationValue" not in body:
        raise UnexpectedAnswer(
            "the account summary came without its net liquidation; no balance was guessed.",
            endpoint=ACCOUNT_SUMMARY,
        )
    raw: dict[str, Decimal | str | None] = {}
    for key, value in body.items():
        if key != "cashBalances":
            number = numbers.decimal(value)
            raw[str(key)] = number if number is not None else numbers.text(value)
    base = None
    for row in rows(body.get("cashBalances") or [], ACCOUNT_SUMMARY, "the cash balances"):
        currency = numbers.text(row.get("currency")) or ""
        if currency.startswith(_TOTAL):
            base = currency.removeprefix(_TOTAL).removesuffix(")")
        else:
            raw[f"cashBalances.{currency}"] = numbers.decimal(row.get("balance"))
    return AccountSummary(
        account_id=account_id,
        currency=base,
        net_liquidation=numbers.decimal(raw.get("netLiquidationValue")),
        available_funds=numbers.decimal(raw.get("availableFunds")),
        buying_power=numbers.decimal(raw.get("buyingPower")),
        total_cash=numbers.decimal(raw.get("totalCashValue")),
        excess_liquidity=numbers.decimal(raw.get("excessLiquidity")),
        equity_with_loan=numbers.decimal(raw.get("equityWithLoanValue")),
        initial_margin=numbers.decimal(raw.get("initialMargin")),
        maintenance_margin=numbers.decimal(raw.get("maintenanceMargin")),
        raw=raw,
    )


def read_figures(content: Any, endpoint: str) -> tuple[Figure, ...]:
    """Read one of the sub-paths that have segments of texts."""
    return tuple(
        _figure(segment, str(name), value, None)
        for segment, figures in _segments(content, endpoint)
        for name, value in figures.items()
    )


def read_market_values(content: Any, endpoint: str) -> tuple[Figure, ...]:
    """Read the market values by currency; the sum of all is the segment ``total``."""
    found = []
    for segment, figures in _segments(content, endpoint):
        total = segment.startswith(_TOTAL)
        currency = segment.removeprefix(_TOTAL).removesuffix(")")
        shown = "total" if total else segment
        found += [_figure(shown, str(name), value, currency) for name, value in figures.items()]
    return tuple(found)


def _segments(content: Any, endpoint: str) -> list[tuple[str, Mapping[str, Any]]]:
    body = mapping(content, endpoint, "the balances")
    return [(str(name), mapping(figures, endpoint, f"the segment {name}")) for name, figures in body.items()]


def _figure(segment: str, name: str, value: Any, currency: str | None) -> Figure:
    text = numbers.text(value) or ""
    money = numbers.money(value)
    if money is not None:
        return Figure(segment=segment, name=name, text=text, amount=money[0], currency=money[1])
    amount = numbers.decimal(value)
    # An exchange rate stands among the amounts and is none.
    known = None if amount is None or name == "Exchange Rate" else currency
    return Figure(segment=segment, name=name, text=text or _shown(amount), amount=amount, currency=known)


def _shown(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:f}"
