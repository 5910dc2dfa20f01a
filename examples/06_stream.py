"""Watch prices, orders and trades as IBKR tells them, over one line and one thread.

A subscription is iterated over, asked for one event at a time, or given a callback. A ``Gap`` says from
when to when nothing could be heard; orders and trades of that time follow it, prices are lost. So look what
an event is before you read from it.
"""

import time

from ibkr_adapter import IBKRExchange
from ibkr_adapter.model.stream import QuoteEvent, TradeEvent


def main(ibkr: IBKRExchange) -> None:
    stream = ibkr.stream
    with stream.quotes("AAPL") as quotes, stream.trades() as trades:
        for event in quotes:
            if isinstance(event, QuoteEvent):
                print("quote", event.quote.bid, event.quote.ask)
                break
            print("no quote, but", event)
        ibkr.place_market_order("AAPL", "buy", 5)
        until = time.monotonic() + 30
        while not isinstance(trade := trades.get(timeout=until - time.monotonic()), TradeEvent):
            if trade is None:
                raise SystemExit("the stream did not tell of the trade")
        print("bought", trade.fill.quantity, "at", trade.fill.price)


if __name__ == "__main__":
    with IBKRExchange.simulated() as exchange:
        main(exchange)
