"""checkers/token.py: JSON Web Tokens, good ones and those that are wrong in every way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any
from unittest import mock

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt.algorithms import RSAAlgorithm
from twisted.cred.error import UnauthorizedLogin
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth.checkers.token import TokenChecker, keys_in, names_in
from stomp_tx.auth.credentials import BearerToken
from stomp_tx.auth.identity import Identity
from stomp_tx.auth.watched_file import WatchedFile
from stomp_tx.errors import ConfigurationError
from tests.scratch import scratch

SECRET = "0123456789abcdef0123456789abcdef"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> bytes:
    octets: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return octets


def claims(**more: Any) -> dict[str, Any]:
    return {"sub": "ann", "exp": int(time.time()) + 600, **more}


def signed(payload: dict[str, Any], key: Any = SECRET, algorithm: str = "HS256", **header: Any) -> str:
    return jwt.encode(payload, key, algorithm, headers=header or None)


class TokenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = scratch(self) / "key"

    def checker(self, octets: bytes = SECRET.encode(), **arguments: Any) -> TokenChecker:
        self.path.write_bytes(octets)
        return TokenChecker(WatchedFile(str(self.path), keys_in), **arguments)

    def accepted(self, checker: TokenChecker, token: str) -> Identity:
        return checker.requestAvatarId(BearerToken(token))

    def refused(self, checker: TokenChecker, token: str) -> str:
        return str(self.assertRaises(UnauthorizedLogin, checker.requestAvatarId, BearerToken(token)))

    def test_each_kind_of_key(self) -> None:
        for octets, key, algorithm in (
            (SECRET.encode() + b"\n", SECRET, "HS256"),
            (pem(RSA), RSA, "RS256"),
            (pem(EC), EC, "ES256"),
        ):
            payload = claims(groups=["office", 7])
            found = self.accepted(self.checker(octets), signed(payload, key, algorithm))
            self.assertEqual(
                (found.name, found.groups, found.expires), ("ann", ("office",), payload["exp"] + 10)
            )

    def test_a_set_of_keys(self) -> None:
        jwks = {
            "keys": [
                {
                    **jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True),
                    "kid": "r",
                    "alg": "RS256",
                },
                {
                    **jwt.algorithms.ECAlgorithm.to_jwk(EC.public_key(), as_dict=True),
                    "kid": "e",
                    "use": "sig",
                },
            ]
        }
        checker = self.checker(json.dumps(jwks).encode())
        self.accepted(checker, signed(claims(), RSA, "RS256", kid="r"))
        self.accepted(checker, signed(claims(), EC, "ES256", kid="e"))
        self.accepted(checker, signed(claims(), EC, "ES256"))
        self.assertIn("no key is for", self.refused(checker, signed(claims(), RSA, "RS256", kid="e")))
        self.assertIn("no key is for", self.refused(checker, signed(claims(), RSA, "RS256", kid="x")))

    def test_signed_by_somebody_else(self) -> None:
        self.refused(self.checker(), signed(claims(), SECRET[::-1]))
        self.refused(self.checker(pem(RSA)), signed(claims(), OTHER_RSA, "RS256"))

    def test_changed_on_the_way(self) -> None:
        header, _, signature = signed(claims()).split(".")
        body = base64.urlsafe_b64encode(json.dumps(claims(sub="root")).encode()).rstrip(b"=").decode()
        self.refused(self.checker(), f"{header}.{body}.{signature}")

    def test_algorithm_none(self) -> None:
        for algorithm in ("none", "None", "NONE", ""):
            header = base64.urlsafe_b64encode(json.dumps({"alg": algorithm}).encode()).rstrip(b"=").decode()
            body = base64.urlsafe_b64encode(json.dumps(claims()).encode()).rstrip(b"=").decode()
            for signature in ("", "x"):
                self.refused(self.checker(), f"{header}.{body}.{signature}")

    def test_a_public_key_is_no_secret(self) -> None:
        """The attack: HS256 with the octets of the public key, which everybody may know."""
        public = pem(RSA)
        header = base64.urlsafe_b64encode(b'{"alg":"HS256"}').rstrip(b"=").decode()
        body = base64.urlsafe_b64encode(json.dumps(claims()).encode()).rstrip(b"=").decode()
        mac = hmac.new(public, f"{header}.{body}".encode(), hashlib.sha256).digest()
        signature = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
        self.assertIn("no key is for", self.refused(self.checker(public), f"{header}.{body}.{signature}"))

    def test_another_algorithm_of_the_same_family(self) -> None:
        self.assertIn("no key is for", self.refused(self.checker(), signed(claims(), SECRET * 2, "HS512")))

    def test_expired_or_without_an_end(self) -> None:
        checker = self.checker(leeway=10.0)
        now = int(time.time())
        self.assertIn("expired", self.refused(checker, signed(claims(exp=now - 11))))
        self.accepted(checker, signed(claims(exp=now - 5)))
        self.refused(checker, signed({"sub": "ann"}))
        for odd in ("9999999999", None, True, float("nan"), float("inf"), 1e400, [], {}):
            self.refused(checker, signed(claims(exp=odd)))

    def test_not_good_yet(self) -> None:
        self.refused(self.checker(), signed(claims(nbf=int(time.time()) + 600)))

    def test_audience_and_issuer(self) -> None:
        checker = self.checker(audience="stomp", issuer="https://example.com")
        good = {"aud": "stomp", "iss": "https://example.com"}
        self.accepted(checker, signed(claims(**good)))
        self.accepted(checker, signed(claims(**{**good, "aud": ["web", "stomp"]})))
        for change in ({"aud": "web"}, {"aud": []}, {"iss": "https://example.org"}):
            self.refused(checker, signed(claims(**{**good, **change})))
        for missing in good:
            self.refused(checker, signed(claims(**{name: good[name] for name in good if name != missing})))

    def test_who_it_is(self) -> None:
        checker = self.checker(user="email", groups="scope")
        found = self.accepted(checker, signed(claims(email="ann@example.com", scope="read write")))
        self.assertEqual((found.name, found.groups), ("ann@example.com", ("read", "write")))
        for odd in (None, "", " ", 7, ["ann"], "a\nb", "\x00"):
            self.refused(checker, signed(claims(email=odd)))
        self.assertEqual(self.accepted(checker, signed(claims(email="a", scope={"x": 1}))).groups, ())

    def test_what_is_no_token(self) -> None:
        for odd in (
            "",
            ".",
            "..",
            "a.b.c",
            "é.ü.ß",
            "=.=.=",
            "eyJ.eyJ.x",
            "." * 5,
            "x" * 20_000,
            "\x00.\x00.\x00",
        ):
            self.refused(self.checker(), odd)

    def test_brackets_in_brackets(self) -> None:
        """JSON that is nested deeper than Python goes, in either part."""
        deep = base64.urlsafe_b64encode(b"[" * 11_000).rstrip(b"=").decode()
        self.refused(self.checker(), f"{deep}.e30.x")
        header = base64.urlsafe_b64encode(b'{"alg":"HS256"}').rstrip(b"=").decode()
        mac = hmac.new(SECRET.encode(), f"{header}.{deep}".encode(), hashlib.sha256).digest()
        signature = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
        self.refused(self.checker(), f"{header}.{deep}.{signature}")

    def test_what_raises_in_the_library_is_no_token_either(self) -> None:
        """Releases before 2.14 raised RecursionError, which is none of their errors."""

        def raising(*_: object, **more: object) -> None:
            raise RecursionError

        checker = self.checker()
        token = signed(claims())
        for name in ("get_unverified_header", "decode"):
            with mock.patch.object(jwt, name, raising):
                self.refused(checker, token)

    def test_a_part_of_the_issuer_is_another_one(self) -> None:
        """Whatever the library makes of it: PyJWT 2.10.0 took "https" for it."""
        checker = self.checker(issuer="https://example.com")
        decode = jwt.decode
        token = signed(claims(iss="https"))
        careless = lambda *some, **more: decode(*some, **{**more, "issuer": None})  # noqa: E731
        with mock.patch.object(jwt, "decode", careless):
            self.assertIn("issuer", self.refused(checker, token))

    def test_the_longest(self) -> None:
        checker = self.checker()
        long = signed(claims(x="x" * 11_800))
        self.assertLess(len(long), 16 * 1024)
        self.accepted(checker, long)
        self.assertIn("too long", self.refused(checker, signed(claims(x="x" * 12_300))))

    def test_a_key_that_is_there_no_more_ends_what_it_opened(self) -> None:
        checker = self.checker()
        found = self.accepted(checker, signed(claims()))
        self.assertTrue(found.is_valid())
        self.path.write_bytes(SECRET[::-1].encode() + b"\n")
        self.assertFalse(found.is_valid())

    def test_revoked(self) -> None:
        """By its id, its subject, or the name of the user; a file that can't be read changes nothing."""
        revoked = scratch(self) / "revoked"
        revoked.write_text("# left in May\n\n eve \nt1\n")
        checker = self.checker(user="email", revoked=WatchedFile(str(revoked), names_in))
        ann = {"email": "ann@example.com", "jti": "t2"}
        found = self.accepted(checker, signed(claims(**ann)))
        for change in ({"jti": "t1"}, {"sub": "eve"}, {"email": "eve"}):
            self.assertIn("taken back", self.refused(checker, signed(claims(**{**ann, **change}))))
        self.refused(checker, signed(claims(**{**ann, "jti": ["t1"]})))  # no way around it
        for line in ("t2", "ann", "ann@example.com"):
            revoked.write_text(f"{line}\n")
            self.assertFalse(found.is_valid())
            revoked.write_text("")
            self.assertTrue(found.is_valid())
        revoked.write_bytes(b"\xff")
        self.assertTrue(found.is_valid())
        revoked.unlink()
        self.accepted(checker, signed(claims(**ann)))

    def test_without_the_file_of_those_revoked_there_is_no_checker(self) -> None:
        self.assertRaises(ConfigurationError, self.checker, revoked=WatchedFile("/nowhere", names_in))

    def test_a_new_key_counts_without_a_restart(self) -> None:
        checker = self.checker()
        token = signed(claims(), SECRET[::-1])
        self.refused(checker, token)
        self.path.write_bytes(SECRET[::-1].encode() + b"\n")
        self.accepted(checker, token)


