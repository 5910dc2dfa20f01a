"""What an account owns: positions, cash, and profit that adds up to the cent.

Commissions belong to the cost of a position, as the average costs in recorded answers show, so
at any moment: cash at the start + realised + unrealised = cash now + market value, exactly.
Margin is a plain quarter of the gross value, which is the ratio in the recorded answers; buying
power is four times the funds left.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import attrs

from ibkr_adapter.simulator.currencies import RATES
from ibkr_adapter.simulator.figures import cents
from ibkr_adapter.simulator.instrument import Instrument

NOTHING = Decimal(0)
MARGIN = Decimal("0.25")
LEVERAGE = Decimal(4)
_PER_SHARE = Decimal("0.005")
_LEAST = Decimal("1.00")
_MOST = Decimal("0.01")

# Guess: the fixed US schedule (half a cent a share, one dollar at least, one per cent at most)
# for every instrument; the recorded average costs fit it.


def commission(quantity: Decimal, price: Decimal) -> Decimal:
    """What a fill costs, in the currency of the instrument."""
    return cents(min(max(_LEAST, quantity * _PER_SHARE), quantity * price * _MOST))


@attrs.define(kw_only=True, eq=False)
class Position:
    """Shares held (negative when short) and what they cost, commissions included."""

    instrument: Instrument
    quantity: Decimal = NOTHING
    cost: Decimal = NOTHING
    realised: Decimal = NOTHING

    @property
    def average(self) -> Decimal:
        """Cost of one share; nothing when flat."""
        return self.cost / self.quantity if self.quantity else NOTHING

    def unrealised(self, last: Decimal) -> Decimal:
        """Profit if it were closed at ``last``, before commissions."""
        return self.quantity * last - self.cost


@attrs.define(kw_only=True, eq=False)
class Account:
    """One account and its books."""

    account_id: str
    cash: dict[str, Decimal]
    opened: datetime
    positions: dict[int, Position] = attrs.field(factory=dict)
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
        found = self.positions.get(instrument.conid)
        if found is None:
            found = self.positions[instrument.conid] = Position(instrument=instrument)
        return found

    def held(self, conid: int) -> Decimal:
        """Shares held of a contract."""
        found = self.positions.get(conid)
        return found.quantity if found else NOTHING

    def open_positions(self) -> list[Position]:
        """The positions that are not flat."""
        return [one for one in self.positions.values() if one.quantity]

    def book_fill(self, instrument: Instrument, signed: Decimal, price: Decimal, fee: Decimal) -> None:
        """Book a fill of ``signed`` shares at ``price``: cash, cost and realised profit."""
        position = self.position(instrument)
        currency = instrument.currency
        self.cash[currency] = self.cash.get(currency, NOTHING) - signed * price - fee
        self.commissions += fee
        closing = _overlap(position.quantity, signed)
        if closing:
            part = cents(fee * closing / signed)
            gone = self._cost_of(position, closing)
            position.realised += -closing * price - gone - part
            position.cost -= gone
            position.quantity += closing
            fee -= part
        opening = signed - closing
        if opening:
            position.cost += opening * price + fee
            position.quantity += opening

    @staticmethod
    def _cost_of(position: Position, closing: Decimal) -> Decimal:
        # The last share takes whatever cost is left, so no fraction of a cent is ever lost.
        if closing == -position.quantity:
            return position.cost
        return cents(position.cost * -closing / position.quantity)

    def seed(self, instrument: Instrument, quantity: Decimal, price: Decimal) -> None:
        """Give the account a position that it had bought before, at ``price`` each."""
        position = self.position(instrument)
        position.quantity += quantity
        position.cost += quantity * price
        currency = instrument.currency
        self.start[currency] = self.start.get(currency, NOTHING) + quantity * price

    def currencies(self) -> list[str]:
        """The currencies that cash or positions are in, US dollars first."""
        held = {one.instrument.currency for one in self.open_positions()} | set(self.cash)
        return sorted(held, key=lambda currency: (currency != "USD", currency))


def _overlap(held: Decimal, signed: Decimal) -> Decimal:
    """The part of a fill that closes what is held, with the fill's sign."""
    if held * signed >= 0:
        return NOTHING
    return signed if abs(signed) <= abs(held) else -held


@attrs.frozen(kw_only=True)
class Standing:
    """The sums of an account at one moment, in US dollars."""

    cash: Decimal
    stocks: Decimal
    gross: Decimal
    realised: Decimal
    unrealised: Decimal
    margin: Decimal

    @property
    def net(self) -> Decimal:
        """Net liquidation value."""
        return self.cash + self.stocks

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
    stocks = gross = unrealised = realised = NOTHING
    for position in account.positions.values():
        rate = RATES[position.instrument.currency]
        realised += position.realised * rate
        if position.quantity:
            price = last(position.instrument)
            stocks += position.quantity * price * rate
            gross += abs(position.quantity) * price * rate
            unrealised += position.unrealised(price) * rate
    return Standing(
        cash=cash,
        stocks=stocks,
        gross=gross,
        realised=realised,
        unrealised=unrealised,
        margin=gross * MARGIN,
    )
