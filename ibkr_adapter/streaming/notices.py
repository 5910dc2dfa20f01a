"""What IBKR says in words: notices, bulletins, and prompts about orders, which want an answer.

A prompt is answered at most once, with the one option that agrees for this order, and only where the
order is ours, the reply policy allows a yes and the guardrails allow a change. Everything else is left
to a person: no answer leaves the order as it is. What the policy allows is for
:mod:`ibkr_adapter.replies`.

Source: frames recorded from an account; docs/ibkr-facts.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

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


class Prompts:
    """Answers the prompts about one login's own orders, for one object's policy."""

    def __init__(
        self,
        *,
        clock: Clock,
        session: SessionKeeper,
        own: OwnOrders,
        policy: ReplyPolicy,
        permit: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._session = session
        self._own = own
        self._policy = policy
        self._permit = permit
        self._answered: dict[tuple[str, str], str | None] = {}

    def answer(self, prompt: Prompt) -> str | None:
        """Answer a prompt, if that is allowed; return what was answered and taken."""
        key = (prompt.order_id, prompt.request_id)
        if key not in self._answered:
            # Before it leaves: whatever becomes of it, it is not answered twice.
            self._answered[key] = None
            option = self._choice(prompt)
            if option is None:
                log.warning("a prompt about order %s is left to a person: %s", prompt.order_id, prompt.words)
            elif self._send(prompt, option):
                self._answered[key] = option
        return self._answered[key]

    def _choice(self, prompt: Prompt) -> str | None:
        message = Message(
            message_id=prompt.message_id,
            words=prompt.words,
            topic=topic_of(prompt.message_id, prompt.words),
        )
        question = Question(reply_id=prompt.request_id, messages=(message,), options=prompt.options)
        if (
            self._policy.refused(question, Circumstances()) is not None
            or self._own.ticket(prompt.order_id) is None
        ):
            return None
        return stream_rows.affirmative(prompt.options)

    def _send(self, prompt: Prompt, option: str) -> bool:
        try:
            self._permit()
            log.info("answering %r to a prompt about order %s: %s", option, prompt.order_id, prompt.words)
            answer = self._session.change(
                endpoints.NOTIFICATION,
                body=stream_rows.prompt_answer(prompt.order_id, prompt.request_id, option),
                deadline=self._clock.monotonic() + ANSWER_WITHIN,
            )
        except IBKRError as failure:
            log.warning("the prompt about order %s could not be answered: %s", prompt.order_id, failure)
            return False
        return answer.status == _OK and not answer.error


class Notices(Channel):
    """What IBKR wants the user to know or to answer; it comes by itself."""

    def __init__(self, answer: Callable[[Prompt], str | None]) -> None:
        super().__init__("ntf")
        self._answer = answer

    def take(self, content: Mapping[str, Any], at: datetime) -> Sequence[Event]:
        """Tell each, and answer what the reply policy allows."""
        events = []
        for row, notice in stream_rows.notices_of(content):
            prompt = read_prompt(row) if stream_rows.is_prompt(row) else None
            events.append(
                NotificationEvent(
                    at=at,
                    text=notice.text,
                    notification_id=notice.notice_id,
                    title=notice.title,
                    url=notice.url,
                    order_id=None if prompt is None else prompt.order_id,
                    message_id=None if prompt is None else prompt.message_id,
                    options=() if prompt is None else prompt.options,
                    answer=None if prompt is None else self._answer(prompt),
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
