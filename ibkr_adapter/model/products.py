"""What a bare name may be besides a stock: futures roots, coins, currencies, index option classes.

A maintained table, because asking IBKR about each name would cost every stock a request. It is
looked at only to know *when to ask*: whether a product is listed, IBKR decides. A product that is
missing here is found with its class in front (``FUT:XYZ``); a bare name that is missing here is
taken for a stock without a look at futures or coins. It is a guess as far as it goes beyond the
documents, and docs/ibkr-facts.md says so.
"""

from __future__ import annotations

from collections.abc import Mapping

# The root that traders write before a month's letter, where it differs from IBKR's own symbol.
_ALIASES = {
    "6A": "AUD",
    "6B": "GBP",
    "6C": "CAD",
    "6E": "EUR",
    "6J": "JPY",
    "6L": "BRE",
    "6M": "MXP",
    "6N": "NZD",
    "6S": "CHF",
    "BTC": "BRR",
    "ETH": "ETHUSDRR",
    "FDAX": "DAX",
    "FDXM": "DAX",
    "FESX": "ESTX50",
    "FGBL": "GBL",
    "FGBM": "GBM",
    "FGBS": "GBS",
    "VX": "VIX",
}
_ROOTS = (
    # Shares' indices.
    "ES MES NQ MNQ RTY M2K YM MYM EMD NKD NIY VIX VXM DAX ESTX50 HSI MHI "
    # Rates.
    "ZB ZN ZF ZT UB TN ZQ SR1 SR3 GBL GBM GBS GBX "
    # Energy.
    "CL MCL QM NG QG HO RB BZ COIL WTI GOIL "
    # Metals.
    "GC MGC QO SI SIL QI HG MHG PL PA "
    # Grains, livestock and softs.
    "ZC ZS ZW ZM ZL ZO ZR KE LE HE GF DC KC CC CT SB OJ "
    # Currencies and coins.
    "DX M6A M6B M6E BRR MBT ETHUSDRR MET "
)

# Root as written -> IBKR's symbol.
FUTURES: Mapping[str, str] = (
    {root: root for root in _ROOTS.split()}
    | {symbol: symbol for symbol in ("AUD", "GBP", "CAD", "EUR", "JPY", "BRE", "MXP", "NZD", "CHF")}
    | _ALIASES
)

COINS = frozenset(["BTC", "ETH", "LTC", "BCH", "SOL", "ADA", "XRP", "DOGE", "LINK", "AVAX", "SUI"])

CURRENCIES = frozenset(
    [
        "AED",
        "AUD",
        "BGN",
        "BRL",
        "CAD",
        "CHF",
        "CLP",
        "CNH",
        "CNY",
        "COP",
        "CZK",
        "DKK",
        "EUR",
        "GBP",
        "HKD",
        "HUF",
        "IDR",
        "ILS",
        "INR",
        "JPY",
        "KRW",
        "KZT",
        "MXN",
        "MYR",
        "NOK",
        "NZD",
        "PHP",
        "PLN",
        "QAR",
        "RON",
        "RUB",
        "SAR",
        "SEK",
        "SGD",
        "THB",
        "TRY",
        "TWD",
        "USD",
        "ZAR",
    ]
)

# Classes of options whose underlying has another symbol.
OPTION_CLASSES: Mapping[str, str] = {
    "SPXW": "SPX",
    "NDXP": "NDX",
    "RUTW": "RUT",
    "VIXW": "VIX",
    "DJXW": "DJX",
    "XSPW": "XSP",
    "OEXW": "OEX",
}


def future_symbol(root: str) -> str:
    """IBKR's symbol for a root as traders write it; the root itself where none is known."""
    return FUTURES.get(root, root)


def is_pair(base: str, quote: str) -> bool:
    """Whether two words are two different currencies."""
    return base != quote and base in CURRENCIES and quote in CURRENCIES


def is_coin_pair(base: str, quote: str) -> bool:
    """Whether a coin is written with the currency it is paid in."""
    return base in COINS and quote in CURRENCIES
