"""The one HTTP adapter of a transport: pools of our lines, and nothing repeated below us.

``requests`` offers hooks to adapters. Its own answers to them look at the environment
(``REQUESTS_CA_BUNDLE`` beats the settings there, proxies take a call past the pin), or work out
for each call what never changes; those here do neither. Imported at the first call only.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, cast

from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException
from requests.models import PreparedRequest, Response
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse, HTTPResponse
from urllib3.util import Timeout

from ibkr_adapter.tls import Trust
from ibkr_adapter.transport.call import LineBroken
from ibkr_adapter.transport.lines import PlainPool, TlsPool


class Target(PreparedRequest):
    """A request that is ready to leave, and the pool that it leaves by."""

    def __init__(self, pool: HTTPConnectionPool, target: str) -> None:
        super().__init__()
        self.pool = pool
        self.target = target


class RawAnswer(Response):
    """An answer as urllib3 read it; what ``requests`` would add is worked out nowhere."""

    raw: HTTPResponse

    def __init__(self, raw: HTTPResponse) -> None:  # the base's own attributes are not wanted
        self.raw = raw


class Lines(HTTPAdapter):
    """The one adapter: pools of our lines, no retries, no redirects, nothing from the environment."""

    def __init__(self, pool_size: int) -> None:
        super().__init__(pool_maxsize=pool_size, max_retries=0)
        # Waiting ends by the call's record; the lines set the socket's time-outs from it.
        self._endless: Any = Timeout(connect=None, read=None)
        self._open_pools: list[HTTPConnectionPool] = []

    def init_poolmanager(self, *sizes: Any, **options: Any) -> None:
        """Plug our lines in."""
        super().init_poolmanager(*sizes, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": TlsPool}

    def pool(self, scheme: str, host: str, port: int, judged: Mapping[str, Any]) -> HTTPConnectionPool:
        """Return the pool of lines to one server; ``judged`` says how its certificate is."""
        pool: HTTPConnectionPool = self.poolmanager.connection_from_host(
            host, port=port, scheme=scheme, pool_kwargs=dict(judged)
        )
        self._open_pools.append(pool)
        return pool

    @staticmethod
    def judged_by(context: ssl.SSLContext, trust: Trust) -> dict[str, Any]:
        """Return what keeps urllib3 from judging by other rules than ``context``."""
        if trust.fingerprint is not None:
            return {"ssl_context": context, "assert_fingerprint": trust.fingerprint}
        if trust.ca_file is not None:
            return {"ssl_context": context, "assert_hostname": False}
        return {"ssl_context": context}

    def carry(
        self,
        pool: HTTPConnectionPool,
        method: str,
        target: str,
        *,
        headers: dict[str, str],
        body: bytes | None,
    ) -> tuple[HTTPResponse, bytes]:
        """Send one request; return its answer and the body, unpacked.

        Raises:
            LineBroken: It failed; the call's record says what had left by then.
            ValueError: It failed over a text that HTTP does not allow.
        """
        request = Target(pool, target)
        request.method = method
        request.url = target
        # requests reads one header, and urllib3 them all; neither needs the slower mapping.
        request.headers = headers  # type: ignore[assignment]
        request.body = body
        raw: HTTPResponse | None = None
        try:
            raw = cast("RawAnswer", self.send(request, timeout=self._endless)).raw
            return raw, raw.read(decode_content=False)
        except (HTTPError, RequestException, HTTPException, OSError) as error:
            if raw is not None:
                raw.close()
            raise LineBroken(type(error).__name__) from None

    def close(self) -> None:
        """Close every line that is not in use; the others follow when their call is done."""
        for pool in self._open_pools:
            pool.close()
        super().close()

    def leave(self) -> None:
        """Let go of every line that is not in use, without a word to the server and without a lock.

        For a forked child: the parent goes on with them, and may have held any lock at that moment.
        """
        for pool in self._open_pools:
            for line in list(pool.pool.queue) if pool.pool is not None else ():
                if line is not None and line.sock is not None:
                    line.sock.close()
                    line.sock = None

    # What follows are the hooks that requests offers to adapters. Its own answers to them look at
    # the environment, or work out once more for each call what does not change.

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave the judgement to the context that the pool was made with."""

    def get_connection_with_tls_context(
        self, request: PreparedRequest, *_: Any, **__: Any
    ) -> HTTPConnectionPool:
        """Return the pool that the request came with."""
        return cast("Target", request).pool

    def request_url(self, request: PreparedRequest, *_: Any) -> str:
        """Return path and query."""
        return cast("Target", request).target

    def build_response(self, _: PreparedRequest, resp: BaseHTTPResponse) -> Response:
        """Wrap the answer, without a cookie jar and an encoding of its own."""
        return RawAnswer(cast("HTTPResponse", resp))
