"""State files are private, shared safely, and say why when they cannot be had."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest

from ibkr_adapter.settings import Settings
from ibkr_adapter.state import StateUnavailable, Store, distrust, state_directory

ONE = (("CREATE TABLE note (word TEXT PRIMARY KEY)",),)
TWO = (*ONE, ("ALTER TABLE note ADD COLUMN size INTEGER DEFAULT 7", "CREATE TABLE other (n INTEGER)"))
WRITE = "INSERT INTO note (word) VALUES (?)"
WORDS = "SELECT word FROM note ORDER BY word"
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state"


_made: list[Store] = []


@pytest.fixture(autouse=True)
def closed():
    """Python 3.13 and later complain of a connection that is collected and was not closed."""
    yield
    while _made:
        _made.pop().close()


def store(folder, **about):
    _made.append(Store(folder, "notes", **{"steps": ONE, **about}))
    return _made[-1]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def spoil(opened):
    """Overwrite the file as a failing disk would, with nobody having it open."""
    opened.close()
    opened.path.write_bytes(b"this is no database at all, " * 200)


# --- where -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "environ", "platform", "expected"),
    [
        ("/set", {"IBKR_ADAPTER_STATE_DIR": "/env", "HOME": "/h"}, "linux", "/set"),
        (None, {"IBKR_ADAPTER_STATE_DIR": "/env", "HOME": "/h"}, "linux", "/env"),
        (None, {"XDG_STATE_HOME": "/xdg", "HOME": "/h"}, "linux", "/xdg/ibkr_adapter"),
        (None, {"XDG_STATE_HOME": "relative", "HOME": "/h"}, "linux", "/h/.local/state/ibkr_adapter"),
        ("", {"HOME": "/h"}, "linux", "/h/.local/state/ibkr_adapter"),
        (None, {"HOME": "/h"}, "darwin", "/h/Library/Application Support/ibkr_adapter"),
        (None, {"LOCALAPPDATA": "/local", "HOME": "/h"}, "win32", "/local/ibkr_adapter"),
        (None, {"HOME": "/h"}, "win32", "/h/AppData/Local/ibkr_adapter"),
    ],
)
def test_the_nearest_word_decides_where_state_is_kept(setting, environ, platform, expected):
    """The setting, then the variable, then the platform's own folder."""
    assert state_directory(setting, environ, platform=platform) == Path(expected)


def test_a_tilde_and_a_missing_home_mean_the_users_own_folder():
    assert state_directory("~/trading", {}) == Path.home() / "trading"
    assert Path.home() in state_directory(None, {}, platform="linux").parents


def test_a_folder_stays_where_it_is_when_the_process_changes_its_own(tmp_path, monkeypatch):
    """A second, empty journal would know nothing of the orders in the first."""
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    settings = Settings(state_dir="state")
    named = state_directory(None, {"IBKR_ADAPTER_STATE_DIR": "state"})

    monkeypatch.chdir(tmp_path / "other")

    assert state_directory(settings.state_dir, {}) == named == tmp_path / "state"


# --- private -----------------------------------------------------------------------------------


def test_nothing_happens_before_the_first_use(folder):
    store(folder)

    assert not folder.exists()


def test_folder_and_files_are_for_their_owner_only(folder):
    """The files beside the database take over its mode, whatever the umask says."""
    before = os.umask(0)
    try:
        kept = store(folder)
        kept.write(WRITE, ("one",))
        modes = {path.name: mode(path) for path in folder.iterdir()}
    finally:
        os.umask(before)

    assert mode(folder) == 0o700
    assert modes == {"notes.sqlite3": 0o600, "notes.sqlite3-wal": 0o600, "notes.sqlite3-shm": 0o600}


def test_a_file_that_others_may_read_is_made_private(folder):
    kept = store(folder)
    kept.write(WRITE, ("one",))
    kept.close()
    kept.path.chmod(0o644)

    assert kept.read(WORDS) == [("one",)]
    assert mode(kept.path) == 0o600


@pytest.mark.parametrize("target", ["folder", "file"])
def test_what_others_may_write_is_not_trusted(folder, target):
    """Whoever can exchange a journal could have orders forgotten."""
    kept = store(folder)
    kept.write(WRITE, ("one",))
    kept.close()
    (folder if target == "folder" else kept.path).chmod(0o722)

    with pytest.raises(StateUnavailable, match=r"others may write to it \(mode 0722\)") as unavailable:
        kept.read(WORDS)
    assert unavailable.value.path == kept.path


