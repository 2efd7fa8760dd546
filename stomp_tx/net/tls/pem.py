"""PEM: the files of certificates and keys, and what is wrong with those that are of no use."""

from __future__ import annotations

import re
import shlex

from OpenSSL import crypto

from stomp_tx.errors import ConfigurationError

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_KEY = re.compile(rb"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.+?-----END \1PRIVATE KEY-----", re.DOTALL)
_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
_ENCRYPTED = re.compile(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED", re.MULTILINE)
_PKCS12 = re.compile(rb"\x30[\x80-\x84]?.{1,4}?\x02\x01\x03", re.DOTALL)


def read(path: str) -> bytes:
    """What is in a file.  Raises ConfigurationError, whose cause is the OSError."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ConfigurationError(f"can't read {path}: {(error.strerror or str(error)).lower()}") from error


def certificates(path: str) -> list[crypto.X509]:
    """All that are in a file: at least one.  Raises ConfigurationError."""
    octets = read(path)
    found = _CERTIFICATE.findall(octets)
    if not found:
        raise _without("certificate", "x509", path, octets)
    loaded = []
    for number, one in enumerate(found, 1):
        try:
            loaded.append(crypto.load_certificate(crypto.FILETYPE_PEM, one + b"\n"))
        except (crypto.Error, ValueError):
            raise ConfigurationError(
                f"a certificate in {path} is damaged", f"number {number} of {len(found)} can't be read"
            ) from None
    return loaded


def private_key(path: str) -> crypto.PKey:
    """The first that is in a file.  Raises ConfigurationError."""
    octets = read(path)
    found = _KEY.search(octets)
    if found is None:
        raise _without("private key", "pkey", path, octets)
    if _ENCRYPTED.search(found[0]):
        name = shlex.quote(path)
        raise ConfigurationError(
            f"the private key in {path} is encrypted",
            "nobody can be asked for its passphrase. Write it to another file without one:"
            f" (umask 077; openssl pkey -in {name} -out {name}.plain)",
        )
    try:
        return crypto.load_privatekey(crypto.FILETYPE_PEM, found[0] + b"\n", b"")
    except (crypto.Error, ValueError, TypeError):
        raise ConfigurationError(f"the private key in {path} can't be read", "the file is damaged") from None


def identity(key_path: str, certificates_path: str) -> tuple[crypto.PKey, list[crypto.X509]]:
    """A private key and the certificates to show with it, its own first.  Raises ConfigurationError."""
    chain = certificates(certificates_path)
    key = private_key(key_path)
    public = _public(key)
    belonging = [_public(one.get_pubkey()) == public for one in chain]
    if not any(belonging):
        raise ConfigurationError(
            f"the private key in {key_path} is not that of the certificate in {certificates_path}",
            f"that certificate is of {_name(chain[0])}: name two files that belong together",
        )
    if not belonging[0]:
        right, first = _name(chain[belonging.index(True)]), _name(chain[0])
        raise ConfigurationError(
            f"the first certificate in {certificates_path} is not that of the private key in {key_path}",
            f"put the certificate of {right} first, its issuer's second, and so on; now {first} is first",
        )
    return key, chain


def _public(key: crypto.PKey) -> bytes:
    return crypto.dump_publickey(crypto.FILETYPE_ASN1, key)


def _name(certificate: crypto.X509) -> str:
    return certificate.to_cryptography().subject.rfc4514_string() or "one without a name"


def _without(what: str, command: str, path: str, octets: bytes) -> ConfigurationError:
    name = shlex.quote(path)
    labels = [label.decode() for label in dict.fromkeys(_LABEL.findall(octets))]
    if labels:
        detail = f"it holds: {', '.join(labels)}"
    elif _PKCS12.match(octets):
        detail = f"it is PKCS #12; to convert it: openssl pkcs12 -in {name} -nodes -out {name}.pem"
    elif octets.startswith(b"\x30"):
        detail = f"it is DER; to convert it: openssl {command} -inform der -in {name} -out {name}.pem"
    else:
        detail = f"no line of it is -----BEGIN {what.upper()}-----" if octets.strip() else "it is empty"
    return ConfigurationError(f"{path} holds no {what} in PEM", detail)
