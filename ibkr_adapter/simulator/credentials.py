"""Test credentials for the logins by tokens: what a client has, and what IBKR has of it.

Making keys takes a third of a second, so a set is made once and handed to any number of gateways.
It has two halves that never meet in a gateway: :attr:`Credentials.client` holds private keys,
under the names of the adapter's settings and as PEM text; :class:`Consumer` and :class:`Client`
hold what IBKR was given or keeps itself, and only these are used to check a login.

Sizes and formats are those that IBKR asks for: RSA-2048 pairs for signing and for the access
token's secret, RSA-3072 for OAuth 2.0, a 2048-bit prime with generator 2, a consumer key of nine
capital letters. The prime is the public one of RFC 3526, group 14, because finding one takes
minutes.
"""

from __future__ import annotations

import base64
import os
import secrets
import string
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import attrs
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

PRIME = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22"
    "514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6"
    "F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3D"
    "C2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB"
    "9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E8603"
    "9B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AACAA68FFFFFFFFFFFFFFFF",
    16,
)
GENERATOR = 2
REALM = "limited_poa"
SCOPE = "sso-sessions.write"
# Settings that a program likes better as a file than as a text of many lines.
_FILES = ("signature_key", "encryption_key", "dh_prime", "private_key")
_EXPONENT = 65537
_LONG_FORM = 0x80


@attrs.frozen(kw_only=True, eq=False)
class Consumer:
    """What IBKR has of an OAuth 1.0a consumer and of the user's one access token for it."""

    consumer_key: str
    signature_key: rsa.RSAPublicKey
    encryption_key: rsa.RSAPublicKey
    access_token: str = attrs.field(repr=False)
    secret: bytes = attrs.field(repr=False)  # in clear: IBKR has made it
    prime: int = PRIME
    generator: int = GENERATOR
    realm: str = REALM


@attrs.frozen(kw_only=True, eq=False)
class Client:
    """What IBKR has of an OAuth 2.0 client, and the keys that it signs its own tokens with."""

    client_id: str
    key_id: str
    key: rsa.RSAPublicKey
    user: str
    address: str
    token_key: rsa.RSAPrivateKey = attrs.field(repr=False)
    session_key: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True, eq=False)
class Credentials:
    """One set of credentials: the client's half as settings, and IBKR's."""

    client: Mapping[str, str | int] = attrs.field(repr=False)
    registered: Consumer | Client

    @property
    def auth(self) -> str:
        """The login that they are for."""
        return "oauth1a" if isinstance(self.registered, Consumer) else "oauth2"


def generate(auth: str) -> Credentials:
    """Make a fresh set for ``oauth1a`` or ``oauth2``."""
    return _oauth1a() if auth == "oauth1a" else _oauth2()


def _oauth1a() -> Credentials:
    signature = rsa.generate_private_key(_EXPONENT, 2048)
    encryption = rsa.generate_private_key(_EXPONENT, 2048)
    consumer = Consumer(
        consumer_key="".join(secrets.choice(string.ascii_uppercase) for _ in range(9)),
        signature_key=signature.public_key(),
        encryption_key=encryption.public_key(),
        access_token=secrets.token_hex(10),
        secret=secrets.token_bytes(32),
    )
    client: dict[str, str | int] = {
        "auth_method": "oauth1a",
        "consumer_key": consumer.consumer_key,
        "access_token": consumer.access_token,
        "access_token_secret": encrypted(consumer.secret, consumer.encryption_key),
        "signature_key": _pem(signature),
        "encryption_key": _pem(encryption),
        "dh_prime": prime_pem(consumer.prime, consumer.generator),
        "dh_generator": consumer.generator,
        "realm": consumer.realm,
    }
    return Credentials(client=MappingProxyType(client), registered=consumer)


def _oauth2() -> Credentials:
    key = rsa.generate_private_key(_EXPONENT, 3072)
    client = Client(
        client_id=f"Simulated{secrets.token_hex(4)}",
        key_id="main",
        key=key.public_key(),
        user=f"simul{secrets.randbelow(10_000):04d}",
        address=f"203.0.113.{secrets.randbelow(200) + 20}",
        token_key=rsa.generate_private_key(_EXPONENT, 2048),
        session_key=secrets.token_bytes(32),
    )
    settings: dict[str, str | int] = {
        "auth_method": "oauth2",
        "client_id": client.client_id,
        "client_key_id": client.key_id,
        "private_key": _pem(key),
        "credential": client.user,
        "ip_address": client.address,
        "scope": SCOPE,
    }
    return Credentials(client=MappingProxyType(settings), registered=client)


def encrypted(secret: bytes, key: rsa.RSAPublicKey) -> str:
    """Encrypt an access token's secret as IBKR hands it out: PKCS#1 v1.5, base64."""
    return base64.b64encode(key.encrypt(secret, padding.PKCS1v15())).decode()


def prime_pem(prime: int, generator: int) -> str:
    """Write Diffie-Hellman parameters as ``openssl dhparam`` does.

    By hand, because ``cryptography`` warns that it will give finite fields up.
    """
    body = _der_integer(prime) + _der_integer(generator)
    text = base64.b64encode(b"\x30" + _der_length(len(body)) + body).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join(("-----BEGIN DH PARAMETERS-----", *lines, "-----END DH PARAMETERS-----", ""))


@contextmanager
def as_files(client: Mapping[str, str | int]) -> Iterator[dict[str, str | int]]:
    """Put the keys of a client's half into files that nobody else can read, and name them instead.

    The files are in a folder of their own, and gone when the block ends.
    """
    told = dict(client)
    with TemporaryDirectory(prefix="ibkr-simulator-") as folder:
        for name in _FILES:
            if name in client:
                path = Path(folder) / f"{name}.pem"
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                    file.write(str(client[name]))
                told[name] = str(path)
        yield told


def _pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _der_integer(number: int) -> bytes:
    # One bit more than the number has, so that it is not read as a negative one.
    content = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return b"\x02" + _der_length(len(content)) + content


def _der_length(length: int) -> bytes:
    if length < _LONG_FORM:
        return bytes((length,))
    content = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((_LONG_FORM | len(content),)) + content
