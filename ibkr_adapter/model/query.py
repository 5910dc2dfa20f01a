"""What somebody means by a name: a query, and whether a contract fits it.

A query is made from a string (:mod:`ibkr_adapter.model.names`) or by the constructors here, for
programs that know what they want. It cannot exist half: an option without its strike is refused
before anything is asked. Which contract fits is found by :mod:`ibkr_adapter.conids`; that what was
found really fits is checked here, once more, by :meth:`ContractQuery.misfit`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.errors import ContractNotFound
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.identifiers import CALL, PUT, as_number, as_right, as_strike, is_cusip, is_isin
from ibkr_adapter.model.months import Month, read_date, read_month
from ibkr_adapter.model.shown import Shown

KINDS: Mapping[SecType, str] = {
    SecType.STOCK: "a stock",
    SecType.OPTION: "an option",
    SecType.FUTURE: "a future",
    SecType.FUTURE_OPTION: "an option on a future",
    SecType.INDEX: "an index",
    SecType.FOREX: "a currency pair",
    SecType.BOND: "a bond",
    SecType.FUND: "a fund",
    SecType.WARRANT: "a warrant",
    SecType.CFD: "a CFD",
    SecType.CRYPTO: "a cryptocurrency",
}
# These have a strike, a right and a day on which they end.
STRUCK = frozenset({SecType.OPTION, SecType.FUTURE_OPTION, SecType.WARRANT})
# What each class needs besides its symbol, for the sentence that says so.
WRITE: Mapping[SecType, str] = {
    SecType.OPTION: "AAPL 2027-01-15 220 C or AAPL270115C00220000",
    SecType.FUTURE_OPTION: "FOP:ES 2026-12-18 5000 C or ESZ6 C5000",
    SecType.WARRANT: "WAR:SAP 2026-12-18 200 C",
    SecType.FUTURE: "ES 2026-12, ESZ6 or @ES",
    SecType.FOREX: "EUR.USD",
    SecType.CRYPTO: "BTC.USD",
}
_MOST_STRIKE = Decimal(10) ** 7


@attrs.frozen(kw_only=True)
class ContractQuery(Shown):
    """What narrows the choice down; what is ``None`` does not.

    ``sec_type`` is ``None`` for a bare name, which is a stock unless it is something else too.
    ``front`` asks for the future that is the front month now. ``text`` is the caller's own
    spelling, which answers give back; two queries that mean the same are equal without it.
    """

    text: str = attrs.field(default="", eq=False)
    sec_type: SecType | None = None
    symbol: str = ""
    exchange: str | None = None
    currency: str | None = None
    expiry: date | None = None
    month: Month | None = None
    strike: Decimal | None = None
    right: str | None = None
    trading_class: str | None = None
    conid: int | None = None
    isin: str | None = None
    cusip: str | None = None
    coupon: Decimal | None = None
    front: bool = False

    def __attrs_post_init__(self) -> None:
        if self.conid is not None:
            if isinstance(self.conid, bool) or not 0 < self.conid < 2**31 - 1:
                raise ContractNotFound(f"{self.conid} is no contract id; nothing was sent.")
            return
        if not (self.symbol or self.isin or self.cusip):
            raise ContractNotFound("a name without a symbol means nothing; nothing was sent.")
        if self.isin is not None and not is_isin(self.isin):
            raise ContractNotFound(
                f"{self.isin} is no ISIN: its last digit does not fit the rest; nothing was sent."
            )
        if self.cusip is not None and not is_cusip(self.cusip):
            raise ContractNotFound(
                f"{self.cusip} is no CUSIP: its last digit does not fit the rest; nothing was sent."
            )
        self._check_shape()

    def __str__(self) -> str:
        return self.text or self._spelt()

    @property
    def is_struck(self) -> bool:
        """Whether it is an option of some class or a warrant."""
        return self.strike is not None

    def but(self, **changes: Any) -> ContractQuery:
        """The same with changes; the caller's spelling stays."""
        return attrs.evolve(self, **changes)

    def misfit(self, found: Contract) -> str:
        """Say why a contract is not what was meant; empty where it fits."""
        if self.conid is not None and found.conid != self.conid:
            return f"it is contract {found.conid}"
        kind = self.sec_type
        if kind is not None and found.sec_type is not kind:
            return (
                f"it is {KINDS.get(found.sec_type, found.sec_type.value)}, not {KINDS.get(kind, kind.value)}"
            )
        checks = (
            (self.symbol and not self._names(found), f"its symbol is {found.symbol}"),
            (
                self.currency and found.currency and self.currency != found.currency,
                f"it is in {found.currency}",
            ),
            (self.expiry and _day(found) != self.expiry, f"it ends on {found.expiry}"),
            (self.month and month_of(found) != self.month, f"its month is {month_of(found)}"),
            (self.strike is not None and self.strike != found.strike, f"its strike is {found.strike}"),
            (self.right and self.right != found.right, f"its right is {found.right}"),
            (
                self.trading_class and found.trading_class and self.trading_class != found.trading_class,
                f"its trading class is {found.trading_class}",
            ),
        )
        return next((why for wrong, why in checks if wrong), "")

    # What programs write ------------------------------------------------------------------

    @classmethod
    def stock(cls, symbol: str, *, exchange: str | None = None, currency: str | None = None) -> ContractQuery:
        """A stock or an ETF."""
        return cls(
            sec_type=SecType.STOCK, symbol=_word(symbol), exchange=_up(exchange), currency=_up(currency)
        )

    @classmethod
    def option(
        cls,
        symbol: str,
        expiry: date | str,
        strike: Decimal | float | str,
        right: str,
        *,
        trading_class: str | None = None,
        exchange: str | None = None,
    ) -> ContractQuery:
        """An option on a stock, an ETF or an index; ``right`` is C, P, call or put."""
        return cls(
            sec_type=SecType.OPTION,
            symbol=_word(symbol),
            expiry=_as_date(expiry),
            strike=as_strike(strike),
            right=as_right(right),
            trading_class=_up(trading_class),
            exchange=_up(exchange),
        )

    @classmethod
    def future(cls, symbol: str, when: date | Month | str, *, exchange: str | None = None) -> ContractQuery:
        """A dated future, by its contract month (``2026-12``) or by the day on which it expires."""
        month, day = _month_or_day(when)
        return cls(
            sec_type=SecType.FUTURE, symbol=_word(symbol), month=month, expiry=day, exchange=_up(exchange)
        )

    @classmethod
    def front_month(cls, symbol: str, *, exchange: str | None = None) -> ContractQuery:
        """The future that is the front month at the moment of asking."""
        return cls(sec_type=SecType.FUTURE, symbol=_word(symbol), front=True, exchange=_up(exchange))

    @classmethod
    def future_option(
        cls,
        symbol: str,
        expiry: date | str,
        strike: Decimal | float | str,
        right: str,
        *,
        trading_class: str | None = None,
        exchange: str | None = None,
    ) -> ContractQuery:
        """An option on a future, by the future's symbol and the option's own last day."""
        query = cls.option(symbol, expiry, strike, right, trading_class=trading_class, exchange=exchange)
        return query.but(sec_type=SecType.FUTURE_OPTION)

    @classmethod
    def forex(cls, base: str, quote: str) -> ContractQuery:
        """A currency pair; quantities are in ``base``, prices in ``quote``."""
        return cls(sec_type=SecType.FOREX, symbol=_word(base), currency=_word(quote))

    @classmethod
    def crypto(cls, coin: str, quote: str = "USD", *, exchange: str | None = None) -> ContractQuery:
        """A cryptocurrency; each venue's is a contract of its own."""
        return cls(sec_type=SecType.CRYPTO, symbol=_word(coin), currency=_word(quote), exchange=_up(exchange))

    @classmethod
    def index(cls, symbol: str, *, exchange: str | None = None) -> ContractQuery:
        """An index; it has a price and cannot be traded."""
        return cls(sec_type=SecType.INDEX, symbol=_word(symbol), exchange=_up(exchange))

    @classmethod
    def fund(cls, symbol: str) -> ContractQuery:
        """A mutual fund."""
        return cls(sec_type=SecType.FUND, symbol=_word(symbol))

    @classmethod
    def bond(
        cls, issuer: str, *, maturity: date | Month | str | None = None, coupon: Decimal | str | None = None
    ) -> ContractQuery:
        """A bond by its issuer's symbol, and by maturity and coupon where the issuer has several."""
        month, day = _month_or_day(maturity) if maturity is not None else (None, None)
        return cls(
            sec_type=SecType.BOND,
            symbol=_word(issuer),
            month=month,
            expiry=day,
            coupon=as_number(coupon, "coupon") if coupon is not None else None,
        )

    # Checks -------------------------------------------------------------------------------

    def _check_shape(self) -> None:
        kind = self.sec_type
        struck = self.strike is not None
        if kind in STRUCK and not (struck and self.right and (self.expiry or self.month)):
            raise ContractNotFound(
                f"{self} lacks the day, the strike or the right of {KINDS[kind]}; nothing was sent.",
                remedy=f"Write {WRITE[kind]}.",
            )
        if kind is not None and kind not in STRUCK and struck:
            raise ContractNotFound(f"{self}: {KINDS.get(kind, kind.value)} has no strike; nothing was sent.")
        if kind is SecType.FUTURE and not (self.front or self.expiry or self.month):
            raise ContractNotFound(
                f"{self} lacks the month of a future; nothing was sent.", remedy=f"Write {WRITE[kind]}."
            )
        if kind in {SecType.FOREX, SecType.CRYPTO} and not self.currency:
            raise ContractNotFound(
                f"{self} lacks the currency it is paid in; nothing was sent.", remedy=f"Write {WRITE[kind]}."
            )
        if self.strike is not None and not (self.strike.is_finite() and 0 < self.strike <= _MOST_STRIKE):
            raise ContractNotFound(f"{self.strike} is no strike; nothing was sent.")
        if self.right not in {None, CALL, PUT}:
            raise ContractNotFound(f"{self.right} is neither a call nor a put; nothing was sent.")

    def _names(self, found: Contract) -> bool:
        asked = plain(self.symbol)
        if found.sec_type is SecType.FOREX:
            # Some answers name the pair, others its base.
            return plain(found.symbol) in {asked, plain(f"{self.symbol}.{self.currency}")}
        return asked in {plain(found.symbol), plain(found.trading_class or "")}

    def _spelt(self) -> str:
        if self.conid is not None:
            return f"{self.conid}@{self.exchange or 'SMART'}"
        if self.isin or self.cusip:
            return f"ISIN:{self.isin}" if self.isin else f"CUSIP:{self.cusip}"
        prefix = f"{self.sec_type.value}:" if self.sec_type is not None else ""
        when = str(self.expiry or self.month or "")
        parts = [
            f"@{self.symbol}" if self.front else f"{prefix}{self.symbol}",
            when,
            "" if self.strike is None else format(self.strike, "f"),
            self.right or "",
            self.trading_class or "" if self.is_struck else "",
        ]
        if self.sec_type in {SecType.FOREX, SecType.CRYPTO} and self.currency:
            parts[0] += f".{self.currency}"
        if self.coupon is not None:
            parts.append(format(self.coupon, "f"))
        return " ".join(part for part in parts if part) + (f"@{self.exchange}" if self.exchange else "")


