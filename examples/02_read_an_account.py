"""Read an account: balance, positions, prices, orders and fills.

Only reads are made by ``main``; what there is to read was traded before it.
"""

from ibkr_adapter import IBKRExchange


def main(ibkr: IBKRExchange) -> None:
    summary = ibkr.get_balance_summary()
    print(
        f"{summary['accountId']} ({summary['accountType']}), worth {summary['equity']} {summary['currency']}"
    )
    print("may buy for", ibkr.get_available_margin())

    for position in ibkr.get_positions():
        print(
            position["symbol"],
            position["positionAmt"],
            "at",
            position["entryPrice"],
            "now",
            position["markPrice"],
        )

    ticker = ibkr.get_ticker("MSFT")
    print(
        "MSFT",
        ticker["bid"],
        ticker["lastPrice"],
        ticker["ask"],
        "real time" if ticker["realTime"] else ticker["code"],
    )

    for order in ibkr.get_open_orders():
        print("working:", order["side"], order["quantity"], order["symbol"], order["type"], order["status"])
    for fill in ibkr.get_trade_history(limit=5):
        print(
            "filled:",
            fill["side"],
            fill["qty"],
            fill["symbol"],
            "at",
            fill["price"],
            "for",
            fill["commission"],
        )

    # The same as values: exact decimals, and everything else that IBKR said.
    quote = ibkr.market_data.quote(ibkr.contracts.resolve("MSFT").conid)
    print("MSFT spread", None if quote.ask is None or quote.bid is None else quote.ask - quote.bid)


if __name__ == "__main__":
    with IBKRExchange.simulated() as exchange:
        exchange.place_market_order("AAPL", "buy", 10)
        exchange.place_limit_order("MSFT", "buy", 2, 300)
        main(exchange)
