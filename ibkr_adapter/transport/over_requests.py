"""Make one HTTP call by way of ``requests``.

The request is put together by hand and goes through one ``HTTPAdapter``, which costs about half
of what ``requests.Session`` does and asks nothing of the environment. Times are seconds on the
injected clock; socket time-outs are real seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs

from ibkr_adapter import forks
from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.setting_readers import is_loopback
from ibkr_adapter.tls import Trust, context, refuse_blind_trust
from ibkr_adapter.transport.call import Call, LineBroken, current
from ibkr_adapter.transport.contract import Answer
from ibkr_adapter.transport.cookies import Cookies
from ibkr_adapter.transport.failures import Server, explain, no_time

if TYPE_CHECKING:
    import ssl

    from urllib3.connectionpool import HTTPConnectionPool
    from urllib3.response import HTTPResponse

    from ibkr_adapter.transport.adapter import Lines

_PORTS = {"http": 80, "https": 443}
# These decide where a request begins and ends and how its answer is packed: never the caller's.
_OURS = frozenset({"host", "connection", "accept-encoding", "content-length", "transfer-encoding"})
# A POST without a length is refused at IBKR's edge (411), even if it has nothing to say.
_WITH_LENGTH = frozenset({"POST", "PUT", "PATCH"})
# The caller may replace these, however it spells them.
_SPELT = {"accept": "Accept", "user-agent": "User-Agent", "cookie": "Cookie"}


@attrs.frozen(kw_only=True)
class _Origin:
    """What all calls to one server have in common."""

    server: Server
    lines: Lines
    pool: HTTPConnectionPool
    headers: dict[str, str]


class RequestsTransport:
    """The transport of the library; safe to use from many threads at once.

    ``read_timeout`` bounds each pause in an answer, in seconds, beside the call's deadline. Only
    looking a name up is not bounded: the system offers no way to.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        trust: Trust,
        user_agent: str,
        read_timeout: float | None = None,
        pool_size: int = 8,
    ) -> None:
        self._clock = clock
        self._trust = trust
        self._user_agent = user_agent
        self._read_timeout = read_timeout
        self._pool_size = pool_size
        self._cookies = Cookies(clock)
        self._lock = threading.Lock()
        self._lines: Lines | None = None
        self._context: ssl.SSLContext | None = None
        self._origins: dict[str, _Origin] = {}
        forks.tell(self)

    def prepare(self, url: str) -> None:
        """Load the libraries and the certificate context; see :meth:`.contract.Transport.prepare`."""
        self._find(url)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        deadline: float,
        changes_state: bool,
        on_open: Callable[[], None] | None = None,
    ) -> Answer:
        """Send one request, once; see :meth:`.contract.Transport.send`."""
        origin, target = self._find(url)
        path = target.partition("?")[0]
        call = Call(
            clock=self._clock,
            deadline=deadline,
            silence=self._read_timeout,
            changes_state=changes_state,
            body_size=len(body or b""),
            on_open=on_open,
        )
        if call.is_late():
            raise no_time(server=origin.server, method=method, path=path)
        carried = self._headers(origin, headers, method=method, path=path, size=len(body or b""))
        current.call = call
        try:
            raw, content = origin.lines.carry(origin.pool, method, target, headers=carried, body=body or None)
        except LineBroken as failure:
            broken = failure
        except ValueError:
            broken = None
        else:
            return self._taken_in(raw, content, origin.server, path)
        finally:
            current.call = None
        # Raised out here, because what the libraries raised holds addresses with their queries, and
        # header values.
        if broken is None and not call.may_have_been_acted_on:
            raise _unspeakable(f"{method} {path}")
        broken = broken or LineBroken("an answer that is no HTTP")
        raise explain(
            broken, call=call, server=origin.server, method=method, path=path, trust=self._trust
        ) from broken.cause

    def close(self) -> None:
        """Close all lines; a later call opens new ones."""
        with self._lock:
            lines, self._lines = self._lines, None
            self._origins = {}
        if lines is not None:
            lines.close()

    def forked(self) -> None:
        """Leave, in a forked child, its lines to the parent: on a line that both use, each reads the other's answers."""
        lines, self._lines, self._origins = self._lines, None, {}
        # Whoever held them in the parent does not live here.
        self._lock = threading.Lock()
        self._cookies.forked()
        if lines is not None:
            lines.leave()

    def _find(self, url: str) -> tuple[_Origin, str]:
        cut = url.find("/", len("https://"))
        start = url if cut < 0 else url[:cut]
        target = "/" if cut < 0 else url[cut:].partition("#")[0]
        if not (target.isascii() and target.isprintable()) or " " in target:
            raise _unspeakable(start)
        return self._origins.get(start) or self._open(start), target

    def _open(self, start: str) -> _Origin:
        server = _server(start)
        refuse_blind_trust(self._trust, server.host)
        with self._lock:
            if self._lines is None:
                from ibkr_adapter.transport.adapter import Lines  # noqa: PLC0415  (loads on first use)

                self._lines = Lines(self._pool_size)
            judged = {}
            if server.scheme == "https":
                # One context for all lines: making one takes longer than ten calls.
                if self._context is None:
                    self._context = context(self._trust, server.host)
                judged = self._lines.judged_by(self._context, self._trust)
            named = str(server).removesuffix(f":{_PORTS[server.scheme]}")
            origin = _Origin(
                server=server,
                lines=self._lines,
                pool=self._lines.pool(server.scheme, server.host, server.port, judged),
                headers={
                    "Host": named,
                    "User-Agent": self._user_agent,
                    "Accept": "*/*",
                    "Accept-Encoding": "gzip, deflate",
                    "Connection": "keep-alive",
                },
            )
            self._origins[start] = origin
            return origin

    def _headers(
        self, origin: _Origin, wanted: Mapping[str, str], *, method: str, path: str, size: int
    ) -> dict[str, str]:
        headers = origin.headers.copy()
        for name, value in wanted.items():
            lowered = name.lower()
            if lowered not in _OURS:
                headers[_SPELT.get(lowered, name)] = value
        if size or method in _WITH_LENGTH:
            headers["Content-Length"] = str(size)
        server = origin.server
        kept = self._cookies.header(host=server.host, path=path, secure=server.scheme == "https")
        if kept:
            given = headers.get("Cookie")
            headers["Cookie"] = f"{kept}; {given}" if given else kept
        return headers

    def _taken_in(self, raw: HTTPResponse, content: bytes, server: Server, path: str) -> Answer:
        headers = {name.lower(): value for name, value in raw.headers.items()}
        if headers.pop("set-cookie", None) is not None:
            self._cookies.keep(
                raw.headers.getlist("set-cookie"),
                host=server.host,
                path=path,
                secure=server.scheme == "https",
            )
        return Answer(status=raw.status, headers=headers, body=content)


def _server(start: str) -> Server:
    try:
        parts = urlsplit(start)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _no_address() from None
    if parts.scheme not in _PORTS or not host or start.lower() != f"{parts.scheme}://{parts.netloc}".lower():
        raise _no_address()
    # A name and password in the address would be sent to nobody, and printed by everybody.
    if "@" in parts.netloc:
        raise _no_address()
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(
            f"{host} is not this machine, and plain http would show the session to others; nothing was sent.",
            remedy="Write https in base_url.",
        )
    return Server(scheme=parts.scheme, host=host, port=_PORTS[parts.scheme] if port is None else port)


def _no_address() -> ConfigurationError:
    return ConfigurationError(
        "The address of a call is none that can be called; nothing was sent.",
        remedy="base_url is written like https://localhost:5000/v1/api.",
    )


def _unspeakable(what: str) -> ConfigurationError:
    return ConfigurationError(
        f"{what} has a header or an address with characters that HTTP does not allow; nothing was sent.",
        remedy="Look for line breaks and letters beyond ASCII in the settings, first of all in keys and tokens.",
    )
