"""Several processes at one login: one budget, one owner, one order in dialogue.

Real processes, real sockets and the machine's own clock, so figures here are wide: the exact ones
are in the unit tests, the measured ones in the benchmarks.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ibkr_adapter.clock import SystemClock
from ibkr_adapter.simulator.gateway import Gateway
from ibkr_adapter.simulator.server import SimulatorServer

# So wide that a machine which runs other tests beside this one holds it.
WIDE = {"pacing_margin": 0.2}


class Counting(Gateway):
    """The simulated broker, which also writes down what was asked and when."""

    def __init__(self, *given, **more):
        super().__init__(*given, **more)
        self.asked = []

    def handle(self, request):
        self.asked.append((time.monotonic(), request.method, request.path.removeprefix("/v1/api")))
        return super().handle(request)

    def count(self, end):
        return sum(path.endswith(end) for _, _, path in self.asked)


class Street:
    """A broker and the processes that call it."""

    def __init__(self, folder, auth="gateway", **options):
        self.broker = Counting(SystemClock(), auth=auth, options=options)
        self.server = SimulatorServer(self.broker, direct=auth != "gateway")
        self.folder = folder
        self.workers = []

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *_):
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
            worker.communicate()
        self.server.__exit__(None, None, None)

    def process(self, **settings):
        given = {
            **self.broker.credentials,
            "base_url": self.server.url,
            "state_dir": str(self.folder),
            **settings,
        }
        worker = subprocess.Popen(  # noqa: S603  (our own interpreter and file)
            [sys.executable, str(Path(__file__).parent / "neighbour.py"), json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        self.workers.append(worker)
        assert int(worker.stdout.readline()) == worker.pid
        return worker


def tell(worker, line):
    worker.stdin.write(f"{line}\n")
    worker.stdin.flush()


def hear(worker):
    return json.loads(worker.stdout.readline())


def ask(worker, line):
    tell(worker, line)
    return hear(worker)


def test_four_processes_keep_the_limits_together(tmp_path):
    """Each for itself would send ten a second, forty in all."""
    with Street(tmp_path) as street:
        workers = [street.process(**WIDE) for _ in range(4)]
        for worker in workers:
            ask(worker, "open")
        begin = time.monotonic()
        for worker in workers:
            tell(worker, f"until {begin + 3}")
        done = [hear(worker) for worker in workers]

        assert street.broker.ledger()["pacing_breaches"] == []
        assert 15 <= sum(done) <= 44


def test_orders_and_reads_of_two_processes_leave_open_questions_alone(tmp_path):
    """The broker kills an open question at any other request of the session; here none dies."""
    with Street(tmp_path, pacing=False, extra_questions=["o383", "o451"]) as street:
        settings = {**WIDE, "requests_per_second": 1000, "answer_messages": ["o383", "o451"]}
        workers = [street.process(**settings) for _ in range(2)]
        for worker in workers:
            assert ask(worker, "open") == "ready"
        street.broker.set_options({"strict_dialogue": True})

        for worker in workers:
            tell(worker, "both 4")
        placed = [hear(worker) for worker in workers]

        assert placed == [["filled"] * 4] * 2
        asked = street.broker.ledger()["questions"]
        assert len(asked) >= 16
        assert {row["answer"] for row in asked} == {"yes"}


def test_two_processes_trade_two_accounts_of_one_gateway_at_once(tmp_path):
    """Each sees its own orders, although the session answers for one account at a time."""
    names = ["DU1234567", "DU7654321"]
    with Street(tmp_path, pacing=False, accounts=names[1:]) as street:
        settings = {**WIDE, "requests_per_second": 1000, "answer_messages": ["o163"]}
        workers = [street.process(**settings, account_id=name) for name in names]
        for worker in workers:
            assert ask(worker, "open") == "ready"

        for worker in workers:
            tell(worker, "stand 4")
        seen = [hear(worker) for worker in workers]

        assert {state for states in seen for state in states} <= {"PreSubmitted", "Submitted"}
        assert [len(states) for states in seen] == [4, 4]
        assert street.broker.count("/iserver/account") >= 1


def test_one_process_brings_the_gateways_session_up_and_the_others_find_it(tmp_path):
    with Street(tmp_path, pacing=False, established_after=0.6, established_reads=3) as street:
        workers = [street.process(**WIDE) for _ in range(3)]

        for worker in workers:
            tell(worker, "open")
        states = [hear(worker) for worker in workers]

        assert states == ["ready"] * 3
        assert street.broker.count("/iserver/auth/ssodh/init") == 1


def test_an_oauth_login_belongs_to_one_process_until_it_dies(tmp_path):
    """A second login beside the first would have both fight for the session."""
    with Street(tmp_path, "oauth2", pacing=False) as street:
        first, second = street.process(**WIDE), street.process(**WIDE)
        assert ask(first, "open") == "ready"

        refused = ask(second, "open")

        assert refused["error"] == "LoginInUse"
        assert f"process {first.pid} " in refused["text"]
        assert street.broker.count("/sso-sessions") == 1
        first.kill()
        first.wait()
        time.sleep(1.1)  # a refused restore is not tried again at once
        assert ask(second, "open") == "ready"


def test_an_oauth_login_is_free_again_when_its_last_object_is_closed(tmp_path):
    with Street(tmp_path, "oauth2", pacing=False) as street:
        first, second = street.process(**WIDE), street.process(**WIDE)
        assert ask(first, "open") == "ready"

        assert ask(first, "close") == "closed"

        assert ask(second, "open") == "ready"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_a_forked_child_does_not_use_its_parents_oauth_login(tmp_path):
    with Street(tmp_path, "oauth2", pacing=False) as street:
        parent = street.process(**WIDE)
        assert ask(parent, "open") == "ready"
        before = len(street.broker.asked)

        child = ask(parent, "fork")

        assert child["error"] == "LoginInUse"
        assert f"process {parent.pid} " in child["text"]
        assert len(street.broker.asked) == before
        assert ask(parent, "read 1") == [True]
