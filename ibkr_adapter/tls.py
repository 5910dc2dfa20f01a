"""Decide whom to believe on a TLS line: one context for both doors.

REST and stream speak to the same gateway, whose certificate is self-signed by default; both take
their context from here, so that one cannot be laxer than the other. Which settings exist is for
:mod:`ibkr_adapter.settings`, what a refused certificate means for a call is for the door.

The check sits in the socket (``SSLContext.sslsocket_class``, documented), at the end of the
handshake and before the first byte of a request: websocket-client ignores a fingerprint that it
is handed, and urllib3 would take an SHA-1 one. Held by ``tests/unit/test_tls.py`` against real
handshakes on loopback.
"""

from __future__ import annotations

import hashlib
import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

import attrs

from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.setting_readers import is_loopback

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

_SHA256_DIGITS = 64


def normalised(fingerprint: str | None) -> str | None:
    """Return a certificate's SHA-256 as 64 lower-case hex digits.

    Raises:
        ConfigurationError: It is not a SHA-256; shorter digests can be forged.
    """
    if fingerprint is None:
        return None
    digits = re.sub(r"[:\s]", "", fingerprint).lower()
    if not re.fullmatch(rf"[0-9a-f]{{{_SHA256_DIGITS}}}", digits):
        raise ConfigurationError(
            f"tls_fingerprint is not a SHA-256 fingerprint ({len(digits)} digits instead of "
            f"{_SHA256_DIGITS} hexadecimal ones); nothing was sent.",
            remedy="Take the SHA-256 fingerprint of the certificate; SHA-1 and MD5 are not accepted.",
        )
    return digits


@attrs.frozen(kw_only=True)
class Trust:
    """What makes a server believable; equal values mean equal trust.

    A ``fingerprint`` (SHA-256; colons and blanks allowed) decides alone: that certificate and no
    other, whatever its name and age. Else ``ca_file`` names the PEM bundle that is trusted and
    nothing beside it. Else the public authorities are, unless ``verify`` is off, which is only
    possible on this machine.
    """

    fingerprint: str | None = attrs.field(default=None, converter=normalised)
    ca_file: str | None = None
    verify: bool = True


def refuse_blind_trust(trust: Trust, host: str) -> None:
    """See to it that a server beyond this machine is always verified.

    Raises:
        ConfigurationError: ``trust`` verifies nothing and ``host`` is elsewhere.
    """
    blind = not trust.verify and trust.fingerprint is None and trust.ca_file is None
    if blind and not is_loopback(host):
        raise ConfigurationError(
            f"verify_tls is off, and {host} is not this machine; nothing was sent.",
            remedy="Leave verify_tls on, and set tls_fingerprint or ca_file where the certificate is private.",
        )


def context(trust: Trust, host: str) -> ssl.SSLContext:
    """Make the context that judges ``host`` by ``trust``; reads ``ca_file``, opens no line.

    Raises:
        ConfigurationError: ``ca_file`` cannot be read, or nothing would be verified elsewhere.
    """
    import ssl  # noqa: PLC0415  (loads on first use)

    refuse_blind_trust(trust, host)
    if trust.fingerprint is not None:
        made = _unjudging_context()
        made.sslsocket_class = _socket_that(_pin(trust.fingerprint))
    elif trust.ca_file is not None:
        made = _context_of(trust.ca_file)
    elif trust.verify:
        import certifi  # noqa: PLC0415  (loads on first use)

        made = ssl.create_default_context(cafile=certifi.where())
        # Here alone the environment (SSLKEYLOGFILE) could have what opens the lines written to a file.
        made.keylog_filename = None  # type: ignore[assignment]  # documented to take it
    else:
        made = _unjudging_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def seen_fingerprint(host: str, port: int, seconds: float) -> str | None:
    """Ask a server on this machine for its certificate, over a line that carries no request.

    Returns:
        The SHA-256 in hex, or ``None`` if ``host`` is elsewhere or does not answer in time.
    """
    import socket  # noqa: PLC0415  (loads on first use)

    if not is_loopback(host):
        return None
    try:
        with (
            socket.create_connection((host.strip("[]"), port), timeout=seconds) as line,
            _unjudging_context().wrap_socket(line, server_hostname=host.strip("[]")) as shaken,
        ):
            return _digest(shaken)
    except OSError:
        return None


