"""Which indices, coins and funds the simulated broker lists, and the products futures belong to.

A product (ES, CL) is a row of its own: it has a conid, a price and a search hit, but nothing of
it can be ordered; the dated contracts are in :mod:`.futures_calendar`. Indices cannot be ordered
either. Coins have one conid for each venue.

Conids of SPX, of the products and of bitcoin are recorded or documented, the others invented.
"""

from __future__ import annotations

from decimal import Decimal

from ibkr_adapter.simulator.bonds import BONDS
from ibkr_adapter.simulator.currencies import PAIRS
from ibkr_adapter.simulator.instrument import CENT, Instrument, Ticks
from ibkr_adapter.simulator.listings import STOCKS

_QUARTER: Ticks = ((Decimal(0), Decimal("0.25")),)


def _index(conid: int, symbol: str, name: str, exchange: str, price: str) -> Instrument:
    return Instrument(
        conid=conid,
        symbol=symbol,
        name=name,
        exchange=exchange,
        price=Decimal(price),
        kind="INDEX",
        sec_type="IND",
        routes=exchange,
    )


def _product(
    conid: int, symbol: str, name: str, exchange: str, ticks: Ticks, of: Instrument | None, price: str = "0"
) -> Instrument:
    return Instrument(
        conid=conid,
        symbol=symbol,
        name=name,
        exchange=exchange,
        price=Decimal(price),
        kind="PRODUCT",
        ticks=ticks,
        sec_type="IND",
        underlying=of,
        routes=exchange,
    )


SPX = _index(416904, "SPX", "S&P 500 Stock Index", "CBOE", "6558.40")
NDX = _index(900000102, "NDX", "NASDAQ 100 Stock Index", "NASDAQ", "24062.30")
VIX = _index(900000103, "VIX", "CBOE Volatility Index", "CBOE", "17.42")
ES = _product(11004968, "ES", "E-mini S&P 500", "CME", _QUARTER, SPX)
MES = _product(362673777, "MES", "Micro E-Mini S&P 500 Stock Price Index", "CME", _QUARTER, SPX)
NQ = _product(11004958, "NQ", "E-mini NASDAQ 100", "CME", _QUARTER, NDX)
CL = _product(17340715, "CL", "Light Sweet Crude Oil", "NYMEX", CENT, None, "61.35")


def _coin(conid: int, symbol: str, name: str, venue: str, tick: str, price: str) -> Instrument:
    return Instrument(
        conid=conid,
        symbol=symbol,
        name=name,
        exchange=venue,
        price=Decimal(price),
        kind="",
        ticks=((Decimal(0), Decimal(tick)),),
        sec_type="CRYPTO",
        lot=Decimal("0.00000001"),
        routes=venue,
    )


COINS = (
    _coin(479624278, "BTC", "Bitcoin cryptocurrency", "PAXOS", "0.25", "91240.50"),
    _coin(541686651, "BTC", "Bitcoin cryptocurrency", "ZEROHASH", "0.25", "91240.50"),
    _coin(900000111, "ETH", "Ethereum cryptocurrency", "PAXOS", "0.01", "3012.46"),
    _coin(900000112, "ETH", "Ethereum cryptocurrency", "ZEROHASH", "0.01", "3012.46"),
)
FUND = Instrument(
    conid=900000121,
    symbol="VFIAX",
    name="VANGUARD 500 INDEX-ADM",
    exchange="FUNDSERV",
    price=Decimal("606.12"),
    kind="FUND",
    sec_type="FUND",
    lot=Decimal("0.001"),
    routes="FUNDSERV",
)

OTHERS: tuple[Instrument, ...] = (SPX, NDX, VIX, ES, MES, NQ, CL, *PAIRS, *COINS, FUND, *BONDS)
# Everything that is listed by itself; dated contracts are computed when they are asked for.
INSTRUMENTS: tuple[Instrument, ...] = (*STOCKS, *OTHERS)
