"""Read your own account through your own gateway; without settings, the simulated one.

Takes its settings from the environment, for example

    IBKR_ADAPTER_BASE_URL=https://localhost:5000/v1/api
    IBKR_ADAPTER_TLS_FINGERPRINT=AB:CD:...

and only reads: no order leaves here.
"""

import os
import sys

from ibkr_adapter import IBKRExchange
from ibkr_adapter.errors import IBKRError

PREFIX = "IBKR_ADAPTER_"


def connect() -> IBKRExchange:
    if any(name.startswith(PREFIX) and value.strip() for name, value in os.environ.items()):
        return IBKRExchange.from_env()
    print(f"No {PREFIX} variable is set, so this runs on the simulated broker.")
    return IBKRExchange.simulated()


def main(ibkr: IBKRExchange) -> None:
    summary = ibkr.get_balance_summary()
    print(f"account {summary['accountId']} is a {summary['accountType'].upper()} account")
    print(f"worth {summary['equity']} {summary['currency']}, may buy for {summary['buyingPower']}")
    for position in ibkr.get_positions():
        print(position["symbol"], position["positionAmt"])
    print("AAPL", ibkr.get_ticker("AAPL")["lastPrice"])


if __name__ == "__main__":
    try:
        with connect() as exchange:
            main(exchange)
    except IBKRError as error:
        sys.exit(f"{type(error).__name__}: {error}")