def test_what_another_user_owns_is_not_trusted(folder):
    folder.mkdir(mode=0o700)
    found = folder.stat()

    assert distrust(found, found.st_uid) is None
    assert f"user {found.st_uid} owns" in distrust(found, found.st_uid + 1)


def test_a_link_in_the_place_of_the_file_is_not_followed(folder, tmp_path):
    """It could lead a write into any file that we may write."""
    folder.mkdir(mode=0o700)
    (folder / "notes.sqlite3").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StateUnavailable, match="no regular file"):
        store(folder, disposable=True).read(WORDS)
    assert not (tmp_path / "elsewhere").exists()


# --- reading and writing -----------------------------------------------------------------------


def test_what_was_written_is_there_after_a_restart(folder):
    kept = store(folder)

    met = kept.write(WRITE, ("one",))
    kept.close()
    kept.close()

    assert met == 1
    assert store(folder).read("SELECT word FROM note WHERE word = ?", ("one",)) == [("one",)]


@pytest.mark.parametrize(("setting", "level"), [("NORMAL", 1), ("FULL", 2)])
def test_a_journal_is_on_the_disk_and_a_cache_soon(folder, setting, level):
    """FULL waits for the disk at every write, which a cache need not."""
    kept = store(folder, synchronous=setting)

    assert kept.read("PRAGMA synchronous") == [(level,)]
    assert kept.read("PRAGMA journal_mode") == [("wal",)]


def test_a_transaction_is_done_whole(folder):
    kept = store(folder)

    with kept.transaction():
        kept.write(WRITE, ("one",))
        assert kept.read(WORDS) == [("one",)]
        kept.write(WRITE, ("two",))
        assert store(folder).read(WORDS) == []

    assert store(folder).read(WORDS) == [("one",), ("two",)]


def test_a_transaction_keeps_other_writers_out_from_its_first_line(folder):
    """What it reads before it writes must still be true when it does: a lease, a free slot."""
    kept, other = store(folder), store(folder, patience=0.05)

    with kept.transaction():
        assert kept.read(WORDS) == []
        with pytest.raises(StateUnavailable, match="locked"):
            other.write(WRITE, ("one",))

    assert kept.read(WORDS) == []


def test_a_transaction_that_raises_leaves_nothing(folder):
    kept = store(folder)

    def stopped():
        with kept.transaction():
            kept.write(WRITE, ("one",))
            raise KeyError("stop")

    with pytest.raises(KeyError):
        stopped()

    assert kept.read(WORDS) == []
    kept.write(WRITE, ("two",))
    assert store(folder).read(WORDS) == [("two",)]


def test_a_transaction_in_a_transaction_is_a_mistake(folder):
    kept = store(folder)

    with pytest.raises(RuntimeError, match="open already"), kept.transaction(), kept.transaction():
        pass

    kept.write(WRITE, ("one",))


@pytest.mark.parametrize("sql", ["SELECT nonsense FROM nowhere", "INSERT INTO note (word) VALUES ('one')"])
def test_a_wrong_statement_is_a_mistake_and_not_a_broken_file(folder, sql):
    """It must show itself, not have a cache thrown away or orders stopped."""
    kept = store(folder, disposable=True)
    kept.write(WRITE, ("one",))

    with pytest.raises(sqlite3.DatabaseError):
        kept.write(sql)

    assert kept.read(WORDS) == [("one",)]


def test_after_an_error_that_undid_a_transaction_nothing_more_is_written(folder):
    """SQLite rolls back by itself on a full disk; the rest must not be written alone."""
    kept = store(folder)
    kept.read("PRAGMA max_page_count=12")

    def stubborn():
        with kept.transaction():
            kept.write(WRITE, ("first",))
            with pytest.raises(StateUnavailable, match="full"):
                kept.write(WRITE, ("x" * 100_000,))
            kept.write(WRITE, ("alone",))

    with pytest.raises(StateUnavailable, match="undid the transaction"):
        stubborn()

    assert kept.read(WORDS) == []


# --- unavailable -------------------------------------------------------------------------------


def test_a_full_disk_is_said_and_what_fits_is_written_later(folder):
    kept = store(folder)
    kept.read("PRAGMA max_page_count=12")

    with pytest.raises(StateUnavailable, match="full"):
        kept.write(WRITE, ("x" * 100_000,))

    kept.write(WRITE, ("small",))
    assert kept.read(WORDS) == [("small",)]


