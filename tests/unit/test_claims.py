"""An account of a gateway is one user's, over all processes of a machine."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from ibkr_adapter.clock import ManualClock
from ibkr_adapter.errors import BrokerageUnavailable, ConfigurationError
from ibkr_adapter.filelocks import FileLock
from ibkr_adapter.host.claims import PATIENCE, Claims, _try

URL = "http://127.0.0.1:5000/v1/api"
START = datetime(2026, 11, 24, 15, tzinfo=UTC)


class Process:
    """The claims of one process: a lock is that of an open file, so two of these are as good as two processes."""

    def __init__(self, folder, clock):
        self.claims = Claims()
        self.folder = folder
        self.clock = clock

    def take(self, user, account="DU1", url=URL):
        self.claims.take(url, account, user, folder=self.folder, clock=self.clock)

    def die(self):
        for each in self.claims._locks.values():
            each.let_go()


@pytest.fixture
def clock():
    made = ManualClock(START, jump=True)
    yield made
    made.close()


@pytest.fixture
def processes(tmp_path, clock):
    made = [Process(tmp_path / "state", clock) for _ in range(3)]
    yield made
    for each in made:
        each.die()


def test_what_a_user_of_another_process_has_is_refused(processes):
    """Two hosts on one machine would trade one account for two people."""
    one, other, _ = processes
    one.take("ann")

    with pytest.raises(
        ConfigurationError, match="account DU1 of this gateway is another user's, in another process"
    ):
        other.take("bob")


def test_a_user_may_be_in_several_processes_and_the_last_one_counts(processes):
    """The account is free when nobody is left who let the user in."""
    one, two, other = processes
    one.take("ann")
    two.take("ann")
    one.take("ann")
    one.die()

    with pytest.raises(ConfigurationError):
        other.take("bob")
    two.die()
    other.take("bob")

    with pytest.raises(ConfigurationError, match="in another process"):
        one.take("ann", "DU1")


def test_a_refusal_leaves_nothing_behind(processes):
    """The user that has it elsewhere is let in here, too, although another one was turned away before."""
    one, other, _ = processes
    one.take("ann")

    with pytest.raises(ConfigurationError):
        other.take("bob")
    other.take("ann")

    with pytest.raises(ConfigurationError, match="another user's, in this process"):
        other.take("bob")


def test_other_accounts_and_other_gateways_are_free(processes):
    one, other, _ = processes
    one.take("ann")

    other.take("bob", account="DU2")
    other.take("bob", url="http://127.0.0.1:5001/v1/api")
    other.take("bob", url="https://gateway.example:5000/v1/api")


@pytest.mark.parametrize(
    ("written", "other_way"),
    [
        ("http://127.0.0.1:5000/v1/api", "http://localhost:5000/v1/api"),
        ("http://[::1]:5000/v1/api", "http://LOCALHOST:5000/v1/portal"),
        ("https://gw.example/v1/api", "https://GW.example:443/v1/api"),
    ],
)
def test_a_gateway_is_one_however_its_address_is_written(processes, written, other_way):
    one, other, _ = processes
    one.take("ann", url=written)

    with pytest.raises(ConfigurationError):
        other.take("bob", url=other_way)
    with pytest.raises(ConfigurationError):
        one.take("bob", url=other_way)


def test_without_a_folder_only_the_process_keeps_its_own_apart(clock):
    """A clock of a test's own has no neighbours."""
    one, other = Process(None, clock), Process(None, clock)
    one.take("ann")
    other.take("bob")

    with pytest.raises(ConfigurationError, match="in this process"):
        one.take("bob")


def test_a_folder_that_cannot_be_used_stops_nobody_and_is_told_once(tmp_path, clock, caplog):
    """A close must go out; an entry stops at the journal, which needs the folder too."""
    (tmp_path / "state").write_text("a file")
    process = Process(tmp_path / "state", clock)

    process.take("ann")
    process.take("cid", "DU2")

    with pytest.raises(ConfigurationError, match="in this process"):
        process.take("bob")
    assert caplog.text.count("users of other processes are not kept apart") == 1


def test_who_is_just_being_let_in_is_waited_for_and_not_for_ever(processes, clock):
    """Between the lock and the name in the file nobody can tell whose it will be."""
    one, other, _ = processes
    one.take("ann")
    (path,) = other.folder.iterdir()
    one.die()
    held = FileLock(path)
    held.take()
    begun = clock.monotonic()

    with pytest.raises(BrokerageUnavailable, match="being let in to account DU1") as waiting:
        other.take("ann")
    waited = clock.monotonic() - begun
    held.let_go()
    other.take("ann")

    assert waiting.value.repeatable
    assert PATIENCE <= waited < PATIENCE + 0.1


def test_the_file_does_not_say_who_the_user_is(processes):
    one, *_ = processes
    one.take("ann@example.com", "DU7654321")

    (path,) = one.folder.iterdir()

    told = path.name + path.read_text()
    assert not any(word in told for word in ("ann", "DU7654321", "5000"))
    assert path.stat().st_mode & 0o077 == 0


HOLDER = f"""
import sys
from pathlib import Path
from ibkr_adapter.clock import SystemClock
from ibkr_adapter.host.claims import Claims
claims = Claims()
claims.take({URL!r}, "DU1", "ann", folder=Path(sys.argv[1]), clock=SystemClock())
print("taken", flush=True)
sys.stdin.read()
"""


def test_a_process_that_is_killed_lets_its_accounts_go(processes):
    """Nobody asks a number whether it lives: the system takes the lock back."""
    one, *_ = processes
    holder = subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, "-c", HOLDER, str(one.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    holder.stdout.readline()

    with pytest.raises(ConfigurationError, match="in another process"):
        one.take("bob")
    holder.kill()
    holder.communicate()
    one.take("bob")


class Overtaken:
    """A lock that somebody else had for a moment between being held alone and being shared."""

    released = False

    def take(self, **_):
        return True

    def share(self):
        return True

    def words(self):
        return "theirs"

    def let_go(self):
        self.released = True


def test_who_was_overtaken_while_sharing_looks_again():
    """Both would else believe that the account is theirs."""
    lock = Overtaken()

    assert _try(lock, "ours") == ""
    assert lock.released
