"""Take the names apart that people and webhooks write.

Nothing is asked and nothing is looked up here, save in the table of
:mod:`ibkr_adapter.model.products`; what a name means at IBKR is found by
:mod:`ibkr_adapter.conids`. Names are read in any case, blanks count once. A class in front
(``FUT:ES``), an exchange in front (``NASDAQ:AAPL``) and an exchange behind (``AAPL@MEXI``) narrow
it down; hosts cut off what stands before a colon, so everything can be written without one.
The forms are those of docs/instruments.md; that each contract's own name is read back as that
contract is held by ``tests/unit/test_names.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from ibkr_adapter.errors import ContractNotFound, quoted
from ibkr_adapter.model import products
from ibkr_adapter.model.contract import SecType
from ibkr_adapter.model.identifiers import as_number, as_right, as_strike, is_cusip, is_isin
from ibkr_adapter.model.months import LETTERS, Month, read_date, read_month
from ibkr_adapter.model.query import KINDS, STRUCK, WRITE, ContractQuery

LONGEST = 60
_CLASSES: Mapping[str, SecType] = {
    word: kind
    for kind, words in {
        SecType.STOCK: "STK STOCK ETF",
        SecType.OPTION: "OPT OPTION",
        SecType.FUTURE: "FUT FUTURE",
        SecType.FUTURE_OPTION: "FOP",
        SecType.INDEX: "IND INDEX",
        SecType.FOREX: "CASH FX FOREX FX_IDC OANDA",
        SecType.CRYPTO: "CRYPTO COIN",
        SecType.BOND: "BOND",
        SecType.FUND: "FUND",
        SecType.WARRANT: "WAR WARRANT",
        SecType.CFD: "CFD",
    }.items()
    for word in words.split()
}
_IDS = frozenset({"CONID", "ISIN", "CUSIP"})
# Exchanges that stand for "anywhere", in the US or by IBKR's own routing.
ANYWHERE = frozenset({"US", "USA", "SMART"})
# Charts give currency pairs a venue that is a class here; the pair says what it is without.
_PAIR_VENUES = frozenset({"CASH", "FX", "FOREX", "FX_IDC", "OANDA"})
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9 .\-/+&']{0,30}")
_BEHIND = re.compile(r"(.+)@([A-Z][A-Z0-9._]{1,19})", re.IGNORECASE)
_OCC = re.compile(r"([A-Z]{1,6}|[A-Z]{1,5}[0-9]) *([0-9]{2})([0-9]{2})([0-9]{2})([CP])([0-9]{8})")
_CODE = re.compile(rf"([A-Z0-9]{{1,8}}?)([{LETTERS}](?:[0-9]{{4}}|[0-9]{{1,2}}))")
_PAIR = re.compile(r"([A-Z]{2,5})[._/\-]([A-Z]{3})")
_RIGHT_FIRST = re.compile(r"(C|P|CALL|PUT) ?([0-9]+(?:\.[0-9]+)?)(?: ([A-Z0-9]{1,6}))?")
_STRIKE_FIRST = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(C|P|CALL|PUT)(?: ([A-Z0-9]{1,6}))?")
_COUPON = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?%?")
# A listing in Germany may end in a small letter that is part of its symbol.
_SMALL_SUFFIX = re.compile(r"[A-Z0-9]{2,8}[a-z]")
_THOUSANDTHS = Decimal(1000)


def read(text: object, today: date) -> ContractQuery:
    """Take a name apart.

    Args:
        text: What somebody wrote.
        today: Decides which year one digit of a year means.

    Raises:
        ContractNotFound: It is no name of a contract; nothing was sent.
    """
    written = clean(text)
    *before, body = written.split(":")
    behind = _BEHIND.fullmatch(body.strip())
    exchange: str | None = None
    if behind is not None:
        body, exchange = behind[1], _exchange(behind[2])
    body = " ".join(body.split())
    kind: SecType | None = None
    for part in (part.strip().upper() for part in before):
        if part in _IDS:
            return _by_id(written, part, body.upper(), kind, exchange)
        if part in _CLASSES:
            kind = _CLASSES[part]
        else:
            exchange = _exchange(part) or exchange
    if re.fullmatch(r"[0-9]{1,10}", body) and behind is not None:
        return _by_id(written, "CONID", body, kind, exchange)
    if body.isdigit() and kind is None and not before:
        raise ContractNotFound(
            f"{body} could be a ticker or a contract id; nothing was sent.",
            remedy=f"Write {body}@SMART or conid:{body} if it is a contract id, STK:{body} if it is a ticker.",
        )
    query = _read_body(written, body, kind, today)
    return query.but(exchange=exchange) if exchange else query


def says_a_class(word: str) -> bool:
    """Whether a name means another contract without this word and its colon in front of it.

    A venue narrows a stock down; ``CFD``, ``FUT`` or ``conid`` make it something else.
    """
    upper = word.strip().upper()
    return upper in _IDS or (upper in _CLASSES and upper not in _PAIR_VENUES)


def when(word: str, today: date) -> date | Month | None:
    """Read a day or a month, in any of their spellings; ``None`` if it is neither.

    Raises:
        ContractNotFound: It looks like one, but the calendar has no such day or month.
    """
    return read_date(word) or read_month(word, today)


def front_root(symbol: str) -> str | None:
    """The root of ``@ES`` or ``ES1!``, the two spellings for the front month."""
    if symbol.startswith("@"):
        return symbol[1:].strip()
    return symbol[:-2] if symbol.endswith("1!") else None


def underlying_spellings(root: str) -> tuple[str, ...]:
    """Under which symbols the underlying of an option class may be listed, the likeliest first.

    The OCC writes BRK B as ``BRKB``.
    """
    known = products.OPTION_CLASSES.get(root)
    if known is not None:
        return (known,)
    bare = root.rstrip("0123456789") or root
    spaced = (f"{bare[:-1]} {bare[-1]}",) if len(bare) > 2 and bare.endswith(("A", "B", "C")) else ()  # noqa: PLR2004  (a letter for the class, two for the company)
    return (bare, *spaced)


def clean(text: object) -> str:
    """Return a name without blanks around it.

    Raises:
        ContractNotFound: It is too long, or holds what cannot be printed; nothing was sent.
    """
    if not isinstance(text, str) or not text.strip():
        raise ContractNotFound(
            f"{quoted(text, 60)} is no symbol; nothing was sent.", remedy="Write a symbol such as AAPL."
        )
    written = text.strip()
    if len(written) > LONGEST or not written.isprintable():
        raise ContractNotFound(
            f"{written[:40]!r} is no symbol: names have at most {LONGEST} printable characters; "
            "nothing was sent.",
            remedy="Write a symbol such as AAPL.",
        )
    return written


def _exchange(word: str) -> str | None:
    # Charts write CME_MINI and CME_DL for the CME.
    bare = re.sub(r"_(MINI|DL|EOD)", "", word.strip().upper())
    return None if bare in ANYWHERE or not bare else bare


def _by_id(written: str, what: str, body: str, kind: SecType | None, exchange: str | None) -> ContractQuery:
    if what == "CONID":
        if not re.fullmatch(r"[0-9]{1,10}", body):
            raise ContractNotFound(f"{body[:40]} is no contract id; nothing was sent.")
        return ContractQuery(text=written, conid=int(body), sec_type=kind, exchange=exchange)
    if what == "ISIN":
        return ContractQuery(text=written, isin=body, sec_type=kind, exchange=exchange)
    return ContractQuery(text=written, cusip=body, sec_type=kind, exchange=exchange)


def _read_body(written: str, body: str, kind: SecType | None, today: date) -> ContractQuery:
    upper = body.upper()
    root = front_root(upper)
    if root is not None:
        if kind not in {None, SecType.FUTURE}:
            raise _no_symbol(written)
        return _front(written, root)
    if kind in {None, SecType.OPTION} and (found := _OCC.fullmatch(upper)):
        return _occ(written, found)
    words = upper.split()
    for place, word in enumerate(words[1:], 1):
        moment = when(word, today)
        if moment is not None:
            return _dated(written, kind, " ".join(words[:place]), moment, " ".join(words[place + 1 :]))
    local = _local_symbol(written, words, kind, today)
    if local is not None:
        return local
    if kind in STRUCK:
        raise ContractNotFound(
            f"{written!r} lacks the day, the strike or the right of {KINDS[kind]}; nothing was sent.",
            remedy=f"Write {WRITE[kind]}.",
        )
    return _single(written, body, kind, today)


def _single(written: str, body: str, kind: SecType | None, today: date) -> ContractQuery:
    """Read what has neither a date nor a strike: a future's code, a pair, an id, a symbol."""
    upper = body.upper()
    if kind in {None, SecType.FUTURE} and (coded := _code(upper, kind, today)):
        return ContractQuery(text=written, sec_type=SecType.FUTURE, symbol=coded[0], month=coded[1])
    if kind is SecType.FUTURE:
        # Without a month it is the front month, as @ES is.
        return _front(written, upper)
    if kind in {None, SecType.FOREX, SecType.CRYPTO} and (pair := _pair(upper, kind)):
        return ContractQuery(text=written, sec_type=pair[0], symbol=pair[1], currency=pair[2])
    if kind is SecType.FOREX:
        raise ContractNotFound(
            f"{written!r} is no currency pair; nothing was sent.", remedy=f"Write {WRITE[kind]}."
        )
    isin = cusip = None
    if kind in {None, SecType.STOCK, SecType.BOND, SecType.FUND}:
        if is_isin(upper):
            isin = upper
        elif is_cusip(upper) and (kind is SecType.BOND or not upper.isdigit()):
            cusip = upper
    symbol = body if _SMALL_SUFFIX.fullmatch(body) else upper
    return ContractQuery(
        text=written,
        sec_type=kind,
        symbol="" if isin or cusip else _symbol(written, symbol),
        currency="USD" if kind is SecType.CRYPTO else None,
        isin=isin,
        cusip=cusip,
    )