def test_a_file_that_may_only_be_read_is_said(folder):
    kept = store(folder)
    kept.read("PRAGMA query_only=ON")

    with pytest.raises(StateUnavailable, match="readonly"):
        kept.write(WRITE, ("one",))

    assert kept.read(WORDS) == []


def test_a_folder_that_cannot_be_made_is_said_with_its_path(tmp_path):
    (tmp_path / "state").write_text("a file where the folder should be")

    with pytest.raises(StateUnavailable, match="File exists") as unavailable:
        store(tmp_path / "state").read(WORDS)

    assert str(tmp_path / "state" / "notes.sqlite3") in str(unavailable.value)


def test_the_next_call_tries_again(folder, tmp_path):
    """What was in the way may be gone: nobody has to restart the program."""
    kept = store(folder)
    folder.write_text("in the way")
    with pytest.raises(StateUnavailable):
        kept.write(WRITE, ("one",))

    folder.unlink()
    kept.write(WRITE, ("two",))

    assert kept.read(WORDS) == [("two",)]


def test_another_writer_is_waited_for_only_so_long(folder):
    patient, busy = store(folder, patience=0.05), store(folder)

    with busy.transaction():
        busy.write(WRITE, ("one",))
        with pytest.raises(StateUnavailable, match="locked"):
            patient.write(WRITE, ("two",))

    assert patient.read(WORDS) == [("one",)]


def test_a_place_that_cannot_carry_a_log_is_refused():
    """Without a write-ahead log, several processes would not be safe."""
    kept = Store(Path("unused"), "notes", steps=ONE)

    with pytest.raises(StateUnavailable, match="write-ahead log"):
        kept._connect(Path(":memory:"))


def test_a_broken_journal_is_left_as_it_is(folder):
    """It may be all that tells which orders stand; a person must look at it."""
    kept = store(folder)
    kept.write(WRITE, ("one",))
    spoil(kept)
    before = kept.path.read_bytes()

    with pytest.raises(StateUnavailable, match="not a database"):
        kept.read(WORDS)

    assert kept.path.read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["notes.sqlite3"]


def test_a_broken_cache_is_set_aside_and_made_anew(folder):
    kept = store(folder, disposable=True)
    kept.write(WRITE, ("one",))
    spoil(kept)

    kept.write(WRITE, ("two",))

    assert kept.read(WORDS) == [("two",)]
    assert (folder / "notes.sqlite3.corrupt").read_bytes().startswith(b"this is no database")


def test_a_cache_that_breaks_in_a_transaction_is_remade_for_the_next(folder):
    """Half a transaction cannot be repeated from here, so its caller is told."""
    kept = store(folder, disposable=True)
    for word in range(200):
        kept.write(WRITE, (f"{word:0500}",))
    kept.close()
    whole = bytearray(kept.path.read_bytes())
    whole[4096:] = b"\xff" * (len(whole) - 4096)
    kept.path.write_bytes(whole)

    with pytest.raises(StateUnavailable, match="it was set aside"), kept.transaction():
        kept.read(WORDS)

    assert kept.read(WORDS) == []


def test_a_file_that_another_process_has_replaced_is_not_set_aside(folder):
    """Two that find the same file broken: the second must not throw away what the first made."""
    slow = store(folder, disposable=True)
    slow.write(WRITE, ("one",))
    spoil(slow)
    held = slow._held()
    held.identity = slow._identity()
    store(folder, disposable=True).write(WRITE, ("fresh",))

    slow._set_aside(held)

    assert slow.read(WORDS) == [("fresh",)]


def test_a_broken_cache_that_cannot_be_moved_is_said(folder):
    kept = store(folder, disposable=True)
    kept.write(WRITE, ("one",))
    spoil(kept)
    (folder / "notes.sqlite3.corrupt").mkdir()

    with pytest.raises(StateUnavailable, match="it is broken and stays"):
        kept.read(WORDS)


def test_a_cache_that_breaks_again_at_once_is_not_remade_for_ever(folder):
    """Steps that can never work end in an error, not in a loop."""
    bad = (("CREATE TABLE note (word TEXT)", "CREATE TABLE note (word TEXT)"),)

    with pytest.raises(StateUnavailable, match="cannot be brought to 1"):
        store(folder, steps=bad, disposable=True).read(WORDS)

    assert not [path for path in folder.iterdir() if path.suffix == ".new"]


