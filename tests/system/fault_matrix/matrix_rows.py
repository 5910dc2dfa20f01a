"""What a row of the fault matrix is: one call, and the stage that it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Row:
    """One call: ``held`` shares and a ``resting`` entry of ours are there before it.

    ``changes`` says that it may change something at the broker, ``cold`` that no contract is known yet;
    ``answers`` are questions that may be answered with yes, ``most`` is how many orders without a parent it may book.
    ``first`` is done before the fault is armed, and what it returns is what the call gets for an order;
    ``once`` is the endpoint of a change that is no order, ``beside`` whether it is a call beside orders.
    """

    call: Callable[[Any, str], Any]
    held: int = 0
    resting: bool = False
    changes: bool = False
    cold: bool = False
    most: int = 1
    answers: tuple[str, ...] = ()
    first: Callable[[Any], Any] | None = None
    once: str | None = None
    beside: bool = False


def read(call: Callable[[Any, str], Any], **more: Any) -> Row:
    return Row(call=call, **more)


def act(call: Callable[[Any, str], Any], **more: Any) -> Row:
    return Row(call=call, changes=True, **more)


def change(once: str, call: Callable[[Any, Any], Any], **more: Any) -> Row:
    """A change that is no order."""
    return Row(call=call, changes=True, most=0, once=once, **more)
