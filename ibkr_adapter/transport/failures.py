"""Say what a broken call means: nothing was sent, nobody knows, or a person must act.

Texts name server, method and path; never a query, a header or a body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ibkr_adapter.errors import ConfigurationError, IBKRError, NotSent, OutcomeUnknown
from ibkr_adapter.setting_readers import is_loopback
from ibkr_adapter.tls import Trust, seen_fingerprint
from ibkr_adapter.transport.call import Call, LineBroken, OutOfTime

if TYPE_CHECKING:
    import ssl

# The certificate is asked for again only to print it; nobody should wait for that.
_LOOK_SECONDS = 1.0


@attrs.frozen(kw_only=True)
class Server:
    """Where a call goes; ``host`` as in the address, without the brackets of IPv6."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def explain(
    broken: LineBroken, *, call: Call, server: Server, method: str, path: str, trust: Trust
) -> IBKRError:
    """Turn a failure on the line into the error that tells the caller what is true now."""
    import socket  # noqa: PLC0415  (loads on first use)
    import ssl  # noqa: PLC0415  (loads on first use)

    endpoint = f"{method} {path}"
    if call.may_have_been_acted_on:
        return OutcomeUnknown(
            f"{endpoint} was sent to {server}, and no usable answer came back ({broken.reason}): "
            + ("IBKR may or may not have acted on it." if call.changes_state else "nothing was read."),
            endpoint=endpoint,
            status=broken.status,
            remedy="Look up what stands at IBKR; do not send it again."
            if call.changes_state
            else "Read again.",
        )
    if isinstance(broken.cause, ssl.SSLCertVerificationError):
        return _untrusted(broken.cause, call=call, server=server, endpoint=endpoint, trust=trust)
    what, remedy = _unsent(broken, call=call, server=server)
    # A name that does not resolve is a ``gaierror``, which is an OSError of its own kind.
    nobody = isinstance(broken.cause, (ConnectionRefusedError, socket.gaierror))
    return NotSent(f"{what}; nothing was sent.", unreachable=nobody, endpoint=endpoint, remedy=remedy)


def no_time(*, server: Server, method: str, path: str) -> NotSent:
    """Say that the deadline had passed before anything was tried."""
    return NotSent(
        f"No time was left to call {server}; nothing was sent.",
        endpoint=f"{method} {path}",
        remedy="Allow the call more time, or send less at once.",
    )


def _untrusted(
    cause: ssl.SSLCertVerificationError, *, call: Call, server: Server, endpoint: str, trust: Trust
) -> ConfigurationError:
    try:
        seconds = min(_LOOK_SECONDS, call.left())
    except OutOfTime:
        seen = None
    else:
        seen = seen_fingerprint(server.host, server.port, seconds)
    why = getattr(cause, "verify_message", "") or str(cause)
    shown = f" Its SHA-256 fingerprint is {seen}." if seen else ""
    if trust.fingerprint is not None:
        remedy = (
            "Compare it with the certificate of your gateway: if the gateway was given a new one, set "
            "tls_fingerprint to that (or use ca_file); if not, somebody stands in between."
        )
    elif is_loopback(server.host):
        remedy = "If that is your gateway's certificate, set tls_fingerprint to it, or ca_file to a file that holds it."
    else:
        remedy = (
            "Set ca_file or tls_fingerprint if the certificate is private; else somebody stands in between."
        )
    return ConfigurationError(
        f"{server} shows a certificate that is not trusted ({why}); nothing was sent.{shown}",
        endpoint=endpoint,
        remedy=remedy,
    )


def _unsent(broken: LineBroken, *, call: Call, server: Server) -> tuple[str, str]:
    import socket  # noqa: PLC0415  (loads on first use)

    cause = broken.cause
    here = is_loopback(server.host)
    start = "Start the gateway and log in to it" if here else "Check the network"
    if isinstance(cause, socket.gaierror):
        return f"The name {server.host} cannot be resolved", "Check base_url and the network."
    if isinstance(cause, ConnectionRefusedError):
        return f"Nothing listens at {server}", f"{start}, or correct base_url."
    if call.shaking_hands:
        remedy = f"{start}, and check that base_url says https only where TLS is spoken."
        return f"{server} did not complete the TLS handshake ({broken.reason})", remedy
    if call.connecting:
        return f"{server} cannot be reached ({broken.reason})", f"{start}, or correct base_url."
    return (
        f"The line to {server} failed before the request had left ({broken.reason})",
        "It may be sent again.",
    )
