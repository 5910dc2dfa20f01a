"""A program that dies at every point of an order, each time in a process of its own, and starts again.

``crashing.py URL FOLDER SCENARIO`` prints a line of JSON for each point: what was about to happen
when the process died, and what the next one found. A point lies before each write of the journal
and before each request; the last round dies nowhere. Processes are forked from this one, which has
no threads and nothing open, so that each costs a fraction of a start.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import sys
import time
import traceback
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ibkr_adapter.clock import ManualClock
from ibkr_adapter.doors import Doors
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.state import Store
from ibkr_adapter.tls import Trust
from ibkr_adapter.transport import RequestsTransport

START = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
DIED = 9
CHANGES = ("POST", "DELETE")


class Hurried(ManualClock):
    """Jumps, but leaves the broker, whose time is real, a moment to do what is waited for."""

    def sleep(self, seconds):
        time.sleep(min(seconds, 0.02))
        super().sleep(seconds)


class Death:
    """Counts what is about to happen, once armed, and ends the process before the chosen one."""

    def __init__(self, at):
        self.left = at
        self.armed = False
        self.told = []

    def before(self, what):
        if not self.armed:
            return
        self.told.append(what)
        if self.left == 0:
            say({"died before": what, "after": self.told[:-1]})
            os._exit(DIED)
        self.left -= 1


def say(line):
    os.write(1, json.dumps(line).encode() + b"\n")


def doors(death, prefix):
    class MortalStore(Store):
        inside = False

        def write(self, sql, params=()):
            if not self.inside and self.path.stem == "orders":
                death.before("a write")
            return super().write(sql, params)

        @contextmanager
        def transaction(self):
            if self.path.stem == "orders":
                death.before("a write")
            with super().transaction():
                self.inside = True
                try:
                    yield
                finally:
                    self.inside = False

    class MortalTransport(RequestsTransport):
        def send(self, method, url, **more):
            if method in CHANGES:
                death.before(f"{method} {url.rsplit('/', 2)[-2 if 'reply' in url else -1]}")
            return super().send(method, url, **more)

    numbers = itertools.count(1)
    return Doors(
        clock=Hurried(START, jump=True),
        transport=lambda settings, clock: MortalTransport(
            clock, trust=Trust(fingerprint=None, ca_file=None, verify=True), user_agent="crashing"
        ),
        new_id=lambda: f"{prefix}-{next(numbers)}",
        store=MortalStore,
    )


def limit(ibkr, death):
    death.armed = True
    ibkr.place_limit_order("AAPL", "buy", 1, 162)


def question(ibkr, death):
    death.armed = True
    ibkr.place_market_order("AAPL", "buy", 1)


def bracket(ibkr, death):
    death.armed = True
    ibkr.place_bracket_order("AAPL", "buy", "limit", 1, 162, take_profit_price=170, stop_loss_price=150)


def cancel(ibkr, death):
    order_id = ibkr.place_limit_order("AAPL", "buy", 1, 162)["orderId"]
    death.armed = True
    ibkr.cancel_order("AAPL", order_id)


SCENARIOS = {work.__name__: work for work in (limit, question, bracket, cancel)}


def crash(url, folder, prefix, work, at):
    death = Death(at)
    ibkr = IBKRExchange({"base_url": url, "state_dir": folder}, doors=doors(death, prefix)).open()
    ibkr.orders.terms("AAPL")
    work(ibkr, death)
    say({"died before": None, "after": death.told})


def start_again(url, folder, prefix):
    ibkr = IBKRExchange(
        {"base_url": url, "state_dir": folder}, doors=doors(Death(0), f"{prefix}-next")
    ).open()
    ibkr.place_limit_order("AAPL", "buy", 1, 161)
    store = ibkr.orders._connection._placed()
    say(
        {
            "entries": store.read("SELECT kind, step, ended FROM entry ORDER BY id"),
            "placed": [row[0] for row in store.read("SELECT order_id FROM placed ORDER BY order_id")],
            "unsettled": len(ibkr.orders.unsettled()),
        }
    )


def apart(work, *given):
    """Run something in a process of its own; tell how it ended."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work(*given)
            code = 0
        finally:
            if code:
                traceback.print_exc()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(url, folder, scenario):
    # What would be loaded with the first call is loaded here, once for all.
    for room in ("sqlite3", "requests", "ibkr_adapter.trading", "ibkr_adapter.transport.over_requests"):
        importlib.import_module(room)
    for at in itertools.count():
        place, prefix = str(Path(folder) / f"{scenario}-{at}"), f"{scenario}-{at}"
        ended = apart(crash, url, place, prefix, SCENARIOS[scenario], at)
        if apart(start_again, url, place, prefix) != 0 or ended not in {0, DIED}:
            sys.exit(1)
        if ended == 0:
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
