"""Keep what was asked and answered, without what tells who: a transport around another one.

Accounts become ``DU0000001``, ``DU0000002``, ...; names, addresses, session ids and tokens are masked.
Headers are not kept at all, because credentials travel in them.
"""

from __future__ import annotations

import json
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.redact import MASK, redact
from ibkr_adapter.transport import Answer, Transport
from ibkr_adapter.wire.endpoints import find
from ibkr_adapter.wire.response import decipher

_ACCOUNT = re.compile(r"\b(?:D[UFI]|U|F|I)\d{5,9}\b")
# What an answer says about the person and the machine.
_PERSONAL = re.compile(
    r"session|token|user|credential|hardware|alias|title|displayname|accountvan|e-?mail|master|^(ip|mac|desc|parent)$",
    re.IGNORECASE,
)


@attrs.frozen(kw_only=True)
class Exchanged:
    """One request and its answer; ``content`` is the JSON, or the text where it was none."""

    endpoint: str
    path: str
    query: dict[str, str]
    body: Any
    status: int | None
    content: Any
    sent_at: datetime


class Recorder:
    """A transport that passes everything on and remembers it."""

    def __init__(self, inner: Transport, clock: Clock, into: list[Exchanged]) -> None:
        self._inner = inner
        self._clock = clock
        self._into = into
        self.prepare = inner.prepare
        self.close = inner.close

    def send(self, method: str, url: str, *, body: bytes | None, **about: Any) -> Answer:
        """Pass a request on; one without an answer is remembered, too."""
        parts = urlsplit(url)
        path = parts.path.partition("/v1/api")[2] or parts.path
        sent_at = self._clock.now()
        status, content = None, None
        try:
            answer = self._inner.send(method, url, body=body, **about)
            read = decipher(answer.status, answer.headers.get("content-type"), answer.body)
            status, content = answer.status, read.content if read.content is not None else read.excerpt
        finally:
            self._into.append(
                Exchanged(
                    endpoint=find(method, path).name,
                    path=path,
                    query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                    body=json.loads(body) if body else None,
                    status=status,
                    content=content,
                    sent_at=sent_at,
                )
            )
        return answer


def redacted(exchanged: list[Exchanged]) -> list[dict[str, Any]]:
    """What may be shown to others."""
    names: dict[str, str] = {}
    return [
        _masked(
            {
                "endpoint": one.endpoint,
                "path": one.path,
                "query": one.query,
                "body": one.body,
                "status": one.status,
                "content": one.content,
                "sent_at": one.sent_at.isoformat(),
            },
            names,
        )
        for one in exchanged
        # Token calls are nothing but secrets.
        if "oauth" not in one.endpoint and "sso" not in one.endpoint
    ]


def _masked(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            _plain(str(key), names): MASK if each and _PERSONAL.search(str(key)) else _masked(each, names)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_masked(each, names) for each in value]
    if isinstance(value, str):
        return _plain(value, names)
    # Decimals keep their digits as text.
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _plain(text: str, names: dict[str, str]) -> str:
    def instead(found: re.Match[str]) -> str:
        return names.setdefault(found[0], f"DU{len(names) + 1:07d}")

    return _ACCOUNT.sub(instead, redact(text))


def save(file: Path, report: dict[str, Any]) -> None:
    """Write a new file that only its owner can read.

    Raises:
        ConfigurationError: It is there already, or cannot be written.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            json.dump(report, opened, indent=1)
    except OSError as failure:
        raise ConfigurationError(f"{file} cannot be written: {failure.strerror}.") from None
