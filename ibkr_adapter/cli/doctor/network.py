"""The way to the server: its name, its port, its certificate. No request is sent here."""

from __future__ import annotations

import hashlib
import socket
import ssl
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import attrs

from ibkr_adapter.setting_readers import is_loopback
from ibkr_adapter.settings import PREFIX, Settings
from ibkr_adapter.tls import Trust, context, seen_fingerprint

from .steps import Stage, Step, failed, note, ok

SECONDS = 5.0
# Before a certificate ends, somebody should know.
SOON = 14


@attrs.frozen(kw_only=True)
class Shown:
    """A certificate that was accepted: its SHA-256 in hex, and its last day where that was read."""

    fingerprint: str
    ends: datetime | None


class Network:
    """The machine's sockets; a test puts others in their place."""

    def resolve(self, host: str, port: int) -> list[str]:
        """Look a name up."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(row[4][0]) for row in found))

    def connect(self, host: str, port: int) -> None:
        """Open a line and close it."""
        socket.create_connection((host, port), timeout=SECONDS).close()

    def certificate(self, host: str, port: int, trust: Trust) -> Shown:
        """Shake hands as a call would, and return the certificate that was accepted."""
        with (
            socket.create_connection((host, port), timeout=SECONDS) as line,
            context(trust, host).wrap_socket(line, server_hostname=host) as shaken,
        ):
            der = shaken.getpeercert(binary_form=True) or b""
        from cryptography import x509  # noqa: PLC0415  (first use)

        ends = x509.load_der_x509_certificate(der).not_valid_after_utc
        return Shown(fingerprint=hashlib.sha256(der).hexdigest(), ends=ends)

    def fingerprint(self, host: str, port: int) -> str | None:
        """The certificate of a server on this machine that nobody has accepted yet."""
        return seen_fingerprint(host, port, SECONDS)


def place(found: Settings) -> tuple[str, int]:
    """The host and port of the API."""
    parts = urlsplit(found.base_url)
    return found.host, parts.port or (443 if parts.scheme == "https" else 80)


def name(found: Settings, network: Network) -> Step:
    """Whether the host's name means an address."""
    host, port = place(found)
    try:
        addresses = network.resolve(host, port)
    except OSError as failure:
        return failed(
            Stage.NAME,
            f"{host} cannot be resolved: {failure.strerror or failure}.",
            f"Check {PREFIX}BASE_URL, the network and its name server.",
        )
    return ok(Stage.NAME, f"{host} is {', '.join(addresses)}", addresses=addresses)


def reach(found: Settings, network: Network) -> Step:
    """Whether somebody listens."""
    host, port = place(found)
    here = is_loopback(host)
    start = "Start the gateway: ibkr-adapter gateway." if here else "Check the network and its firewall."
    try:
        network.connect(host, port)
    except ConnectionRefusedError:
        more = " On macOS port 5000 may be AirPlay's: use another one." if here and port == 5000 else ""  # noqa: PLR2004
        return failed(Stage.REACH, f"nothing listens at {host}:{port}.", start + more)
    except OSError as failure:
        return failed(Stage.REACH, f"{host}:{port} cannot be reached: {failure.strerror or failure}.", start)
    return ok(Stage.REACH, f"{host}:{port} accepts connections")


def tls(found: Settings, network: Network, now: datetime) -> Step:
    """Whether the certificate is one that the settings trust; with the setting that would pin it."""
    if found.base_url.startswith("http://"):
        return ok(Stage.TLS, "plain http, which is for this machine only")
    host, port = place(found)
    trust = Trust(fingerprint=found.tls_fingerprint, ca_file=found.ca_file, verify=found.verify_tls)
    try:
        shown = network.certificate(host, port, trust)
    except ssl.SSLCertVerificationError as refusal:
        return _untrusted(found, network, refusal)
    except (OSError, ValueError) as failure:
        reason = getattr(failure, "reason", None) or getattr(failure, "strerror", None) or failure
        return failed(
            Stage.TLS,
            f"{host}:{port} does not complete the TLS handshake ({reason}).",
            "If its conf.yaml says listenSsl: false, write http:// in base_url; else restart it.",
        )
    how = "pinned" if trust.fingerprint else "trusted by ca_file" if trust.ca_file else "trusted"
    if not (found.verify_tls or trust.fingerprint or trust.ca_file):
        return note(
            Stage.TLS,
            f"NOT VERIFIED, because verify_tls is off; its SHA-256 is {shown.fingerprint}.",
            pin(shown.fingerprint),
            fingerprint=shown.fingerprint,
        )
    facts: dict[str, Any] = {"fingerprint": shown.fingerprint, "how": how}
    if shown.ends is not None:
        facts["ends"] = shown.ends.isoformat()
        left = (shown.ends - now).days
        # A pin decides whatever the certificate's age.
        if left < SOON and trust.fingerprint is None:
            return note(Stage.TLS, f"{how}, and ends in {left} days.", "Have it renewed in time.", **facts)
    return ok(Stage.TLS, f"{how}, SHA-256 {shown.fingerprint}", **facts)


def pin(fingerprint: str) -> str:
    """The setting that trusts this certificate and no other."""
    return f"export {PREFIX}TLS_FINGERPRINT={fingerprint}"


def _untrusted(found: Settings, network: Network, refusal: ssl.SSLCertVerificationError) -> Step:
    host, port = place(found)
    why = getattr(refusal, "verify_message", "") or str(refusal)
    seen = network.fingerprint(host, port)
    told = f"the certificate is not trusted: {why}."
    if seen is None:
        return failed(
            Stage.TLS,
            told,
            "If the certificate is private, set ca_file or tls_fingerprint; else somebody stands in between.",
        )
    told = f"{told} Its SHA-256 is {seen}."
    if found.tls_fingerprint is not None:
        return failed(
            Stage.TLS,
            told,
            f"It is not the pinned one: if the gateway was given a new certificate, {pin(seen)};"
            " if not, somebody stands in between.",
            fingerprint=seen,
        )
    return failed(Stage.TLS, told, f"If this is your own gateway, pin it: {pin(seen)}", fingerprint=seen)
