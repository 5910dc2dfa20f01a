"""Every block of code in the documentation is run, or says where readers see it why it is not.

Whole programs are run as processes by ``tests/unit/test_docs.py``. Here are the rest, against the simulated
broker without sockets: Python that is a part of a program, what is typed in a terminal, and JSON.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter

import pytest
from terminals import Person, Shell
from test_cli_doctor import Wires

from docs_pages import DOCS, NOT_RUN, ROOT, blocks
from ibkr_adapter import IBKRExchange
from ibkr_adapter.host.executor import TradeExecutor

if not DOCS.is_dir():
    pytest.skip("the documentation is not here", allow_module_level=True)

EVERY = blocks()
# Why a block is not run, and of how many that is true.
REASONS = {
    "it needs your gateway": 4,
    "it needs IBKR's gateway": 1,
    "it needs IBKR's gateway, and you to log in": 2,
    "it trades on your paper account": 1,
    "it serves until it is ended": 1,
    "each serves until it is ended": 1,
    "it watches until Ctrl-C": 1,
    "it would write files here": 1,
    "the keys and the token are yours": 1,
    "it searches for a prime, for a minute": 2,
    "a user has to agree on IBKR's page": 1,
}
PIECES = [block for block in blocks("python") if not block.is_offline and block.reason is None]
SERVED = [block for block in blocks("console") if block.page == "simulator.md"]
TYPED = [block for block in blocks("console") if block.reason is None and block not in SERVED]
DATA = blocks("json")
HERE = {**os.environ, "PYTHONPATH": str(ROOT)}

# Questions about prices and sizes, which the figures on the pages draw.
ANSWERED = ["o163", "o354", "o383", "o403", "o451", "o10223"]
# What make's targets are run by; a test that started them would run itself.
MADE_BY = {
    "demo": "tests/system/test_demo.py",
    "test": "Makefile",
    "check": ".ci/run",
    "format": "Makefile",
    "docs": "Makefile",
    "packages": "Makefile",
    "sbom": "tests/bill.py",
    "newcomer": "tests/newcomer.py",
}


def named(found):
    return [block.name for block in found]


def test_every_block_says_what_it_is():
    """A block without a language is coloured as nothing, and checked by nobody."""
    assert {block.language for block in EVERY} == {"python", "console", "json", "text"}


def test_what_is_not_run_says_why_and_is_counted():
    """A reason is easily written; each one more has to be wanted here."""
    told = Counter(block.reason for block in EVERY if block.reason is not None)

    assert told == REASONS
    assert all(len(block.code.splitlines()) > 1 for block in EVERY if block.reason is not None)


def test_no_remark_of_that_kind_stands_elsewhere():
    """In the middle of a block it would take nothing out, and mislead."""
    assert [block.name for block in EVERY if NOT_RUN in block.code.partition("\n")[2]] == []


# Python ---------------------------------------------------------------------------------------


# What is called of the functions that a page defines, and how.
CALLS = {
    "errors.md:trade": lambda ibkr, trade: trade(ibkr).isdigit(),
    "session.md:buy": lambda ibkr, buy: buy(ibkr).isdigit(),
    "orders.md:buy": lambda ibkr, buy: buy(ibkr) is None,
    "orders.md:change": lambda ibkr, change: change(ibkr) is None,
    "orders.md:spreads": lambda ibkr, spreads: spreads(ibkr) is None,
    "portfolio.md:warn_me": lambda ibkr, warn_me: warn_me(ibkr, "me@example.com") is not None,
    "host.md:handle": lambda ibkr, handle: callable(handle),
    "host.md:load": lambda ibkr, load: load("alice", "ibkr", "paper", None) is None,
    "host.md:webhook": lambda ibkr, webhook: webhook("{}", "alice")["success"] is False,
}


@pytest.mark.parametrize("block", PIECES, ids=named(PIECES))
def test_a_piece_of_a_program_is_run(block, world, monkeypatch, tmp_path):
    """As it stands; and what it defines is called, because a body that is only compiled may say anything."""
    monkeypatch.setenv("IBKR_ADAPTER_STATE_DIR", str(tmp_path))
    ibkr = world.exchange(answer_messages=ANSWERED)
    scope = {"__name__": "page"}

    exec(compile(block.code, block.name, "exec"), scope)  # noqa: S102  (our own documentation)

    for name in re.findall(r"^def (\w+)", block.code, re.MULTILINE):
        assert CALLS[f"{block.page}:{name}"](ibkr, scope[name]), name


# Terminals ------------------------------------------------------------------------------------


@pytest.fixture
def shell(world, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = Shell(world, tmp_path)
    made.wires = Wires()
    return made


@pytest.mark.parametrize("block", TYPED, ids=named(TYPED))
def test_what_is_typed_is_run(block, shell):
    """In its order. Commands run in this process; a person says yes to what they ask."""
    assert block.commands

    for line in block.commands:
        shell.world.clock.advance(10)  # nobody types faster
        program, *words = shlex.split(line)
        if program == "make":
            target = words[-1]
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE), line
            assert (ROOT / MADE_BY[target]).is_file(), line
        elif program == "export":
            name, _, value = words[0].partition("=")
            shell.environ[name] = value
            assert shell.run("status").exit_code == 0, line
        else:
            assert program == "ibkr-adapter", line
            told = shell.run(*words, person=Person("yes", "yes"))
            assert told.exit_code == 0, (line, told.stdout, told.stderr)


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl here")
def test_the_simulator_and_its_control_room_are_run_as_typed(tmp_path):
    """In a shell, beside a process of its own, which takes a free port."""
    start, room = SERVED
    shown = json.loads(start.code.splitlines()[1])
    command = [sys.executable, "-m", "ibkr_adapter", *shlex.split(start.commands[0])[1:-1], "0"]
    # What is made up on the page, and answered with a sentence: an order, a token, a login with tokens.
    made_up = {"fill", "authorize", "session"}

    with subprocess.Popen(  # noqa: S603  (our own command)
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=tmp_path, env=HERE
    ) as process:
        try:
            ready = json.loads(process.stdout.readline())
            lines = room.commands[1:]
            place = f"S={ready['url'].removesuffix('/v1/api')}/simulator"
            script = "\n".join([place, *(f"{line}; echo" for line in lines)])
            told = subprocess.check_output(["bash", "-c", script], text=True)  # noqa: S603, S607
        finally:
            process.terminate()

    answers = [json.loads(line) for line in told.splitlines()]
    refused = {
        re.search(r"\$S/(\w+)", line)[1]
        for line, answer in zip(lines, answers, strict=True)
        if "error" in answer
    }
    assert ready.keys() == shown.keys()
    assert ready["account"] == shown["account"]
    assert len(answers) == 16
    assert refused <= made_up


# JSON -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", DATA, ids=named(DATA))
def test_json_is_taken_by_what_it_is_for(block, world):
    """Settings make an exchange, and a webhook is carried out."""
    told = json.loads(block.code)

    if "ibkr" in told:
        assert IBKRExchange(told["ibkr"]).settings.account_id == "DU1234567"
    elif "action" in told:
        assert TradeExecutor(world.exchange(webhook_secret="your-secret")).execute_webhook(told)["success"]
    else:
        assert told.keys() >= {"ready", "url", "account", "pid"}
