"""Read what IBKR answers to place, modify, cancel and reply.

All of these answer 200 OK in several shapes: acknowledgement, question, prompt, refusal, and a
refusal dressed as an acknowledgement. :func:`classify` turns each into a value and infers
nothing from the status or from the mere presence of an order id. What is not understood is
:class:`Unclear`: neither accepted nor refused.

Source: Web API reference, "Place Order", "Place Order Reply", "Modify Order", "Cancel Order";
shapes and contradictions are listed in docs/ibkr-facts.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from ibkr_adapter.model.order import Acknowledgement, OrderState
from ibkr_adapter.wire.replies import Prompt, Question, read_prompt, read_question, words_of
from ibkr_adapter.wire.response import Deciphered, Form

# IBKR's own words for "this order was not taken", lower case, wherever a 400 carries them.
_REFUSALS = (
    "missing order parameters",
    "parameter with incorrect type",
    "accountid is not valid",
    "conid(s) missing",
    "please query /accounts first",
    "no bridge",
    "init session first",
    "no trading permissions",
    "invalid order price fields",
    "invalid order attribute",
    "minimum variation",
    "does not have a kid",
    "cannot accept an order",
    "order must be ioc",
    "invalid-argument",
)
# What may stand in for a refusal's text in the problem documents of the newer host.
_PROBLEMS = frozenset({"/invalid-argument"})
_REGISTERED = re.compile(r"local order id\s*=.*already registered", re.IGNORECASE)
_REFUSED = frozenset({OrderState.FAILED, OrderState.INACTIVE, OrderState.CANCELLED})
_DEAD_REPLY = "reply id not found"
_NOT_CONFIRMED = "order not confirmed"
# Said of orders that were taken as well as of orders that were not.
_UNCLEAR_TEXTS = (
    "error processing the request",
    "service unavailable",
    "connection refused",
    "timed out",
    "timeout",
)
# It must be the order that is missing: a question that is not found says nothing of its order.
_GONE = re.compile(
    r"\border ?(?:id)? ?\S+ (?:doesn't exist|does not exist|is not found)|\border is inactive", re.IGNORECASE
)
# Of a cancel everything that is missing is the order.
_GONE_TEXTS = (
    "doesn't exist",
    "does not exist",
    "order is inactive",
    "not found",
    "cannot be cancelled",
    "can't be cancelled",
)


@attrs.frozen(kw_only=True)
class Accepted:
    """Every element carries an order id; one of them may still be a refusal in disguise."""

    acknowledgements: tuple[Acknowledgement, ...]


@attrs.frozen(kw_only=True)
class Asked:
    """IBKR wants answers before it goes on."""

    questions: tuple[Question, ...]
    acknowledgements: tuple[Acknowledgement, ...] = ()


@attrs.frozen(kw_only=True)
class Prompted:
    """IBKR wants a choice about an order that it already knows."""

    prompt: Prompt


@attrs.frozen(kw_only=True)
class Refused:
    """IBKR said no, and no order exists.

    ``session_lost`` where that was the reason, ``unheard`` where the call met nobody who knows it.
    """

    text: str
    session_lost: bool = False
    unheard: bool = False


@attrs.frozen(kw_only=True)
class Registered:
    """The cOID is known already: an earlier attempt with it reached IBKR."""

    text: str


@attrs.frozen(kw_only=True)
class Declined:
    """A question was answered with no, and IBKR dropped the order."""

    text: str


@attrs.frozen(kw_only=True)
class Gone:
    """The order that a modify or a cancel named is not there, or is over."""

    text: str


@attrs.frozen(kw_only=True)
class CancelRequested:
    """A cancel was taken; whether it will be carried out only the order's status tells."""

    text: str


@attrs.frozen(kw_only=True)
class Unclear:
    """The answer says nothing that can be relied on; ``session_lost`` where the session is to blame."""

    reason: str
    session_lost: bool = False


# What an answer can mean that asks nothing, and what any can.
Ended = Accepted | Prompted | Refused | Registered | Declined | Gone | CancelRequested | Unclear
Outcome = Asked | Ended


def classify(answer: Deciphered) -> Outcome:
    """Tell what an answer to place, modify or reply means."""
    if not _succeeded(answer) and answer.form in {Form.JSON, Form.TEXT}:
        return _classify_failure(answer)
    if answer.form is not Form.JSON:
        return Unclear(reason=_shown(answer), session_lost=answer.login_page or answer.status == 401)  # noqa: PLR2004  (HTTP's own number)
    content = answer.content
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], Mapping):
        # The same object comes bare and as a list of one.
        content = content[0]
    if isinstance(content, Mapping):
        return _classify_object(content, answer)
    if isinstance(content, list):
        return _classify_elements(content, answer)
    return Unclear(reason=_shown(answer))


def classify_cancel(answer: Deciphered) -> Outcome:
    """Tell what an answer to a cancel means; a cancel can be answered by a question too."""
    content = answer.content
    element = content[0] if isinstance(content, list) and len(content) == 1 else content
    if _succeeded(answer) and isinstance(element, Mapping) and not element.get("error"):
        message = element.get("msg")
        if isinstance(message, str):
            text = words_of(message)
            if any(mark in text.lower() for mark in _GONE_TEXTS):
                return Gone(text=text)
            if "request was submitted" in text.lower():
                return CancelRequested(text=text)
            return Unclear(reason=text)
    outcome = classify(answer)
    said = words_of(answer.error or "")
    if isinstance(outcome, Unclear) and answer.status == 400 and _DEAD_REPLY not in said.lower():  # noqa: PLR2004  (HTTP's own number)
        return Gone(text=said) if any(mark in said.lower() for mark in _GONE_TEXTS) else outcome
    # An acknowledgement with an order id is what a cancel's confirmed question answers.
    if isinstance(outcome, Accepted):
        return CancelRequested(text="acknowledged")
    return outcome