def _unjudging_context() -> ssl.SSLContext:
    import ssl  # noqa: PLC0415  (loads on first use)

    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def _context_of(ca_file: str) -> ssl.SSLContext:
    import ssl  # noqa: PLC0415  (loads on first use)

    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Names are compared by the socket instead: a certificate that lies in the bundle itself is
    # trusted as it is, and the gateway's own names no host that anybody calls.
    made.check_hostname = False
    # The gateway's certificate may lie in the bundle without whoever signed it.
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        with open(ca_file, encoding="latin-1") as bundle:  # noqa: PTH123  (pathlib loads slower)
            text = bundle.read()
        blocks = re.findall(r"-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----", text)
        # Only the certificates are handed on: beside them, people write names in any alphabet.
        made.load_verify_locations(cadata="\n".join(blocks))
        own = frozenset(ssl.PEM_cert_to_DER_cert(block) for block in blocks)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"The certificates in ca_file {ca_file!r} cannot be read ({type(error).__name__}); "
            "nothing was sent.",
            remedy="ca_file must name a readable PEM file with the certificates to trust.",
        ) from error
    made.sslsocket_class = _socket_that(_name_unless_own(own))
    return made


def _socket_that(judges: Callable[[ssl.SSLSocket], None]) -> type[ssl.SSLSocket]:
    import ssl  # noqa: PLC0415  (loads on first use)

    class JudgingSocket(ssl.SSLSocket):
        """A TLS socket that is not open to anybody before its peer was judged."""

        def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002  (the base's signature)
            super().do_handshake(block)
            judges(self)

        def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
            """Read; also what the ssl module reads from a peer that has gone before the handshake."""
            try:
                return super().recv(buflen, flags)
            except ConnectionError:
                # The ssl module forgets the socket then, and it would stay open until it is collected.
                if self.version() is None:
                    self.close()
                raise

    return JudgingSocket


def _pin(expected: str) -> Callable[[ssl.SSLSocket], None]:
    import ssl  # noqa: PLC0415  (loads on first use)

    def judge(shaken: ssl.SSLSocket) -> None:
        if _digest(shaken) != expected:
            raise ssl.SSLCertVerificationError(
                ssl.SSL_ERROR_SSL, "the certificate does not have the pinned fingerprint"
            )

    return judge


def _name_unless_own(own: frozenset[bytes]) -> Callable[[ssl.SSLSocket], None]:
    import ssl  # noqa: PLC0415  (loads on first use)

    def judge(shaken: ssl.SSLSocket) -> None:
        if shaken.getpeercert(binary_form=True) in own:
            return
        if not names(shaken.getpeercert() or {}, shaken.server_hostname or ""):
            raise ssl.SSLCertVerificationError("the certificate is for another host name")

    return judge


def names(certificate: Any, host: str) -> bool:
    """Tell whether a certificate, as ``getpeercert()`` describes it, is for ``host``.

    Only subject alternative names count; ``*`` stands for exactly one whole label, the first.
    """
    offered = certificate.get("subjectAltName", ())
    address = _address(host.strip("[]"))
    if address is None:
        wanted = host.lower().rstrip(".")
        _, _, parent = wanted.partition(".")
        # A star right under a top-level name would cover everybody's hosts.
        fitting = {wanted, f"*.{parent}"} if "." in parent else {wanted}
        return any(kind == "DNS" and name.lower() in fitting for kind, name in offered)
    return any(kind == "IP Address" and _address(name.strip()) == address for kind, name in offered)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _digest(shaken: ssl.SSLSocket) -> str:
    return hashlib.sha256(shaken.getpeercert(binary_form=True) or b"").hexdigest()
