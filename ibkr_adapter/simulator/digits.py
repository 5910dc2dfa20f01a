"""Read the whole numbers that clients write into paths, queries and texts.

Knows only what a number is to a service in Java: the ten digits, as many as a long holds. Python
by itself takes more for digits than it converts (a raised two), and converts no more than 4300.
"""

from __future__ import annotations

import re

_WHOLE = re.compile(r"[0-9]{1,18}")


def whole(text: str) -> int | None:
    """The number that a text is; nothing for any other text."""
    return int(text) if _WHOLE.fullmatch(text) else None
