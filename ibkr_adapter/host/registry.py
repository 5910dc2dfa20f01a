"""What an adapter tells of itself to be found by name; other packages make one of their own.

A package registers its :class:`Adapter` under the entry point group ``ibkr_adapter.exchanges``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from .contract import BaseExchange

GROUP = "ibkr_adapter.exchanges"


@attrs.frozen(kw_only=True)
class Adapter:
    """One kind of exchange.

    ``make`` takes a configuration, the user where there are many, and what tests put in for the outside
    world, and makes the object without asking anybody. ``map_credentials`` turns a host's row into a
    configuration, or ``None``, and never raises.
    """

    name: str
    title: str
    make: Callable[[Mapping[str, Any], str | None, Any], BaseExchange]
    map_credentials: Callable[[Any], dict[str, Any] | None]
    aliases: tuple[str, ...] = ()
