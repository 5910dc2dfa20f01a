"""What IBKR says in words: notices, bulletins, and prompts about orders, which want an answer.

A prompt about an order of ours is answered at most once, where the guardrails allow a change: with the
one option that agrees for this order where the reply policy allows a yes, and else with the one that
declines, because a question that is left open can leave an order half alive. Where no option surely does,
and of other people's orders, it is left to a person, and the event says why. What the policy allows is
for :mod:`ibkr_adapter.replies`.

Source: frames recorded from an account; docs/ibkr-facts.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import IBKRError
from ibkr_adapter.model.stream import BulletinEvent, Event, NotificationEvent
from ibkr_adapter.own_orders import OwnOrders
from ibkr_adapter.replies import Circumstances, ReplyPolicy
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.streaming.channels import Channel
from ibkr_adapter.wire import endpoints, stream_rows
from ibkr_adapter.wire.replies import Message, Prompt, Question, read_prompt, topic_of

log = logging.getLogger(__name__)

# An order's dialogue goes first; a prompt that had to wait for longer is left to a person.
ANSWER_WITHIN = 20.0
_OK = 200


@attrs.frozen
class Answer:
    """What a prompt was answered with, or why it is left open."""

    option: str | None = None
    left_open: str | None = None


class Prompts:
    """Answers the prompts about one login's own orders, for one object's policy.

    ``declines`` is whether what the policy does not allow is declined, or left to a person.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        session: SessionKeeper,
        own: OwnOrders,
        policy: ReplyPolicy,
        permit: Callable[[], None],
        declines: bool = True,
    ) -> None:
        self._clock = clock
        self._session = session
        self._own = own
        self._policy = policy
        self._permit = permit
        self._declines = declines
        self._answered: dict[tuple[str, str], Answer] = {}

    def answer(self, prompt: Prompt) -> Answer:
        """Answer a prompt, if that is allowed; return what was answered and taken, or why nothing was."""
        key = (prompt.order_id, prompt.request_id)
        known = self._answered.get(key)
        if known is not None:
            return known
        # Before it leaves: whatever becomes of it, it is not answered twice.
        self._answered[key] = Answer(left_open="an answer is on its way")
        found = self._choice(prompt)
        if found.option is not None:
            found = self._send(prompt, found.option)
        if found.left_open is not None:
            log.warning(
                "a prompt about order %s is left open (%s): %s",
                prompt.order_id,
                found.left_open,
                prompt.words,
            )
        self._answered[key] = found
        return found

    def _choice(self, prompt: Prompt) -> Answer:
        if self._own.ticket(prompt.order_id) is None:
            return Answer(left_open="the order was not placed here")
        message = Message(
            message_id=prompt.message_id,
            words=prompt.words,
            topic=topic_of(prompt.message_id, prompt.words),
        )
        question = Question(reply_id=prompt.request_id, messages=(message,), options=prompt.options)
        objection = self._policy.refused(question, Circumstances())
        if objection is None:
            option = stream_rows.affirmative(prompt.options)
            return Answer(option) if option is not None else Answer(left_open="no option surely agrees")
        if not self._declines:
            return Answer(left_open="the reply policy does not allow a yes")
        option = stream_rows.negative(prompt.options)
        if option is None:
            return Answer(left_open="the reply policy does not allow a yes, and no option surely declines")
        return Answer(option)

    def _send(self, prompt: Prompt, option: str) -> Answer:
        try:
            self._permit()
            log.info("answering %r to a prompt about order %s: %s", option, prompt.order_id, prompt.words)
            answer = self._session.change(
                endpoints.NOTIFICATION,
                body=stream_rows.prompt_answer(prompt.order_id, prompt.request_id, option),
                deadline=self._clock.monotonic() + ANSWER_WITHIN,
            )
        except IBKRError as failure:
            return Answer(left_open=failure.message)
        if answer.status == _OK and not answer.error:
            return Answer(option)
        return Answer(
            left_open=f"{option!r} was answered with HTTP {answer.status}: {answer.error or 'no reason'}"
        )


class Notices(Channel):
    """What IBKR wants the user to know or to answer; it comes by itself."""

    def __init__(self, answer: Callable[[Prompt], Answer]) -> None:
        super().__init__("ntf")
        self._answer = answer

    def take(self, content: Mapping[str, Any], at: datetime) -> Sequence[Event]:
        """Tell each, and answer those that ask about an order."""
        events = []
        for row, notice in stream_rows.notices_of(content):
            prompt = read_prompt(row) if stream_rows.is_prompt(row) else None
            answer = Answer() if prompt is None else self._answer(prompt)
            events.append(
                NotificationEvent(
                    at=at,
                    text=notice.text,
                    notification_id=notice.notice_id,
                    title=notice.title,
                    url=notice.url,
                    order_id=None if prompt is None else prompt.order_id,
                    request_id=None if prompt is None else prompt.request_id,
                    message_id=None if prompt is None else prompt.message_id,
                    options=() if prompt is None else prompt.options,
                    answer=answer.option,
                    left_open=answer.left_open,
                )
            )
        return events


class Bulletins(Channel):
    """Bulletins of exchanges and of IBKR; they come by themselves."""

    def __init__(self) -> None:
        super().__init__("blt")

    def take(self, content: Mapping[str, Any], at: datetime) -> Sequence[Event]:
        """Tell each."""
        found = stream_rows.notices_of(content)
        return tuple(
            BulletinEvent(at=at, text=notice.text, bulletin_id=notice.notice_id) for _, notice in found
        )
