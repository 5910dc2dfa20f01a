"""Meet what goes wrong in a year, one after the other, and see the way back from each.

``04_lost_answer.py`` has a lost answer that is found. Here the look-up is given one second, so that the library
says what it does not know. Then another login takes the session, the gateway is away, and the session is
lost. The penalty box takes a quarter of an hour; ``notebooks/10_failures_and_recovery.ipynb`` jumps over it.
"""

import time
from decimal import Decimal

from ibkr_adapter import IBKRExchange
from ibkr_adapter.errors import CompetingSession, NotSent, OrderOutcomeUnknown
from ibkr_adapter.model.order import OrderType, Placed, Side

PLACE = "POST /iserver/account/{accountId}/orders"
PRICES = "GET /iserver/marketdata/snapshot"
PATIENCE = 15


def buy(ibkr: IBKRExchange) -> Placed:
    return ibkr.orders.place(
        "AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(10),
        limit_price=Decimal("162.00"),
        wait_for_outcome=1,
    )


def price(ibkr: IBKRExchange) -> str:
    """Read a price; where that fails in a way that may be repeated, do so for some seconds."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return str(ibkr.get_ticker("AAPL")["lastPrice"])
        except (CompetingSession, NotSent) as error:
            if time.monotonic() > until:
                raise
            print(f"{type(error).__name__}, again in a moment")
            time.sleep(1)


def settle(unknown: OrderOutcomeUnknown) -> Placed:
    """Look until somebody knows; IBKR shows its lists once in five seconds. Nothing is sent."""
    until = time.monotonic() + 2 * PATIENCE
    while True:
        time.sleep(5)
        try:
            placed = unknown.resolve()
        except OrderOutcomeUnknown:
            if time.monotonic() > until:
                raise
        else:
            if isinstance(placed, Placed):
                return placed
            raise SystemExit("that was no placement")


def main(ibkr: IBKRExchange) -> None:
    broker = ibkr.simulator.gateway
    ibkr.open()
    stop_listening = ibkr.session.on_change(lambda state: print("-> the session is", state))

    # The order is booked and its answer is lost: it is unknown. Never send it again.
    broker.arm({"fault": "F03", "on": PLACE})
    try:
        placed = buy(ibkr)
    except OrderOutcomeUnknown as unknown:
        print("unknown:", unknown.coid, "- to be settled:", len(ibkr.orders.unsettled()))
        placed = settle(unknown)
    sent = ibkr.simulator.ledger()["requests"][PLACE]
    print("it stands as", placed.entry.order_id, "and was sent", sent, "time")

    # Another login of the user takes the brokerage session; balances answer all the same.
    broker.change_session("rival", None)
    try:
        ibkr.get_ticker("AAPL")
    except CompetingSession as error:
        print(error)
    print("worth", ibkr.get_balance_summary()["equity"])
    broker.change_session("rival_leaves", None)
    print("the other one has left: AAPL", price(ibkr))

    # The gateway is away for a second. A read is made again by itself for a moment, an order never is.
    broker.arm({"fault": "F01", "on": PRICES, "seconds": 1})
    print("the gateway is back: AAPL", price(ibkr))

    # IBKR ends the session, as every night. Reads bring it back by themselves.
    broker.change_session("drop", None)
    print("the session is back: AAPL", price(ibkr))
    stop_listening()


if __name__ == "__main__":
    with IBKRExchange.simulated() as exchange:
        main(exchange)
