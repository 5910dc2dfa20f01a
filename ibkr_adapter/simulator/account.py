"""What an account owns: positions, cash, and profit that adds up to the cent.

Commissions belong to the cost of a position, as the average costs in recorded answers show, so
at any moment: cash at the start + realised + unrealised = cash now + value, exactly. The value of
a future is only the difference to what it was entered at, because nothing was paid for it.
Trading a pair of currencies moves two cash balances and makes no profit; it leaves a position
only in a list of its own. Margins and fees are in :mod:`.charges`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal

import attrs

from ibkr_adapter.simulator.charges import LEVERAGE, fee_currency, requirement
from ibkr_adapter.simulator.combos import upright
from ibkr_adapter.simulator.currencies import RATES
from ibkr_adapter.simulator.figures import cents
from ibkr_adapter.simulator.instrument import Instrument

NOTHING = Decimal(0)


@attrs.define(kw_only=True, eq=False)
class Position:
    """What is held (negative when short) and what it cost, commissions included.

    ``entered`` is the cost without commissions: what a future's value is measured from.
    """

    instrument: Instrument
    quantity: Decimal = NOTHING
    cost: Decimal = NOTHING
    entered: Decimal = NOTHING
    realised: Decimal = NOTHING

    @property
    def average(self) -> Decimal:
        """Cost of one share or contract; nothing when flat."""
        return self.cost / self.quantity if self.quantity else NOTHING

    @property
    def average_price(self) -> Decimal:
        """Cost of one unit of the multiplier."""
        return self.average / self.instrument.multiplier

    def market_value(self, last: Decimal) -> Decimal:
        """Price times size, whether or not it was paid for."""
        return self.quantity * last * self.instrument.multiplier

    def value(self, last: Decimal) -> Decimal:
        """What it adds to the account's worth."""
        worth = self.market_value(last)
        return worth - self.entered if self.instrument.sec_type == "FUT" else worth

    def unrealised(self, last: Decimal) -> Decimal:
        """Profit if it were closed at ``last``, before commissions."""
        return self.market_value(last) - self.cost

    def book(self, signed: Decimal, price: Decimal, fee: Decimal) -> Decimal:
        """Book a fill and return what it brings in cash, the fee included."""
        size = self.instrument.multiplier
        paid_for = self.instrument.sec_type != "FUT"
        cash = -fee
        closing = _overlap(self.quantity, signed)
        if closing:
            part = cents(fee * closing / signed)
            gone, left = self._share(self.cost, closing), self._share(self.entered, closing)
            proceeds = -closing * price * size
            self.realised += proceeds - gone - part
            cash += proceeds if paid_for else proceeds - left
            self.cost -= gone
            self.entered -= left
            self.quantity += closing
            fee -= part
        opening = signed - closing
        if opening:
            spent = opening * price * size
            self.cost += spent + fee
            self.entered += spent
            self.quantity += opening
            cash -= spent if paid_for else NOTHING
        return cash

    def _share(self, total: Decimal, closing: Decimal) -> Decimal:
        # The last share takes whatever cost is left, so no fraction of a cent is ever lost.
        if closing == -self.quantity:
            return total
        return cents(total * -closing / self.quantity)


@attrs.define(kw_only=True, eq=False)
class Combination:
    """A combination that was traded as one; its legs are positions like all others.

    ``quantity`` counts it with its first leg bought, ``sign`` tells whether it was written so.
    """

    instrument: Instrument
    sign: int
    quantity: Decimal = NOTHING


