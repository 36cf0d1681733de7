"""The station's own certificate authority, which its boxes know from the bench (DESIGN 6).

ECDSA on P-256 with SHA-256, which the TLS of a stock ESP32 verifies. All is valid from 2000-01-01,
since a box that starts may not know the date yet, until the boxes are scrap: no box gets another
one while it hangs on its pole.
"""

import contextlib
import ipaddress
import os
import shutil
import socket
import ssl
import tempfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from noisewarden.errors import UserError
from noisewarden.firmware import wire

FOLDER = "authority"
VALID_FROM = datetime(2000, 1, 1)
VALID_UNTIL = datetime(2099, 12, 31, 23, 59, 59)

_CA, _CA_KEY = "ca.pem", "ca.key"
_SERVER, _SERVER_KEY = "server.pem", "server.key"
_ALWAYS = (wire.STATION_NAME, "localhost", "127.0.0.1", "::1")
_NAME_MOST_CHARS = 64
"""Of a common name (RFC 5280, appendix A.1)."""


class Authority:
    """Use `in_folder`.

    ca_pem, ca_der   its certificate; DER is what a box takes
    """

    def __init__(
        self, folder: Path, ca: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> None:
        self.ca_pem = ca.public_bytes(serialization.Encoding.PEM)
        self.ca_der = ca.public_bytes(serialization.Encoding.DER)
        self._folder = folder
        self._ca = ca
        self._key = key

    @classmethod
    def in_folder(cls, folder: Path) -> "Authority":
        """That of a station's data folder, made when there is none, and never made again.

        UserError when it is there in part, cannot be read or cannot be written: boxes trust it, so
        a person must decide.
        """
        own = folder / FOLDER
        try:
            if not own.exists():
                _make(own)
        except OSError as error:
            raise UserError(
                f"{folder}: is no folder to write to ({error.strerror}); name another"
            ) from None
        try:
            ca = x509.load_pem_x509_certificate((own / _CA).read_bytes())
            key = _load_key(own / _CA_KEY)
        except OSError as error:
            raise UserError(
                f"{error.filename or own}: {error.strerror}; {_restore(own)}"
            ) from None
        except ValueError:
            raise UserError(f"{own}: cannot be understood; {_restore(own)}") from None
        if ca.public_key() != key.public_key():
            raise UserError(f"{own}: {_CA} and {_CA_KEY} are no pair; {_restore(own)}")
        return cls(own, ca, key)

    def server_files(self, addresses: Iterable[str] = ()) -> tuple[Path, Path]:
        """(certificate, key) in PEM for a server of this machine: for `wire.STATION_NAME`, its own
        names, and `addresses`, DNS names or IP addresses.

        The same files until they lack a name that is asked for; then the certificate is made anew.
        ValueError for an address that is neither; UserError when they cannot be written.
        """
        names = {_general_name(text): None for text in (*_ALWAYS, *addresses)}
        with contextlib.suppress(ValueError):  # some machines have a name that DNS could not
            names[_general_name(socket.gethostname())] = None
        certificate, key_file = self._folder / _SERVER, self._folder / _SERVER_KEY
        try:
            key = self._server_key(key_file)
            if not self._fits(certificate, key, names):
                made = self._issue(key.public_key(), names)
                _replace(certificate, made.public_bytes(serialization.Encoding.PEM))
        except OSError as error:
            raise UserError(
                f"{error.filename or self._folder}: {error.strerror}; "
                "check the disk, and who may write there"
            ) from None
        return certificate, key_file

    def _server_key(self, path: Path) -> ec.EllipticCurvePrivateKey:
        # Nobody trusts the server's key but through its certificate: what is broken is made anew.
        try:
            return _load_key(path)
        except (FileNotFoundError, ValueError):
            key = ec.generate_private_key(ec.SECP256R1())
            _replace(path, _key_pem(key))
            return key

    def _fits(
        self, path: Path, key: ec.EllipticCurvePrivateKey, names: Iterable[x509.GeneralName]
    ) -> bool:
        try:
            there = x509.load_pem_x509_certificate(path.read_bytes())
            there.verify_directly_issued_by(self._ca)
            known = there.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (FileNotFoundError, ValueError, InvalidSignature, x509.ExtensionNotFound):
            return False
        return there.public_key() == key.public_key() and set(names) <= set(known)

    def _issue(
        self, key: ec.EllipticCurvePublicKey, names: Iterable[x509.GeneralName]
    ) -> x509.Certificate:
        issuer = self._ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return (
            _certificate(_name(wire.STATION_NAME), self._ca.subject, key, ca=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Of who shows this certificate; UserError when it cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        raise UserError(
            f"{certificate}: the station's certificate cannot be used ({error}); "
            "see that it and its key can be read and belong together"
        ) from None
    return context


def read_ca(path: Path) -> bytes:
    """The certificate of a station's authority, of a file in PEM or DER, as a box takes it: DER.

    UserError when it is none.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the name") from None
    pem = data.lstrip().startswith(b"-----BEGIN")
    load = x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate
    try:
        ca = load(data)
        rights = ca.extensions.get_extension_for_class(x509.BasicConstraints).value
        key = ca.public_key()
        good = rights.ca and isinstance(key, ec.EllipticCurvePublicKey) and key.key_size == 256
    except (ValueError, x509.ExtensionNotFound):
        good = False
    if not good:
        raise UserError(
            f"{path}: is no certificate of a station's authority; "
            f"take {FOLDER}/{_CA} out of the station's data folder"
        )
    return ca.public_bytes(serialization.Encoding.DER)


def _make(own: Path) -> None:
    """The authority's folder, whole or not at all."""
    own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"Noise Warden station {socket.gethostname()}")
    ca = _certificate(name, name, key.public_key(), ca=True).sign(key, hashes.SHA256())
    beside = Path(tempfile.mkdtemp(dir=own.parent, prefix=f".{FOLDER}-"))
    try:
        _write(beside / _CA_KEY, _key_pem(key))
        _write(beside / _CA, ca.public_bytes(serialization.Encoding.PEM))
        # Another process may have made one in the meantime: then that one stands.
        with contextlib.suppress(FileExistsError):
            _rename(beside, own)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, ca: bool
) -> x509.CertificateBuilder:
    """What both kinds have (RFC 5280, section 4.2.1)."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(VALID_FROM)
        .not_valid_after(VALID_UNTIL)
        .add_extension(x509.BasicConstraints(ca, 0 if ca else None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not ca,
                key_cert_sign=ca,
                crl_sign=ca,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:_NAME_MOST_CHARS])])


def _general_name(text: str) -> x509.GeneralName:
    """ValueError when `text` is neither an IP address nor a DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text.encode("idna").decode())


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("no key of an elliptic curve")
    return key


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, data: bytes) -> None:
    """A new file on disk, its owner's alone."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _replace(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        _write(beside, data)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _rename(beside: Path, own: Path) -> None:
    try:
        beside.rename(own)
    except OSError:
        if own.is_dir():
            raise FileExistsError from None
        raise


def _restore(own: Path) -> str:
    return (
        f"bring {own} back from a backup, or remove it and provision every box anew, "
        "since they trust the one it was"
    )
