"""The station's authority: what MicroPython's TLS makes of it, and that it is never lost."""

import os
import socket
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from host.station_parts import PATIENCE_S
from noisewarden.errors import UserError
from noisewarden.firmware import wire
from noisewarden.station.authority import FOLDER, Authority, read_ca
from noisewarden.virtual.chip import interpreter

STATION_NAME = wire.STATION_NAME

BOX = """
import socket, ssl, sys
with open({ca!r}, "rb") as file:
    ca = file.read()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.verify_mode = ssl.CERT_REQUIRED
context.load_verify_locations(cadata=ca)
line = socket.socket()
line.connect(socket.getaddrinfo("127.0.0.1", {port})[0][-1])
try:
    secure = context.wrap_socket(line, server_hostname={name!r})
    secure.write(b"hello")
    print(secure.read(2).decode())
except (OSError, ValueError) as error:
    print("refused", error)
"""
"""What a box does to reach its station."""


def names(certificate: Path) -> x509.SubjectAlternativeName:
    made = x509.load_pem_x509_certificate(certificate.read_bytes())
    return made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


@contextmanager
def server(authority: Authority) -> Iterator[int]:
    """A TLS server that answers "ok"; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.server_files())

    def serve() -> None:
        line, _ = listener.accept()
        try:
            with context.wrap_socket(line, server_side=True) as secure:
                secure.recv(5)
                secure.sendall(b"ok")
        except OSError:  # the client did not like it
            line.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    ("own", "name", "said"),
    [
        (True, STATION_NAME, "ok"),
        (True, "other.noisewarden", "refused"),
        (False, STATION_NAME, "refused"),
    ],
    ids=["own station", "another name", "a spoofed station"],
)
def test_a_box_trusts_its_own_station_alone(
    tmp_path: Path, own: bool, name: str, said: str
) -> None:
    station = Authority.in_folder(tmp_path / "station")
    trusted = station if own else Authority.in_folder(tmp_path / "other")
    (tmp_path / "ca.der").write_bytes(trusted.ca_der)
    with server(station) as port:
        (tmp_path / "box.py").write_text(
            BOX.format(ca=str(tmp_path / "ca.der"), port=port, name=name)
        )
        run = subprocess.run(
            [interpreter(), tmp_path / "box.py"],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
    assert run.stdout.startswith(said), run.stdout + run.stderr


def test_a_browser_s_machine_trusts_it_by_every_name(tmp_path: Path) -> None:
    station = Authority.in_folder(tmp_path)
    context = ssl.create_default_context(cadata=station.ca_der)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    for name in (STATION_NAME, "localhost", "127.0.0.1"):
        with (
            server(station) as port,
            socket.create_connection(("127.0.0.1", port)) as line,
            context.wrap_socket(line, server_hostname=name) as secure,
        ):
            secure.sendall(b"hello")
            assert secure.recv(2) == b"ok"


def test_what_is_certified(tmp_path: Path) -> None:
    station = Authority.in_folder(tmp_path)
    certificate, _ = station.server_files(["192.168.1.20", "station.police.example"])
    found = names(certificate)
    assert {STATION_NAME, "localhost", "station.police.example"} <= set(
        found.get_values_for_type(x509.DNSName)
    )
    assert {"127.0.0.1", "::1", "192.168.1.20"} <= {
        str(address) for address in found.get_values_for_type(x509.IPAddress)
    }
    for made in (
        x509.load_der_x509_certificate(station.ca_der),
        x509.load_pem_x509_certificate(certificate.read_bytes()),
    ):
        assert made.not_valid_before_utc.date().isoformat() == "2000-01-01"
        assert made.not_valid_after_utc.year == 2099
        key = made.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"
        assert isinstance(made.signature_hash_algorithm, hashes.SHA256)


def test_a_second_look_finds_the_same(tmp_path: Path) -> None:
    first, second = Authority.in_folder(tmp_path), Authority.in_folder(tmp_path)
    assert first.ca_pem == second.ca_pem
    files = first.server_files(["10.0.0.1"])
    was = [path.read_bytes() for path in files]
    assert [path.read_bytes() for path in second.server_files()] == was
    second.server_files(["10.0.0.2"])
    assert files[0].read_bytes() != was[0] and files[1].read_bytes() == was[1]


def test_a_server_certificate_that_is_spoilt_is_made_anew(tmp_path: Path) -> None:
    station = Authority.in_folder(tmp_path / "own")
    other = Authority.in_folder(tmp_path / "other")
    certificate, key = station.server_files()
    for spoilt in (b"", b"no certificate", other.server_files()[0].read_bytes()):
        certificate.write_bytes(spoilt)
        station.server_files()
        assert x509.load_pem_x509_certificate(certificate.read_bytes()).issuer == (
            x509.load_pem_x509_certificate(station.ca_pem).subject
        )
    key.write_bytes(b"half of")
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*station.server_files())


def test_only_its_owner_may_read_the_keys(tmp_path: Path) -> None:
    was = os.umask(0)
    try:
        Authority.in_folder(tmp_path / "data").server_files()
    finally:
        os.umask(was)
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (tmp_path / "data", *(tmp_path / "data").rglob("*"))
    }
    folders = {"data", FOLDER}
    assert {modes.pop(name) for name in folders} == {0o700}
    assert set(modes) == {"ca.pem", "ca.key", "server.pem", "server.key"}
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda own: (own / "ca.key").unlink(), "ca.key: No such file"),
        (lambda own: (own / "ca.pem").unlink(), "ca.pem: No such file"),
        (lambda own: (own / "ca.pem").write_bytes(b""), "cannot be understood"),
        (lambda own: (own / "ca.key").write_bytes(b"-----BEGIN"), "cannot be understood"),
    ],
)
def test_one_that_is_there_in_part_is_refused_and_not_touched(tmp_path, spoil, words) -> None:
    Authority.in_folder(tmp_path)
    spoil(tmp_path / FOLDER)
    was = {path.name: path.read_bytes() for path in (tmp_path / FOLDER).iterdir()}
    with pytest.raises(UserError, match=words) as end:
        Authority.in_folder(tmp_path)
    assert "bring" in str(end.value) and "\n" not in str(end.value)
    assert {path.name: path.read_bytes() for path in (tmp_path / FOLDER).iterdir()} == was


def test_a_key_of_another_authority_is_refused(tmp_path: Path) -> None:
    for name in ("own", "other"):
        Authority.in_folder(tmp_path / name)
    (tmp_path / "own" / FOLDER / "ca.key").write_bytes(
        (tmp_path / "other" / FOLDER / "ca.key").read_bytes()
    )
    with pytest.raises(UserError, match="are no pair"):
        Authority.in_folder(tmp_path / "own")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file" / "data", tmp_path / (300 * "d")):
        with pytest.raises(UserError, match="is no folder to write to"):
            Authority.in_folder(folder)


def test_several_processes_that_start_at_once_have_one_authority(tmp_path: Path) -> None:
    make = (
        "from pathlib import Path; from noisewarden.station.authority import Authority; "
        f"print(Authority.in_folder(Path({str(tmp_path)!r})).ca_der.hex())"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", make], stdout=subprocess.PIPE) for _ in range(4)
    ]
    said = {run.communicate(timeout=PATIENCE_S)[0] for run in runs}
    assert len(said) == 1 and len(said.pop()) > 500
    assert [path.name for path in tmp_path.iterdir()] == [FOLDER]


def test_its_certificate_is_taken_elsewhere_in_both_forms(tmp_path: Path) -> None:
    station = Authority.in_folder(tmp_path)
    (tmp_path / "ca.der").write_bytes(station.ca_der)
    assert read_ca(tmp_path / FOLDER / "ca.pem") == read_ca(tmp_path / "ca.der") == station.ca_der


@pytest.mark.parametrize("name", ["server.pem", "server.key", "ca.key"])
def test_what_is_no_certificate_of_an_authority(tmp_path: Path, name: str) -> None:
    Authority.in_folder(tmp_path).server_files()
    with pytest.raises(UserError, match="is no certificate of a station's authority; take auth"):
        read_ca(tmp_path / FOLDER / name)
