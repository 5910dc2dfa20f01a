"""Certificates for loopback servers, as a gateway and as an authority would make them."""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

FOLDER = Path(mkdtemp(prefix="certificates-"))


@dataclass
class Certified:
    """A server's context, the file that vouches for it, and its certificate's fingerprint."""

    context: ssl.SSLContext
    ca_file: str
    fingerprint: str


@cache
def gateway() -> Certified:
    """Make a self-signed certificate for a name that nobody calls, long out of date."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Client Portal Gateway")])
    year = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(year)
        .not_valid_after(year.replace(year=2090))
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (FOLDER / "gateway.pem").write_bytes(pem)
    (FOLDER / "gateway.key").write_bytes(secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FOLDER / "gateway.pem", FOLDER / "gateway.key")
    return Certified(context, str(FOLDER / "gateway.pem"), made.fingerprint(hashes.SHA256()).hex())


@cache
def signed_for(*names: str) -> Certified:
    """Make a certificate for ``names`` that a private authority has signed."""
    authority = trustme.CA()
    certificate = authority.issue_cert(*names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    ca_file = FOLDER / f"{'-'.join(names).replace(':', '_').replace('*', 'any')}.pem"
    authority.cert_pem.write_to_path(ca_file)
    shown = x509.load_pem_x509_certificate(certificate.cert_chain_pems[0].bytes())
    return Certified(context, str(ca_file), shown.fingerprint(hashes.SHA256()).hex())
