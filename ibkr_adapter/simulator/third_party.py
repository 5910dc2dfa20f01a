"""How a third party comes to a user's access token: ask, let the user agree, exchange.

A request token is agreed to once, by the user at a page (here: by the control room), which gives a
verifier; both are exchanged once. The access token of a user and consumer never changes, its
secret is another one after each exchange (as documented).

Guess: the page's words, and that it is wrong to open it twice.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Any

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.credentials import Consumer, encrypted
from ibkr_adapter.simulator.door import Answer

# Ten bytes are the twenty hexadecimal digits of the published examples.
_TOKEN_BYTES = 10


class ThirdParty:
    """The request tokens of one consumer."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        # Request token -> its verifier, when the user has agreed.
        self._pending: dict[str, str | None] = {}

    def request(self) -> str:
        """Hand a request token out."""
        token = secrets.token_hex(_TOKEN_BYTES)
        self._pending[token] = None
        return token

    def page(self, token: str) -> Answer:
        """Show the user who asks."""
        if self._pending.get(token, "") is not None:
            return answers.page("<html><body><h1>This request is not valid</h1></body></html>", 400)
        name = self._consumer.consumer_key
        return answers.page(
            f"<html><body><h1>{name} asks for access to your account</h1>"
            "<p>Agree by POST /simulator/authorize in the control room.</p></body></html>"
        )

    def authorise(self, token: str) -> str:
        """Agree; a request token can be agreed to once."""
        if self._pending.get(token, "") is not None:
            raise LookupError("there is no such request token that waits for its user")
        verifier = secrets.token_hex(_TOKEN_BYTES)
        self._pending[token] = verifier
        return verifier

    def exchange(self, token: str, verifier: str) -> bool:
        """Use a request token and its verifier up; tell whether they were good."""
        wanted = self._pending.get(token)
        if wanted is None or not hmac.compare_digest(wanted.encode(), verifier.encode()):
            return False
        del self._pending[token]
        return True

    def access(self, secret: bytes, *, is_paper: bool) -> dict[str, Any]:
        """What an exchange gives."""
        return {
            "is_paper": is_paper,
            "oauth_token": self._consumer.access_token,
            "oauth_token_secret": encrypted(secret, self._consumer.encryption_key),
        }
