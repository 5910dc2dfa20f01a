"""What the rooms above expect of a transport, in which tests put another one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import attrs


@attrs.frozen(kw_only=True)
class Answer:
    """What came back: the status, the headers under lower-case names, the body unpacked.

    ``Set-Cookie`` is not among the headers; the transport keeps cookies itself.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)


class Transport(Protocol):
    """Carries one request out and one answer back, and says truthfully what it cannot know."""

    def prepare(self, url: str) -> None:
        """Load what the first call to ``url`` needs; nothing is sent.

        Loading takes a good part of a second. Done after a call was given its slot, it would
        make that call leave late and the next ones too soon after it.
        """

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        deadline: float,
        changes_state: bool,
        on_open: Callable[[], None] | None = None,
    ) -> Answer:
        """Send one request, once, and return its answer, whatever its status.

        Args:
            method: The HTTP method in capitals.
            url: The full address, query included and already encoded.
            headers: What this call carries beside the transport's own headers.
            body: The bytes to send, or ``None``.
            deadline: On the clock's ``monotonic()``; for connecting, sending and all of the answer.
            changes_state: Whether IBKR does something for it, so that it may not be repeated.
            on_open: Called when a line had to be opened for it, before its first byte leaves.

        Raises:
            NotSent: It provably did not leave in full; IBKR has not acted on it.
            OutcomeUnknown: It left, and no usable answer came back.
            ConfigurationError: The address, a header or the server's certificate is not acceptable;
                nothing was sent.
        """

    def close(self) -> None:
        """Close all lines; a later call opens new ones."""
