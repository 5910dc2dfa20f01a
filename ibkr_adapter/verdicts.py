"""Tell what an answer means for the session and for the caller.

Status, content type and body have been put together already (:mod:`ibkr_adapter.wire.response`);
here they become "the session is gone", content, or the error that leaves the library.
"""

from __future__ import annotations

from typing import Any

from ibkr_adapter.errors import (
    ApiError,
    AuthenticationError,
    BrokerageUnavailable,
    IBKRError,
    Throttled,
    UnexpectedAnswer,
)
from ibkr_adapter.wire.endpoints import Endpoint
from ibkr_adapter.wire.response import Deciphered, Form

UNAUTHORISED = 401
GONE = 410
# What a gateway answers to a question that it does not know; an unknown contract or order is answered otherwise.
UNHEARD_OF = frozenset({404, 405, 501})


def lost(endpoint: Endpoint, answer: Deciphered) -> bool:
    """Whether an answer says that the session which carried the call is gone."""
    return (
        answer.status in {UNAUTHORISED, GONE}
        or answer.login_page
        or answer.no_session
        or (endpoint.brokerage and answer.no_bridge)
    )


def content(endpoint: Endpoint, answer: Deciphered, empty: Any) -> Any:
    """Return what a good answer holds, and raise what a bad one means.

    ``empty`` is what an empty body stands for; without it an empty body is an error.
    """
    if answer.status == 429:  # noqa: PLR2004  (HTTP's own number)
        raise Throttled(
            f"IBKR refused {endpoint.name} for its pacing; nothing was done.",
            retry_at=answer.rests_for,
            endpoint=endpoint.name,
            status=answer.status,
        )
    if not 200 <= answer.status < 300:  # noqa: PLR2004  (HTTP's own numbers)
        raise refusal(endpoint, answer)
    if answer.form is Form.EMPTY and empty is not None:
        return empty
    if answer.form is not Form.JSON:
        raise UnexpectedAnswer(
            f"{endpoint.name} was answered with {answer.form.value} instead of JSON.",
            endpoint=endpoint.name,
            status=answer.status,
            text=answer.error or "",
        )
    if answer.error:
        raise ApiError(
            f"{endpoint.name} was refused: {answer.error}",
            endpoint=endpoint.name,
            status=answer.status,
            text=answer.error,
        )
    return answer.content


def refusal(endpoint: Endpoint, answer: Deciphered) -> IBKRError:
    """Name a refused call by what the caller must do."""
    about: dict[str, Any] = {
        "endpoint": endpoint.name,
        "status": answer.status,
        "text": answer.error or "",
    }
    said = f": {answer.error}" if answer.error else "."
    if answer.status == UNAUTHORISED and not endpoint.brokerage:
        return ApiError(
            f"{endpoint.name} was refused (HTTP 401){said}",
            remedy="The session is up, so the account id is probably not one of this login.",
            **about,
        )
    if answer.status == UNAUTHORISED:
        return AuthenticationError(f"IBKR refuses {endpoint.name} although the session is up{said}", **about)
    if lost(endpoint, answer) or answer.maintenance:
        return BrokerageUnavailable(
            f"IBKR's session is not available for {endpoint.name}{said}",
            maintenance=answer.maintenance,
            **about,
        )
    return ApiError(
        f"{endpoint.name} failed (HTTP {answer.status}){said}",
        repeatable=answer.status in {502, 503, 504},
        **about,
    )
