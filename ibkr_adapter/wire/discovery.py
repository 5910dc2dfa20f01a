"""Read what IBKR knows under a name: listings, search results, strikes, derivatives, pairs.

The same notion arrives as a number, a text or a joined list, depending on the endpoint; nothing
found is an empty list, an empty object, an error in words, or nothing at all. No row is ever
skipped: a listing left out could make an ambiguous name look clear. Choosing is for
:mod:`ibkr_adapter.conids`, the order of the calls for :mod:`ibkr_adapter.discovery`.

Source: Web API reference, "Security Stocks by Symbol", "Security Future by Symbol", "Search
Contract by Symbol", "Search Strikes by Underlying Contract ID", "Search SecDef information by
conid", "Currency Pairs", "Search Bond Filter Information", and recorded answers; held by
``tests/unit/test_wire_discovery.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Any

import attrs

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.instrument import Candidate, SearchHit, Section
from ibkr_adapter.model.listing import FutureListing
from ibkr_adapter.wire import numbers
from ibkr_adapter.wire.contracts import identity, multiplier, right
from ibkr_adapter.wire.rows import mapping, rows, split

STOCKS = "GET /trsrv/stocks"
FUTURES = "GET /trsrv/futures"
SEARCH = "GET /iserver/secdef/search"
STRIKES = "GET /iserver/secdef/strikes"
SECDEF_INFO = "GET /iserver/secdef/info"
PAIRS = "GET /iserver/currency/pairs"

_CLASS_SHARE = re.compile(r"([A-Z0-9]+)[ ./-]([A-Z]{1,2})")
# The caller's decimal context may be set to few digits.
_EXACT = Context(prec=100)
_COUPON = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%?")


@attrs.frozen(kw_only=True)
class Strikes:
    """The strikes of a month, of all its expiries together, in order."""

    calls: tuple[Decimal, ...] = ()
    puts: tuple[Decimal, ...] = ()

    @property
    def both(self) -> tuple[Decimal, ...]:
        """All of them, each once."""
        return tuple(sorted({*self.calls, *self.puts}))


@attrs.frozen(kw_only=True)
class Pair:
    """A currency pair as IBKR lists it, such as ``EUR.USD``."""

    symbol: str
    conid: int


def class_share_spellings(symbol: str) -> tuple[str, ...]:
    """The spellings to try, the likeliest first.

    IBKR writes a class of shares after a space (``BRK B``), people after a dot, dash or slash.
    """
    found = _CLASS_SHARE.fullmatch(symbol)
    return tuple(dict.fromkeys((f"{found[1]} {found[2]}", symbol))) if found else (symbol,)


def read_stocks(content: Any, symbol: str) -> tuple[Candidate, ...]:
    """Read every listing of every company under a symbol; an unknown symbol has none."""
    companies = mapping(content, STOCKS, "the listings").get(symbol)
    found = []
    for company in rows(companies or [], STOCKS, f"the companies under {symbol}"):
        for listing in rows(company.get("contracts"), STOCKS, f"the listings of {symbol}"):
            conid, exchange = numbers.conid(listing.get("conid")), numbers.text(listing.get("exchange"))
            if conid is None or exchange is None:
                raise UnexpectedAnswer(
                    f"a listing of {symbol} came without its id or exchange; nothing was sent.",
                    endpoint=STOCKS,
                )
            found.append(
                Candidate(
                    conid=conid,
                    symbol=symbol,
                    name=numbers.text(company.get("name")) or symbol,
                    exchange=exchange,
                    is_us=numbers.flag(listing.get("isUS")),
                )
            )
    return tuple(found)


def read_futures(content: Any, symbol: str) -> tuple[FutureListing, ...]:
    """Read the dated futures of a product; an unknown product has none. They come unsorted."""
    listings = mapping(content, FUTURES, "the futures").get(symbol)
    found = []
    for row in rows(listings or [], FUTURES, f"the futures of {symbol}"):
        conid, expires = numbers.conid(row.get("conid")), numbers.day(row.get("expirationDate"))
        if conid is None or expires is None:
            raise UnexpectedAnswer(
                f"a future of {symbol} came without its id or expiry; nothing was sent.", endpoint=FUTURES
            )
        found.append(
            FutureListing(
                conid=conid,
                symbol=numbers.text(row.get("symbol")) or symbol,
                expires=expires,
                underlying_conid=numbers.conid(row.get("underlyingConid")),
                last_trading_day=numbers.day(row.get("ltd")),
                long_cutoff=numbers.day(row.get("longFuturesCutOff")),
                short_cutoff=numbers.day(row.get("shortFuturesCutOff")),
            )
        )
    return tuple(found)


def read_search(content: Any) -> tuple[SearchHit, ...]:
    """Read a search; nothing found is an empty list, nothing at all, or an error in words."""
    if content in (None, "", {}) or (isinstance(content, Mapping) and "error" in content):
        return ()
    return tuple(
        SearchHit(
            conid=numbers.conid(row.get("conid")),
            symbol=numbers.text(row.get("symbol")),
            name=numbers.text(row.get("companyName")) or numbers.text(row.get("companyHeader")),
            exchange=numbers.text(row.get("description")),
            sections=tuple(
                Section(
                    sec_type=SecType(section.get("secType") or ""),
                    months=split(section.get("months"), ";"),
                    exchanges=split(section.get("exchange"), ";"),
                    conid=numbers.conid(section.get("conid")),
                )
                for section in rows(row.get("sections") or [], SEARCH, "the sections of a result")
            ),
            expiries=split(row.get("opt"), ";"),
            issuers=tuple(
                (key, numbers.text(issuer.get("name")) or key)
                for issuer in rows(row.get("issuers") or [], SEARCH, "the issuers of a result")
                if (key := numbers.text(issuer.get("id"))) is not None
            ),
        )
        for row in rows(content, SEARCH, "the results")
    )


def read_strikes(content: Any) -> Strikes:
    """Read the strikes of a month; both lists are empty where IBKR has not been asked in order."""
    body = mapping(content, STRIKES, "the strikes")
    return Strikes(calls=_strikes(body.get("call")), puts=_strikes(body.get("put")))


def read_secdef_info(content: Any) -> tuple[Contract, ...]:
    """Read derivatives, bonds or one plain contract, which comes alone and in other words."""
    if isinstance(content, Mapping):
        content = [content] if content else []
    return tuple(_described(row) for row in rows(content, SECDEF_INFO, "the contracts"))


def read_pairs(content: Any) -> tuple[Pair, ...]:
    """Read currency pairs, whatever currency they were asked for by."""
    found = []
    for listed in mapping(content, PAIRS, "the currency pairs").values():
        for row in rows(listed or [], PAIRS, "the currency pairs"):
            symbol, conid = numbers.text(row.get("symbol")), numbers.conid(row.get("conid"))
            if symbol is None or conid is None:
                raise UnexpectedAnswer(
                    "a currency pair came without its id or symbol; nothing was sent.", endpoint=PAIRS
                )
            found.append(Pair(symbol=symbol, conid=conid))
    return tuple(found)


def _described(row: Mapping[str, Any]) -> Contract:
    words = (numbers.text(row.get(key)) for key in ("desc1", "desc2"))
    described = " ".join(word for word in words if word)
    ends = numbers.day(row.get("maturityDate"))
    coupon = _COUPON.match(numbers.text(row.get("coupon")) or "")
    return Contract(
        **identity(row, SECDEF_INFO, ("conid",), ("symbol", "ticker"), "secType"),
        exchange=numbers.text(row.get("listingExchange")) or numbers.text(row.get("exchange")) or "",
        currency=numbers.text(row.get("currency")),
        name=numbers.text(row.get("companyName")) or described or None,
        multiplier=multiplier(row.get("multiplier"), SECDEF_INFO),
        valid_exchanges=split(row.get("validExchanges"), ","),
        trading_class=numbers.text(row.get("tradingClass")),
        expiry=f"{ends:%Y%m%d}" if ends is not None else None,
        strike=_strike(row.get("strike")) or None,
        right=right(row.get("right")),
        cusip=numbers.text(row.get("cusip")),
        # "No Coupon" stands where there is none.
        coupon=Decimal(coupon[1]) if coupon else None,
    )


def _strikes(values: Any) -> tuple[Decimal, ...]:
    if values is None:
        return ()
    if not isinstance(values, list):
        raise UnexpectedAnswer("the strikes came in an unknown shape; nothing was sent.", endpoint=STRIKES)
    found = [_strike(value) for value in values]
    if None in found:
        raise UnexpectedAnswer("a strike came that is no number; nothing was sent.", endpoint=STRIKES)
    return tuple(sorted({strike for strike in found if strike is not None}))


def _strike(value: Any) -> Decimal | None:
    """Read a strike; 220, 220.0 and "220.00" are one, for people too."""
    number = numbers.decimal(value)
    if number is None:
        return None
    whole = number == number.to_integral_value(context=_EXACT)
    return number.quantize(Decimal(1), context=_EXACT) if whole else number.normalize(_EXACT)
