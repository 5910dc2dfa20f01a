"""Make what IBKR's OAuth 1.0a wants registered: two RSA key pairs and Diffie-Hellman parameters.

Everything is made before anything is written, and nothing that exists is written over: a key
that IBKR has registered cannot be had again. How keys are read back is for
:mod:`ibkr_adapter.auth.keys`.

Sizes and file names are those of IBKR's own instructions: RSA of 2048 bits in PEM, a prime of 2048
bits with the generator 2.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import ConfigurationError

SIGNATURE, ENCRYPTION, DH = "private_signature.pem", "private_encryption.pem", "dhparam.pem"
PUBLIC_SIGNATURE, PUBLIC_ENCRYPTION = "public_signature.pem", "public_encryption.pem"
# What is uploaded to IBKR; the other two never leave this machine.
UPLOADED = (PUBLIC_SIGNATURE, PUBLIC_ENCRYPTION, DH)
FILES = (SIGNATURE, PUBLIC_SIGNATURE, ENCRYPTION, PUBLIC_ENCRYPTION, DH)
BITS, GENERATOR = 2048, 2
# How often it is said that the search for the prime goes on (seconds).
TICK = 1.0


def make_key_pair(bits: int = BITS) -> tuple[bytes, bytes]:
    """Make an RSA key pair: the private half and the public half, as PEM."""
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415  (first use)
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415  (first use)
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private, public


def make_dh_parameters(bits: int = BITS) -> bytes:
    """Search a prime and write it with the generator as PEM; from some seconds to several minutes.

    Raises:
        ConfigurationError: The installed cryptography cannot do it any more.
    """
    try:
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415  (first use)
            Encoding,
            ParameterFormat,
        )

        with warnings.catch_warnings():
            # The handshake is IBKR's choice; its numbers are all that is taken from the library.
            warnings.simplefilter("ignore")
            from cryptography.hazmat.primitives.asymmetric import dh  # noqa: PLC0415  (first use)

            found = dh.generate_parameters(generator=GENERATOR, key_size=bits)
        return found.parameter_bytes(Encoding.PEM, ParameterFormat.PKCS3)
    except (ImportError, AttributeError) as gone:
        raise ConfigurationError(
            "the installed cryptography cannot make Diffie-Hellman parameters any more; nothing was written.",
            remedy=f"Make them with: openssl dhparam -out {DH} {BITS}",
        ) from gone


def make_all(
    clock: Clock,
    *,
    on_tick: Callable[[float], None],
    key_pair: Callable[[], tuple[bytes, bytes]] = make_key_pair,
    dh_parameters: Callable[[], bytes] = make_dh_parameters,
) -> dict[str, bytes]:
    """Make all five files' contents; ``on_tick`` is told the seconds that the prime has taken so far.

    Raises:
        ConfigurationError: They cannot be made here.
    """
    signature, public_signature = key_pair()
    encryption, public_encryption = key_pair()
    parameters = _aside(clock, dh_parameters, on_tick)
    return {
        SIGNATURE: signature,
        PUBLIC_SIGNATURE: public_signature,
        ENCRYPTION: encryption,
        PUBLIC_ENCRYPTION: public_encryption,
        DH: parameters,
    }


def refuse_to_overwrite(folder: Path, names: tuple[str, ...] = FILES) -> None:
    """See that none of the files is there yet.

    Raises:
        ConfigurationError: One is; nothing was made or written.
    """
    there = [name for name in names if (folder / name).exists() or (folder / name).is_symlink()]
    if there:
        raise ConfigurationError(
            f"{folder} holds {', '.join(there)} already, which may be registered with IBKR; nothing was written.",
            remedy="Name another folder, or move those files away.",
        )


def write_all(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files that only their owner can read, all of them or none.

    Raises:
        ConfigurationError: One exists already or cannot be written; none is left behind.
    """
    written: list[Path] = []
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in contents.items():
            path = folder / name
            # Private from its first moment: a mode that is set afterwards comes too late.
            number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            written.append(path)
            with os.fdopen(number, "wb") as file:
                file.write(content)
    except OSError as failure:
        for path in written:
            path.unlink(missing_ok=True)
        raise ConfigurationError(
            f"{failure.filename or folder} cannot be written: {failure.strerror}; nothing was left behind.",
            remedy="Name a folder that this user may write to and that does not hold these files.",
        ) from None


def _aside(clock: Clock, work: Callable[[], bytes], on_tick: Callable[[float], None]) -> bytes:
    """Do work on another thread and say now and then how long it has taken."""
    done = clock.flag()
    results: list[bytes] = []
    failures: list[ConfigurationError] = []

    def run() -> None:
        try:
            results.append(work())
        except ConfigurationError as failure:
            failures.append(failure)
        finally:
            done.set()

    # A daemon, so that Ctrl-C ends the search with the process.
    thread = threading.Thread(target=run, name="ibkr-dh-parameters", daemon=True)
    begun = clock.monotonic()
    clock.expect(thread)
    thread.start()
    while not done.wait(TICK):
        on_tick(clock.monotonic() - begun)
    if failures:
        raise failures[0]
    return results[0]