def test_a_folder_removed_under_an_open_file_is_made_again(folder):
    """A write into a file without a name would be lost without a word."""
    kept = store(folder)
    kept.write(WRITE, ("one",))
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()

    kept.write(WRITE, ("two",))

    assert store(folder).read(WORDS) == [("two",)]


# --- schema ------------------------------------------------------------------------------------


def test_an_older_file_is_brought_up_to_date(folder):
    old = store(folder)
    old.write(WRITE, ("one",))
    old.close()

    new = store(folder, steps=TWO)

    assert new.read("SELECT word, size FROM note") == [("one", 7)]
    assert new.read("SELECT * FROM other") == []


@pytest.mark.parametrize("disposable", [False, True])
def test_a_newer_file_is_not_touched_unless_it_is_disposable(folder, disposable):
    """A journal of a newer version may hold what this one cannot read."""
    new = store(folder, steps=TWO)
    new.write(WRITE, ("one",))
    new.close()
    old = store(folder, disposable=disposable)

    if disposable:
        assert old.read(WORDS) == []
        assert (folder / "notes.sqlite3.corrupt").exists()
    else:
        with pytest.raises(
            StateUnavailable, match=r"a newer version of this library wrote it \(schema 2, not 1\)"
        ):
            old.read(WORDS)
        assert new.read(WORDS) == [("one",)]


def test_an_update_that_fails_leaves_the_file_as_it_was(folder):
    old = store(folder)
    old.write(WRITE, ("one",))
    old.close()
    bad = (*ONE, ("CREATE TABLE other (n INTEGER)", "CREATE TABLE note (word TEXT)"))

    with pytest.raises(StateUnavailable, match="its schema 1 cannot be brought to 2"):
        store(folder, steps=bad).read(WORDS)

    assert old.read("SELECT name FROM sqlite_master WHERE type = 'table'") == [("note",)]


def test_an_update_that_meets_a_full_disk_says_that(folder, tmp_path):
    """Not the schema is to blame, so a cache is not thrown away for it."""
    kept = store(folder, steps=TWO, disposable=True)
    connection = sqlite3.connect(tmp_path / "small.sqlite3", isolation_level=None)
    connection.execute("PRAGMA max_page_count=1")

    with pytest.raises(sqlite3.OperationalError, match="full"):
        kept._bring_up_to_date(connection)
    connection.close()


# --- together ----------------------------------------------------------------------------------


def test_threads_share_one_store(folder):
    """Every write of eight threads arrives, alone and in transactions."""
    kept = store(folder)

    def work(number):
        for turn in range(20):
            with kept.transaction():
                kept.write(WRITE, (f"{number}-{turn}-a",))
                kept.write(WRITE, (f"{number}-{turn}-b",))
            kept.write(WRITE, (f"{number}-{turn}-c",))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert kept.read("SELECT count(*) FROM note") == [(8 * 20 * 3,)]


CHILD = """
import sys
from pathlib import Path
from ibkr_adapter.state import Store
kept = Store(Path(sys.argv[1]), "notes", steps=(("CREATE TABLE note (word TEXT PRIMARY KEY)",),))
print("ready", flush=True)
sys.stdin.readline()
for turn in range(50):
    kept.write("INSERT INTO note (word) VALUES (?)", (f"{sys.argv[2]}-{turn}",))
"""


