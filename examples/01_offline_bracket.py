"""Place a bracket on a simulated broker, see it fill, and close what it opened.

Needs no account and no network: the broker runs inside this program, behind a real socket.
"""

from ibkr_adapter import IBKRExchange


def main(ibkr: IBKRExchange) -> None:
    print("AAPL trades at", ibkr.get_ticker("AAPL")["lastPrice"])

    # Entry, target and stop leave together; the exits sleep until the entry has filled.
    legs = ibkr.place_bracket_order("AAPL", "buy", "market", 10, take_profit_price=175, stop_loss_price=155)
    for name, leg in legs.items():
        print(f"{name:16} {leg['orderId']} {leg['side']:4} {leg['type']:6} {leg['status']}")

    position = ibkr.get_position("AAPL")
    print("position:", position and position["positionAmt"])

    # The close ends both exits first, reads the position again, and sells what is left.
    closed = ibkr.close_position("AAPL")
    print("closed:", closed["quantity"], "at", closed.get("avgPrice"))
    print("position:", ibkr.get_position("AAPL"))
    print("still working:", ibkr.get_open_orders("AAPL"))


if __name__ == "__main__":
    with IBKRExchange.simulated() as exchange:
        main(exchange)
