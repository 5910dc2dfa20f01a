"""The names of all faults: their variants, where they strike, and why some cannot be armed.

The numbers are those of the catalogue of faults. What a variant does is for :mod:`.inflict`, on a
socket for :mod:`.breakage`; which call it meets for :mod:`.faults`.
"""

from __future__ import annotations

_ORDERS = "POST /iserver/account/{accountId}/orders"
_ORDER = "/iserver/account/{accountId}/order/{orderId}"
_REPLY = "POST /iserver/reply/{replyId}"

# Fault -> its variants, the first being the default.
VARIANTS: dict[str, tuple[str, ...]] = {
    "F01": ("refuse",),
    "F02": ("reset", "close", "half_open"),
    "F03": ("reset", "close"),
    "F04": ("silence", "late", "half_open"),
    "F05": ("unprocessed", "processed"),
    "F06": ("unprocessed",),
    "F07": ("taken",),
    "F08": ("unprocessed", "date"),
    "F09": ("box", "date"),
    "F10": ("json", "html", "empty", "refused"),
    "F11": ("json", "html", "empty"),
    "F12": ("accounts", "no_bridge", "gone"),
    "F13": ("error", "success"),
    "F14": ("unprocessed", "processed", "redirect", "redirect_processed"),
    "F15": ("json", "types", "missing", "nan", "extra", "prefix", "null", "empty"),
    "F16": (
        "truncate",
        "cut_chunk",
        "cut_unframed",
        "broken_gzip",
        "not_gzip",
        "two_lengths",
        "garbage_chunk",
        "surplus",
    ),
    "F17": (
        "trickle",
        "endless_headers",
        "endless_body",
        "half_body",
        "early_hints",
        "garbage_status",
        "garbage_header",
    ),
    "F18": ("chain", "unknown", "twice", "reply_400", "reply_503", "reply_503_live"),
    "F19": ("strict",),
    "F20": ("registered",),
    "F23": ("filled",),
    "F24": ("lost", "crosses", "incarnations", "refused", "slow"),
    "F25": ("child", "inactive", "filled", "partly", "vanishes", "reordered"),
    "F26": ("empty", "lie"),
    "F27": ("ids", "types"),
    "F28": ("no_data", "partial", "cut"),
    "F29": (
        "drop",
        "half_open",
        "close",
        "unauthenticated",
        "garbage",
        "invalid",
        "text",
        "huge",
        "error",
    ),
    "F30": ("duplicate", "reorder", "delay", "empty"),
    "F31": ("ended",),
    "F32": ("burst",),
    "F33": ("restart",),
    "F34": ("skew",),
    "F35": ("refused", "down", "expired"),
    "F36": (
        "expired",
        "wrong_host",
        "self_signed",
        "plain",
        "old_version",
        "reset",
        "silence",
        "close",
        "redirect",
        "below_tls",
    ),
    "F37": ("address", "moved"),
    "F41": ("script", "escape", "bidi", "long"),
}

# These strike before a call's body is read.
UNREAD = frozenset({"F01", "F02"})
# These strike before there is a call at all; the others of F36 strike calls.
HANDSHAKE = frozenset(VARIANTS["F36"]) - {"redirect", "below_tls"}
SKEW = "F34"
TLS = "F36"
FOR_EVER = frozenset({"F06", SKEW})

# These strike frames of a stream, and wait for one of its topics.
OF_STREAMS = frozenset({"F29", "F30", "F31", "F32"})
TOPICS = frozenset(
    {
        "act",
        "blt",
        "error",
        "hb",
        "ntf",
        "sbd",
        "sld",
        "smd",
        "smh",
        "sor",
        "spl",
        "ssd",
        "str",
        "sts",
        "system",
        "tic",
        "umh",
        "waiting",
    }
)
# Known faults that a server answering requests cannot inflict, and why.
ELSEWHERE = {
    "F21": "happens inside the client",
    "F22": "happens inside the clients",
    "F38": "happens on the client's disk",
    "F39": "happens to the client's clock",
    "F40": "is made with the options filler_positions, filler_orders and filler_executions",
    "F42": "happens inside the client",
}

# Where a fault strikes when nothing is said, if not everywhere.
_HOMES = {
    "F18": _ORDERS,
    "F19": _ORDERS,
    "F20": _ORDERS,
    "F23": _ORDERS,
    "F24": f"DELETE {_ORDER}",
    "F25": _ORDERS,
    "F26": "GET /iserver/account/orders",
    "F27": "GET /iserver/marketdata/snapshot",
    "F28": "GET /iserver/marketdata/history",
    "F31": "smd",
    "F32": "smd",
}


def home(fault: str, variant: str) -> str:
    """The endpoint or topic that a fault waits for when nothing is said; ``*`` for any."""
    if variant.startswith("reply_"):
        return _REPLY
    if variant == "incarnations":
        return f"POST {_ORDER}"
    return _HOMES.get(fault, "*")
