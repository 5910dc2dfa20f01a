"""Make the certificate that a simulated gateway shows.

The real gateway ships with a self-signed certificate that no machine trusts, so a client has to
pin it or name it as its authority. Here a new one is made for each start, for loopback names
only, and never outlives the server that shows it. The wrong ones, for fault F36, are made when they are
first wanted. What is served behind them is for :mod:`.server`.
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
_ELSEWHERE = "elsewhere.invalid"


@attrs.frozen(kw_only=True)
class Certificate:
    """A server certificate: the context to serve with and what a client pins.

    ``fingerprint`` is the SHA-256 of the certificate in 64 lower-case hex digits.
    """

    context: ssl.SSLContext
    ca_file: Path
    fingerprint: str


class Wardrobe:
    """The certificates of one server: its own, and wrong ones that it may be told to show.

    Two of the wrong ones, ``expired`` and ``wrong_host``, are signed by its own, so that a client that
    takes its own for an authority finds just that one thing wrong; a pin finds another certificate.
    ``self_signed`` is good for these names and has nothing to do with its own.

    Args:
        folder: A private folder; it will hold ``gateway.pem`` and no keys.
        now: The wall time from which the certificates are made.
        host: One more name or address, beside those of loopback, that its own is good for.
    """

    def __init__(self, folder: Path, *, now: datetime, host: str = "localhost") -> None:
        self._folder = folder
        self._now = now
        self._names = tuple(dict.fromkeys((*LOOPBACK_NAMES, host)))
        self._key = _new_key()
        self.own = self._make("gateway", self._key)
        self._wrong: dict[str, Certificate] = {}

    def wrong(self, how: str) -> Certificate:
        """The certificate that is wrong in this way."""
        if how not in self._wrong:
            self._wrong[how] = self._make(how, _new_key())
        return self._wrong[how]

    def _make(self, name: str, key: ec.EllipticCurvePrivateKey) -> Certificate:
        is_own = name in {"gateway", "self_signed"}
        certificate = _signed(
            key,
            by=key if is_own else self._key,
            valid=self._validity(name),
            names=(_ELSEWHERE,) if name == "wrong_host" else self._names,
        )
        file = self._folder / f"{name}.pem"
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return Certificate(
            context=_context(self._folder / f"{name}.key", key, file),
            ca_file=file,
            fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        )

    def _validity(self, name: str) -> tuple[datetime, datetime]:
        if name == "expired":
            return self._now - _VALID_AFTER, self._now - _VALID_BEFORE
        return self._now - _VALID_BEFORE, self._now + _VALID_AFTER


def _new_key() -> ec.EllipticCurvePrivateKey:
    # An elliptic key takes a millisecond where RSA takes a tenth of a second.
    return ec.generate_private_key(ec.SECP256R1())


def _signed(
    key: ec.EllipticCurvePrivateKey,
    *,
    by: ec.EllipticCurvePrivateKey,
    valid: tuple[datetime, datetime],
    names: tuple[str, ...],
) -> x509.Certificate:
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "IBKR simulator")])
    is_own = key is by
    subject = issuer if is_own else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    signer = x509.SubjectKeyIdentifier.from_public_key(by.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        # Its own authority: strict verification wants all that an authority has to show.
        .add_extension(x509.BasicConstraints(ca=is_own, path_length=0 if is_own else None), critical=True)
        .add_extension(_uses(signs=is_own), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer), critical=False)
        .sign(by, hashes.SHA256())
    )


def _uses(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs,
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