def test_processes_that_start_together_make_one_file_and_lose_nothing(folder):
    """All of them find no file, and all of them make it at the same moment."""
    children = [
        subprocess.Popen(  # noqa: S603  (our own interpreter and text)
            [sys.executable, "-c", CHILD, str(folder), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        for number in range(4)
    ]
    for child in children:
        assert child.stdout.readline() == b"ready\n"
    for child in children:
        child.stdin.write(b"go\n")
        child.stdin.flush()
    ends = [child.communicate(timeout=60) and child.returncode for child in children]

    assert ends == [0] * 4
    assert store(folder).read("SELECT count(*) FROM note") == [(200,)]
    assert not [path for path in folder.iterdir() if path.suffix == ".new"]


@FORKS
def test_nothing_that_a_forked_child_writes_is_lost(folder):
    """With an open file carried over the fork, the parent's closing took the child's log away."""
    kept = store(folder, synchronous="FULL")
    kept.write(WRITE, ("parent",))
    written, parents_turn = os.pipe()
    closed, childs_turn = os.pipe()

    child = os.fork()
    if child == 0:
        kept.write(WRITE, ("child before",))
        os.write(parents_turn, b"x")
        os.read(closed, 1)
        kept.write(WRITE, ("child after",))
        os.kill(os.getpid(), signal.SIGKILL)
    os.read(written, 1)
    kept.close()
    os.write(childs_turn, b"x")
    os.waitpid(child, 0)

    assert kept.read(WORDS) == [("child after",), ("child before",), ("parent",)]
    for end in (written, parents_turn, closed, childs_turn):
        os.close(end)


@FORKS
def test_a_child_forked_in_a_transaction_is_refused_and_leaves_it_alone(folder):
    """What the parent has open cannot be closed then, and the child must not undo it either."""
    kept = store(folder)

    with kept.transaction():
        kept.write(WRITE, ("one",))
        child = os.fork()
        if child == 0:
            os._exit(_refused_in_the_child(kept))
        _, status = os.waitpid(child, 0)
        kept.write(WRITE, ("two",))

    assert status == 0
    assert store(folder).read(WORDS) == [("one",), ("two",)]


def _refused_in_the_child(kept):
    inherited = next(iter(kept._by_process.values()))
    kept._roll_back(inherited)
    try:
        kept.read(WORDS)
    except StateUnavailable as refusal:
        return 0 if "forked in the middle" in refusal.reason and inherited.connection.in_transaction else 2
    return 1


@FORKS
def test_a_fork_waits_for_the_transaction_of_another_thread(folder):
    """The child must find the file closed, and the row of the other thread in it."""
    kept = store(folder)
    inside, go_on = threading.Event(), threading.Event()

    def work():
        with kept.transaction():
            inside.set()
            go_on.wait(10)
            kept.write(WRITE, ("one",))

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait(10)
    threading.Timer(0.05, go_on.set).start()
    with warnings.catch_warnings():
        # Later interpreters warn of every fork beside a thread.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os._exit(0 if kept.read(WORDS) == [("one",)] else 1)
    _, status = os.waitpid(child, 0)
    thread.join()

    assert status == 0
    assert kept.read(WORDS) == [("one",)]


def test_a_store_that_another_thread_keeps_busy_does_not_stop_a_fork_for_ever(folder):
    """It is left as it is after the patience that holds for every wait here."""
    kept = store(folder, patience=0.05)
    answers = []

    with kept.transaction():
        thread = threading.Thread(target=lambda: answers.append(kept.let_go()))
        thread.start()
        thread.join(10)
        kept.write(WRITE, ("one",))

    assert answers == [False]
    assert kept.read(WORDS) == [("one",)]


class Stuck:
    """A connection on which nothing works any more."""

    in_transaction = True
    closed = False

    def execute(self, sql, params=()):
        raise sqlite3.OperationalError("disk I/O error")

    def close(self):
        self.closed = True
        raise sqlite3.OperationalError("disk I/O error")


@pytest.mark.parametrize("step", ["roll back", "fork"])
def test_a_connection_that_works_no_more_is_given_up(folder, step):
    """The next call opens the file afresh; what was not committed is undone by that."""
    kept = store(folder)
    kept.write(WRITE, ("one",))
    held, stuck = kept._held(), Stuck()
    held.connection.close()
    held.connection = stuck

    if step == "roll back":
        kept._roll_back(held)
    else:
        assert kept.let_go()
        kept.resume()

    assert (stuck.closed, held.connection) == (True, None)
    assert kept.read(WORDS) == [("one",)]


def test_a_transaction_that_an_interrupt_left_open_is_undone(folder):
    """Later writes would otherwise join it and never be committed, and other processes wait."""
    kept = store(folder)
    kept.read("BEGIN IMMEDIATE")

    kept.write(WRITE, ("one",))

    assert store(folder).read(WORDS) == [("one",)]


def test_sqlite_is_not_loaded_before_it_is_needed():
    """Importing the library must stay cheap."""
    code = "import sys, ibkr_adapter.state; sys.exit('sqlite3' in sys.modules)"

    done = subprocess.run(  # noqa: S603  (our own interpreter and text)
        [sys.executable, "-c", code],
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )

    assert done.returncode == 0
