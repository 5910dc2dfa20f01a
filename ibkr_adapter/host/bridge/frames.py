"""Read and write the bridge's frames: JSON-RPC 2.0, one object each; pure.

Knows shapes and codes only. What a method is, is for :mod:`.methods`; how frames travel, for
:mod:`.over_stdio` and :mod:`.over_http`. Numbers are read exactly, and nothing that is not JSON
(``NaN``, ``Infinity``) goes in or out. An error says what is true at the broker, in the words of
the error that it stands for; the values of a refused frame are never repeated, because they may be
secret.

Source: the JSON-RPC 2.0 specification; docs/bridge.md has the protocol.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any, NoReturn

import attrs

from ibkr_adapter import shapes
from ibkr_adapter.errors import IBKRError

# The version of the protocol that this speaks; a client names the one that it speaks.
PROTOCOL = 1
# A frame is one call: the largest is a configuration with three keys in it, far below this.
LARGEST_FRAME = 1 << 20
# A frame's own id comes back in its answer, so it is not for storing things.
_LONGEST_ID = 128
# What errors carry beside their sentence, where they have it.
_CARRIED = (
    "coid",
    "order_id",
    "sent_at",
    "placed",
    "missing",
    "naked_quantity",
    "question",
    "message_ids",
    "rule",
    "figure",
    "limit",
    "near",
    "retry_at",
    "next_open",
    "reopens_at",
)


class Code(IntEnum):
    """Why a frame has an error for an answer."""

    NOT_JSON = -32700
    NOT_A_CALL = -32600
    UNKNOWN_METHOD = -32601
    WRONG_PARAMS = -32602
    INTERNAL = -32603
    # The library's own error, whose class is ``data.type``.
    REFUSED = -32000
    UNKNOWN_SESSION = -32001
    NO_HANDSHAKE = -32002
    DEADLINE = -32003
    CANCELLED = -32004
    BUSY = -32005
    TOO_LARGE = -32006
    STILL_RUNNING = -32007
    CLOSING = -32008


class FrameError(Exception):
    """A frame that is answered with an error; ``code`` and ``data`` go into the answer."""

    def __init__(self, code: Code, message: str, **data: Any) -> None:
        self.code = code
        self.message = message
        self.data = data
        super().__init__(message)


@attrs.frozen(kw_only=True)
class Frame:
    """One call; ``id`` is ``None`` where no answer is wanted."""

    id: str | int | None
    method: str
    params: Mapping[str, Any]


def read(raw: bytes) -> Frame:
    """Read one frame.

    Raises:
        FrameError: It is no call; ``data["id"]`` is its id as far as it could be read.
    """
    try:
        found = json.loads(raw, parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, ArithmeticError, RecursionError):
        # Of 1e99999999999999999999 no decimal can be made.
        raise FrameError(Code.NOT_JSON, "The frame is not JSON, or names a key twice.", id=None) from None
    if not isinstance(found, dict):
        raise FrameError(Code.NOT_A_CALL, "A frame is one JSON object.", id=None)
    number = found.get("id")
    if isinstance(number, bool) or not (number is None or isinstance(number, str | int)):
        raise FrameError(Code.NOT_A_CALL, "The id is a text or a whole number.", id=None)
    if len(str(number)) > _LONGEST_ID:
        raise FrameError(Code.NOT_A_CALL, f"The id has {_LONGEST_ID} characters at most.", id=None)
    method, params = found.get("method"), found.get("params", {})
    if found.get("jsonrpc") != "2.0" or not isinstance(method, str):
        raise FrameError(Code.NOT_A_CALL, 'A call has "jsonrpc": "2.0" and a method.', id=number)
    if not isinstance(params, dict):
        raise FrameError(Code.NOT_A_CALL, "The params are an object.", id=number)
    return Frame(id=number, method=method, params=params)


def answer(number: str | int | None, outcome: Mapping[str, Any]) -> bytes:
    """Write the answer to a call; ``outcome`` has its ``result`` or its ``error``."""
    return write({"jsonrpc": "2.0", "id": number, **outcome})


def error(code: Code, message: str, **data: Any) -> dict[str, Any]:
    """The outcome of a call that came to nothing, or about which nothing is known."""
    return {
        "error": {
            "code": int(code),
            "message": message,
            "data": {"type": code.name, "repeatable": False, **data},
        }
    }


def refusal(failure: FrameError) -> dict[str, Any]:
    """The outcome of a frame that was refused."""
    data = {name: value for name, value in failure.data.items() if name != "id"}
    return error(failure.code, failure.message, **data)


def failure(found: IBKRError) -> dict[str, Any]:
    """The outcome of a call that raised, under the names of the client's own language."""
    carried = {
        camel(name): _plain(getattr(found, name))
        for name in _CARRIED
        if getattr(found, name, None) not in (None, "", ())
    }
    candidates = [str(one) for one in getattr(found, "candidates", ())]
    return error(
        Code.REFUSED,
        str(found),
        **{
            "type": type(found).__name__,
            "repeatable": found.repeatable,
            "remedy": found.remedy,
            "endpoint": found.endpoint,
            "status": found.status,
            "text": found.text,
            **carried,
            **({"candidates": candidates} if candidates else {}),
        },
    )


def notification(method: str, params: Mapping[str, Any]) -> bytes:
    """Write what the client is told without having asked."""
    return write({"jsonrpc": "2.0", "method": method, "params": dict(params)})


def write(value: Any) -> bytes:
    """Write one frame, without an end of line.

    Raises:
        ValueError: There is something in it that JSON has no word for.
    """
    return json.dumps(
        value, allow_nan=False, separators=(",", ":"), default=_exactly, ensure_ascii=True
    ).encode()


def camel(name: str) -> str:
    """``order_id`` as ``orderId``."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def snake(name: str) -> str:
    """``orderId`` as ``order_id``."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | dict | list | tuple) else _exactly(value)


def _exactly(value: Any) -> Any:
    if isinstance(value, Decimal):
        # A text, because the reader's numbers may have fewer digits.
        return shapes.text(value) if value.is_finite() else str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        # Of two quantities nobody knows which was meant.
        raise ValueError("a key is named twice")
    return found


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")
