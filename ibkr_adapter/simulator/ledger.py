"""The broker's own books as the control room tells them.

Plain words and exact figures, not the shapes of the API: this is what a test compares a
client's beliefs with.
"""

from __future__ import annotations

from typing import Any

from ibkr_adapter.simulator import hours
from ibkr_adapter.simulator.account import Account
from ibkr_adapter.simulator.alerts import Alert
from ibkr_adapter.simulator.figures import number
from ibkr_adapter.simulator.order import Execution
from ibkr_adapter.simulator.views_orders import ledger_row
from ibkr_adapter.simulator.world import World


def broker_ledger(world: World) -> dict[str, Any]:
    """Orders, executions, positions, accounts, sessions and questions of one world."""
    return {
        "orders": [_order(world, one) for one in world.book.orders],
        "executions": [_execution(one) for one in world.book.executions],
        "positions": [row for one in world.accounts.values() for row in _positions(one)],
        "accounts": [_account(world, one) for one in world.accounts.values()],
        "alerts": [_alert(one) for account in world.accounts for one in world.alerts.of(account)],
        "sessions": [*world.sessions.as_json(), *world.tokens.as_json(world.auth)],
        "questions": list(world.dialogues.history),
        "open_questions": world.dialogues.open_ids,
        "market": {"now": world.now.isoformat(), "regular": hours.is_regular(world.now)},
    }


def _order(world: World, order_id: int) -> dict[str, Any]:
    order = world.book.orders[order_id]
    return {**ledger_row(order), "legs": [one.order_id for one in world.book.children(order)]}


def _execution(execution: Execution) -> dict[str, Any]:
    return {
        "execution_id": execution.execution_id,
        "order_id": execution.order.order_id,
        "coid": execution.order.ticket.coid,
        "account": execution.account,
        "conid": execution.instrument.conid,
        "side": execution.side,
        "quantity": number(execution.quantity),
        "price": number(execution.price),
        "commission": number(execution.commission, 2),
        "time": execution.moment.isoformat(),
    }


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "alert_id": alert.number,
        "account": alert.account,
        "name": alert.name,
        "active": alert.active,
        "triggered": alert.triggered,
    }


def _positions(account: Account) -> list[dict[str, Any]]:
    return [
        {
            "account": account.account_id,
            "conid": one.instrument.conid,
            "symbol": one.instrument.symbol,
            "quantity": number(one.quantity),
            "average_cost": number(one.average, 8),
            "realised": number(one.realised, 2),
        }
        for one in account.positions.values()
    ]


def _account(world: World, account: Account) -> dict[str, Any]:
    sums = world.standing(account.account_id)
    return {
        "account": account.account_id,
        "cash": {currency: number(amount, 2) for currency, amount in account.cash.items()},
        "commissions": number(account.commissions, 2),
        "realised": number(sums.realised, 2),
        "unrealised": number(sums.unrealised, 2),
        "net_liquidation": number(sums.net, 2),
        "buying_power": number(sums.buying_power, 2),
    }
