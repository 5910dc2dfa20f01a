"""Keep the cookies a server sets, and tell which of them belong to a request.

A jar of our own, because looking a header up in the standard one costs as much as a tenth of a
call, and because it reads the machine's clock. It follows RFC 6265 as far as a client of one API
needs: host-only and domain cookies, paths, ``Secure``, ``Max-Age`` and ``Expires``. IBKR's edge
binds a session to a server by a cookie, and its login sets others for ``/sso`` only.

Cookie values are credentials: every one is remembered by :mod:`ibkr_adapter.redact`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.redact import remember

# A server that sets more than this is broken; the oldest go first.
_MOST = 100
# "Never", within what a datetime can hold.
_LONGEST = timedelta(days=3650)


@attrs.frozen(kw_only=True)
class Cookie:
    """One cookie and where it goes; ``expires`` is ``None`` for as long as the transport lives."""

    name: str
    value: str = attrs.field(repr=False)
    domain: str
    host_only: bool
    path: str
    secure: bool
    expires: datetime | None

    def goes_to(self, host: str, path: str) -> bool:
        """Tell whether a request to ``path`` on ``host`` carries the cookie."""
        if host != self.domain and (self.host_only or not host.endswith(f".{self.domain}")):
            return False
        if path == self.path:
            return True
        if not path.startswith(self.path):
            return False
        return self.path.endswith("/") or path[len(self.path)] == "/"


class Cookies:
    """The jar of one transport; safe to use from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str, str], Cookie] = {}
        # Header by (host, secure, path), good until the jar changes or a cookie ends.
        self._headers: dict[tuple[str, bool, str], str] = {}
        self._next_end: datetime | None = None

    def header(self, *, host: str, path: str, secure: bool) -> str:
        """Return the ``Cookie`` header for a request, or an empty text."""
        if not self._kept:
            return ""
        if self._next_end is not None and self._clock.now() >= self._next_end:
            self._drop_ended()
        key = (host, secure, path)
        found = self._headers.get(key)
        if found is None:
            with self._lock:
                found = self._compose(host, path, secure=secure)
                # Paths hold order ids: without a bound they would pile up for weeks.
                if len(self._headers) >= _MOST:
                    self._headers.clear()
                self._headers[key] = found
        return found

    def keep(self, lines: Iterable[str], *, host: str, path: str, secure: bool) -> None:
        """Take in the ``Set-Cookie`` lines of an answer to a request for ``path`` on ``host``."""
        now = self._clock.now()
        read = [_read(line, host=host, path=path, now=now) for line in lines]
        with self._lock:
            for cookie in read:
                # A plain line could be anybody's; it must not overwrite what only TLS may carry.
                if cookie is None or (cookie.secure and not secure):
                    continue
                key = (cookie.domain, cookie.path, cookie.name)
                self._kept.pop(key, None)
                if cookie.expires is None or cookie.expires > now:
                    remember(cookie.value)
                    self._kept[key] = cookie
            while len(self._kept) > _MOST:
                self._kept.pop(next(iter(self._kept)))
            self._changed()

    def forked(self) -> None:
        """Make the jar usable in a forked child, whatever thread of the parent was at it."""
        self._lock = threading.Lock()

    def _drop_ended(self) -> None:
        now = self._clock.now()
        with self._lock:
            for key, cookie in list(self._kept.items()):
                if cookie.expires is not None and cookie.expires <= now:
                    del self._kept[key]
            self._changed()

    # Below here the lock is held by the caller.

    def _changed(self) -> None:
        self._headers.clear()
        ends = [cookie.expires for cookie in self._kept.values() if cookie.expires is not None]
        self._next_end = min(ends, default=None)

    def _compose(self, host: str, path: str, *, secure: bool) -> str:
        fitting = [
            cookie
            for cookie in self._kept.values()
            if (secure or not cookie.secure) and cookie.goes_to(host, path)
        ]
        # The more exact path first, as servers read the first of two with one name.
        fitting.sort(key=lambda cookie: len(cookie.path), reverse=True)
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in fitting)


def _read(line: str, *, host: str, path: str, now: datetime) -> Cookie | None:
    pair, *rest = line.split(";")
    name, equals, value = pair.partition("=")
    name, value = name.strip(), value.strip()
    if not equals or not name or not _printable(name + value):
        return None
    told = {}
    for part in rest:
        key, _, setting = part.partition("=")
        told[key.strip().lower()] = setting.strip()
    domain = told.get("domain", "").lower().lstrip(".")
    if domain and not _may_set(domain, host):
        return None
    where = told.get("path", "")
    return Cookie(
        name=name,
        value=value,
        domain=domain or host,
        host_only=not domain,
        path=where if where.startswith("/") else path.rpartition("/")[0] or "/",
        secure="secure" in told,
        expires=_end(told, now),
    )


def _may_set(domain: str, host: str) -> bool:
    if domain == host:
        return True
    # A name without a dot, such as "com", is no one server's to set cookies for, and the end of an
    # IP address is no name at all.
    return "." in domain and host.endswith(f".{domain}") and not domain[-1].isdigit()


def _end(told: dict[str, str], now: datetime) -> datetime | None:
    age = told.get("max-age", "")
    if re.fullmatch(r"-?[0-9]+", age):
        seconds = int(age[:12])
        return now + min(timedelta(seconds=seconds), _LONGEST) if seconds > 0 else now
    if "expires" not in told:
        return None
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  (loads on first use)

    try:
        # Netscape's form of the date has dashes, which the parser does not take everywhere.
        end = parsedate_to_datetime(told["expires"].replace("-", " "))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return end.replace(tzinfo=UTC) if end.tzinfo is None else end


def _printable(text: str) -> bool:
    return text.isascii() and text.isprintable()