def plain(symbol: str) -> str:
    """A symbol without what separates a class of shares, so that its spellings are one."""
    return re.sub(r"[ .\-/]", "", symbol).upper()


def month_of(found: Contract) -> Month | None:
    """A contract's month: what IBKR calls so, else the month in which it ends."""
    written = found.contract_month or found.expiry
    if not written or not re.fullmatch(r"[0-9]{6}([0-9][0-9])?", written) or not "01" <= written[4:6] <= "12":
        return None
    return Month(int(written[:4]), int(written[4:6]))


def ends(found: Contract) -> date | None:
    """The last day on which a contract exists, if it ends at all."""
    if found.sec_type in {SecType.STOCK, SecType.FOREX, SecType.INDEX, SecType.CRYPTO, SecType.FUND}:
        return None
    return _day(found)


def _day(found: Contract) -> date | None:
    return read_date(found.expiry) if found.expiry and re.fullmatch(r"[0-9]{8}", found.expiry) else None


def _as_date(when: date | str) -> date:
    found = when if isinstance(when, date) else read_date(when.strip())
    if found is None:
        raise ContractNotFound(
            f"{when!r:.40} is no day; nothing was sent.", remedy="Write a day as 2027-01-15."
        )
    return found


def _month_or_day(when: date | Month | str) -> tuple[Month | None, date | None]:
    if isinstance(when, Month):
        return when, None
    if isinstance(when, date):
        return None, when
    # Only spellings with the whole year come from programs, so no today is needed.
    month = read_month(when.strip(), date(2000, 1, 1)) if not re.fullmatch(r"\w[0-9]", when.strip()) else None
    return (month, None) if month is not None else (None, _as_date(when))


def _word(symbol: str) -> str:
    word = " ".join(str(symbol).split()).upper()
    if not re.fullmatch(r"[A-Z0-9][A-Z0-9 .\-/+&']{0,30}", word):
        raise ContractNotFound(f"{symbol!r:.60} is no symbol; nothing was sent.")
    return word


def _up(word: str | None) -> str | None:
    return _word(word) if word is not None else None
