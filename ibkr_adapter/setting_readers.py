"""Read the value of one setting, from the text or the value a host has, and say what is wrong with it.

Each reader returns the value or raises ``ValueError`` with the end of a sentence that begins with
the setting's name. Which setting is read by which is for :mod:`ibkr_adapter.settings`.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import attrs

from ibkr_adapter.errors import quoted
from ibkr_adapter.model.guardrails import Guardrails
from ibkr_adapter.model.kinds import LARGEST_POWER, LONGEST_TIME
from ibkr_adapter.model.maintenance import Region

GATEWAY_URL = "https://localhost:5000/v1/api"
DIRECT_URL = "https://api.ibkr.com/v1/api"
# How much longer each second of a pacing window is taken, on this machine and across a network.
NEAR_MARGIN, FAR_MARGIN = 0.015, 0.05
_LARGEST_WHOLE = 10**9
# Where a key is kept in the system's key ring; the rest is SERVICE/NAME.
KEYRING = "keyring:"
# Longer than any path here, shorter than any key that IBKR takes.
_LONGEST_PATH = 1024


class AuthMethod(StrEnum):
    """The three ways to log in."""

    GATEWAY = "gateway"
    OAUTH1A = "oauth1a"
    OAUTH2 = "oauth2"


class Environment(StrEnum):
    """Whether live accounts may be traded: only ``PRODUCTION`` says so."""

    PRODUCTION = "production"
    PAPER = "paper"


# What hosts write for an environment that must never reach a live account.
_PAPER_WORDS = frozenset({"paper", "sandbox", "testnet", "test", "demo", "practice", "sim"})


def is_loopback(host: str) -> bool:
    """Tell whether ``host`` names this machine and nothing else."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class UnshownError(ValueError):
    """A wrong value that may hold a secret, or was shown already, so it is not repeated."""


def names_a_place(value: str) -> bool:
    """Tell where a key is from the key itself: a path or an entry of a key ring is no secret.

    What does not look like a path is not taken for one, because paths are shown to people: a key
    that was pasted without its first and last line must not be.
    """
    if value.startswith(KEYRING):
        return True
    if len(value) > _LONGEST_PATH or not value.isprintable() or "-----" in value:
        return False
    if re.fullmatch(r"[A-Za-z0-9+/=]{64,}", value) and not value.startswith("/"):
        return False
    return "/" in value or "\\" in value or re.search(r"\.(pem|key|pk8|txt|hex)$", value) is not None


def text(value: Any) -> str | None:
    """A text without the blanks around it; an empty one counts as none."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("must be a text")  # noqa: TRY004  (one kind of error for every wrong value)
    if not can_be_written(value):
        raise ValueError("must be a text of whole characters")
    return value.strip() or None


def place(value: Any) -> str | None:
    """A path, made independent of the folder that the process is in; an empty one counts as none."""
    written = text(value)
    if written is None:
        return None
    if "\0" in written:
        # No file is ever there.
        raise ValueError("must be a path")
    return os.path.abspath(os.path.expanduser(written))  # noqa: PTH100, PTH111  (a path stays text here)


def can_be_written(value: str) -> bool:
    """Tell whether a text can be written down: JSON can spell halves of characters, which nothing can."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def pem(value: Any) -> str | None:
    """A key: its text, or where it is."""
    written = text(value)
    # A host's database column holds a PEM on one line with its line ends written out.
    return written.replace("\\n", "\n") if written is not None and "-----BEGIN" in written else written


def switch(value: Any) -> bool:
    """Yes or no, also as people write it into an environment."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        word = value.strip().lower()
        if word in {"true", "1", "yes", "on"}:
            return True
        if word in {"false", "0", "no", "off"}:
            return False
    if isinstance(value, int) and value in {0, 1}:
        return bool(value)
    raise ValueError("must be true or false")


def number(value: Any) -> Decimal:
    """A number above 0, exactly."""
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004  (one kind of error for every wrong value)
    try:
        found = Decimal(str(value).strip())
    except (InvalidOperation, ValueError):
        raise ValueError("must be a number") from None
    # Arithmetic on powers beyond that overflows, or does not end.
    if not found.is_finite() or found <= 0 or abs(found.adjusted()) > LARGEST_POWER:
        raise ValueError("must be a number above 0")
    return found


def seconds(value: Any) -> float:
    """Seconds above 0."""
    found = float(number(value))
    if not 0 < found < LONGEST_TIME:
        raise ValueError("must be a number above 0")
    return found


def margin(value: Any) -> float | None:
    """Seconds that may be 0, and a second at most: more is a mistaken unit."""
    if value is None:
        return None
    found = 0.0 if str(value).strip() in {"0", "0.0"} else float(number(value))
    if found > 1:
        raise ValueError("must be seconds, 1 at most")
    return found


def whole(value: Any) -> int:
    """A whole number above 0."""
    found = number(value)
    if found > _LARGEST_WHOLE or found != found.to_integral_value():
        raise ValueError("must be a whole number")
    return int(found)


def names(value: Any) -> tuple[str, ...]:
    """A list of texts, also with commas between them."""
    if value is None:
        return ()
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple, set, frozenset)) or not all(
        isinstance(part, str) for part in parts
    ):
        raise ValueError("must be a list of texts")
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def tif(value: Any) -> str:
    """A time in force of tickets."""
    written = text(value)
    if written is None or written.upper() not in {"DAY", "GTC", "IOC", "OPG", "OVT", "OND"}:
        raise ValueError("must be one of DAY, GTC, IOC, OPG, OVT, OND")
    return written.upper()


def when_closed(value: Any) -> str:
    """What to do with a market entry outside hours."""
    if value not in {"refuse", "queue"}:
        raise ValueError("must be refuse or queue")
    return str(value)


def missing_leg(value: Any) -> str:
    """What to do with a bracket that stands without a leg."""
    if value not in {"protect", "leave"}:
        raise ValueError("must be protect or leave")
    return str(value)


def during_maintenance(value: Any) -> str:
    """What reads do while IBKR is in maintenance."""
    if value not in {"wait", "fail"}:
        raise ValueError("must be wait or fail")
    return str(value)


def region(value: Any) -> Region:
    """Where the login's servers are, however it is spelt."""
    try:
        return Region((text(value) or "").lower().replace("-", "_").replace(" ", "_"))
    except ValueError:
        raise ValueError(f"must be one of {', '.join(Region)}") from None


