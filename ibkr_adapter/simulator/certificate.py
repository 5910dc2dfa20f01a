"""Make the certificate that a simulated gateway shows.

The real gateway ships with a self-signed certificate that no machine trusts, so a client has to
pin it or name it as its authority. Here a new one is made for each start, for loopback names
only, and never outlives the server that shows it. What is served behind it is for :mod:`.server`.
"""

from __future__ import annotations

import os
import ssl
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")

# A day back, for a client whose clock is a little slow; ten years on, for a test that moves time.
_VALID_BEFORE = timedelta(days=1)
_VALID_AFTER = timedelta(days=3650)


@attrs.frozen(kw_only=True)
class Certificate:
    """A self-signed server certificate: the context to serve with and what a client pins.

    ``fingerprint`` is the SHA-256 of the certificate in 64 lower-case hex digits.
    """

    context: ssl.SSLContext
    ca_file: Path
    fingerprint: str


def issue(folder: Path, *, now: datetime, host: str = "localhost") -> Certificate:
    """Make a key and a certificate, and leave only the certificate in ``folder``.

    Args:
        folder: A private folder; it will hold ``gateway.pem``.
        now: The wall time from which the certificate is valid.
        host: One more name or address, beside those of loopback, that the certificate is good for.
    """
    # An elliptic key takes a millisecond where RSA takes a tenth of a second.
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _signed(key, now=now, names=dict.fromkeys((*LOOPBACK_NAMES, host)))
    ca_file = folder / "gateway.pem"
    ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Certificate(
        context=_context(folder / "gateway.key", key, ca_file),
        ca_file=ca_file,
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
    )


def _signed(key: ec.EllipticCurvePrivateKey, *, now: datetime, names: dict[str, None]) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "IBKR simulator")])
    public = key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _VALID_BEFORE)
        .not_valid_after(now + _VALID_AFTER)
        # It is its own authority: strict verification wants all that an authority has to show.
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_uses(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )
        .sign(key, hashes.SHA256())
    )


def _uses() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _context(key_file: Path, key: ec.EllipticCurvePrivateKey, ca_file: Path) -> ssl.SSLContext:
    # ssl loads keys from files only, so the key is on disk for this moment, readable by nobody else.
    with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(ca_file, key_file)
    finally:
        key_file.unlink()
    return context
