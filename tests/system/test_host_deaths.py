"""A process that dies while it carries out a webhook, and the next one, over real sockets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ibkr_adapter.clock import SystemClock
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.host.executor import TradeExecutor
from ibkr_adapter.simulator.gateway import Gateway
from ibkr_adapter.simulator.server import SimulatorServer

HERE = Path(__file__).parent
WEBHOOK = {
    "action": "buy",
    "symbol": "MSFT",
    "orderType": "limit",
    "price": 300,
    "quantity": 1,
    "webhook_id": "d1",
}


@pytest.fixture
def broker():
    gateway = Gateway(SystemClock(), options={"questions": False})
    server = SimulatorServer(gateway)
    server.start()
    yield gateway, server
    server.stop()


def test_the_next_process_finds_the_entry_that_the_dead_one_sent(broker, tmp_path):
    """The lock on its name went with it, and the order was named on disk before it left."""
    gateway, server = broker
    settings = {"base_url": server.url, "state_dir": str(tmp_path)}
    dead = subprocess.run(  # noqa: S603  (our own script)
        [sys.executable, str(HERE / "dying.py"), json.dumps(settings), json.dumps(WEBHOOK)],
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    (order,) = gateway.ledger()["orders"]

    with IBKRExchange(settings) as ibkr:
        executor = TradeExecutor(ibkr)
        result = executor.execute_webhook(WEBHOOK)
        repeat = executor.execute_webhook(WEBHOOK)

    assert (dead.returncode, dead.stderr) == (9, "")
    assert (result["action"], result["recovered"]) == ("opened", True)
    assert result["orderId"] == str(order["order_id"])
    assert repeat == result | {"repeated": True}
    assert len(gateway.ledger()["orders"]) == 1
