"""Make a good answer bad: other shapes, other types, and texts that mean harm.

Pure: bytes in, bytes out, and the same body is spoiled the same way each time. Which answer is spoiled
is for :mod:`.inflict`.
"""

from __future__ import annotations

import json
import random
from typing import Any

# What is written behind the texts that people read: names, sentences, questions.
EVIL = {
    "script": "<script>alert('1')</script><img src=x onerror=alert(1)>\"'`{{7*7}}${7*7}",
    # Clears the screen, renames the window, writes to the clipboard, goes back over the line.
    "escape": "\x1b[2J\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x07\x1b[31m\r\nERROR forged line\x08\x00\x9b1A",
    "bidi": "\u202e\u2066\u200f\ufeff\u200bYUB\u2069\u202c",
    "long": "A" * 100_000,
}
# The keys that hold prose or names in any answer; all other texts are figures, codes and ids.
_PROSE = frozenset(
    {
        "accountAlias",
        "accountTitle",
        "account_allocation_name",
        "companyHeader",
        "companyName",
        "company_name",
        "contractDesc",
        "contract_description_1",
        "contract_description_2",
        "desc",
        "description",
        "description1",
        "description2",
        "detail",
        "displayName",
        "error",
        "fullName",
        "group",
        "message",
        "name",
        "orderDesc",
        "order_cancellation_by_system_reason",
        "order_description",
        "order_description_with_contract",
        "text",
        "title",
        "warn",
        "warning_message",
        "55",
        "7051",
    }
)


def spoil(body: bytes, how: str) -> bytes:
    """Make an answer wrong in one way; the same body is spoiled the same way each time."""
    if how == "empty":
        return b""
    if how == "json":
        return body[: max(1, len(body) // 2)] + b"}{"
    try:
        value = json.loads(body)
    except ValueError:
        return body + b"<"
    chance = random.Random(len(body))  # noqa: S311 - repeatable damage, not a secret
    return json.dumps(_spoiled(value, how, chance)).encode()


def _spoiled(value: Any, how: str, chance: random.Random) -> Any:
    if isinstance(value, list):
        return [_spoiled(one, how, chance) for one in value]
    if isinstance(value, dict):
        kept = {
            key: _spoiled(one, how, chance)
            for key, one in value.items()
            if how != "missing" or chance.random() < 0.5  # noqa: PLR2004 - an even chance
        }
        return kept | ({"unheardOf": {"of": [1, None]}} if how == "extra" else {})
    return _leaf(value, how)


def _leaf(value: Any, how: str) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if how == "null":
        return None
    if how == "nan" and is_number:
        return float("nan")
    if how == "prefix" and isinstance(value, str) and value.replace(".", "").isdigit():
        return f"C{value}"
    if how == "types":
        return str(value) if is_number else [value]
    return value


def poison(body: bytes, evil: str) -> bytes:
    """Write ``evil`` behind every text that people read; what has none stays as it is."""
    try:
        value = json.loads(body)
    except ValueError:
        return body
    poisoned = _poisoned(value, evil, prose=False)
    return body if poisoned == value else json.dumps(poisoned).encode()


def _poisoned(value: Any, evil: str, *, prose: bool) -> Any:
    if isinstance(value, dict):
        return {key: _poisoned(one, evil, prose=key in _PROSE) for key, one in value.items()}
    if isinstance(value, list):
        return [_poisoned(one, evil, prose=prose) for one in value]
    return value + evil if prose and isinstance(value, str) else value
