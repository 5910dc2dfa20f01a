"""What may be ordered of each class of instrument: types, times in force, sizes.

One table that the rules look-up shows and the order desk enforces, so that what is shown is what
is true. The words of the look-up ("limit") and of tickets ("LMT") are two vocabularies. Rows of
shares and options are documented, those of the other classes are guesses.
"""

from __future__ import annotations

from decimal import Decimal

import attrs

from ibkr_adapter.simulator.instrument import Instrument

# The words of the look-up, in its order, and those of tickets.
WORDS = {
    "limit": "LMT",
    "midprice": "MIDPRICE",
    "market": "MKT",
    "stop": "STP",
    "stop_limit": "STOP_LIMIT",
    "mit": "MIT",
    "lit": "LIT",
    "trailing_stop": "TRAIL",
    "trailing_stop_limit": "TRAILLMT",
    "relative": "REL",
    "marketonclose": "MOC",
    "limitonclose": "LOC",
}
_ALL = frozenset(WORDS.values())
_SIMPLE = frozenset({"LMT", "MKT", "STP", "STOP_LIMIT"})
_TRIGGERED = _SIMPLE | {"MIT", "LIT", "TRAIL", "TRAILLMT"}
_AT_ONCE = frozenset({"MKT", "LMT", "REL", "MIDPRICE"})
_FRACTIONAL = _TRIGGERED
_OUTSIDE = frozenset({"LMT", "STOP_LIMIT", "LIT", "TRAILLMT", "REL"})
_ONE = Decimal(1)


@attrs.frozen(kw_only=True)
class ClassRules:
    """The rules of one class.

    ``tifs`` says which types a time in force takes; ``outside`` which types may ask to trade
    outside regular hours; ``cash`` which may be sized in money; ``fractions`` the decimals of a
    size. ``shown_size`` is the trap: the increment that the look-up shows and nobody enforces.
    """

    types: frozenset[str]
    tifs: dict[str, frozenset[str]]
    outside: frozenset[str] = frozenset()
    cash: frozenset[str] = frozenset()
    fractional: frozenset[str] = frozenset()
    fractions: int = 0
    algos: bool = False
    shown_size: Decimal = _ONE
    default_size: Decimal = _ONE
    cash_step: int | None = None
    shown_tifs: tuple[str, ...] = ()


_IOC = "IOC/MARKET,LIMIT,RELATIVE,MARKETONCLOSE,MIDPRICE,LIMITONCLOSE,MKT_PROTECT,STPPRT,a"
_OPG = "OPG/LIMIT,MARKET,a"
# GTD is shown although no ticket has a field for its date.
_SHOWN = (_IOC, "GTC/o,a", "GTD/o,a", "DAY/o,a")
_PLAIN = ("IOC/MARKET,LIMIT", "GTC/", "DAY/")


def _tifs(types: frozenset[str], **more: frozenset[str]) -> dict[str, frozenset[str]]:
    return {"IOC": types & _AT_ONCE, "GTC": types - {"MOC", "LOC", "MIDPRICE"}, **more, "DAY": types}


_LIMIT = frozenset({"LMT"})
STOCK = ClassRules(
    types=_ALL,
    # Guess: the overnight times in force take limit orders only.
    tifs=_tifs(_ALL, OPG=frozenset({"MKT", "LMT"}), OVT=_LIMIT, OND=_LIMIT),
    outside=_OUTSIDE,
    cash=_FRACTIONAL,
    fractional=_FRACTIONAL,
    fractions=4,
    algos=True,
    shown_size=Decimal(100),
    default_size=Decimal(100),
    cash_step=500,
    shown_tifs=(_IOC, "GTC/o,a", _OPG, "GTD/o,a", "DAY/o,a"),
)
_ABROAD = attrs.evolve(STOCK, fractional=frozenset(), fractions=0)
_OPTION_TYPES = _TRIGGERED | {"REL"}
_OPTION = ClassRules(types=_OPTION_TYPES, tifs=_tifs(_OPTION_TYPES), algos=True, shown_tifs=_SHOWN)
# The whole day is one session, so asking for what is outside changes nothing and is allowed.
_FUTURE = ClassRules(
    types=_TRIGGERED,
    tifs=_tifs(_TRIGGERED),
    outside=_TRIGGERED,
    algos=True,
    shown_tifs=("IOC/MARKET,LIMIT,a", "GTC/o,a", "GTD/o,a", "DAY/o,a"),
)
_CURRENCY = ClassRules(
    types=_TRIGGERED,
    tifs=_tifs(_TRIGGERED),
    cash=frozenset({"LMT", "MKT"}),
    fractions=2,
    default_size=Decimal(25_000),
    cash_step=1,
    shown_tifs=_PLAIN,
)
_COIN = ClassRules(
    types=frozenset({"LMT", "MKT"}),
    tifs={"IOC": frozenset({"LMT", "MKT"}), "PAX": _LIMIT},
    cash=frozenset({"LMT", "MKT"}),
    fractional=frozenset({"LMT", "MKT"}),
    fractions=8,
    shown_size=Decimal("0.00000001"),
    default_size=Decimal("0.00000001"),
    cash_step=1,
    shown_tifs=("IOC/MARKET,LIMIT", "PAX/LIMIT"),
)
_LIMIT_OR_MARKET = frozenset({"LMT", "MKT"})
_BOND = ClassRules(types=_LIMIT_OR_MARKET, tifs=_tifs(_LIMIT_OR_MARKET), shown_tifs=_PLAIN)
_MARKET = frozenset({"MKT"})
_FUND = ClassRules(
    types=_MARKET,
    tifs={"DAY": _MARKET},
    cash=_MARKET,
    fractional=_MARKET,
    fractions=3,
    cash_step=100,
    shown_tifs=("DAY/MARKET",),
)
_WARRANT = ClassRules(types=_SIMPLE, tifs=_tifs(_SIMPLE), shown_tifs=_PLAIN)
_NOTHING = ClassRules(types=frozenset(), tifs={})
_BY_CLASS = {
    "OPT": _OPTION,
    "FOP": _FUTURE,
    "FUT": _FUTURE,
    "CASH": _CURRENCY,
    "CRYPTO": _COIN,
    "BOND": _BOND,
    "FUND": _FUND,
    "WAR": _WARRANT,
    "BAG": _BOND,
    "IND": _NOTHING,
}
_FUND_ON_EXCHANGE = attrs.evolve(STOCK, shown_size=Decimal(40))


def rules_of(instrument: Instrument) -> ClassRules:
    """The rules of an instrument."""
    if instrument.sec_type != "STK":
        return _BY_CLASS[instrument.sec_type]
    if not instrument.is_us:
        return attrs.evolve(_ABROAD, shown_size=instrument.lot, default_size=instrument.lot)
    return _FUND_ON_EXCHANGE if instrument.kind == "ETF" else STOCK


def size_step(instrument: Instrument, *, fractions: bool) -> Decimal:
    """The step that a size must be a multiple of, for an account that may trade fractions or not."""
    rules = rules_of(instrument)
    if rules.fractions and (fractions or instrument.sec_type != "STK"):
        return _ONE.scaleb(-rules.fractions)
    return instrument.lot


def needs_operator(instrument: Instrument) -> bool:
    """Tell whether orders must say who places them: futures and their options in the US."""
    if instrument.legs:
        return any(needs_operator(one.instrument) for one in instrument.legs)
    return instrument.sec_type in {"FUT", "FOP"} and instrument.is_us
