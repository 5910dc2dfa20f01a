"""Keep what must survive a restart: the one door to SQLite, one file for each purpose.

It knows where the state folder is, who may touch it, and how a file is made, opened, brought up
to date and shared by threads and processes. What the files hold, and what to do when they cannot
be had, is the caller's: a cache goes on in memory, a journal stops the orders. So everything
that fails here is a :class:`StateUnavailable` with the reason, and the next call tries again.

A file is created readable for its owner only *before* SQLite opens it, because the files beside
it (``-wal``, ``-shm``) take over its mode, and it is never opened here by hand afterwards: on
POSIX, closing any descriptor of a file drops the locks that this process holds on it. For the
same reason no open file crosses a fork (:mod:`ibkr_adapter.forks`). Waiting
for another process is SQLite's own, in real time and bounded. Not for network file systems.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ibkr_adapter import forks

if TYPE_CHECKING:
    import sqlite3

FOLDER = "ibkr_adapter"
_Answer = TypeVar("_Answer")
_POSIX = os.name == "posix"
# SQLite's result codes, as its documentation numbers them.
_GENERAL, _CORRUPT, _NOT_A_DATABASE = 1, 11, 26
# Two stores of one process may open the same file; creating it must not close under the other.
# By process number, because a forked child may have been born while the lock was taken.
_opening: dict[int, threading.Lock] = {}


class StateUnavailable(Exception):  # noqa: N818  (named by its consequence, like all of ours; it stays inside)
    """A state file cannot be used now; ``path`` says which and ``reason`` why."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path} cannot be used: {reason}")


def state_directory(setting: str | None, environ: Mapping[str, str], *, platform: str = sys.platform) -> Path:
    """Tell where state is kept: the setting, the variable, or the platform's own place.

    ``IBKR_ADAPTER_STATE_DIR`` names the folder itself; ``platform`` is spelt as by :mod:`sys`.
    """
    named = setting or environ.get("IBKR_ADAPTER_STATE_DIR")
    if named:
        # Whoever changes folders goes on with the files that are open.
        return Path(named).expanduser().absolute()
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    if platform == "win32":
        local = environ.get("LOCALAPPDATA")
        return (Path(local) if local else home / "AppData" / "Local") / FOLDER
    if platform == "darwin":
        return home / "Library" / "Application Support" / FOLDER
    # A relative path here is invalid by the convention's own word, and to be ignored.
    xdg = environ.get("XDG_STATE_HOME", "")
    return (Path(xdg) if xdg.startswith("/") else home / ".local" / "state") / FOLDER


