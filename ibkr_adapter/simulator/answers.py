"""The handful of answers that every endpoint shares.

Knows how IBKR dresses an error: JSON with or without a ``statusCode``, an empty 401, an HTML
page. Which error is due when is for the endpoints.
"""

from __future__ import annotations

import json
from typing import Any

from ibkr_adapter.simulator.door import Answer

BAD_REQUEST = 400
MOST_SUPPRESSED = 51
JSON_TYPE = (("Content-Type", "application/json;charset=utf-8"),)
TEXT_TYPE = (("Content-Type", "text/plain;charset=utf-8"),)
HTML_TYPE = (("Content-Type", "text/html;charset=utf-8"),)
PROBLEM_TYPE = (("Content-Type", "application/problem+json"),)

LOGIN_PAGE = (
    "<!DOCTYPE html><html><head><title>Login</title></head><body>"
    '<form action="/sso/Dispatcher" method="post"><input name="user_name"/></form>'
    "</body></html>"
)
BACK_END_DOWN = "xcredserv comm failed during getEvents due to Connection refused"
NOT_FOUND_PAGE = "<html><body><h1>Resource not found</h1></body></html>"


def json_answer(body: Any, status: int = 200) -> Answer:
    """Answer with JSON."""
    return Answer(status=status, headers=JSON_TYPE, body=json.dumps(body).encode())


def text(words: str) -> Answer:
    """Answer with words that are no JSON."""
    return Answer(headers=TEXT_TYPE, body=words.encode())


def page(text: str, status: int = 200) -> Answer:
    """Answer with HTML."""
    return Answer(status=status, headers=HTML_TYPE, body=text.encode())


def refusal(text: str, status: int = 200) -> Answer:
    """Answer ``{"error": ...}`` alone; a refused order does so with status 200."""
    return json_answer({"error": text}, status)


def fault(text: str, status: int) -> Answer:
    """Answer an error that repeats its own status in the body."""
    return json_answer({"error": text, "statusCode": status}, status)


def bad_request(text: str = "") -> Answer:
    """Answer 400 in the usual words."""
    return fault(f"Bad Request: {text}" if text else "Bad Request", 400)


def unauthorised() -> Answer:
    """Answer 401 with no body at all."""
    return Answer(status=401)


def not_found() -> Answer:
    """Answer 404 as the edge does: a page."""
    return page(NOT_FOUND_PAGE, 404)


def unavailable(status: int | None = None) -> Answer:
    """Answer as a service that is out of order, 503 unless told otherwise."""
    if status in (None, 503):
        return fault("Service Unavailable", 503)
    return refusal("java.lang.Exception: request failed", status)


def problem(status: int, title: str, detail: str | None = None, **more: Any) -> Answer:
    """Answer in the problem+json dress of the newer gateway layer."""
    body = {"type": "/simple", "title": title, "status": status}
    body |= {"detail": detail} if detail else {}
    body |= more
    return Answer(status=status, headers=PROBLEM_TYPE, body=json.dumps(body).encode())


def other_address() -> Answer:
    """Answer a bearer that is used from another address than it was made for.

    Guess: no source shows how that is refused.
    """
    return problem(401, "Unauthorized", "Invalid source address")


def missing(field: str) -> Answer:
    """Answer 400 for a parameter that has to be there, in the dress of the newer layer."""
    arguments = [{"field": field, "description": "Missing required parameter"}]
    title, detail = "Bad Request", "Input validation failed"
    return problem(BAD_REQUEST, title, detail, type="/invalid-argument", invalidArguments=arguments)
