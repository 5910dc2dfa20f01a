"""Lose the answer to an order and see that the order stands once.

The simulated broker books the bracket and then resets the connection. Sending it again would buy
twice; calling it refused would leave a position that nobody knows of. So it is looked up by the
id that went out with it, which takes some seconds: IBKR lists its orders once in five.
"""

import time

from ibkr_adapter import IBKRExchange
from ibkr_adapter.errors import OrderOutcomeUnknown

PLACE = "POST /iserver/account/{accountId}/orders"


def main(ibkr: IBKRExchange) -> None:
    ibkr.simulator.gateway.arm({"fault": "F03", "on": PLACE})
    started = time.monotonic()
    try:
        legs = ibkr.place_bracket_order(
            "AAPL", "buy", "limit", 10, 162, take_profit_price=170, stop_loss_price=150
        )
    except OrderOutcomeUnknown as unknown:
        # Only if it cannot be looked up either: never send it again.
        print("ask a person about", unknown.coid)
        raise
    print(f"found after {time.monotonic() - started:.0f} seconds:", legs["entryOrder"]["orderId"])

    books = ibkr.simulator.ledger()
    entries = [row for row in books["orders"] if row["parent_id"] is None]
    print("the fault struck", books["faults"][0]["consumed"], "time")
    print("orders were sent", books["requests"][PLACE], "time")
    print("the broker has", len(entries), "entry with", len(books["orders"]) - 1, "exits")
    if books["requests"][PLACE] != 1 or [str(row["order_id"]) for row in entries] != [
        legs["entryOrder"]["orderId"]
    ]:
        raise SystemExit("the order does not stand exactly once")


if __name__ == "__main__":
    with IBKRExchange.simulated() as exchange:
        main(exchange)
