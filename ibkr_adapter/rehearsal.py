"""Do everything up to the last step and send nothing: what ``dry_run`` puts in place of the order desk.

Contracts, rules, positions and prices are read as ever, and tickets are built and refused as ever.
Here is only what stands where a request would leave; it notes that request, word for word.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import attrs

from ibkr_adapter.connection import Connection
from ibkr_adapter.errors import OrderRejected
from ibkr_adapter.exits import Exits
from ibkr_adapter.legs import name_of
from ibkr_adapter.model.order import ENTRY, Leg, Order, OrderState, Origin, Placed, Ticket, Unsent
from ibkr_adapter.own_orders import checked_id
from ibkr_adapter.replies import ReplyHandler
from ibkr_adapter.submissions import Changes, Places, Submission
from ibkr_adapter.wire import endpoints, tickets
from ibkr_adapter.wire.endpoints import Endpoint

log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class Ways:
    """Where one call's orders go: to the broker, or nowhere."""

    desk: Places
    changes: Changes
    exits: Exits


class Rehearsal:
    """The desk and the changes of one call, which send nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._unsent: list[Unsent] = []

    def ready(self, account: str, replies: ReplyHandler) -> None:
        """Need nothing: what is not sent need not be written down first."""

    def place(self, submission: Submission) -> Placed:
        """Answer as if nothing stood in the way, with every request that this call would have made."""
        self._note(
            endpoints.PLACE_ORDERS,
            {"accountId": submission.account},
            body=tickets.place_body(submission.tickets),
        )
        legs = tuple(
            Leg(
                name=ENTRY if not index and not submission.is_group else name_of(ticket),
                order_id="",
                ticket=ticket,
                state=OrderState.INACTIVE,
            )
            for index, ticket in enumerate(submission.tickets)
        )
        return Placed(coid=submission.coid, legs=legs, unsent=tuple(self._unsent))

    def modify(
        self,
        order_id: str,
        ticket: Ticket,
        *,
        replies: ReplyHandler,  # noqa: ARG002  (nobody asks)
        deadline: float,
        reducing: bool,  # noqa: ARG002  (nobody asks)
    ) -> Order:
        """Answer with the order as it stands, marked."""
        order = self._standing(ticket.account, order_id, deadline)
        self._note(
            endpoints.MODIFY_ORDER,
            {"accountId": ticket.account, "orderId": order_id},
            body=tickets.modify_body(ticket),
        )
        return order

    def cancel(
        self,
        order_id: str,
        *,
        account: str,
        replies: ReplyHandler | None,  # noqa: ARG002  (nobody asks)
        deadline: float,
        origin: Origin | None = None,
    ) -> Order:
        """Answer with the order as it stands, marked; one that is over is told as it is."""
        order = self._standing(account, order_id, deadline)
        if not order.state.is_over:
            sent = self._connection.own.sent(order_id)
            query = tickets.cancel_query(sent.origin if sent is not None else origin)
            self._note(
                endpoints.CANCEL_ORDER, {"accountId": account, "orderId": checked_id(order_id)}, query=query
            )
        return order

    def _standing(self, account: str, order_id: str, deadline: float) -> Order:
        order = self._connection.reads.status(account, checked_id(order_id), deadline=deadline)
        if order is None:
            raise OrderRejected(f"IBKR does not give the status of order {order_id}; nothing was sent.")
        return order if order.state.is_over else attrs.evolve(order, dry_run=True)

    def _note(
        self,
        endpoint: Endpoint,
        path: Mapping[str, Any],
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        unsent = Unsent(method=endpoint.method, path=endpoint.path(**path), query=query, body=body)
        log.info("dry run: %s %s was not sent", unsent.method, unsent.path)
        self._unsent.append(unsent)


def ways(connection: Connection, *, dry_run: bool) -> Ways:
    """Say where the orders of one call go."""
    if not dry_run:
        return Ways(desk=connection.desk, changes=connection.changes, exits=connection.exits)
    rehearsal = Rehearsal(connection)
    exits = Exits(
        clock=connection.clock,
        desk=rehearsal,
        changes=rehearsal,
        holdings=connection.holdings,
        reads=connection.reads,
        watch=connection.watch,
        own=connection.own,
    )
    return Ways(desk=rehearsal, changes=rehearsal, exits=exits)
