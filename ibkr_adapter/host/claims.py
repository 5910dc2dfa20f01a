"""Keep which user each account of a gateway belongs to, in this process and in all others of the machine.

At a gateway nothing tells users apart, so the first one who is let in to an account has it as long as any
process lives that let them in. A process says so by a lock on a file in the state folder, which the system
takes back however the process ends; the user stands in the file as a hash. Processes of one user share the
lock, another user's is refused. Who uses another state folder, or another machine, is not seen.

Where the folder cannot be used only the users of one process are kept apart, and that is logged once: what
opens a position needs the folder anyway, for its journal, and a close shall not.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from pathlib import Path
from urllib.parse import urlsplit

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import BrokerageUnavailable, ConfigurationError
from ibkr_adapter.filelocks import SHARED, Complaint, FileLock
from ibkr_adapter.setting_readers import is_loopback

log = logging.getLogger(__name__)

# How long somebody who is just being let in is waited for, and how often is looked, in seconds.
PATIENCE, LOOK_EVERY = 1.0, 0.025
_HERE, _ELSEWHERE = ", in this process", ", in another process of this machine"
_PORTS = {"http": 80, "https": 443}


class Claims:
    """The claims of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owners: dict[tuple[str, str], str] = {}
        self._locks: dict[Path, FileLock] = {}
        self._complaint = Complaint(log, "users of other processes are not kept apart from those of this one")

    def take(self, base_url: str, account: str, user: str, *, folder: Path | None, clock: Clock) -> None:
        """Give an account to a user.

        Args:
            base_url: The gateway's address.
            account: The account's id.
            user: Whose it is to be.
            folder: The state folder that other processes share, if any do.
            clock: Times the wait for a process that is at it now.

        Raises:
            ConfigurationError: It is another one's; nothing was sent.
            BrokerageUnavailable: Another process was not through in time; nothing was sent.
        """
        key = (_gateway(base_url), account)
        deadline = clock.monotonic() + PATIENCE
        while (other := self._other(key, user, folder)) is not None:
            if other:
                raise ConfigurationError(
                    f"account {account} of this gateway is another user's{other}; nothing was sent.",
                    remedy="Give each user an account, or a login, of their own.",
                )
            if clock.monotonic() >= deadline:
                raise BrokerageUnavailable(
                    f"another process is being let in to account {account} and was not through in time;"
                    " nothing was sent.",
                    remedy="Try again in a moment.",
                )
            clock.sleep(LOOK_EVERY)

    def _other(self, key: tuple[str, str], user: str, folder: Path | None) -> str | None:
        """Claim it and return nothing; else say where the other one is, in no words while that is being decided."""
        with self._lock:
            if self._owners.get(key, user) != user:
                return _HERE
            if folder is not None:
                path = folder / f"{_hash(*key)}.claim"
                claim = self._locks.setdefault(path, FileLock(path))
                try:
                    # A forked child holds nothing of its parent's.
                    owner = None if claim.held else _try(claim, _hash(user))
                except OSError as failure:
                    self._complaint.tell(path.parent, failure)
                else:
                    if owner is not None:
                        return owner and _ELSEWHERE
            self._owners[key] = user
            return None


def _try(claim: FileLock, user: str) -> str | None:
    """Claim it: ``None`` if that is done, else who has it, or nothing where that is being decided."""
    if claim.take(words=user):
        # Between the two somebody else may have been as fast.
        if claim.share() and claim.words() == user:
            return None
        claim.let_go()
        return ""
    if not SHARED:
        return None if claim.words() == user else claim.words()
    if not claim.take(shared=True):
        return ""
    owner = claim.words()
    if owner == user:
        return None
    claim.let_go()
    return owner


def _gateway(base_url: str) -> str:
    """One name for all ways to write where a gateway listens."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    return f"{'localhost' if is_loopback(host) else host}:{parts.port or _PORTS.get(parts.scheme)}"


def _hash(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:32]
