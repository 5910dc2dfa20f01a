"""Keep secrets out of what people read: logs, errors, reprs, recorded requests.

Two nets, because each has holes. Values that the library was given or was sent (keys, tokens,
cookies) are remembered and replaced wherever they occur. Text that merely looks like a secret
(a PEM block, a bearer token, an OAuth parameter, a cookie line) is masked even if nobody
remembered it. The registry holds the values in this process's memory and nowhere else.
"""

from __future__ import annotations

import os
import re
import threading

MASK = "***"
# A shorter value would be found inside ordinary words and hide what people need to read.
SHORTEST = 6

_SHAPES = (
    (re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)", re.DOTALL), MASK),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{4,}"), rf"\1 {MASK}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,2}"), MASK),
    (
        re.compile(
            r"(?i)([\"']?\b(?:oauth_signature|oauth_token|oauth_token_secret|oauth_verifier|access_token|refresh_token"
            r"|diffie_hellman_challenge|diffie_hellman_response|client_assertion|assertion|\w*secret"
            r"|password|passphrase|api_secret|api_key|private_key|x-sess-uuid|jsessionid|session(?:_?id)?)[\"']?\s*[=:]\s*[\"']?)"
            r"[^\s\"'&,;}]{4,}"
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?im)^((?:set-)?cookie|authorization)(\s*:\s*).+$"), rf"\1\2{MASK}"),
)

_lock = threading.Lock()
_remembered: dict[str, None] = {}
# Tokens are renewed for weeks in one process; the oldest values are long dead by then.
_MOST = 4096


def remember(value: str | None) -> None:
    """Hide ``value`` from now on, wherever :func:`redact` finds it."""
    if value is None:
        return
    with _lock:
        for part in {value, value.strip()}:
            if len(part) >= SHORTEST:
                _remembered.pop(part, None)
                _remembered[part] = None
        while len(_remembered) > _MOST:
            _remembered.pop(next(iter(_remembered)))


def redact(text: str) -> str:
    """Return ``text`` with every remembered value and everything that looks like a secret masked."""
    with _lock:
        # The longest first: a token may contain another remembered value.
        values = sorted((value for value in _remembered if value in text), key=len, reverse=True)
    for value in values:
        text = text.replace(value, MASK)
    for shape, replacement in _SHAPES:
        text = shape.sub(replacement, text)
    return text


if hasattr(os, "register_at_fork"):
    # A thread that is at it when another one forks is not there, in the child, to give the lock back.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
