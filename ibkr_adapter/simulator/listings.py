"""Which stocks and exchange traded funds the simulated broker lists.

A table, nothing else: how it is searched is for :mod:`.catalogue`; what is no stock is in
:mod:`.other_listings`. Conids, names and venues come
from recorded answers of the real service where a recording names them; the rows under
"invented" have conids of our own at 900,000,001 and above, because no recording shows theirs.
Prices are seeds for the simulated market, not facts, except that AAPL starts near 165 and MSFT
near 305 so that a demonstration reads the same every day.
"""

from __future__ import annotations

from decimal import Decimal

import attrs

from ibkr_adapter.simulator.instrument import Instrument, Ticks

BELOW_A_DOLLAR: Ticks = ((Decimal(0), Decimal("0.0001")), (Decimal(1), Decimal("0.01")))
# A ladder of the kind European venues use; only its having several edges matters here.
SWISS: Ticks = (
    (Decimal(0), Decimal("0.0005")),
    (Decimal(1), Decimal("0.001")),
    (Decimal(5), Decimal("0.002")),
    (Decimal(10), Decimal("0.005")),
    (Decimal(20), Decimal("0.01")),
    (Decimal(50), Decimal("0.02")),
    (Decimal(100), Decimal("0.05")),
)
HONG_KONG: Ticks = (
    (Decimal(0), Decimal("0.01")),
    (Decimal(20), Decimal("0.02")),
    (Decimal(100), Decimal("0.2")),
)


def _us(row: tuple[int, str, str, str, str]) -> Instrument:
    conid, symbol, name, exchange, price = row
    return Instrument(conid=conid, symbol=symbol, name=name, exchange=exchange, price=Decimal(price))


# Conid, symbol, name and venue as recorded; the price is a seed.
_RECORDED = (
    (265598, "AAPL", "APPLE INC", "NASDAQ", "165.00"),
    (272093, "MSFT", "MICROSOFT CORP", "NASDAQ", "305.00"),
    (8314, "IBM", "INTL BUSINESS MACHINES CORP", "NYSE", "189.60"),
    (43645865, "IBKR", "INTERACTIVE BROKERS GRO-CL A", "NASDAQ", "64.20"),
    (208813720, "GOOG", "ALPHABET INC-CL C", "NASDAQ", "176.30"),
    (107113386, "META", "META PLATFORMS INC-CLASS A", "NASDAQ", "512.70"),
    (76792991, "TSLA", "TESLA INC", "NASDAQ", "248.90"),
    (8894, "KO", "COCA-COLA CO/THE", "NYSE", "61.40"),
    (11905, "SCHW", "SCHWAB (CHARLES) CORP", "NYSE", "92.10"),
    (169544810, "HUBS", "HUBSPOT INC", "NYSE", "455.00"),
    (589316251, "TEAM", "ATLASSIAN CORP-CL A", "NASDAQ", "158.20"),
    (4157, "ADI", "ANALOG DEVICES INC", "NASDAQ", "231.50"),
    (4211, "AEP", "AMERICAN ELECTRIC POWER", "NASDAQ", "108.40"),
    (4350, "HON", "HONEYWELL INTERNATIONAL INC", "NASDAQ", "214.80"),
    (4391, "AMD", "ADVANCED MICRO DEVICES", "NASDAQ", "158.60"),
    (4661, "ADP", "AUTOMATIC DATA PROCESSING", "NASDAQ", "291.30"),
    (4065, "ABT", "ABBOTT LABORATORIES", "NYSE", "127.90"),
    (4347, "ALB", "ALBEMARLE CORP", "NYSE", "88.20"),
    (4392, "AME", "AMETEK INC", "NYSE", "186.10"),
    (4817, "BBY", "BEST BUY CO INC", "NYSE", "74.50"),
    (4901, "VZ", "VERIZON COMMUNICATIONS INC", "NYSE", "41.80"),
    (5052, "BLL", "BALL CORP", "NYSE", "55.10"),
    (5552, "CDNS", "CADENCE DESIGN SYS INC", "NASDAQ", "318.40"),
    (5651, "CHD", "CHURCH & DWIGHT CO INC", "NYSE", "93.70"),
    (5684, "CVX", "CHEVRON CORP", "NYSE", "152.20"),
    (5749, "CL", "COLGATE-PALMOLIVE CO", "NYSE", "84.90"),
    (6327, "D", "DOMINION ENERGY INC", "NYSE", "59.60"),
    (6517, "DOV", "DOVER CORP", "NYSE", "181.40"),
    (6917, "EQR", "EQUITY RESIDENTIAL", "NYSE", "66.30"),
    (7238, "FMC", "FMC CORP", "NYSE", "38.70"),
    (7616, "GIS", "GENERAL MILLS INC", "NYSE", "49.20"),
    (7745, "GPC", "GENUINE PARTS CO", "NYSE", "133.60"),
    (8758, "K", "KELLOGG CO", "NYSE", "79.90"),
    (9199, "LOW", "LOWE'S COS INC", "NYSE", "262.10"),
    (10291, "NKE", "NIKE INC -CL B", "NYSE", "71.30"),
    (10517, "XEL", "XCEL ENERGY INC", "NASDAQ", "72.80"),
    (11080, "PGR", "PROGRESSIVE CORP", "NYSE", "243.50"),
    (11257, "PNW", "PINNACLE WEST CAPITAL", "NYSE", "90.60"),
    (11656, "RJF", "RAYMOND JAMES FINANCIAL INC", "NYSE", "164.40"),
    (13024, "TTC", "TORO CO", "NYSE", "77.20"),
    (13440, "VFC", "VF CORP", "NYSE", "14.60"),
    (268057, "CRUS", "CIRRUS LOGIC INC", "NASDAQ", "124.80"),
    (269082, "EXPD", "EXPEDITORS INTL WASH INC", "NASDAQ", "121.90"),
    (271568, "MCHP", "MICROCHIP TECHNOLOGY INC", "NASDAQ", "62.70"),
    (271967, "MHK", "MOHAWK INDUSTRIES INC", "NYSE", "128.10"),
)


