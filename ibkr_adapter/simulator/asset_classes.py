"""Under which heading the value of each class of instrument appears.

The currency ledger, the market-value summary and the allocation name the same classes in three
vocabularies; what a heading holds is the sum over the positions of its class.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import attrs

from ibkr_adapter.simulator.account import Account
from ibkr_adapter.simulator.instrument import Instrument

NOTHING = Decimal(0)
# Class: the ledger's key, the summary's row.
HEADINGS: dict[str, tuple[str, str]] = {
    "STK": ("stockmarketvalue", "stock"),
    "OPT": ("stockoptionmarketvalue", "options"),
    "FUT": ("futuremarketvalue", "futures"),
    "FOP": ("futureoptionmarketvalue", "future_options"),
    "BOND": ("corporatebondsmarketvalue", "bonds"),
    "FUND": ("funds", "funds"),
    "WAR": ("warrantsmarketvalue", "warrants"),
    "CRYPTO": ("cryptocurrencyvalue", "Cryptocurrency"),
}


@attrs.define(kw_only=True)
class CurrencySums:
    """What an account has in one currency, in that currency."""

    cash: Decimal = NOTHING
    unrealised: Decimal = NOTHING
    realised: Decimal = NOTHING
    values: dict[str, Decimal] = attrs.field(factory=dict)

    @property
    def net(self) -> Decimal:
        """Cash and everything else."""
        return self.cash + sum(self.values.values(), NOTHING)

    def add(self, other: CurrencySums, rate: Decimal) -> None:
        """Add the sums of another currency, converted."""
        self.cash += other.cash * rate
        self.unrealised += other.unrealised * rate
        self.realised += other.realised * rate
        for sec_type, value in other.values.items():
            self.values[sec_type] = self.values.get(sec_type, NOTHING) + value * rate


def currency_sums(account: Account, currency: str, last: Callable[[Instrument], Decimal]) -> CurrencySums:
    """Add up what an account has in one currency."""
    sums = CurrencySums(cash=account.cash.get(currency, NOTHING))
    for position, price in account.valued(last, currency):
        sums.realised += position.realised
        if position.quantity:
            sec_type = position.instrument.sec_type
            sums.unrealised += position.unrealised(price)
            sums.values[sec_type] = sums.values.get(sec_type, NOTHING) + position.value(price)
    return sums
