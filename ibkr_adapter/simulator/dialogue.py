"""Questions that are open, and what a reply to one does.

A dialogue holds what shall be done when every question about it was confirmed. It belongs to
one brokerage session; each round has a new id, and a reply must name the current one. Another
order, or in strict mode any other request, kills an open dialogue; a reply to a dead one fails
in one of three documented ways, and one of them does the work nevertheless.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.questions import Question

if TYPE_CHECKING:
    from ibkr_adapter.simulator.options import Options


@attrs.define(kw_only=True, eq=False)
class Dialogue:
    """One request that waits for its questions to be answered."""

    account: str
    rounds: list[list[Question]]
    act: Callable[[], Answer]
    asked: list[str] = attrs.field(factory=list)
    strict: bool = False


class Dialogues:
    """The dialogues of the current brokerage session."""

    def __init__(self, seed: int, options: Options) -> None:
        self._random = random.Random(seed)  # noqa: S311 - ids need to be repeatable, not secret
        self._options = options
        self._open: dict[str, Dialogue] = {}
        self._dead: dict[str, Dialogue] = {}
        self.history: list[dict[str, Any]] = []

    def begin(
        self,
        account: str,
        rounds: Sequence[list[Question]],
        act: Callable[[list[str]], Answer],
        *,
        strict: bool = False,
    ) -> Answer:
        """Ask the first question, or act at once when there is none."""
        asked: list[str] = []
        dialogue = Dialogue(
            account=account, rounds=list(rounds), act=lambda: act(asked), asked=asked, strict=strict
        )
        return self._next(dialogue)

    def _next(self, dialogue: Dialogue) -> Answer:
        if not dialogue.rounds:
            return dialogue.act()
        element = dialogue.rounds.pop(0)
        reply_id = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        self._open[reply_id] = dialogue
        ids = [one.message_id for one in element]
        dialogue.asked.extend(ids)
        self.history.append({"id": reply_id, "messageIds": ids, "answer": None})
        body = {
            "id": reply_id,
            "message": [one.text for one in element],
            "isSuppressed": False,
            "messageIds": ids,
            "messageOptions": ["Yes", "No"],
        }
        return answers.json_answer([body])

    def reply(
        self,
        reply_id: str,
        body: Any,
        dead_reply: str | None = None,
        on_death: Callable[[], None] = lambda: None,
    ) -> Answer:
        """Take the answer to a question.

        Args:
            reply_id: The id in the path.
            body: The decoded JSON body.
            dead_reply: What the question dies of now: how it answers, instead of the option's way.
            on_death: Called when it does.
        """
        confirmed = body.get("confirmed") if isinstance(body, dict) else None
        if not isinstance(confirmed, bool):
            text = "java.lang.ClassCastException: confirmed is not a boolean"
            return answers.refusal(text, 500)
        if dead_reply is not None and reply_id in self._open:
            self._dead[reply_id] = self._open.pop(reply_id)
            on_death()
        dialogue = self._open.pop(reply_id, None)
        if dialogue is None:
            return self._to_the_dead(reply_id, dead_reply or self._options.dead_reply)
        self._note(reply_id, "yes" if confirmed else "no")
        if confirmed:
            return self._next(dialogue)
        if self._options.decline_status == answers.BAD_REQUEST:
            return answers.fault("order not confirmed", answers.BAD_REQUEST)
        return answers.refusal("Order not confirmed ")

    def _to_the_dead(self, reply_id: str, manner: str) -> Answer:
        dialogue = self._dead.pop(reply_id, None)
        if manner == "503-but-live" and dialogue is not None:
            self._note(reply_id, "died, acted")
            dialogue.act()
        if manner == "400":
            return answers.refusal(f"reply id not found: '{reply_id}'", 400)
        return answers.fault("Service Unavailable", 503)

    def kill(self, *, strict_only: bool = False) -> None:
        """Let open questions die; with ``strict_only`` those that bear no other request."""
        strict = self._options.strict_dialogue
        for reply_id, dialogue in list(self._open.items()):
            if strict_only and not (strict or dialogue.strict):
                continue
            self._dead[reply_id] = self._open.pop(reply_id)
            self._note(reply_id, "died")

    def forget(self) -> None:
        """Lose everything: the session is another one."""
        self.kill()
        self._dead.clear()

    @property
    def open_ids(self) -> list[str]:
        """The ids that wait for a reply."""
        return list(self._open)

    def _note(self, reply_id: str, answer: str) -> None:
        for row in reversed(self.history):
            if row["id"] == reply_id:
                row["answer"] = answer
                return
