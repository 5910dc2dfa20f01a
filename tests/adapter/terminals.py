"""Run commands against a simulated broker without sockets, and answer for the person before the screen."""

from __future__ import annotations

import json
from typing import Any

from typer.testing import CliRunner
from worlds import URL, World

from ibkr_adapter.cli.commands import app
from ibkr_adapter.cli.reach import Reach, Terminal
from ibkr_adapter.transport import Answer


class Person(Terminal):
    """Somebody who types what a test says, and remembers what was asked."""

    def __init__(self, *answers: str, is_there: bool = True) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self._is_there = is_there

    def is_there(self) -> bool:
        return self._is_there

    def ask(self, question: str) -> str:
        self.asked.append(question)
        answer = self.answers.pop(0)
        if answer == "^C":
            raise KeyboardInterrupt
        return answer


class Denying:
    """A gateway that lets this address in nowhere."""

    def prepare(self, url: str) -> None:
        """Nothing to load."""

    def send(self, *_: Any, **__: Any) -> Answer:
        page = b"<html><body>Access Denied</body></html>"
        return Answer(status=403, headers={"content-type": "text/html"}, body=page)

    def close(self) -> None:
        """Nothing is open."""


NOBODY = Person(is_there=False)


class Shell:
    """Runs one command after the other in a world; each is a process of its own as far as it knows."""

    def __init__(self, world: World, folder: Any) -> None:
        self.world = world
        self.environ = {"IBKR_ADAPTER_BASE_URL": URL, "IBKR_ADAPTER_STATE_DIR": str(folder)}
        self.wires: Any = None
        self.machine: Any = None

    def run(self, *words: str, person: Terminal = NOBODY) -> Any:
        reach = Reach(
            doors=self.world.doors,
            environ=self.environ,
            terminal=person,
            wires=self.wires,
            machine=self.machine,
        )
        return CliRunner().invoke(app, list(words), obj=reach)

    def json(self, *words: str, code: int = 0) -> Any:
        told = self.run(*words, "--json")
        assert told.exit_code == code, told.stderr
        return json.loads(told.stdout)
