"""A broker that answers each address out of a book, for the calls that are no orders."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from scripted import ACCOUNT, Broker, Floor, contract

from ibkr_adapter.transport import Answer

SECOND = "DU7654321"
AAPL, MSFT = 265598, 272093


class Page:
    """An answer with a status, and perhaps no JSON."""

    def __init__(
        self, status: int, body: Any = None, *, text: str | None = None, kind: str = "text/html"
    ) -> None:
        self.status, self.body, self.text, self.kind = status, body, text, kind


class Book(Broker):
    """``book`` has what is answered by verb and address: JSON, a page, an error, or what makes one.

    A list of answers is used up one by one, its last stays.
    """

    def __init__(self) -> None:
        super().__init__(contract(AAPL, "AAPL"), contract(MSFT, "MSFT", currency="EUR"))
        self.accounts = [ACCOUNT]
        self.selected = ACCOUNT
        self.book: dict[str, Any] = {}

    def send(self, method, url, *, headers, body, deadline, changes_state, on_open=None) -> Answer:
        path, _, query = url.partition("/v1/api")[2].partition("?")
        name = f"{method} {unquote(path)}"
        if name not in self.book:
            return super().send(
                method,
                url,
                headers=headers,
                body=body,
                deadline=deadline,
                changes_state=changes_state,
                on_open=on_open,
            )
        content = json.loads(body) if body else None
        self.sent.append((method, unquote(path), content if body else unquote(query)))
        found = self.book[name]
        if isinstance(found, Turns):
            found = found.next()
        if callable(found) and not isinstance(found, type):
            found = found(content)
        if isinstance(found, BaseException):
            raise found
        page = found if isinstance(found, Page) else Page(200, found)
        if page.text is not None:
            return Answer(status=page.status, headers={"content-type": page.kind}, body=page.text.encode())
        told = {"content-type": "application/json;charset=utf-8"}
        return Answer(status=page.status, headers=told, body=json.dumps(page.body).encode())

    def answer(self, method, path, query, content):
        if path == "/iserver/accounts":
            props = dict.fromkeys(self.accounts, self.props)
            return 200, {
                "accounts": self.accounts,
                "selectedAccount": self.selected,
                "isPaper": True,
                "acctProps": props,
            }
        if path == "/iserver/account" and method == "POST":
            self.selected = content["acctId"]
            return 200, {"set": True, "acctId": self.selected}
        if path == "/portfolio/accounts":
            return 200, [{"accountId": name, "currency": "USD", "type": "DEMO"} for name in self.accounts]
        return super().answer(method, path, query, content)

    def count(self, name: str) -> int:
        """How often an address was called."""
        return sum(f"{method} {path}" == name for method, path, _ in self.sent)

    def last(self, name: str) -> Any:
        """What was sent to an address the last time: its JSON, or its query."""
        return [content for method, path, content in self.sent if f"{method} {path}" == name][-1]


class Turns:
    """Answers one after the other; the last stays."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    def next(self) -> Any:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class Desk(Floor):
    """A floor whose broker answers out of a book."""

    def __init__(self, folder: Any) -> None:
        super().__init__(folder)
        self.broker = self.book = Book()