def _dated(written: str, kind: SecType | None, symbol: str, when: date | Month, rest: str) -> ContractQuery:
    """Read what stands around a date: a future, an option of some class, a bond."""
    day, month = (None, when) if isinstance(when, Month) else (when, None)
    name = _symbol(written, symbol)
    if kind is SecType.BOND:
        coupon = _COUPON.fullmatch(rest) if rest else None
        if rest and coupon is None:
            raise _no_symbol(written)
        return ContractQuery(
            text=written,
            sec_type=kind,
            symbol=name,
            expiry=day,
            month=month,
            coupon=as_number(coupon[1], "coupon") if coupon else None,
        )
    if not rest and kind in {None, SecType.FUTURE}:
        return ContractQuery(
            text=written,
            sec_type=SecType.FUTURE,
            symbol=products.future_symbol(name),
            expiry=day,
            month=month,
        )
    struck = _struck(rest)
    if struck is None or kind not in {None, *STRUCK}:
        wanted = kind if kind is not None and kind in WRITE else SecType.OPTION
        raise ContractNotFound(
            f"{written!r} cannot be read as {KINDS[wanted]}; nothing was sent.",
            remedy=f"Write {WRITE[wanted]}.",
        )
    right, strike, trading_class = struck
    return ContractQuery(
        text=written,
        # An option on ES may be one on the share or on the future; both are looked for.
        sec_type=kind or (None if name in products.FUTURES else SecType.OPTION),
        symbol=products.future_symbol(name) if kind is SecType.FUTURE_OPTION else name,
        expiry=day,
        month=month,
        strike=as_strike(strike),
        right=as_right(right),
        trading_class=trading_class,
    )


