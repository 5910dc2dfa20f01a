"""One process of several at a broker; it reads lines such as ``place 3`` and answers each with a line of JSON.

``neighbour.py SETTINGS`` takes its settings as JSON. A line that comes to an error is answered
with its kind and its text.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

from ibkr_adapter.errors import IBKRError
from ibkr_adapter.exchange import IBKRExchange


def opened(ibkr):
    ibkr.open()
    return ibkr.session.state


def place(ibkr, times):
    return [ibkr.place_market_order("AAPL", "buy", 1)["status"] for _ in range(int(times))]


def read(ibkr, times):
    return [ibkr.get_available_margin() is not None for _ in range(int(times))]


def both(ibkr, times):
    """Orders of one thread and reads of another one, as a bot with a dashboard does."""
    reading = threading.Thread(target=read, args=(ibkr, times))
    reading.start()
    placed = place(ibkr, times)
    reading.join()
    return placed


def stand(ibkr, times):
    """Orders that stay, each seen by its own status, which the session gives for the account it answers for."""
    seen = []
    for _ in range(int(times)):
        order_id = ibkr.place_limit_order("AAPL", "buy", 1, 100)["orderId"]
        order = ibkr.orders.status(order_id)
        seen.append(None if order is None else str(order.state))
    return seen


def until(ibkr, moment):
    """Read as fast as the limits allow until that moment of the machine's monotonic clock."""
    done = 0
    while time.monotonic() < float(moment):
        ibkr.request("GET", "/iserver/accounts")
        done += 1
    return done


def fork(ibkr):
    """What a forked child comes to that goes on with its parent's object."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(into, json.dumps(answer(ibkr, "read", "1")).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return json.loads(os.read(out, 10_000))


def close(ibkr):
    ibkr.close()
    return "closed"


WORK = {
    "open": opened,
    "place": place,
    "read": read,
    "both": both,
    "stand": stand,
    "until": until,
    "fork": fork,
    "close": close,
}


def answer(ibkr, name, *given):
    try:
        return WORK[name](ibkr, *given)
    except IBKRError as failure:
        return {"error": type(failure).__name__, "text": str(failure)}


def main(settings):
    ibkr = IBKRExchange(json.loads(settings))
    sys.stdout.write(f"{os.getpid()}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(ibkr, *line.split())) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
