"""Carry out trading webhooks as a host would: JSON text in, a result that goes into JSON out.

The payloads lie beside this script, in ``webhooks/``. The second one is the first one again, as a host posts
that had no answer in time: it is answered, and sends nothing. The fourth makes no sense, and shows what a host
is told then.
"""

import json
from pathlib import Path

from ibkr_adapter import IBKRExchange
from ibkr_adapter.errors import IBKRError
from ibkr_adapter.host.executor import TradeExecutor

WEBHOOKS = Path(__file__).parent / "webhooks"
NONSENSE = '{"secret": "your-secret", "action": "buy", "symbol": "AAPL", "stop_loss_percent": 200}'


def main(ibkr: IBKRExchange) -> None:
    executor = TradeExecutor(ibkr)
    names = ["1_buy_aapl_at_market.json", "1_buy_aapl_at_market.json", "3_close_aapl.json"]
    for payload in [*((WEBHOOKS / name).read_text("utf-8") for name in names), NONSENSE]:
        try:
            result = executor.execute_webhook(payload)
        except IBKRError as error:
            # What a host answers: the sentence says what is wrong and what is true at the broker.
            result = {"success": False, "error": str(error), "retry": error.repeatable}
        print(json.dumps(result))


if __name__ == "__main__":
    with IBKRExchange.simulated(webhook_secret="your-secret") as exchange:  # noqa: S106 (an example's secret)
        main(exchange)
