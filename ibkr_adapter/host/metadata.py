"""What a dashboard shows of this exchange before anybody has logged in: names, classes, and the form.

The fields are those of a host's list of exchanges; what the look is made of can be changed there. Nothing
is asked or opened.
"""

from __future__ import annotations

from typing import Any

INSTRUCTIONS = (
    "Three ways to log in; choose one by authMethod in the extra fields. "
    "oauth2: API key = client id, API secret = private key (PEM), extra fields clientKeyId and credential (your "
    "IBKR user name). "
    "oauth1a: API key = consumer key, API secret = signature key (PEM), extra fields accessToken, "
    "accessTokenSecret, encryptionKey (PEM) and dhPrime. "
    "gateway: extra field gatewayUrl, the address of your Client Portal Gateway, and the account id; somebody must log "
    "in to it once a day. "
    "Paper accounts have a user name and credentials of their own; save them as sandbox."
)


def exchange_metadata() -> dict[str, Any]:
    """The entry for a host's list of exchanges."""
    return {
        "id": "ibkr",
        "name": "Interactive Brokers",
        "icon": "i-heroicons-chart-bar",
        "logo": "/interactive_brokers_logo.png",
        "assetClass": "Multi-Asset",
        "assetTypes": ["Stocks", "Options", "Futures", "Forex", "Crypto", "Bonds"],
        "marketHours": "Global",
        "colorClass": "bg-purple-500/20 text-purple-500",
        "instructions": INSTRUCTIONS,
        "requiresPassphrase": False,
        "requiresAccountId": False,
        "showApiSecret": True,
        "isCCXT": False,
        "isCustom": True,
    }
