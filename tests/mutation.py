"""Break one room in many small ways, and see whether its tests notice.

Run it with ``python -m tests.mutation`` (all rooms) or ``python -m tests.mutation journal.py --sample 40``.
A mutant is one change of the syntax tree: a comparison, a sign or a condition turned round, a value
not returned, a call left out. Each runs in a copy of the tree, so the checkout stays as it is. Which mutants a
sample takes follows from ``--seed`` alone, so a survivor can be met again. How the tests are run is for
``mutant_runs``; what it cannot put in place gets a process of its own, from here.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[1]
PACKAGE = "ibkr_adapter"

# Room -> the tests that guard it, the quickest first.
GUARDS: dict[str, tuple[str, ...]] = {
    "replies.py": ("tests/unit/test_replies.py", "tests/adapter/test_dialogue.py"),
    "journal.py": (
        "tests/unit/test_journal.py",
        "tests/adapter/test_settling.py",
        "tests/adapter/test_own_coids.py",
    ),
    "records.py": (
        "tests/unit/test_journal.py",
        "tests/adapter/test_acknowledgements.py",
        "tests/adapter/test_settling.py",
        "tests/adapter/test_modify.py",
    ),
    "settling.py": (
        "tests/adapter/test_settling.py",
        "tests/adapter/test_own_coids.py",
        "tests/adapter/test_protection.py",
    ),
    "conversation.py": (
        "tests/adapter/test_acknowledgements.py",
        "tests/adapter/test_lost_answers.py",
        "tests/adapter/test_settling.py",
        "tests/adapter/test_dialogue.py",
    ),
    "order_changes.py": (
        "tests/adapter/test_acknowledgements.py",
        "tests/adapter/test_modify.py",
        "tests/adapter/test_order_desk.py",
        "tests/adapter/test_lost_answers.py",
        "tests/adapter/test_settling.py",
        "tests/adapter/test_dialogue.py",
        "tests/adapter/test_classes.py",
    ),
    "orders.py": (
        "tests/adapter/test_acknowledgements.py",
        "tests/adapter/test_main_job.py",
        "tests/adapter/test_lost_answers.py",
        "tests/adapter/test_pairs_lost.py",
        "tests/adapter/test_order_desk.py",
        "tests/adapter/test_own_coids.py",
        "tests/adapter/test_protection.py",
        "tests/adapter/test_exits.py",
        "tests/adapter/test_settling.py",
        "tests/adapter/test_modify.py",
    ),
    "throttle/gate.py": ("tests/unit/test_throttle.py", "tests/unit/test_shared_pacing.py"),
    "throttle/pace.py": ("tests/unit/test_throttle.py", "tests/unit/test_shared_pacing.py"),
    "throttle/book.py": ("tests/unit/test_throttle.py", "tests/unit/test_shared_pacing.py"),
    "market/history.py": ("tests/adapter/test_history.py",),
    "market/downloads.py": ("tests/adapter/test_history.py",),
    "market/barfiles.py": ("tests/adapter/test_history.py",),
    "market/lines.py": ("tests/adapter/test_market_data.py",),
    "market/snapshots.py": ("tests/adapter/test_market_data.py",),
    "market/scanners.py": ("tests/adapter/test_market_data.py",),
    "market/option_prices.py": ("tests/adapter/test_market_data.py",),
    "model/sessions.py": ("tests/unit/test_model_sessions.py",),
    "model/bars.py": ("tests/unit/test_model_bars.py",),
    "model/scan.py": ("tests/unit/test_wire_scanners.py",),
    "wire/history.py": ("tests/unit/test_wire_history.py",),
    "auth/desk.py": ("tests/unit/test_auth_desk.py",),
    "auth/keys.py": ("tests/unit/test_auth_keys.py",),
    "auth/oauth1a.py": ("tests/unit/test_auth_oauth1a.py",),
    "auth/oauth2.py": ("tests/unit/test_auth_oauth2.py",),
    "auth/renewal.py": ("tests/unit/test_auth_renewal.py",),
}

# Room -> the line and what is changed in it -> why no test can notice: these are not run.
ALIKE: dict[str, dict[tuple[str, str], str]] = {
    "orders.py": {
        (
            "raise AssertionError(outcome)",
            "raise AssertionError(outcome) -> pass",
        ): "no outcome is left that could come here",
    },
    "auth/renewal.py": {
        ("self._granted_at = 0.0", "0.0 -> 1.0"): "a grant replaces it before anybody reads it",
        (
            "return float(min(first * 2 ** min(times, 20), longest))",
            "20 -> 21",
        ): "the longest is less than either",
    },
    "auth/keys.py": {
        (
            'number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))',
            "0 -> 1",
        ): "where these tests run both are there",
    },
    "auth/desk.py": {
        ("self._stamp = 0", "0 -> 1"): "both are decades ago",
    },
    "throttle/gate.py": {
        ("self._booked = 0.0", "0.0 -> 1.0"): "entering replaces it before anybody reads it",
        ("self._joined = 0", "0 -> 1"): "only the order of the numbers counts",
        ("self._joined += 1", "1 -> 2"): "only the order of the numbers counts",
        ("_LONGEST = 3600.0", "3600.0 -> 3601.0"): "whoever wakes decides anew and naps again",
        (
            "if endpoint.concurrent is None and arrived <= booked:",
            "arrived <= booked -> arrived < booked",
        ): "a departure is not moved to its own moment",
        (
            "if now <= deadline and pace.opens(endpoint, now, urgent=urgent) <= now:",
            "now <= deadline -> now < deadline",
        ): "whoever stands in line leaves at the same moment",
        (
            "if now <= deadline and pace.opens(endpoint, now, urgent=urgent) <= now:",
            "pace.opens(endpoint, now, urgent=urgent) <= now -> pace.opens(endpoint, now, urgent=urgent) < now",
        ): "whoever stands in line leaves at the same moment",
        ("return []", "return [] -> return None"): "whoever asks for the moments stands in line",
        (
            "for waiter, moment in zip(self._line, moments, strict=True):",
            "True -> False",
        ): "a plan has a moment for each of the line",
        (
            "if moment > booked:",
            "moment > booked -> moment >= booked",
        ): "a departure is not moved to its own moment",
    },
}

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_SUMS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip


@attrs.frozen(kw_only=True)
class Mutant:
    """One change: where it is, how it reads, and the whole room with it."""

    line: int
    text: str
    before: str
    after: str
    source: str
    # The lines of the statement that it is in; of a block, of its head.
    first: int
    last: int

    @property
    def change(self) -> str:
        """What is put in whose place."""
        return f"{self.before} -> {self.after}"


def changes(node: ast.AST) -> Iterator[ast.AST]:  # noqa: C901 - a table
    """What may stand in a node's place; nothing where a change would only alter words."""
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=rest):
            yield ast.Compare(left=left, ops=[_COMPARISONS[type(operator)]()], comparators=rest)
        case ast.BoolOp(op=operator, values=values):
            yield ast.BoolOp(op=ast.And() if isinstance(operator, ast.Or) else ast.Or(), values=values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _SUMS:
            yield ast.BinOp(left=left, op=_SUMS[type(operator)](), right=right)
        case ast.Constant(value=bool(value)):
            yield ast.Constant(value=not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(value=value + 1)
        case ast.If(test=test, body=body, orelse=other):
            yield ast.If(test=ast.UnaryOp(op=ast.Not(), operand=test), body=body, orelse=other)
        case ast.IfExp(test=test, body=body, orelse=other):
            yield ast.IfExp(test=test, body=other, orelse=body)
        case ast.Return(value=value) if value is not None and not _is_none(value):
            yield ast.Return(value=ast.Constant(value=None))
        case ast.Expr(value=ast.Call(func=called)) if not _is_log(called):
            yield ast.Pass()
        case ast.Raise():
            yield ast.Pass()
        case ast.Continue():
            yield ast.Break()


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_log(node: ast.expr) -> bool:
    return ast.unparse(node).startswith("log.")


def mutants(source: str) -> list[Mutant]:
    """Every mutant of a room, in the order of the text."""
    tree = ast.parse(source)
    spans, lines = _spans(tree), source.splitlines()
    found = []
    for parent, field, index, node, change in _places(tree):
        fresh = ast.copy_location(copy.deepcopy(change), node)
        _put(parent, field, index, fresh)
        text = ast.unparse(ast.fix_missing_locations(tree))
        _put(parent, field, index, node)
        first, last = spans.get(node, (node.lineno, node.end_lineno or node.lineno))
        found.append(
            Mutant(
                line=node.lineno,
                text=lines[node.lineno - 1].strip(),
                before=_short(node),
                after=_short(fresh),
                source=text,
                first=first,
                last=last,
            )
        )
    return sorted(found, key=lambda one: one.line)


def names(source: str) -> set[tuple[str, str]]:
    """The line and the change of every mutant of a room; quick, because none is made."""
    lines = source.splitlines()
    return {
        (lines[node.lineno - 1].strip(), f"{_short(node)} -> {_short(change)}")
        for _, _, _, node, change in _places(ast.parse(source))
    }


def _places(
    tree: ast.Module,
) -> Iterator[tuple[ast.AST, str, int | None, ast.expr | ast.stmt, ast.AST]]:
    """Where something may be changed, and what may stand there instead."""
    words = {inner for node in ast.walk(tree) for wordy in _wordy(node) for inner in ast.walk(wordy)}
    places = [
        (parent, field, index)
        for parent in ast.walk(tree)
        if parent not in words
        for field, value in ast.iter_fields(parent)
        for index in (range(len(value)) if isinstance(value, list) else [None])
    ]
    for parent, field, index in places:
        value = getattr(parent, field)
        node = value if index is None else value[index]
        if not isinstance(node, ast.expr | ast.stmt) or node in words:
            continue
        for change in changes(node):
            yield parent, field, index, node, change


def _spans(tree: ast.Module) -> dict[ast.AST, tuple[int, int]]:
    """The lines of the statement that each node is in, without the block that hangs on it."""
    found: dict[ast.AST, tuple[int, int]] = {}
    # Inner statements come after outer ones, and theirs is the nearer truth.
    for statement in (node for node in ast.walk(tree) if isinstance(node, ast.stmt)):
        body = getattr(statement, "body", None)
        last = max(statement.lineno, body[0].lineno - 1) if body else statement.end_lineno
        for node in ast.walk(statement):
            found[node] = (statement.lineno, last or statement.lineno)
    return found


def _wordy(node: ast.AST) -> Iterator[ast.AST]:
    """What is said and not done: decorators, annotations, texts, imports for type checkers."""
    match node:
        case ast.FunctionDef(decorator_list=decorators, returns=returns):
            yield from decorators
            if returns is not None:
                yield returns
        case ast.ClassDef(decorator_list=decorators):
            yield from decorators
        case ast.AnnAssign(annotation=annotation):
            yield annotation
        case ast.arg() | ast.JoinedStr():
            yield node
        case ast.Module(body=body):
            # Its own node is walked too, but what a module does at import is not what a room does.
            yield from (one for one in body if isinstance(one, ast.If))


def _put(parent: ast.AST, field: str, index: int | None, node: ast.AST) -> None:
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


def _short(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0][:90]


def sample(found: Sequence[Mutant], count: int | None, seed: int) -> list[Mutant]:
    """So many of them, the same for the same seed; all where nobody asks for fewer."""
    if count is None or count >= len(found):
        return list(found)
    return sorted(random.Random(seed).sample(list(found), count), key=lambda one: one.line)


def survivors(
    room: Path, taken: Sequence[Mutant], passes: Callable[[], bool], say: Callable[[str], object]
) -> list[Mutant]:
    """Put each mutant in the room's place and keep those that the tests let through."""
    original = room.read_text("utf-8")
    if not passes():
        raise _fails(room)
    left = []
    try:
        for mutant in taken:
            room.write_text(mutant.source, "utf-8")
            if passes():
                left.append(mutant)
                say(told(room, mutant))
    finally:
        room.write_text(original, "utf-8")
    return left


def told(room: Path, mutant: Mutant) -> str:
    """A survivor, in a line."""
    return f"  {room.name}:{mutant.line}: {mutant.change}\n"


def _fails(room: Path) -> SystemExit:
    return SystemExit(f"the tests of {room.name} fail without any change")


def forked(
    copied: Path, room: Path, taken: Sequence[Mutant], tests: Sequence[str], say: Callable[[str], object]
) -> tuple[list[Mutant], list[Mutant]]:
    """Run the mutants in forks of one process; return those let through, and those it cannot put in place."""
    order, answers = copied / "order.json", copied / "told.txt"
    mutants = [{"line": one.first, "last": one.last, "source": one.source} for one in taken]
    order.write_text(json.dumps({"room": str(room), "mutants": mutants}), "utf-8")
    environ = _environ(copied) | {"MUTANT_RUNS": str(order), "MUTANT_RUNS_TOLD": str(answers)}
    command = [*_pytest(tests), "-p", "mutant_runs"]
    with (copied / "log.txt").open("wb") as log:
        subprocess.run(command, cwd=copied, env=environ, stdout=log, stderr=log, check=False)  # noqa: S603
    said = answers.read_text("utf-8").split() if answers.exists() else []
    if len(said) != len(taken):
        sys.stderr.write((copied / "log.txt").read_text("utf-8", "replace")[-4000:])
        raise _fails(room)
    left = [one for one, word in zip(taken, said, strict=True) if word == "missed"]
    for one in left:
        say(told(room, one))
    sys.stdout.flush()
    return left, [one for one, word in zip(taken, said, strict=True) if word == "elsewhere"]


def _environ(copied: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{copied}{os.pathsep}{copied / 'tests'}", "IBKR_TESTS_ALL": "1"}


def _pytest(tests: Sequence[str]) -> list[str]:
    # One login of three is enough for rooms that do not know which it is.
    once = ["-k", "not oauth"] if all(test.startswith("tests/adapter") for test in tests) else []
    return [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:randomly", *once, *tests]


def run_tests(copied: Path, tests: Sequence[str], timeout: float) -> bool:
    """Whether the tests pass in the copy; what hangs has noticed the change too."""
    # No bytecode: two mutants of one size within a second would look alike to its cache.
    environ = _environ(copied) | {"PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(  # noqa: S603 - a fixed command
        _pytest(tests),
        cwd=copied,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as running:
        try:
            return running.wait(timeout) == 0
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Mutate the rooms that are asked for; 1 where less than the aim was noticed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("rooms", nargs="*", default=list(GUARDS), help="such as journal.py or auth/keys.py")
    parser.add_argument("--sample", type=int, help="so many mutants a room; all unless given")
    parser.add_argument("--seed", type=int, default=7, help="which ones a sample takes")
    parser.add_argument(
        "--timeout", type=float, default=120.0, help="seconds for one run of all tests of a room"
    )
    parser.add_argument("--aim", type=float, default=90.0, help="per cent that have to be noticed")
    asked = parser.parse_args(arguments)
    unknown = sorted(set(asked.rooms) - GUARDS.keys())
    if unknown:
        parser.error(f"no tests are named for {', '.join(unknown)}: there are {', '.join(GUARDS)}")
    missed = False
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        copied = Path(folder)
        for name in (PACKAGE, "tests"):
            shutil.copytree(ROOT / name, copied / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copied)
        for room in asked.rooms:
            started = time.monotonic()
            path, tests = copied / PACKAGE / room, GUARDS[room]
            found = mutants(path.read_text("utf-8"))
            alike = ALIKE.get(room, {})
            drawn = sample(found, asked.sample, asked.seed)
            taken = [one for one in drawn if (one.text, one.change) not in alike]
            left, others = forked(copied, path, taken, tests, sys.stdout.write)
            if others:
                left += survivors(
                    path,
                    others,
                    lambda tests=tests: run_tests(copied, tests, asked.timeout),
                    sys.stdout.write,
                )
            killed = len(taken) - len(left)
            share = 100 * killed / len(taken)
            missed = missed or share < asked.aim
            spent = time.monotonic() - started
            sys.stdout.write(
                f"{room}: {killed} of {len(taken)} noticed ({share:.0f} %), {len(drawn) - len(taken)} alike,"
                f" {len(found)} in all, {spent:.0f} s\n"
            )
            sys.stdout.flush()
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
