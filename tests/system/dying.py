"""Carry out a webhook and die as soon as its order is acknowledged: ``dying.py SETTINGS WEBHOOK``."""

from __future__ import annotations

import json
import os
import sys

from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.host.executor import TradeExecutor


class Dying(IBKRExchange):
    def place_limit_order(self, *args, **keywords):
        super().place_limit_order(*args, **keywords)
        os._exit(9)


if __name__ == "__main__":
    TradeExecutor(Dying(json.loads(sys.argv[1]))).execute_webhook(sys.argv[2])
