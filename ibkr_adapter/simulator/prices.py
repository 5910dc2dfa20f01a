"""Prices that move, the same for the same seed.

Each instrument walks around its seed price by at most :attr:`~.options.Options.walk` (0.4 %),
along smooth noise made from the seed, the conid and the market time alone: the price at a moment
does not depend on who asked before, so two runs and two threads see the same market. Derivatives
do not walk: they follow what they are derived from, by :mod:`.pricing`, and a combination its
legs. The control room may pin a price, which then stands until it is moved again or told to
walk. Prices stand still while the market is closed and after a contract has ended.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

import attrs

from ibkr_adapter.simulator import pricing
from ibkr_adapter.simulator.calendars import calendar_of
from ibkr_adapter.simulator.currencies import RATES

if TYPE_CHECKING:
    from ibkr_adapter.simulator.instrument import Instrument
    from ibkr_adapter.simulator.options import Options

# Period in seconds and weight of each layer of noise; the weights add up to one.
_LAYERS = ((300.0, 0.6), (45.0, 0.3), (6.0, 0.1))
_HIGH_LOW_STEP = timedelta(minutes=15)
# What sizes are multiples of; shares come in hundreds.
_LOTS = {
    "OPT": Decimal(1),
    "FOP": Decimal(1),
    "FUT": Decimal(1),
    "WAR": Decimal(1000),
    "CASH": Decimal(500_000),
    "CRYPTO": Decimal("0.01"),
    "BOND": Decimal(10),
    "IND": Decimal(0),
}


@attrs.frozen(kw_only=True)
class Top:
    """The three prices that orders are matched against."""

    last: Decimal
    bid: Decimal
    ask: Decimal


@attrs.frozen(kw_only=True)
class Quote(Top):
    """All that the market shows of one instrument at one moment; sizes in its units."""

    last_size: Decimal
    bid_size: Decimal
    ask_size: Decimal
    opened: Decimal
    high: Decimal
    low: Decimal
    prior_close: Decimal
    volume: Decimal
    moment: datetime


@attrs.frozen(kw_only=True)
class _Pin:
    price: Decimal
    walks: bool
    since: datetime
    bid: Decimal | None
    ask: Decimal | None


@lru_cache(maxsize=65536)
@lru_cache(maxsize=8192)  # the same few knots are asked for at every step
def _draw(key: str) -> float:
    """A number in [0, 1) that depends on ``key`` alone."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=7).digest()) / 2**56


@lru_cache(maxsize=1024)
def _noise(seed: int, conid: int, moment: datetime) -> float:
    """How far a price has wandered by a moment, smoothly, about between -1 and 1."""
    at = moment.timestamp()
    total = 0.0
    for period, weight in _LAYERS:
        index, part = divmod(at, period)
        left = _draw(f"{seed}/{conid}/{period}/{int(index)}")
        right = _draw(f"{seed}/{conid}/{period}/{int(index) + 1}")
        # Smooth between two knots, so that a short step is a small one.
        ease = (part / period) ** 2 * (3 - 2 * part / period)
        total += weight * (2 * (left + (right - left) * ease) - 1)
    return total