def _etf(conid: int, symbol: str, name: str, exchange: str, price: str) -> Instrument:
    return Instrument(
        conid=conid, symbol=symbol, name=name, exchange=exchange, price=Decimal(price), kind="ETF"
    )


def _abroad(conid: int, of: Instrument, exchange: str, currency: str, country: str) -> Instrument:
    return attrs.evolve(of, conid=conid, exchange=exchange, currency=currency, country=country, is_us=False)


_STOCKS = {row[1]: _us(row) for row in _RECORDED}
_SPY = _etf(756733, "SPY", "SPDR S&P 500 ETF TRUST", "ARCA", "655.90")
_QQQ = _etf(320227571, "QQQ", "INVESCO QQQ TRUST SERIES 1", "NASDAQ", "584.70")

# Everything below is invented but for the conids of the foreign twins of AAPL, IBM and SPY.
_GLD = _etf(900000001, "GLD", "SPDR GOLD SHARES", "ARCA", "381.20")
_SAP = attrs.evolve(_us((900000020, "SAP", "SAP SE", "NYSE", "281.40")), kind="ADR")
_SHOP = _us((900000003, "SHOP", "SHOPIFY INC - CLASS A", "NASDAQ", "151.30"))

STOCKS: tuple[Instrument, ...] = (
    *_STOCKS.values(),
    _SPY,
    _QQQ,
    _abroad(38708077, _STOCKS["AAPL"], "MEXI", "MXN", "US"),
    _abroad(273982664, _STOCKS["AAPL"], "EBS", "CHF", "US"),
    Instrument(
        conid=532640894,
        symbol="AAPL",
        name="APPLE INC-CDR",
        exchange="TSE",
        price=Decimal("31.80"),
        currency="CAD",
        country="CA",
        is_us=False,
    ),
    _abroad(1411277, _STOCKS["IBM"], "IBIS", "EUR", "US"),
    _abroad(38709473, _STOCKS["IBM"], "MEXI", "MXN", "US"),
    _abroad(41645598, _STOCKS["IBM"], "LSE", "USD", "US"),
    _abroad(38709152, _SPY, "MEXI", "MXN", "US"),
    # The two whose foreign listing comes first in every answer.
    _abroad(900000002, _GLD, "SEHK", "HKD", "HK"),
    _GLD,
    _abroad(900000004, _SHOP, "TSE", "CAD", "CA"),
    _SHOP,
    _us((900000005, "BRK B", "BERKSHIRE HATHAWAY INC-CL B", "NYSE", "498.40")),
    _us((900000006, "BRK A", "BERKSHIRE HATHAWAY INC-CL A", "NYSE", "747600.00")),
    # One ticker, two American companies.
    _us((900000007, "GOLD", "BARRICK MINING CORP", "NYSE", "39.10")),
    _us((900000008, "GOLD", "GOLD.COM INC", "NASDAQ", "27.40")),
    # Listed abroad only.
    Instrument(
        conid=900000009,
        symbol="NESN",
        name="NESTLE SA-REG",
        exchange="EBS",
        price=Decimal("79.84"),
        currency="CHF",
        country="CH",
        is_us=False,
        ticks=SWISS,
    ),
    Instrument(
        conid=900000010,
        symbol="SNDL",
        name="SNDL INC",
        exchange="NASDAQ",
        price=Decimal("1.80"),
        ticks=BELOW_A_DOLLAR,
    ),
    _us((900000011, "NVDA", "NVIDIA CORP", "NASDAQ", "178.20")),
    _us((900000012, "AMZN", "AMAZON.COM INC", "NASDAQ", "221.40")),
    _us((900000013, "JPM", "JPMORGAN CHASE & CO", "NYSE", "297.60")),
    _etf(900000014, "IWM", "ISHARES RUSSELL 2000 ETF", "ARCA", "236.50"),
    _etf(900000015, "TLT", "ISHARES 20+ YEAR TREASURY BD", "NASDAQ", "89.70"),
    _etf(900000016, "DIA", "SPDR DJIA TRUST", "ARCA", "462.90"),
    # Traded in lots of a hundred.
    Instrument(
        conid=900000017,
        symbol="700",
        name="TENCENT HOLDINGS LTD",
        exchange="SEHK",
        price=Decimal("612.40"),
        currency="HKD",
        country="HK",
        is_us=False,
        ticks=HONG_KONG,
        lot=Decimal(100),
    ),
    Instrument(
        conid=900000018,
        symbol="7203",
        name="TOYOTA MOTOR CORP",
        exchange="TSEJ",
        price=Decimal(3120),
        currency="JPY",
        country="JP",
        is_us=False,
        ticks=((Decimal(0), Decimal("0.1")), (Decimal(1000), Decimal("0.5")), (Decimal(3000), Decimal(1))),
        lot=Decimal(100),
    ),
    # At home on one exchange, as a receipt on the other; both are the same company.
    _abroad(900000019, _SAP, "IBIS", "EUR", "DE"),
    _SAP,
)
