"""Run the tests against many mutants in one process: loaded once, then a fork for each mutant.

A plugin of pytest, for :mod:`tests.mutation` (``-p mutant_runs``). It first runs all tests to see which of them
reach which line of the room, and how long each takes. Then a fork for each mutant puts the changed code into
the functions that are loaded, and runs the tests that reach the changed lines, the quickest first, until one fails.
What is changed outside all functions takes effect at import only, and is left to a process of its own.
"""

from __future__ import annotations

import ast
import gc
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import coverage
import pytest

from thoroughly import MEMORY

# Where to read what is to be run, and where to write what came of it.
ORDER, TOLD = "MUTANT_RUNS", "MUTANT_RUNS_TOLD"
NOTICED, MISSED, ELSEWHERE, BROKEN = "noticed", "missed", "elsewhere", "broken"
# What hangs has noticed the change too; a busy machine has not.
_PATIENCE, _AT_LEAST = 3.0, 10.0

Swap = tuple[FunctionType, CodeType]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    """Run what the order says in place of the tests."""
    order = json.loads(Path(os.environ[ORDER]).read_text("utf-8"))
    room = Path(order["room"])
    with Path(os.environ[TOLD]).open("w", encoding="utf-8", buffering=1) as told:
        seen = _measured(session, room)
        if seen is None:
            told.write(f"{BROKEN}\n")
            return True
        spent, reached = seen
        functions = loaded(room)
        for mutant in order["mutants"]:
            swapped = swaps(room, mutant["source"], functions)
            lines = range(mutant["line"], mutant["last"] + 1)
            names = {name for line in lines for name in reached.get(str(line), ())}
            chosen = sorted(
                (item for item in session.items if item.nodeid in names), key=lambda item: spent[item.nodeid]
            )
            limit = _AT_LEAST + _PATIENCE * sum(spent[item.nodeid] for item in chosen)
            told.write(f"{_judged(session, swapped, chosen, limit)}\n")
    return True


def _judged(
    session: pytest.Session, swapped: list[Swap] | None, chosen: Sequence[pytest.Item], limit: float
) -> str:
    if swapped is None:
        return ELSEWHERE
    if not chosen:
        return MISSED

    def work() -> int:
        for function, code in swapped:
            function.__code__ = code
        return 0 if _run(session, chosen) else 1

    return MISSED if _forked(work, limit) == 0 else NOTICED


def _measured(
    session: pytest.Session, room: Path
) -> tuple[dict[str, float], dict[str, Sequence[str]]] | None:
    """Run all tests; tell how long each takes and which reach each line, or nothing where one fails."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "seen.json"

        def work() -> int:
            seen = coverage.Coverage(data_file=None, include=[str(room)], config_file=False)
            spent = {}
            seen.start()

            def before(item: pytest.Item) -> None:
                seen.switch_context(item.nodeid)
                spent[item.nodeid] = time.monotonic()

            def after(item: pytest.Item) -> None:
                spent[item.nodeid] = time.monotonic() - spent[item.nodeid]

            passed = _run(session, session.items, before, after)
            seen.stop()
            file.write_text(json.dumps([spent, seen.get_data().contexts_by_lineno(str(room))]), "utf-8")
            return 0 if passed else 1

        if _forked(work, 3600.0) != 0:
            return None
        spent, reached = json.loads(file.read_text("utf-8"))
        return spent, reached


def _run(
    session: pytest.Session,
    items: Sequence[pytest.Item],
    before: Callable[[pytest.Item], Any] = id,
    after: Callable[[pytest.Item], Any] = id,
) -> bool:
    for item, following in zip(items, [*items[1:], None], strict=True):
        before(item)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        after(item)
        if session.testsfailed:
            sys.stderr.write(f"{item.nodeid} failed\n")
            return False
    return True


def _forked(work: Callable[[], int], limit: float) -> int:
    """Do the work in a child and return what it says; what takes too long is ended."""
    folder = tempfile.mkdtemp(prefix="mutant-", dir=MEMORY)
    child = os.fork()
    if child == 0:
        code = 2
        try:
            os.setsid()
            # The folders of its tests go with it.
            os.environ["PYTEST_DEBUG_TEMPROOT"] = folder
            code = work()
        except BaseException:  # noqa: BLE001  (whatever it is, the child must not go on as its parent would)
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    until = time.monotonic() + limit
    try:
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > until:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return 2
            time.sleep(0.005)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# Code ---------------------------------------------------------------------------------------


def loaded(room: Path) -> dict[tuple[str, int], list[FunctionType]]:
    """Find every function of the room that is alive, by its name and first line."""
    found: dict[tuple[str, int], list[FunctionType]] = {}
    for one in gc.get_objects():
        if isinstance(one, FunctionType) and one.__code__.co_filename == str(room):
            found.setdefault(_place(one.__code__), []).append(one)
    return found


def swaps(room: Path, source: str, functions: dict[tuple[str, int], list[FunctionType]]) -> list[Swap] | None:
    """Tell which function gets which code to become a mutant; nothing where that is not enough."""
    text = room.read_text("utf-8")
    # A mutant is written anew as a whole, so it is compared with the original written anew.
    was, plain, becomes = (
        compile(one, str(room), "exec") for one in (text, ast.unparse(ast.parse(text)), source)
    )
    try:
        return list(_swaps(was, plain, becomes, functions))
    except ValueError:
        return None


def _swaps(
    was: CodeType,
    plain: CodeType,
    becomes: CodeType,
    functions: dict[tuple[str, int], list[FunctionType]],
) -> Iterator[Swap]:
    """Pair the functions of what runs at import, which must be the same."""
    if _shallow(plain) != _shallow(becomes):
        raise ValueError("another import")
    for inner, same, fresh in zip(_inner(was), _inner(plain), _inner(becomes), strict=True):
        alive = functions.get(_place(inner), [])
        if inner.co_freevars != fresh.co_freevars:
            raise ValueError("another closure")
        if alive:
            yield from ((function, fresh) for function in alive)
        else:
            yield from _swaps(inner, same, fresh, functions)


def _shallow(code: CodeType) -> tuple[Any, ...]:
    consts = tuple((type(one), None if isinstance(one, CodeType) else one) for one in code.co_consts)
    return code.co_code, consts, code.co_names, code.co_varnames


def _inner(code: CodeType) -> list[CodeType]:
    return [one for one in code.co_consts if isinstance(one, CodeType)]


def _place(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno
