"""Certificates of servers on loopback, by an authority of the test's own."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Authority:
    """Signs certificates; `pem` is the file to trust."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "An authority")])
        signed = self._sign(self._name, self._key.public_key(), "authority.localhost", 1, ca=True)
        self.pem = directory / "authority.pem"
        self.pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def server(self, host: str, days: int = 1, own: bool = False) -> ssl.SSLContext:
        """TLS of a server with a certificate for `host` that ends in some days; `own`: signed by itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
        signed = self._sign(name, key.public_key(), host, days, signer=(name, key) if own else None)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = self._directory / f"{host}-{days}-{own}.pem"
        path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _sign(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePublicKey,
        host: str,
        days: int,
        ca: bool = False,
        signer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None = None,
    ) -> x509.Certificate:
        issuer, issuer_key = signer or (self._name, self._key)
        end = datetime.now(UTC) + timedelta(days=days)
        return (
            x509.CertificateBuilder(issuer, name, key, x509.random_serial_number())
            .not_valid_before(end - timedelta(days=30))
            .not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .sign(issuer_key, hashes.SHA256())
        )
