"""The part of the control room that is about streams.

Reads wishes and turns bad ones down with a sentence: end all streams, or keep them silent; send
any bytes; make quotes older; send bulletins, notes and prompts. The doing is :mod:`.streams`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ibkr_adapter.simulator.digits import whole
from ibkr_adapter.simulator.door import ABRUPT, Frame
from ibkr_adapter.simulator.stream_socket import NORMAL

if TYPE_CHECKING:
    from ibkr_adapter.simulator.gateway import Gateway

_KEYS = {
    "drop": frozenset[str](),
    "close": frozenset({"code"}),
    "silence": frozenset({"seconds"}),
    "send": frozenset({"text", "hex", "as_text"}),
    "age": frozenset({"seconds"}),
    "bulletin": frozenset({"text"}),
    "note": frozenset({"text", "title", "url"}),
    "prompt": frozenset({"order_id", "text", "options"}),
}
_CODES = range(1000, 5000)
_LIFE = 900.0


class StreamWishError(ValueError):
    """A wish about streams that makes no sense; the message says why."""


class StreamRoom:
    """Serve ``/simulator/streams`` for one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def tell(self) -> list[dict[str, Any]]:
        """Every stream, also those that have ended."""
        return self._gateway.streams.as_json()

    def act(self, body: dict[str, Any]) -> dict[str, Any]:
        """Do what is wished for.

        Raises:
            StreamWishError: The wish makes no sense.
        """
        wish = {key: value for key, value in body.items() if key != "action"}
        action = str(body.get("action"))
        if action not in _KEYS:
            raise StreamWishError(f"action is one of {', '.join(_KEYS)}")
        unknown = sorted(wish.keys() - _KEYS[action])
        if unknown:
            raise StreamWishError(f"{action} has no {', '.join(unknown)}")
        doing: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "drop": lambda _: {"ended": self._gateway.streams.close_all(ABRUPT)},
            "close": self._close,
            "silence": self._silence,
            "send": self._send,
            "age": self._age,
            "bulletin": self._bulletin,
            "note": self._note,
            "prompt": self._prompt,
        }
        return doing[action](wish)

    def _close(self, wish: dict[str, Any]) -> dict[str, Any]:
        code = wish.get("code", NORMAL)
        if code not in _CODES or code == ABRUPT:
            raise StreamWishError("code is a close code from 1000 to 4999, and not 1006: that is drop")
        return {"ended": self._gateway.streams.close_all(code)}

    def _silence(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Say nothing more on the streams there are, for some time or for ever; the lines stay."""
        seconds = _seconds(wish, None)
        living = self._gateway.streams.living
        for socket in living:
            until = None if seconds is None else self._gateway.world.now + timedelta(seconds=seconds)
            socket.fall_silent(until)
        return {"silent": len(living)}

    def _send(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Send a frame of any bytes, in hexadecimal, or of any text."""
        payload = str(wish.get("text", "")).encode()
        if "hex" in wish:
            try:
                payload = bytes.fromhex(str(wish["hex"]))
            except ValueError:
                raise StreamWishError("hex is bytes in hexadecimal") from None
        living = self._gateway.streams.living
        for socket in living:
            socket.push(Frame(payload=payload, topic="sent", text=wish.get("as_text") is True))
            socket.wake()
        return {"heard": len(living)}

    def _age(self, wish: dict[str, Any]) -> dict[str, Any]:
        seconds = _seconds(wish, _LIFE) or _LIFE
        return {"aged": sum(one.topics.age_quotes(seconds) for one in self._gateway.streams.living)}

    def _bulletin(self, wish: dict[str, Any]) -> dict[str, Any]:
        return {"heard": self._gateway.streams.bulletin(_text(wish))}

    def _note(self, wish: dict[str, Any]) -> dict[str, Any]:
        heard = self._gateway.streams.note(_text(wish), title=wish.get("title"), url=wish.get("url"))
        return {"heard": heard}

    def _prompt(self, wish: dict[str, Any]) -> dict[str, Any]:
        number = whole(str(wish.get("order_id", "")))
        if number is None:
            raise StreamWishError("order_id is an order's number")
        choices = wish.get("options", ["Yes", "No"])
        if not isinstance(choices, list) or not choices:
            raise StreamWishError("options is a list of answers")
        request = self._gateway.streams.prompt(number, _text(wish), [str(one) for one in choices])
        return {"reqId": request}


def _text(wish: dict[str, Any]) -> str:
    text = wish.get("text")
    if not isinstance(text, str) or not text:
        raise StreamWishError("text is some words")
    return text


def _seconds(wish: dict[str, Any], usual: float | None) -> float | None:
    value = wish.get("seconds", usual)
    if value is None:
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        raise StreamWishError("seconds is a number") from None
    if seconds < 0:
        raise StreamWishError("seconds are not below nothing")
    return seconds
