"""Make one intent through ibind, as its examples do; runs in an environment of its own.

Takes the root of the API, the account, the intent and whether to give client order ids (``coid``, as ibind's
examples do; it is optional there). Prints a line when it is prepared, waits for one, acts, and
prints what its caller was told. Nothing of this project is imported here.
"""

import json
import sys
import time

from ibind import IbkrClient, OrderRequest
from ibind.support.errors import ExternalBrokerError

URL, ACCOUNT, INTENT, COIDS = sys.argv[1:]
AAPL = 265598
# Any question is answered with yes: ibind looks for the key inside the question's text.
ANSWERS = {"": True}
# What its text says of a lost answer; everything else it raises says that it was refused.
LOST = ("Connection error", "Reached max retries", "request error", "invalid JSON", ":: 50")


def order(**fields):
    return OrderRequest(
        **{"conid": AAPL, "side": "BUY", "quantity": 10, "order_type": "LMT", "acct_id": ACCOUNT} | fields
    )


def own(coid):
    return {"coid": coid} if COIDS == "coid" else {}


def act(client, resting):
    if INTENT == "bracket":
        # The exits need something to hang on, so a bracket cannot go without.
        entry = order(price=162, coid="entry-1")
        stop = order(side="SELL", order_type="STP", price=150, parent_id="entry-1")
        target = order(side="SELL", price=170, parent_id="entry-1")
        return client.place_order([entry, stop, target], ANSWERS, ACCOUNT).data
    if INTENT == "modify":
        return client.modify_order(resting, order(price=162, quantity=5), ANSWERS, ACCOUNT).data
    if INTENT == "cancel":
        return client.cancel_order(resting, ACCOUNT).data
    market = order(order_type="MKT", tif="DAY", **own("market-1"))
    return client.place_order(market, ANSWERS, ACCOUNT).data


def told(client, resting):
    try:
        act(client, resting)
    except (ExternalBrokerError, TimeoutError, RuntimeError, ValueError, TypeError, KeyError) as failure:
        lost = isinstance(failure, TimeoutError) or any(word in str(failure) for word in LOST)
        return {"word": "unknown" if lost else "refused", "said": type(failure).__name__}
    # A cancel is only asked for: IBKR's answer to it, which is returned as it is, says no more.
    return (
        {"word": "unknown", "said": "submitted"}
        if INTENT == "cancel"
        else {"word": "placed", "said": "returned"}
    )


def tell(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main():
    client = IbkrClient(url=URL, account_id=ACCOUNT)
    client.initialize_brokerage_session()
    for _ in range(50):
        if client.authentication_status().data.get("established"):
            break
        time.sleep(0.2)
    client.receive_brokerage_accounts()
    resting = None
    if INTENT in {"modify", "cancel"}:
        placed = client.place_order(order(price=162, **own("resting-1")), ANSWERS, ACCOUNT).data
        resting = placed["order_id"]
        time.sleep(1)
    tell(ready=True)
    sys.stdin.readline()
    started = time.monotonic()
    found = told(client, resting)
    tell(seconds=time.monotonic() - started, **found)


main()
