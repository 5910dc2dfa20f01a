"""Write and read the text by which IBKR names a combination.

``28812380;;;756733/1,320227571/-1``: the spread contract of the currency, then each leg with its
signed ratio. For the US dollar the spread contract stands alone, for every other currency with the
exchange behind it. The table of spread contracts has 13 currencies and none for the euro.

Source: Web API reference, "Combo / Spread Orders"; docs/ibkr-facts.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import attrs

from ibkr_adapter.errors import ConfigurationError, InvalidOrder

DOLLAR = "USD"
EURO = "EUR"
# As published; 61227077 stands at AUD, although some give it for EUR.
SPREAD_CONIDS: Mapping[str, int] = {
    "AUD": 61227077,
    "CAD": 61227082,
    "CHF": 61227087,
    "CNH": 136000441,
    "GBP": 58666491,
    "HKD": 61227072,
    "INR": 136000444,
    "JPY": 61227069,
    "KRW": 136000424,
    "MXN": 136000449,
    "SEK": 136000429,
    "SGD": 426116555,
    "USD": 28812380,
}

_EXCHANGE = r"[A-Z0-9.]{1,20}"
_LEG = r"[0-9]{1,10}/[+-]?[0-9]{1,9}"
_CONIDEX = re.compile(rf"([0-9]{{1,10}})(?:@({_EXCHANGE}))?;;;({_LEG}(?:,{_LEG})*)")


@attrs.frozen(kw_only=True)
class Conidex:
    """What such a text says: the spread contract, the exchange if any, legs with signed ratios."""

    spread_conid: int
    exchange: str | None
    legs: tuple[tuple[int, int], ...]


def spread_conid(currency: str, extra: Mapping[str, int]) -> int:
    """Find the contract that stands for all combinations in a currency.

    Args:
        currency: That of the legs.
        extra: What settings add to the published table.

    Raises:
        ConfigurationError: Settings give another currency's; nothing was sent.
        InvalidOrder: There is none; nothing was sent.
    """
    given = extra.get(currency)
    if given is not None:
        owner = next((name for name, conid in SPREAD_CONIDS.items() if conid == given), currency)
        if owner != currency:
            raise ConfigurationError(
                f"spread_conids gives {given} for {currency}, which is that of {owner}; nothing was sent.",
                remedy="Take it out, or set the one that IBKR has told you.",
            )
        return given
    published = SPREAD_CONIDS.get(currency)
    if published is None:
        trap = (
            f" ({SPREAD_CONIDS['AUD']}, which is sometimes given for it, is that of AUD)"
            if currency == EURO
            else ""
        )
        raise InvalidOrder(
            f"IBKR publishes no spread contract for {currency}{trap}, so no combination can be ordered in it;"
            " nothing was sent.",
            remedy="Order the legs one by one, or ask IBKR for the contract id and set spread_conids.",
        )
    return published


def write_conidex(conid: int, exchange: str | None, legs: Sequence[tuple[int, int]]) -> str:
    """Write a combination; ``exchange`` is ``None`` for the US dollar only.

    Raises:
        InvalidOrder: It is no name of an exchange; nothing was sent.
    """
    if exchange is not None and not re.fullmatch(_EXCHANGE, exchange):
        raise InvalidOrder(f"{exchange!r:.40} is no exchange; nothing was sent.")
    route = f"@{exchange}" if exchange is not None else ""
    return f"{conid}{route};;;{','.join(f'{leg}/{ratio}' for leg, ratio in legs)}"


def read_conidex(written: object) -> Conidex | None:
    """Read a combination; ``None`` where the text names none, as for a single contract."""
    found = _CONIDEX.fullmatch(written.strip()) if isinstance(written, str) else None
    if found is None:
        return None
    legs = (leg.split("/") for leg in found[3].split(","))
    return Conidex(
        spread_conid=int(found[1]),
        exchange=found[2],
        legs=tuple((int(conid), int(ratio)) for conid, ratio in legs),
    )