@attrs.define(kw_only=True, eq=False)
class Account:
    """One account and its books."""

    account_id: str
    cash: dict[str, Decimal]
    opened: datetime
    positions: dict[int, Position] = attrs.field(factory=dict)
    pairs: dict[int, Position] = attrs.field(factory=dict)
    combinations: dict[str, Combination] = attrs.field(factory=dict)
    start: dict[str, Decimal] = attrs.field(
        default=attrs.Factory(lambda self: dict(self.cash), takes_self=True)
    )
    commissions: Decimal = NOTHING

    @property
    def is_paper(self) -> bool:
        """Tell whether the id is that of a paper account."""
        return self.account_id.startswith("D")

    def position(self, instrument: Instrument) -> Position:
        """The position in an instrument, flat if there never was one."""
        kept = self.positions if instrument.base is None else self.pairs
        found = kept.get(instrument.conid)
        if found is None:
            found = kept[instrument.conid] = Position(instrument=instrument)
        return found

    def held(self, conid: int) -> Decimal:
        """What is held of a contract."""
        found = self.positions.get(conid) or self.pairs.get(conid)
        return found.quantity if found else NOTHING

    def realised(self, conid: int) -> Decimal:
        """What was realised in a contract; trading pairs realises nothing."""
        found = self.positions.get(conid)
        return found.realised if found else NOTHING

    def open_positions(self) -> list[Position]:
        """The positions that are not flat."""
        return [one for one in self.positions.values() if one.quantity]

    def book_fill(
        self, instrument: Instrument, signed: Decimal, price: Decimal, fee: Decimal, *, converts: bool = False
    ) -> None:
        """Book a fill of ``signed`` shares or contracts: cash, cost and realised profit.

        What only ``converts`` one currency into another leaves no position in the pair.
        """
        self.commissions += fee
        if instrument.base is None:
            self._pay(instrument.currency, self.position(instrument).book(signed, price, fee))
            return
        self._pay(instrument.base, signed)
        self._pay(instrument.currency, -signed * price)
        self._pay(fee_currency(instrument), -fee)
        if not converts:
            self.position(instrument).book(signed, price, NOTHING)

    def combine(self, instrument: Instrument, signed: Decimal) -> None:
        """Note that so many combinations were traded; their mirror image takes them away."""
        name, sign = upright(instrument)
        kept = self.combinations.setdefault(name, Combination(instrument=instrument, sign=sign))
        kept.quantity += signed * sign

    def _pay(self, currency: str, amount: Decimal) -> None:
        self.cash[currency] = self.cash.get(currency, NOTHING) + amount

    def seed(self, instrument: Instrument, quantity: Decimal, price: Decimal) -> None:
        """Give the account a position that it had bought before, at ``price`` each."""
        position = self.position(instrument)
        spent = quantity * price * instrument.multiplier
        position.quantity += quantity
        position.cost += spent
        position.entered += spent
        if instrument.base is None and instrument.sec_type != "FUT":
            currency = instrument.currency
            self.start[currency] = self.start.get(currency, NOTHING) + spent

    def currencies(self) -> list[str]:
        """The currencies that cash or positions are in, US dollars first."""
        held = {one.instrument.currency for one in self.open_positions()} | set(self.cash)
        return sorted(held, key=lambda currency: (currency != "USD", currency))

    def valued(
        self, last: Callable[[Instrument], Decimal], currency: str | None = None
    ) -> Iterator[tuple[Position, Decimal]]:
        """Every position that was ever held, with the last price of what is still open."""
        for position in self.positions.values():
            if currency in {None, position.instrument.currency}:
                yield position, last(position.instrument) if position.quantity else NOTHING


def _overlap(held: Decimal, signed: Decimal) -> Decimal:
    """The part of a fill that closes what is held, with the fill's sign."""
    if held * signed >= 0:
        return NOTHING
    return signed if abs(signed) <= abs(held) else -held


@attrs.frozen(kw_only=True)
class Standing:
    """The sums of an account at one moment, in US dollars."""

    cash: Decimal
    holdings: Decimal
    gross: Decimal
    realised: Decimal
    unrealised: Decimal
    margin: Decimal

    @property
    def net(self) -> Decimal:
        """Net liquidation value."""
        return self.cash + self.holdings

    @property
    def available(self) -> Decimal:
        """Funds that no position ties up."""
        return self.net - self.margin

    @property
    def buying_power(self) -> Decimal:
        """What may still be bought."""
        return max(NOTHING, self.available * LEVERAGE)


def standing(account: Account, last: Callable[[Instrument], Decimal]) -> Standing:
    """Add an account up at the prices that ``last`` tells."""
    cash = sum((RATES[one] * amount for one, amount in account.cash.items()), NOTHING)
    holdings = gross = unrealised = realised = margin = NOTHING
    for position, price in account.valued(last):
        instrument, rate = position.instrument, RATES[position.instrument.currency]
        realised += position.realised * rate
        if position.quantity:
            holdings += position.value(price) * rate
            gross += NOTHING if instrument.sec_type == "FUT" else abs(position.market_value(price)) * rate
            unrealised += position.unrealised(price) * rate
            margin += requirement(instrument, position.quantity, price, last) * rate
    return Standing(
        cash=cash, holdings=holdings, gross=gross, realised=realised, unrealised=unrealised, margin=margin
    )