class _Held:
    """What one process holds of a store; a forked child starts with a fresh one."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.connection: sqlite3.Connection | None = None
        self.identity: tuple[int, int] | None = None
        self.in_transaction = False


class _Unusable(Exception):  # noqa: N818  (never leaves this room)
    """The file is sound, but not one that this version can work with."""


class Store:
    """One SQLite file, opened at its first use, for any number of threads and processes.

    Args:
        directory: The state folder; made with mode 0700 when it is missing.
        name: The purpose, which is the file's name without its ending.
        steps: The statements that lead from one version of the schema to the next, beginning
            with an empty file. Steps are only ever added.
        synchronous: ``FULL`` where what was written must survive a power cut, else ``NORMAL``.
        disposable: Whether a broken file, or one of a newer version, may be set aside under the
            name ``*.corrupt`` and made anew.
        patience: How many seconds to wait for another process that writes.
    """

    def __init__(
        self,
        directory: Path,
        name: str,
        *,
        steps: Sequence[Sequence[str]],
        synchronous: Literal["NORMAL", "FULL"] = "NORMAL",
        disposable: bool = False,
        patience: float = 5.0,
    ) -> None:
        self.path = directory / f"{name}.sqlite3"
        self._steps = steps
        self._synchronous = synchronous
        self._disposable = disposable
        self._patience = patience
        self._by_process: dict[int, _Held] = {}

    def read(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one query and return all its rows.

        Raises:
            StateUnavailable: The file cannot be read.
        """
        return self._work(lambda connection: connection.execute(sql, params).fetchall())

    def write(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run one statement, durable on return unless in a transaction; tell how many rows it met.

        Raises:
            StateUnavailable: The file cannot be written; nothing was.
        """
        return self._work(lambda connection: connection.execute(sql, params).rowcount)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make what this thread reads and writes in the block one step; others wait meanwhile.

        An exception undoes all of it. Do not wait for anything else inside.

        Raises:
            StateUnavailable: The file cannot be written; nothing of the block was.
        """
        held = self._held()
        with held.lock:
            if held.in_transaction:
                raise RuntimeError("a transaction is open already in this thread")
            self._work(lambda connection: connection.execute("BEGIN IMMEDIATE"))
            held.in_transaction = True
            try:
                yield
                self._work(lambda connection: connection.execute("COMMIT"))
            except BaseException:
                self._roll_back(held)
                raise
            finally:
                held.in_transaction = False

    def close(self) -> None:
        """Close the file for this process; a later call opens it again."""
        held = self._held()
        with held.lock:
            self._drop(held)

    def let_go(self) -> bool:
        """Close the file because this process is about to fork; see :class:`ibkr_adapter.forks.Holder`.

        A transaction in progress is left alone; then the child may not open the file.
        """
        import sqlite3  # noqa: PLC0415  (loaded when first needed)

        held = self._held()
        if not held.lock.acquire(timeout=self._patience):
            return False
        if not held.in_transaction:
            with suppress(sqlite3.Error):
                self._drop(held)
        return True

    def resume(self) -> None:
        """Allow opening the file again: the fork is done."""
        self._held().lock.release()

    def _held(self) -> _Held:
        # After a fork the parent's connection and lock must not be touched, not even to close
        # them: they stay where they are, under the parent's number.
        process = os.getpid()
        return self._by_process.get(process) or self._by_process.setdefault(process, _Held())

    def _work(self, action: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        import sqlite3  # noqa: PLC0415  (loaded when first needed)

        held = self._held()
        with held.lock:
            for may_repeat in (True, False):
                try:
                    return action(self._connection(held))
                except OSError as failure:
                    raise StateUnavailable(self.path, failure.strerror or str(failure)) from failure
                except (sqlite3.DatabaseError, _Unusable) as failure:
                    if not _about_the_file(failure):
                        raise
                    inside = held.in_transaction
                    if not (_broken(failure) and self._disposable):
                        raise StateUnavailable(self.path, str(failure)) from failure
                    self._set_aside(held)
                    if inside or not may_repeat:
                        raise StateUnavailable(self.path, f"{failure}; it was set aside") from failure
            raise AssertionError

    def _connection(self, held: _Held) -> sqlite3.Connection:
        if held.in_transaction:
            # SQLite itself undoes the whole of it on some errors; going on would write the rest.
            if held.connection is None or not held.connection.in_transaction:
                raise StateUnavailable(self.path, "an earlier error undid the transaction")
            return held.connection
        if held.connection is not None:
            # Whoever removes the folder under us must not have us write into a nameless file.
            # An interrupt between two lines can leave a transaction open that nobody ends.
            if held.identity == self._identity() and not held.connection.in_transaction:
                return held.connection
            self._drop(held)
        if any(other.connection for other in list(self._by_process.values()) if other is not held):
            raise StateUnavailable(self.path, "this process was forked in the middle of a transaction")
        forks.watch(self)
        with _opening.setdefault(os.getpid(), threading.Lock()):
            self._make_folder()
            self._make_file()
            held.identity = self._identity()
            held.connection = self._connect(self.path)
        return held.connection

    def _connect(self, path: Path) -> sqlite3.Connection:
        import sqlite3  # noqa: PLC0415  (loaded when first needed)

        connection = sqlite3.connect(
            path, timeout=self._patience, isolation_level=None, check_same_thread=False
        )
        try:
            if connection.execute("PRAGMA journal_mode=WAL").fetchone() != ("wal",):
                raise StateUnavailable(self.path, "this file system cannot carry a write-ahead log")  # noqa: TRY301 (the connection is closed on the way out)
            connection.execute(f"PRAGMA synchronous={self._synchronous}")
            self._bring_up_to_date(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _bring_up_to_date(self, connection: sqlite3.Connection) -> None:
        import sqlite3  # noqa: PLC0415  (loaded when first needed)

        wanted = len(self._steps)
        if _version(connection) == wanted:
            return
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have done it while we waited for the lock.
        version = _version(connection)
        if version > wanted:
            raise _Unusable(f"a newer version of this library wrote it (schema {version}, not {wanted})")
        try:
            for step in self._steps[version:]:
                for statement in step:
                    connection.execute(statement)
        except sqlite3.DatabaseError as failure:
            if _about_the_file(failure):
                raise
            raise _Unusable(f"its schema {version} cannot be brought to {wanted}: {failure}") from failure
        connection.execute(f"PRAGMA user_version={wanted}")
        connection.execute("COMMIT")

    def _make_folder(self) -> None:
        folder = self.path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._demand_trust(folder.stat())

    def _make_file(self) -> None:
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            self._make_new_file()
            return
        if not stat.S_ISREG(found.st_mode):
            raise StateUnavailable(self.path, "it is no regular file")
        self._demand_trust(found)
        if _POSIX and stat.S_IMODE(found.st_mode) & 0o077:
            self.path.chmod(0o600)

    def _make_new_file(self) -> None:
        """Make the file whole under another name and link it into place.

        Processes that switch one file to a write-ahead log at the same moment meet a lock for
        which SQLite does not wait, so nobody may see the file before that is done.
        """
        import tempfile  # noqa: PLC0415  (loaded when first needed)

        number, name = tempfile.mkstemp(prefix=f"{self.path.stem}.", suffix=".new", dir=self.path.parent)
        os.close(number)
        try:
            self._connect(Path(name)).close()
            # Who was faster has made the same.
            with suppress(FileExistsError):
                os.link(name, self.path)
        finally:
            Path(name).unlink()

    def _demand_trust(self, found: os.stat_result) -> None:
        if _POSIX and (reason := distrust(found, os.geteuid())):
            raise StateUnavailable(self.path, reason)

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _set_aside(self, held: _Held) -> None:
        """Rename the broken file, unless another process has replaced it by now."""
        broken = held.identity
        self._drop(held)
        try:
            with _opening.setdefault(os.getpid(), threading.Lock()):
                if broken is not None and broken == self._identity():
                    for beside in ("-wal", "-shm"):
                        Path(f"{self.path}{beside}").unlink(missing_ok=True)
                    self.path.replace(f"{self.path}.corrupt")
        except OSError as failure:
            raise StateUnavailable(self.path, f"it is broken and stays: {failure.strerror}") from failure

    def _drop(self, held: _Held) -> None:
        connection, held.connection, held.identity = held.connection, None, None
        if connection is not None:
            connection.close()

    def _roll_back(self, held: _Held) -> None:
        import sqlite3  # noqa: PLC0415  (loaded when first needed)

        # A child that was forked inside the block must not undo what is its parent's.
        if held is not self._held():
            return
        if held.connection is not None and held.connection.in_transaction:
            # A connection that cannot even undo is given up; SQLite undoes at the next opening.
            try:
                held.connection.execute("ROLLBACK")
            except sqlite3.Error:
                with suppress(sqlite3.Error):
                    self._drop(held)


def distrust(found: os.stat_result, user: int) -> str | None:
    """Tell why a folder or file is not safe from other people's hands, or ``None`` if it is."""
    if found.st_uid != user:
        return (
            f"user {found.st_uid} owns what user {user} would trust; give it to {user} or name another folder"
        )
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o022:
        return f"others may write to it (mode {mode:04o}); take that right away or name another folder"
    return None


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _code(failure: Exception) -> int:
    # The low byte is the result code, the rest refines it.
    return getattr(failure, "sqlite_errorcode", _GENERAL) & 0xFF


def _about_the_file(failure: Exception) -> bool:
    """Tell a file that fails us from a statement that is wrong, which is a mistake of ours."""
    import sqlite3  # noqa: PLC0415  (loaded when first needed)

    if isinstance(failure, _Unusable):
        return True
    if isinstance(failure, sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.DataError):
        return False
    return _code(failure) != _GENERAL


def _broken(failure: Exception) -> bool:
    return isinstance(failure, _Unusable) or _code(failure) in {_CORRUPT, _NOT_A_DATABASE}
