"""Read a whole account: worth, cash, positions, allocation, profit.

Only reads are made by ``main``; what there is to read was traded before it.
"""

from ibkr_adapter import IBKRExchange


def main(ibkr: IBKRExchange) -> None:
    portfolio = ibkr.portfolio
    print(portfolio.accounts())

    summary = portfolio.summary()
    print("worth", summary.net_liquidation, summary.currency, "and may buy for", summary.buying_power)
    for figure in portfolio.available_funds().where(lambda row: row.segment == "total"):
        print(" ", figure.name, figure.text)

    print(portfolio.ledger())
    print(portfolio.positions())
    for share in portfolio.allocation().where(lambda row: row.view == "assetClass"):
        print("allocated:", share.side, share.name, share.value)
    for row in portfolio.profit():
        print("profit today:", row.account_id, row.daily)

    # The same as plain rows, for whatever draws or stores them.
    print([row["symbol"] for row in portfolio.positions().records()])


if __name__ == "__main__":
    with IBKRExchange.simulated() as exchange:
        exchange.place_market_order("AAPL", "buy", 10)
        exchange.place_market_order("MSFT", "buy", 2)
        main(exchange)
