"""Combinations: several legs that are bought or sold as one, at one net price.

A combination has no conid of its own: it is written with the spread conid of its currency, three
semicolons and its legs (``28812380;;;756733/1,320227571/-1``). In another currency than the US
dollar the spread conid is followed by an exchange. There is no spread conid for euros in any
source. The spread conids are published; how a bad combination is refused is a guess throughout.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.digits import whole
from ibkr_adapter.simulator.instrument import Instrument, Leg
from ibkr_adapter.simulator.refusals import RefusalError

if TYPE_CHECKING:
    from ibkr_adapter.simulator.prices import Top

SPREAD_CONIDS: dict[int, str] = {
    61227077: "AUD",
    61227082: "CAD",
    61227087: "CHF",
    136000441: "CNH",
    58666491: "GBP",
    61227072: "HKD",
    136000444: "INR",
    61227069: "JPY",
    136000424: "KRW",
    136000449: "MXN",
    136000429: "SEK",
    426116555: "SGD",
    28812380: "USD",
}
MARK = ";;;"
_LEG = re.compile(r"^([0-9]{1,18})/(-?[0-9]{1,9})$")
_NOTHING = Decimal(0)
_FINEST = Decimal("0.00000001")
_UNTRADABLE = frozenset({"IND", "CASH", "BAG"})


def combination(conidex: str, find: Callable[[int], Instrument | None]) -> Instrument:
    """The instrument that a combination's text means.

    Raises:
        RefusalError: It means none.
    """
    head, _, tail = conidex.partition(MARK)
    spread, _, exchange = head.partition("@")
    number = whole(spread)
    currency = None if number is None else SPREAD_CONIDS.get(number)
    if number is None or currency is None:
        raise _refused(f"unknown spread conid {spread}")
    legs = [_leg(text, find) for text in tail.split(",")]
    _check(legs, currency, exchange)
    size = max(one.instrument.multiplier for one in legs)
    weighed = tuple(
        Leg(instrument=one.instrument, ratio=one.ratio, weight=one.instrument.multiplier / size)
        for one in legs
    )
    symbols = dict.fromkeys(one.instrument.symbol for one in legs)
    ends = [one.instrument.ends for one in legs if one.instrument.ends is not None]
    return Instrument(
        conid=number,
        symbol="/".join(symbols),
        name=" ".join(symbols),
        exchange=exchange or "SMART",
        price=_NOTHING,
        kind="",
        currency=currency,
        is_us=currency == "USD",
        ticks=((_NOTHING, min(step for one in legs for _, step in one.instrument.ticks)),),
        sec_type="BAG",
        multiplier=size,
        ends=min(ends, default=None),
        routes=exchange or "SMART",
        legs=weighed,
    )


def _refused(why: str) -> RefusalError:
    return RefusalError(answers.refusal(f"Invalid combination: {why}"))


def _leg(text: str, find: Callable[[int], Instrument | None]) -> Leg:
    found = _LEG.match(text)
    if found is None:
        # A ratio with decimals is reported to fail.
        raise _refused(f"leg {text} is not a conid and a whole ratio")
    conid, ratio = (int(one) for one in found.groups())
    instrument = find(conid)
    if instrument is None or instrument.sec_type in _UNTRADABLE:
        raise _refused(f"leg {conid} cannot be traded")
    return Leg(instrument=instrument, ratio=ratio)


def _check(legs: list[Leg], currency: str, exchange: str) -> None:
    if len(legs) <= 1 or len({one.instrument.conid for one in legs}) < len(legs):
        raise _refused("two different legs are the least")
    if any(one.ratio == 0 for one in legs):
        raise _refused("a ratio is nothing")
    if math.gcd(*(one.ratio for one in legs)) != 1:
        raise _refused("the ratios have a common factor")
    if {one.instrument.currency for one in legs} != {currency}:
        raise _refused(f"a leg is not in {currency}")
    if currency != "USD" and not exchange:
        raise _refused(f"{currency} needs an exchange")
    if exchange and any(exchange not in one.instrument.valid_exchanges.split(",") for one in legs):
        raise _refused(f"a leg is not traded at {exchange}")


def description(instrument: Instrument) -> str:
    """The legs as combination positions name them: ``1*708474422-1*710225103``."""
    words = "".join(f"{one.ratio:+d}*{one.instrument.conid}" for one in instrument.legs)
    return words.removeprefix("+")


def upright(instrument: Instrument) -> tuple[str, int]:
    """A name that a combination and its mirror share, and which of the two it is."""
    sign = 1 if instrument.legs[0].ratio > 0 else -1
    words = "".join(f"{one.ratio * sign:+d}*{one.instrument.conid}" for one in instrument.legs)
    return words.removeprefix("+"), sign


def leg_prices(
    instrument: Instrument, net: Decimal, moment: datetime, top: Callable[[Instrument, datetime], Top]
) -> list[Decimal]:
    """Prices of the legs that make up a net price: the last prices, but for one leg.

    The leg with the smallest ratio takes the difference, so that the sum is exact whenever
    its ratio is one.
    """
    prices = [top(one.instrument, moment).last for one in instrument.legs]
    chosen = min(range(len(prices)), key=lambda index: (abs(instrument.legs[index].ratio), -prices[index]))
    leg = instrument.legs[chosen]
    others = sum(
        (
            one.share(price)
            for index, (one, price) in enumerate(zip(instrument.legs, prices, strict=True))
            if index != chosen
        ),
        _NOTHING,
    )
    exact = (net - others) / (leg.ratio * leg.weight)
    prices[chosen] = exact.quantize(_FINEST, rounding=ROUND_HALF_UP)
    return prices