def _occ(written: str, found: re.Match[str]) -> ContractQuery:
    root, year, month, day, right, strike = found.groups()
    expiry = read_date(f"20{year}-{month}-{day}")
    return ContractQuery(
        text=written,
        sec_type=SecType.OPTION,
        symbol=underlying_spellings(root)[0],
        expiry=expiry,
        strike=as_strike(Decimal(strike) / _THOUSANDTHS),
        right=right,
        trading_class=root,
    )


def _local_symbol(written: str, words: list[str], kind: SecType | None, today: date) -> ContractQuery | None:
    """Read an option on a future as exchanges spell it, ``ESZ6 C5000``."""
    if len(words) < 2 or kind not in {None, SecType.FUTURE_OPTION}:  # noqa: PLR2004  (the future and the strike)
        return None
    struck, coded = _struck(" ".join(words[1:])), _code(words[0], kind, today)
    if struck is None or coded is None:
        return None
    right, strike, trading_class = struck
    return ContractQuery(
        text=written,
        sec_type=SecType.FUTURE_OPTION,
        symbol=coded[0],
        month=coded[1],
        strike=as_strike(strike),
        right=as_right(right),
        trading_class=trading_class,
    )


def _code(word: str, kind: SecType | None, today: date) -> tuple[str, Month] | None:
    """Read a future's code such as ``ESZ6``; without its class only for roots that are known.

    Funds in Germany are called EXV6 or EXH1, and are no futures.
    """
    found = _CODE.fullmatch(word)
    if found is None or (kind is None and found[1] not in products.FUTURES):
        return None
    month = read_month(found[2], today)
    return None if month is None else (products.future_symbol(found[1]), month)


def _pair(word: str, kind: SecType | None) -> tuple[SecType, str, str] | None:
    found = _PAIR.fullmatch(word)
    base, quote = (found[1], found[2]) if found else (word[:-3], word[-3:])
    if kind is not SecType.CRYPTO and products.is_pair(base, quote):
        return SecType.FOREX, base, quote
    if kind is not SecType.FOREX and products.is_coin_pair(base, quote):
        return SecType.CRYPTO, base, quote
    # With the class written the table of names need not know them.
    return (kind, base, quote) if kind is not None and found else None


def _struck(rest: str) -> tuple[str, str, str | None] | None:
    if found := _STRIKE_FIRST.fullmatch(rest):
        return found[2], found[1], found[3]
    if found := _RIGHT_FIRST.fullmatch(rest):
        return found[1], found[2], found[3]
    return None


def _front(written: str, root: str) -> ContractQuery:
    return ContractQuery(
        text=written,
        sec_type=SecType.FUTURE,
        symbol=products.future_symbol(_symbol(written, root)),
        front=True,
    )


def _symbol(written: str, symbol: str) -> str:
    if not _SYMBOL.fullmatch(symbol.upper()):
        raise _no_symbol(written)
    return symbol


def _no_symbol(written: str) -> ContractNotFound:
    return ContractNotFound(
        f"{written!r} is no symbol; nothing was sent.", remedy="Write a symbol such as AAPL."
    )
