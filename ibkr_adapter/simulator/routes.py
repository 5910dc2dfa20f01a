"""Match a request to the endpoint that serves it.

Knows path templates with named parts and the preconditions that an endpoint declares: which
tier of session it needs and whether the account list must have been asked first. A template is
also the name by which faults, pacing and the ledger speak of an endpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any
from urllib.parse import parse_qsl, unquote

import attrs

from ibkr_adapter.simulator.door import Answer, Request
from ibkr_adapter.simulator.tickets import decode

_FORM = "application/x-www-form-urlencoded"


class Needs(Enum):
    """What must be there before an endpoint serves."""

    NOTHING = "nothing"
    LOGIN = "login"
    BROKERAGE = "brokerage"
    ACCOUNTS = "accounts"  # a brokerage session in which the account list was asked


@attrs.define(kw_only=True)
class Call:
    """One request on its way to an endpoint.

    ``twists`` is what an injected fault wants the endpoint to do differently.
    """

    request: Request
    template: str
    parts: dict[str, str]
    twists: dict[str, Any] = attrs.field(factory=dict)

    @property
    def query(self) -> dict[str, str]:
        """The query, last value wins."""
        return dict(self.request.query)

    def json(self) -> Any:
        """The decoded body."""
        return decode(self.request.body)

    def either(self) -> dict[str, Any]:
        """Parameters from the query or the body, JSON or a form, for endpoints that take them all."""
        if self.request.headers.get("content-type", "").lower().startswith(_FORM):
            text = self.request.body.decode("utf-8", "replace")
            return {**self.query, **dict(parse_qsl(text, keep_blank_values=True))}
        body = self.json()
        return {**self.query, **(body if isinstance(body, dict) else {})}


Handler = Callable[[Call], Answer]


@attrs.frozen(kw_only=True)
class Route:
    """One endpoint: methods, template, precondition and who serves it.

    One that hands out tokens checks its callers itself, and so does one that says so; ``at_origin`` says that it stands beside
    the API root and not below it.
    """

    methods: tuple[str, ...]
    template: str
    needs: Needs
    serve: Handler
    hands_out_tokens: bool = False
    checks_itself: bool = False
    at_origin: bool = False

    def match(self, segments: list[str]) -> dict[str, str] | None:
        """The named parts if the path fits the template."""
        wanted = self.template.strip("/").split("/")
        if len(wanted) != len(segments):
            return None
        parts: dict[str, str] = {}
        for pattern, segment in zip(wanted, segments, strict=True):
            if pattern.startswith("{"):
                parts[pattern[1:-1]] = unquote(segment)
            elif pattern != segment:
                return None
        return parts


def get(template: str, serve: Handler, needs: Needs = Needs.LOGIN) -> Route:
    """An endpoint that is read."""
    return Route(methods=("GET",), template=template, needs=needs, serve=serve)


def post(template: str, serve: Handler, needs: Needs = Needs.LOGIN) -> Route:
    """An endpoint that is posted to."""
    return Route(methods=("POST",), template=template, needs=needs, serve=serve)


def put(template: str, serve: Handler, needs: Needs = Needs.LOGIN) -> Route:
    """An endpoint that is put to."""
    return Route(methods=("PUT",), template=template, needs=needs, serve=serve)


def both(template: str, serve: Handler, needs: Needs = Needs.LOGIN) -> Route:
    """An endpoint that takes GET and POST alike."""
    return Route(methods=("GET", "POST"), template=template, needs=needs, serve=serve)


def delete(template: str, serve: Handler, needs: Needs = Needs.LOGIN) -> Route:
    """An endpoint that is deleted."""
    return Route(methods=("DELETE",), template=template, needs=needs, serve=serve)


class RouteTable:
    """All endpoints, found by method and path below the API root."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_length: dict[int, list[Route]] = {}
        self._names: set[str] = set()
        tokens: set[str] = set()
        for route in routes:
            length = len(route.template.strip("/").split("/"))
            self._by_length.setdefault(length, []).append(route)
            names = {f"{method} {route.template}" for method in route.methods}
            self._names |= names
            tokens |= names if route.hands_out_tokens else set()
        self.token_names = frozenset(tokens)
        for group in self._by_length.values():
            # Literal templates win over those with named parts.
            group.sort(key=lambda route: route.template.count("{"))

    def find(self, method: str, path: str, *, at_origin: bool = False) -> tuple[Route, dict[str, str]] | None:
        """The endpoint for a path (percent-encoded, without the API root) and its parts."""
        segments = [one for one in path.split("/") if one]
        for route in self._by_length.get(len(segments), ()):
            parts = route.match(segments)
            if parts is not None and method in route.methods and route.at_origin is at_origin:
                return route, parts
        return None

    def knows(self, name: str) -> bool:
        """Tell whether ``"METHOD template"`` names an endpoint."""
        return name in self._names