def environment(value: Any) -> Environment | None:
    """Whether live accounts may be traded."""
    word = text(value)
    if word is None:
        return None
    if word.lower() in {"production", "live"}:
        return Environment.PRODUCTION
    if word.lower() in _PAPER_WORDS:
        return Environment.PAPER
    raise ValueError("must be production, or paper (also sandbox, testnet)")


def auth_method(value: Any) -> AuthMethod | None:
    """One of the three logins, however it is spelt."""
    word = text(value)
    if word is None:
        return None
    try:
        return AuthMethod(word.lower().replace("_", "").replace(".", "").replace("-", ""))
    except ValueError:
        raise ValueError("must be gateway, oauth1a or oauth2") from None


def fingerprint(value: Any) -> str | None:
    """The SHA-256 of a certificate, with or without colons."""
    written = text(value)
    if written is None:
        return None
    digits = re.sub(r"[:\s]", "", written).lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError("must be the 64 hex digits of the certificate's SHA-256")
    return digits


def url(value: Any) -> str | None:
    """The address of an API root."""
    written = text(value)
    if written is None:
        return None
    try:
        parts = urlsplit(written)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise UnshownError(f"must be an address such as {GATEWAY_URL}")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise UnshownError("must hold no user, query or fragment")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("must be https: plain http is for this machine only")
    path = parts.path.rstrip("/") or "/v1/api"
    if not path.endswith("/v1/api"):
        raise ValueError("must end in /v1/api")
    return f"{parts.scheme}://{parts.netloc}{path}"


def conids(value: Any) -> dict[str, int]:
    """Conids by currency."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError("must map currencies to conids")  # noqa: TRY004  (one kind of error for every wrong value)
    try:
        return {str(currency).upper(): whole(conid) for currency, conid in value.items()}
    except ValueError:
        raise ValueError("must map currencies to conids") from None


def guardrails(value: Any) -> Guardrails:
    """Bounds below the strategy, each by its name in either spelling; what is unset is off."""
    if value is None:
        return Guardrails()
    if isinstance(value, Guardrails):
        # A program may have put anything into them: not a number bounds nothing, and neither does a zero.
        value = {field.name: getattr(value, field.name) for field in attrs.fields(Guardrails)}
    if not isinstance(value, Mapping):
        raise ValueError("must be a mapping")  # noqa: TRY004  (one kind of error for every wrong value)
    found: dict[str, Any] = {}
    for key, given in value.items():
        name = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower() if isinstance(key, str) else ""
        if name not in _GUARDRAILS:
            near = difflib.get_close_matches(name, _GUARDRAILS, n=1, cutoff=0.6)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise UnshownError(
                f"has {key[:40] if isinstance(key, str) else quoted(key)}, which is no guardrail{hint}"
            )
        if name in found:
            raise UnshownError(f"has {name} twice: give one of them")
        try:
            found[name] = None if given is None else _GUARDRAILS[name](given)
        except ValueError as wrong:
            raise UnshownError(f"has {key}, which {wrong}, not {quoted(given, 60)}") from None
    return Guardrails(**{name: given for name, given in found.items() if given is not None})


def _some(value: Any) -> tuple[str, ...]:
    """A list that names something: an empty one would allow nothing, or everything."""
    listed = names(value)
    if not listed:
        raise ValueError("must name at least one")
    return listed


def _accounts(value: Any) -> tuple[str, ...]:
    return tuple(account.upper() for account in _some(value))


def _place(value: Any) -> str:
    found = place(value)
    if found is None:
        raise ValueError("must be a path")
    return found


_GUARDRAILS: dict[str, Callable[[Any], Any]] = {
    "read_only": switch,
    "dry_run": switch,
    "max_quantity": number,
    "max_notional": number,
    "price_collar": number,
    "orders_per_minute": whole,
    "daily_loss": number,
    "allowed_accounts": _accounts,
    "allowed_symbols": _some,
    "kill_switch_file": _place,
}