class KeyFileTests(SynchronousTestCase):
    def test_keys_for_encryption_are_for_nothing_else(self) -> None:
        key = {**RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True), "use": "enc"}
        self.assertIn("no key", str(self.refused(json.dumps({"keys": [key]}).encode())))

    def test_brackets_in_brackets(self) -> None:
        self.refused(b'{"keys": ' + b"[" * 11_000)

    def refused(self, octets: bytes) -> ConfigurationError:
        error: ConfigurationError = self.assertRaises(ConfigurationError, keys_in, octets, "the file")
        return error

    def test_keys_that_are_too_weak_or_of_another_kind(self) -> None:
        small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        curve = ec.generate_private_key(ec.SECP384R1())
        edwards = ed25519.Ed25519PrivateKey.generate()
        for key in (small, curve, edwards):
            self.assertIn("for none of", str(self.refused(pem(key))))
        self.assertIn("too short", str(self.refused(b"hunter2\n")))
        weak = {"keys": [RSAAlgorithm.to_jwk(small.public_key(), as_dict=True)]}
        self.refused(json.dumps(weak).encode())

    def test_a_private_key_does_not_belong_there(self) -> None:
        octets = RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.assertIn("private key", str(self.refused(octets)))

    def test_what_is_no_key(self) -> None:
        for octets in (b"", b"{}", b"{", b'{"keys": []}', b'{"keys": 7}', b'{"keys": [{"kty": "xyz"}]}'):
            self.refused(octets)
        self.refused(b"-----BEGIN PUBLIC KEY-----\nxyz\n-----END PUBLIC KEY-----\n")
