"""Order a vertical spread as one: both legs or none, at one net price; then close it by the opposite order.

A combination has no stop and no target, and once it has filled its legs are positions of their own.
"""

from decimal import Decimal

from ibkr_adapter import IBKRExchange
from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.model.combo import vertical

MORE = Decimal("0.25")
BOUGHT, SOLD = "AAPL 2026-12-18 165 C", "AAPL 2026-12-18 170 C"


def main(ibkr: IBKRExchange) -> None:
    spread = vertical(bought=BOUGHT, sold=SOLD)
    print("IBKR calls it", ibkr.orders.combo(spread).conidex)

    # What a buyer pays for one at the worst, and a little more, because prices move. The price is net: where a
    # buyer is paid it is negative.
    bought, sold = ibkr.market_data.quote(BOUGHT), ibkr.market_data.quote(SOLD)
    if bought.ask is None or sold.bid is None:
        raise SystemExit("there are no prices to go by")
    order = ibkr.place_combo_order(spread, "buy", 1, bought.ask - sold.bid + MORE)
    status = ibkr.wait_for(order["orderId"], timeout=10)["status"]
    print("bought:", status)
    if status != "filled":
        # The opposite of what was not bought would open a position.
        print("cancelled:", ibkr.cancel_order(None, order["orderId"]))
        return
    for position in ibkr.get_positions():
        print(position["symbol"], position["positionAmt"])

    # Legs that are not of the shape are refused, and nothing is sent.
    try:
        ibkr.orders.combo(vertical(bought=BOUGHT, sold="AAPL 2026-12-18 165 P"))
    except InvalidOrder as error:
        print(error)

    opposite = ibkr.place_combo_order(spread, "sell", 1)
    print("sold:", ibkr.wait_for(opposite["orderId"], timeout=10)["status"])
    print("positions:", ibkr.get_positions())


if __name__ == "__main__":
    with IBKRExchange.simulated() as exchange:
        main(exchange)
