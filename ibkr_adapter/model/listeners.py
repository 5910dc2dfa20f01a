"""See that what is to be told something can be called at all.

It would be found out when there is something to tell, on another thread or after many requests.
"""

from __future__ import annotations

from ibkr_adapter.errors import InvalidRequest, quoted


def check_callable(value: object, what: str) -> None:
    """See that ``value`` can be called.

    Raises:
        InvalidRequest: It cannot; nothing was sent.
    """
    if not callable(value):
        raise InvalidRequest(f"{what}={quoted(value)} cannot be called; nothing was sent.")
