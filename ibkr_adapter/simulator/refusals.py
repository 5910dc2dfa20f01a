"""How an order is turned down: as a whole, or one ticket of several.

An HTTP error or an ``{"error"}`` with status 200 is for the whole request; a refusal dressed as an
acknowledgement (order id -1) is for one ticket.
"""

from __future__ import annotations

import attrs

from ibkr_adapter.simulator.door import Answer


class RefusalError(Exception):
    """The whole request is turned down with ``answer``; no order exists."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(answer.body.decode(errors="replace"))


@attrs.frozen(kw_only=True)
class Rejection:
    """One ticket of a request is turned down, in the dress of an acknowledgement."""

    text: str
    warning: str = "Order rejected by the exchange."
    parent: str | None = None
