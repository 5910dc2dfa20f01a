"""Read an option chain with prices and greeks, and pick from it.

Only reads are made. Figures that IBKR does not compute are missing, never 0.
"""

from decimal import Decimal

from ibkr_adapter import IBKRExchange

WANTED = Decimal("0.25")


def main(ibkr: IBKRExchange) -> None:
    # A request for each strike and month, and a market data line for each option: so name a range.
    chain = ibkr.market_data.chain("AAPL", expiries="2026-12-18", within=5)
    print(chain)

    def distance(delta: Decimal | None) -> Decimal:
        return abs(delta - WANTED) if delta is not None else Decimal("Infinity")

    calls = chain.where(lambda row: row.contract.right == "C")
    nearest = min(calls, key=lambda row: distance(row.figure("delta")))
    print("the call nearest to a delta of", WANTED, "is", ibkr.contracts.name_of(nearest.contract))
    print("delta", nearest.figure("delta"), "with prices in", nearest.freshness)

    ibkr.market_data.unsubscribe_all()
    print("market data lines held:", ibkr.market_data.lines.held)


if __name__ == "__main__":
    with IBKRExchange.simulated() as exchange:
        main(exchange)