class Prices:
    """The prices of all instruments, as a function of the market time."""

    def __init__(self, seed: int, options: Options, start: datetime) -> None:
        self._seed = seed
        self._options = options
        self.start = start
        self.times_set = 0  # so that who watches need not look at every price all the time
        self._pins: dict[int, list[_Pin]] = {}
        # All orders of a step ask for the same moment; what was told for it is kept.
        self._tops: dict[int, Top] = {}
        self._tops_of: tuple[datetime, float] = (start, options.walk)

    def set(
        self,
        instrument: Instrument,
        last: Decimal,
        moment: datetime,
        *,
        walks: bool = False,
        bid: Decimal | None = None,
        ask: Decimal | None = None,
    ) -> None:
        """Move the price to ``last``; it stays there unless it ``walks``."""
        pin = _Pin(price=last, walks=walks, since=moment, bid=bid, ask=ask)
        self._pins.setdefault(instrument.conid, []).append(pin)
        self._tops.clear()
        self.times_set += 1

    @property
    def walk(self) -> float:
        """How far prices stray now."""
        return self._options.walk

    def at(self, instrument: Instrument, moment: datetime) -> Decimal:
        """The price at a moment at which the market was open."""
        return self._at(instrument, moment, self._pin(instrument, moment))

    def set_between(self, instrument: Instrument, after: datetime, until: datetime) -> list[Decimal]:
        """The prices that were set by hand after a moment, until another."""
        return [pin.price for pin in self._pins.get(instrument.conid, ()) if after < pin.since <= until]

    def volume_between(self, instrument: Instrument, start: datetime, end: datetime) -> Decimal:
        """What is traded from one moment of a trading day to another; it adds up to the day's volume."""
        calendar = calendar_of(instrument)
        opening = calendar.whole(calendar.trading_day(start))[0]
        return self._traded(instrument, opening, end) - self._traded(instrument, opening, start)

    def _pin(self, instrument: Instrument, moment: datetime) -> _Pin | None:
        """The pin that holds at a moment; what was before it stays as it was."""
        for pin in reversed(self._pins.get(instrument.conid, ())):
            if pin.since <= moment:
                return pin
        return None

    def last(self, instrument: Instrument, moment: datetime) -> Decimal:
        """The last trade price, on the tick."""
        if instrument.legs:
            return sum((one.share(self.last(one.instrument, moment)) for one in instrument.legs), Decimal(0))
        traded = calendar_of(instrument).last_traded(moment)
        return self._at(instrument, traded, self._pin(instrument, moment))

    def _at(self, instrument: Instrument, traded: datetime, pin: _Pin | None) -> Decimal:
        """The price at a moment, whatever the hours: a future follows its index by night."""
        if pin and not pin.walks:
            return pin.price
        if instrument.underlying is not None:
            return snapped(instrument, self._derived(instrument, traded, pin))
        anchor, since = (pin.price, pin.since) if pin else (instrument.price, self.start)
        return self._walked(instrument, anchor, since, traded)

    def _derived(self, instrument: Instrument, moment: datetime, pin: _Pin | None = None) -> Decimal:
        """The price of a derivative before it is put on the tick."""
        if instrument.ends is not None:
            moment = min(moment, instrument.ends)
        worth = self._worth(instrument, moment)
        if pin is not None:
            # It keeps its distance from the model while it walks with it.
            return max(Decimal(0), pin.price + worth - self._worth(instrument, pin.since))
        return worth

    def _worth(self, instrument: Instrument, moment: datetime, spot: Decimal | None = None) -> Decimal:
        underlying = instrument.underlying
        if underlying is None:
            return self._at(instrument, moment, self._pin(instrument, moment))
        if spot is None:
            spot = self._at(underlying, moment, self._pin(underlying, moment))
        if instrument.sec_type == "IND":
            return spot
        model = pricing.future_price if instrument.sec_type == "FUT" else pricing.option_price
        worth = Decimal(repr(round(model(instrument, float(spot), moment), 9)))
        return worth * RATES[underlying.currency] / RATES[instrument.currency]

    def spot(self, instrument: Instrument, moment: datetime) -> Decimal:
        """The price of what a derivative is derived from."""
        of, traded = instrument.underlying or instrument, calendar_of(instrument).last_traded(moment)
        return self._at(of, traded, self._pin(of, traded))

    def top(self, instrument: Instrument, moment: datetime) -> Top:
        """The last price and both sides of the market."""
        if instrument.legs:
            return self._combined(instrument, moment)
        if self._tops_of != (moment, self._options.walk):
            self._tops.clear()
            self._tops_of = (moment, self._options.walk)
        if instrument.conid not in self._tops:
            self._tops[instrument.conid] = self._top(instrument, moment)
        return self._tops[instrument.conid]

    def _combined(self, instrument: Instrument, moment: datetime) -> Top:
        """The sides of a combination: what is bought costs the ask, what is sold brings the bid."""
        last = bid = ask = Decimal(0)
        for leg in instrument.legs:
            top = self.top(leg.instrument, moment)
            low, high = (top.bid, top.ask) if leg.ratio > 0 else (top.ask, top.bid)
            last, bid, ask = last + leg.share(top.last), bid + leg.share(low), ask + leg.share(high)
        return Top(last=last, bid=bid, ask=ask)

    def _top(self, instrument: Instrument, moment: datetime) -> Top:
        last = self.last(instrument, moment)
        pin = self._pin(instrument, moment)
        tick = instrument.tick_at(last)
        # A trade lies between the two sides, one tick from each.
        bid = pin.bid if pin and pin.bid is not None else max(tick, last - tick)
        ask = pin.ask if pin and pin.ask is not None else last + tick
        return Top(last=last, bid=bid, ask=ask)

    def quote(self, instrument: Instrument, moment: datetime) -> Quote:
        """Everything the market shows at this moment."""
        top = self.top(instrument, moment)
        opened, path = self._day_path(instrument, moment)
        return Quote(
            last=top.last,
            bid=top.bid,
            ask=top.ask,
            last_size=self._size(instrument, "last", moment),
            bid_size=self._size(instrument, "bid", moment),
            ask_size=self._size(instrument, "ask", moment),
            opened=opened,
            high=max(*path, top.last),
            low=min(*path, top.last),
            prior_close=self._prior_close(instrument, moment),
            volume=self._volume(instrument, moment),
            moment=moment,
        )

    def _prior_close(self, instrument: Instrument, moment: datetime) -> Decimal:
        if instrument.underlying is not None:
            before = self._prior_close(instrument.underlying, moment)
            closed = calendar_of(instrument).previous_close(moment)
            return snapped(instrument, self._worth(instrument, closed, before))
        overnight = Decimal(repr(round(1 + self._per(instrument, "close", 0.006), 6)))
        return snapped(instrument, instrument.price * overnight)

    def _walked(self, instrument: Instrument, anchor: Decimal, since: datetime, moment: datetime) -> Decimal:
        drift = _noise(self._seed, instrument.conid, moment) - _noise(self._seed, instrument.conid, since)
        factor = Decimal(repr(round(1 + self._options.walk * drift / 2, 9)))
        return snapped(instrument, anchor * factor)

    def _per(self, instrument: Instrument, what: str, spread: float) -> float:
        return spread * (2 * _draw(f"{self._seed}/{instrument.conid}/{what}") - 1)

    def _size(self, instrument: Instrument, what: str, moment: datetime) -> Decimal:
        second = int(moment.timestamp())
        lots = 1 + int(_draw(f"{self._seed}/{instrument.conid}/{what}/{second}") * 24)
        return _LOTS.get(instrument.sec_type, Decimal(100)) * lots

    def depth(self, instrument: Instrument, side: str, moment: datetime, levels: int) -> list[Decimal]:
        """Sizes of one side of the book, from its top down."""
        deeper = [self._size(instrument, f"{side}{level}", moment) for level in range(1, levels)]
        return [self._size(instrument, side, moment), *deeper]

    def _day_path(self, instrument: Instrument, moment: datetime) -> tuple[Decimal, list[Decimal]]:
        """Today's opening price and some prices of today, for the high and the low."""
        calendar = calendar_of(instrument)
        traded = calendar.last_traded(moment)
        opening = calendar.liquid(calendar.trading_day(traded))[0]
        if traded <= opening:
            last = self.last(instrument, traded)
            return last, [last, last]
        prices = []
        at = opening
        while at < traded:
            prices.append(self.last(instrument, at))
            at += _HIGH_LOW_STEP
        return prices[0], [prices[0], *prices]

    def _volume(self, instrument: Instrument, moment: datetime) -> Decimal:
        calendar = calendar_of(instrument)
        traded = calendar.last_traded(moment)
        opening = calendar.whole(calendar.trading_day(traded))[0]
        return self._traded(instrument, opening, traded)

    def _traded(self, instrument: Instrument, opening: datetime, moment: datetime) -> Decimal:
        busy = 20 + int(_draw(f"{self._seed}/{instrument.conid}/volume") * 400)
        lot = _LOTS.get(instrument.sec_type, Decimal(100))
        return lot * busy * int((moment - opening).total_seconds() // 10)


def snapped(instrument: Instrument, price: Decimal) -> Decimal:
    """The nearest price on the tick, at least one tick unless prices may be negative."""
    tick = instrument.tick_at(price)
    steps = (price / tick).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    return steps * tick if instrument.legs else max(tick, steps * tick)