def _succeeded(answer: Deciphered) -> bool:
    return 200 <= answer.status < 300  # noqa: PLR2004  (HTTP's own numbers)


def _classify_failure(answer: Deciphered) -> Outcome:
    text = words_of(answer.error or "")
    said = text.lower()
    if _REGISTERED.search(text):
        return Registered(text=text)
    if answer.status == 400:  # noqa: PLR2004  (HTTP's own number)
        if _NOT_CONFIRMED in said:
            return Declined(text=text)
        if _GONE.search(text):
            return Gone(text=text)
        problem = answer.content.get("type") if isinstance(answer.content, Mapping) else None
        if any(mark in said for mark in _REFUSALS) or (isinstance(problem, str) and problem in _PROBLEMS):
            return Refused(text=text, session_lost=answer.no_bridge or answer.accounts_first)
    return Unclear(
        reason=_shown(answer),
        session_lost=answer.status == 401 or answer.no_bridge or answer.no_session,  # noqa: PLR2004  (HTTP's own number)
    )


def _classify_object(content: Mapping[str, Any], answer: Deciphered) -> Outcome:
    if content.get("error"):
        return _classify_words(_text(content["error"]), content, answer)
    if "reqId" in content:
        prompt = read_prompt(content)
        return Prompted(prompt=prompt) if prompt is not None else Unclear(reason=_shown(answer))
    if content.get("success") is False:
        said = _text(content.get("message")) or _text(content.get("text")) or "success: false"
        return _classify_words(said, content, answer)
    return _classify_elements([content], answer)


def _classify_words(said: str, content: Mapping[str, Any], answer: Deciphered) -> Outcome:
    """Tell what a no means that came in a 200."""
    text = words_of(said)
    said = text.lower()
    if _REGISTERED.search(text):
        return Registered(text=text)
    if _NOT_CONFIRMED in said:
        return Declined(text=text)
    # An id beside an error, or words that were also said of orders that went through.
    if (
        not said
        or said in {"none", "null"}
        or "order_id" in content
        or "orderId" in content
        or _DEAD_REPLY in said
        or any(mark in said for mark in _UNCLEAR_TEXTS)
    ):
        return Unclear(reason=_shown(answer), session_lost=answer.no_session)
    if _GONE.search(text):
        return Gone(text=text)
    details = _rejections(content)
    return Refused(
        text=f"{text} ({details})" if details else text,
        session_lost=answer.no_bridge or answer.no_session or answer.accounts_first,
    )


def _classify_elements(elements: Sequence[Any], answer: Deciphered) -> Outcome:
    questions: list[Question] = []
    acknowledgements: list[Acknowledgement] = []
    refusals: list[str] = []
    for element in elements:
        question = read_question(element)
        if question is not None:
            questions.append(question)
            continue
        if isinstance(element, Mapping) and element.get("error"):
            outcome = _classify_words(_text(element["error"]), element, answer)
            if not isinstance(outcome, Refused):
                return Unclear(reason=_shown(answer))
            refusals.append(outcome.text)
            continue
        acknowledgement = _acknowledgement(element)
        if acknowledgement is None:
            return Unclear(reason=_shown(answer))
        acknowledgements.append(acknowledgement)
    if questions:
        return Asked(questions=tuple(questions), acknowledgements=tuple(acknowledgements))
    if refusals and not acknowledgements:
        return Refused(text="; ".join(refusals))
    if refusals or not acknowledgements:
        return Unclear(reason=_shown(answer))
    return Accepted(acknowledgements=tuple(acknowledgements))


def _acknowledgement(element: Any) -> Acknowledgement | None:
    if not isinstance(element, Mapping):
        return None
    order_id = element.get("order_id", element.get("orderId"))
    status = element.get("order_status", element.get("orderStatus"))
    if isinstance(order_id, bool) or not isinstance(order_id, (str, int)) or not isinstance(status, str):
        return None
    order_id = str(order_id).strip()
    if not re.fullmatch(r"-?[0-9]{1,20}", order_id):
        return None
    try:
        state = OrderState(status)
    except ValueError:
        return None
    if int(order_id) <= 0 and state not in _REFUSED:
        # No order has such an id, and yet it is said to be alive: nobody knows which is true.
        return None
    return Acknowledgement(
        order_id=order_id,
        state=state,
        coid=_id(element.get("local_order_id")),
        parent_id=_id(element.get("parent_order_id")),
        text="; ".join(
            words_of(text)
            for key in ("text", "warning_message")
            if isinstance(text := element.get(key), str) and text.strip()
        ),
    )


def _id(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value).strip() or None


def _text(value: Any) -> str:
    """The words of an error; a number or a list in their place says nothing."""
    if isinstance(value, Mapping):
        value = value.get("message")
    return value if isinstance(value, str) else ""


def _rejections(content: Mapping[str, Any]) -> str:
    cqe = content.get("cqe")
    payload = cqe.get("post_payload") if isinstance(cqe, Mapping) else None
    rejections = payload.get("rejections") if isinstance(payload, Mapping) else None
    if not isinstance(rejections, list):
        return ""
    return "; ".join(words_of(text) for text in rejections if isinstance(text, str))


def _shown(answer: Deciphered) -> str:
    said = words_of(answer.error or "", 200)
    return f"HTTP {answer.status}, {answer.form.value}" + (f": {said}" if said else "")
