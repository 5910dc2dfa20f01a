"""A small bot: it buys when prices turn upward, with a stop and a target, within guardrails, and stops cleanly.

It shows how to handle orders, not how to earn: **the rule has no edge**. At each new bar it looks whether the
mean of the last five closes has risen above the mean of the last twenty. Then it buys once, by a bracket whose
exits leave with the entry. The client order id is made of the bar, so one signal is never bought twice, not
after a lost answer and not after a restart.

On a simulated market bars pass as fast as they are read. On your own paper account, with the settings in the
environment, write below instead, and stop it with Ctrl-C:

    with IBKRExchange(Settings.from_env(overridden={"guardrails": GUARDRAILS})) as exchange:
        Bot(exchange).run(next_bar=wait_for_the_clock)
"""

import signal
import threading
import time
from collections.abc import Callable, Sequence
from decimal import Decimal

from ibkr_adapter import IBKRExchange
from ibkr_adapter.errors import (
    GuardrailRefused,
    IBKRError,
    OrderOutcomeUnknown,
    OrderRejected,
    PartlyPlaced,
    QuestionRefused,
)
from ibkr_adapter.model.bars import Bar
from ibkr_adapter.model.order import Order, OrderType, Placed, Side

SYMBOL, QUANTITY = "AAPL", Decimal(10)
BAR, SECONDS = "5min", 300
SHORT, LONG = 5, 20
LIMIT, STOP, TARGET = Decimal("1.0005"), Decimal("0.995"), Decimal("1.01")
CENT = Decimal("0.01")
COID = f"bot-{SYMBOL}-"
# What holds even where the rule, or the bot, is wrong.
GUARDRAILS = {
    "max_notional": 5_000,
    "orders_per_minute": 2,
    "price_collar": 2,
    "daily_loss": 200,
    "allowed_symbols": [SYMBOL],
}

stopped = threading.Event()


def wait_for_the_clock() -> None:
    """Wait until the next bar has ended, or until the bot is stopped."""
    stopped.wait(SECONDS - time.time() % SECONDS + 2)


def turns_upward(bars: Sequence[Bar]) -> bool:
    """Whether the short mean has risen above the long one with the last bar."""
    closes = [bar.close for bar in bars[-LONG - 1 :]]

    def lead(window: list[Decimal]) -> Decimal:
        return sum(window[-SHORT:], Decimal(0)) / SHORT - sum(window[-LONG:], Decimal(0)) / LONG

    return len(closes) > LONG and lead(closes[:-1]) <= 0 < lead(closes)


class Bot:
    """Holds one position at most, and nothing without a stop."""

    def __init__(self, exchange: IBKRExchange) -> None:
        self.exchange = exchange
        self.unknown: OrderOutcomeUnknown | None = None

    def run(self, *, next_bar: Callable[[], object], rounds: int | None = None) -> None:
        """Look at each bar until told to stop; at the end nothing works that could still open a position."""
        done = 0
        try:
            while not stopped.is_set() and done != rounds:
                try:
                    self.look()
                except PartlyPlaced as error:
                    print("a person must look now:", error)
                    raise
                except IBKRError as error:
                    # What may not be repeated as it is does not get better by waiting.
                    if not error.repeatable:
                        raise
                    print("not now:", error)
                done += 1
                next_bar()
        finally:
            self.stop()

    def look(self) -> None:
        """Act upon the last bar that has ended."""
        if self.unknown is not None:
            self.settle(self.unknown)
        bars = self.exchange.market_data.history(SYMBOL, bar=BAR, since="1d")
        if self.unknown is not None or not turns_upward(bars):
            return
        if self.exchange.get_position(SYMBOL) is None and self.working_entry() is None:
            self.enter(bars[-1])

    def enter(self, bar: Bar) -> None:
        """Buy by a bracket; all of it comes from the bar, so that the same signal is the same order."""
        limit, stop, target = ((bar.close * factor).quantize(CENT) for factor in (LIMIT, STOP, TARGET))
        try:
            placed = self.exchange.orders.bracket(
                SYMBOL,
                side=Side.BUY,
                order_type=OrderType.LIMIT,
                quantity=QUANTITY,
                limit_price=limit,
                take_profit=target,
                stop_loss=stop,
                coid=f"{COID}{bar.begins:%Y%m%dT%H%M}",
            )
        except OrderOutcomeUnknown as unknown:
            # It may be working, filled or absent: nothing more is bought until somebody knows.
            self.exchange.orders.kill(f"nobody knows what became of {unknown.coid}")
            self.unknown = unknown
            print("unknown:", unknown)
        except (OrderRejected, QuestionRefused, GuardrailRefused) as error:
            # Nothing of it works. The same signal is not sent again; a later one may be.
            print("not bought:", error)
        else:
            print(f"bar of {bar.begins:%H:%M} UTC: buys {QUANTITY} at {limit}, order {placed.entry.order_id}")

    def settle(self, unknown: OrderOutcomeUnknown) -> None:
        """Look once more for an order that nobody knows the end of; it is never sent again."""
        try:
            found = unknown.resolve()
            print("settled: it stands as", found.entry.order_id if isinstance(found, Placed) else found)
        except OrderOutcomeUnknown:
            return
        except (OrderRejected, QuestionRefused) as error:
            print("settled:", error)
        self.unknown = None
        self.exchange.orders.revive()

    def working_entry(self) -> Order | None:
        """The bot's own entry that may still fill, also one from before a restart."""
        working = self.exchange.orders.working(SYMBOL)
        return next((order for order in working if (order.coid or "").startswith(COID)), None)

    def stop(self) -> None:
        """End an entry that has not filled. A position keeps its stop and its target at the broker."""
        if self.unknown is not None:
            self.settle(self.unknown)
        if self.unknown is not None:
            print("a person must look:", self.unknown)
        entry = self.working_entry()
        if entry is not None:
            print("the entry is", self.exchange.cancel_order(SYMBOL, entry.order_id)["status"])
        held = self.exchange.get_position(SYMBOL)
        if held is None:
            print("stopped; nothing is held")
            return
        exits = sorted(order["type"] for order in self.exchange.get_open_orders(SYMBOL))
        print("stopped; holds", held["positionAmt"], "protected by", " and ".join(exits) or "NOTHING")


def main(ibkr: IBKRExchange) -> None:
    """Run some hours of a simulated market."""
    Bot(ibkr).run(next_bar=lambda: ibkr.simulator.advance(SECONDS), rounds=10)
    for fill in reversed(ibkr.get_trade_history(SYMBOL)):
        print(fill["side"], fill["qty"], "at", fill["price"])


if __name__ == "__main__":
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: stopped.set())
    # Bars pass so quickly here that it would ask at IBKR's limit all the time.
    with IBKRExchange.simulated(guardrails=GUARDRAILS, requests_per_second=8) as exchange:
        main(exchange)
