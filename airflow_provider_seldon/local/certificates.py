"""A certificate authority for one run: the API server's certificate, and the authority's for its clients.

Needs the ``cryptography`` package (extra ``local``). Keys exist only in memory, except for the moment in which
Python's ``ssl`` module, which reads files only, loads the server's.
"""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import GeneralName

_LIFETIME = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """The certificates of one server: a context for itself, and the authority's certificate for clients."""

    server: ssl.SSLContext
    authority_pem: bytes

    def client(self) -> ssl.SSLContext:
        """A context that trusts this authority and nothing else."""
        return ssl.create_default_context(cadata=self.authority_pem.decode())


def make_certificates(host: str) -> Certificates:
    """Create an authority and a server certificate for ``host``, ``localhost`` and the loopback addresses."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    start = datetime.now(UTC) - timedelta(minutes=5)

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def builder(
        subject: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + _LIFETIME)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )

    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority_name = name("seldon-local-authority")
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    authority = (
        builder(authority_name, authority_key, authority_name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    server_key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        builder(name("seldon-local"), server_key, authority_name)
        .add_extension(x509.SubjectAlternativeName(_alternative_names(host)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(identifier, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key_pem = server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.TemporaryDirectory(prefix="seldon-local-") as folder:
        path = Path(folder) / "server.pem"
        path.touch(mode=0o600)
        path.write_bytes(key_pem + certificate.public_bytes(pem))
        context.load_cert_chain(path)
    return Certificates(server=context, authority_pem=authority.public_bytes(pem))


def _alternative_names(host: str) -> list[GeneralName]:
    from cryptography.x509 import DNSName, IPAddress

    names: list[GeneralName] = [DNSName("localhost")]
    for address in {"127.0.0.1", "::1", host}:
        try:
            names.append(IPAddress(ipaddress.ip_address(address)))
        except ValueError:
            names.append(DNSName(address))
    return names
