"""Verification and client tokens, without a framework."""
import json
import os
import subprocess
import sys
import threading
import time
import unittest

import jwt
from fake import ISSUER, Fake, Signer

from signet_client import Authority, Refused, TokenRefused, TokenSource, Verifier
from signet_client.verifier import MAX_TOKEN


class Verification(unittest.TestCase):
    def setUp(self):
        self.signer, self.fake = Signer("k1"), Fake()
        self.addCleanup(self.fake.end)
        self.fake.keys(self.signer)
        self.fake.say(self.signer.page())
        self.verifier = Verifier(Authority(ISSUER, self.fake.url), "notes")

    def refused(self, token):
        with self.assertRaises(Refused) as refused:
            self.verifier.verify(token)
        self.assertEqual((refused.exception.status, refused.exception.error), (401, "invalid_token"))
        return str(refused.exception)

    def test_a_token_for_this_service_is_accepted(self):
        self.assertEqual(self.verifier.verify(self.signer.token())["client_id"], "web")
        # What reads a token as the authority writes it today.
        self.assertEqual(self.verifier.verify(self.signer.token(aud=["other", "notes"]))["sub"], "u1")

    def test_every_other_token_is_refused(self):
        now = int(time.time())
        good = jwt.decode(self.signer.token(), options={"verify_signature": False})
        without = lambda name: self.signer.sign("at+jwt", {key: value for key, value in good.items() if key != name})
        table = [
            self.signer.token(aud="other"), self.signer.token(iss="https://other.test"), self.signer.token(exp=now - 31),
            self.signer.token(nbf=now + 120), self.signer.token(token_type="refresh"), self.signer.sign("JWT", good),
            self.signer.sign("rt+jwt", good), Signer("k1").token(), Signer("k2").token(), "", "a.b.c", "a.b", "\u0663.b.c",
            "x" * (MAX_TOKEN + 1), *[without(name) for name in ("exp", "iat", "iss", "aud", "sub", "jti", "client_id")],
            # Bound to a key or a certificate, of whatever kind: who has only the token may be a thief.
            *[self.signer.token(cnf=cnf) for cnf in ({"jkt": "A" * 43}, {"x5t#S256": "A" * 43}, {"jwk": {}}, {}, None, 1)],
            # The algorithm is the key's.
            jwt.encode(good, self.signer.jwk()["x"], "HS256", {"typ": "at+jwt", "kid": "k1"}),
            jwt.encode(good, None, "none", {"typ": "at+jwt", "kid": "k1"}),
        ]
        for token in table:
            self.refused(token)

    def test_a_header_holds_one_bearer_token(self):
        token = self.signer.token(scope="a b", roles=["editor"])
        self.assertEqual(self.verifier.claims(f"Bearer {token}", scope="a", any_role=["editor"])["sub"], "u1")
        self.assertEqual(self.verifier.claims(f"bearer   {token}")["sub"], "u1")
        table = [
            (None, {}, 401, "", "Bearer"), ("", {}, 401, "", "Bearer"), ("Basic YTpi", {}, 401, "", "Bearer"),
            ("Bearer", {}, 400, "invalid_request", None), (f"Bearer {token} x", {}, 400, "invalid_request", None),
            (f"Bearer {token}x", {}, 401, "invalid_token", 'Bearer error="invalid_token"'),
            (f"Bearer {token}", {"scope": "c"}, 403, "insufficient_scope", 'Bearer error="insufficient_scope", scope="c"'),
            (f"Bearer {token}", {"any_role": ["chief"]}, 403, "insufficient_scope", 'Bearer error="insufficient_scope"'),
            (f"Bearer {token}", {"any_role": []}, 403, "insufficient_scope", 'Bearer error="insufficient_scope"'),
        ]
        for header, needs, status, error, challenge in table:
            with self.assertRaises(Refused, msg=header) as refused:
                self.verifier.claims(header, **needs)
            found = refused.exception.status, refused.exception.error, refused.exception.challenge
            self.assertEqual(found, (status, error, challenge), header)

    def test_no_framework_is_needed(self):
        code = "import sys, signet_client; assert not [name for name in sys.modules if 'django' in name or 'rest_framework' in name]"
        self.assertEqual(subprocess.run([sys.executable, "-c", code]).returncode, 0)


class Tokens(unittest.TestCase):
    def setUp(self):
        self.authority = TokenEndpoint()
        self.addCleanup(self.authority.end)

    def test_one_token_serves_all_threads_and_is_renewed_before_it_expires(self):
        tokens = TokenSource(self.authority.url, "a:b", "p w+", audience="orders")
        found = set()
        threads = [threading.Thread(target=lambda: found.add(tokens.token())) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((found, len(self.authority.asked)), ({"t1"}, 1))
        self.assertEqual(self.authority.asked[0], ("Basic YSUzQWI6cCUyMHclMkI=", "grant_type=client_credentials&audience=orders"))
        tokens.renew_at = 0
        self.assertEqual(tokens.token(), "t2")

    def test_a_short_outage_is_not_noticed_and_a_long_one_is_an_error(self):
        tokens = TokenSource(self.authority.url, "billing", "secret")
        self.assertEqual(tokens.header(), "Bearer t1")
        self.authority.answer = 503, {}
        tokens.renew_at = 0
        self.assertEqual(tokens.token(), "t1")
        self.assertEqual(tokens.token(), "t1")
        self.assertEqual(len(self.authority.asked), 2, "it is not asked at each call")
        tokens.expires_at = 0
        with self.assertRaises(OSError):
            tokens.token()
        self.authority.answer = 401, {"error": "invalid_client", "error_description": "no"}
        with self.assertRaisesRegex(TokenRefused, "invalid_client"):
            tokens.token()

    def test_the_secret_follows_no_redirect_and_no_proxy(self):
        other = TokenEndpoint()
        self.addCleanup(other.end)
        self.authority.answer = 307, {}
        self.authority.location = other.url
        for name in ("http_proxy", "all_proxy"):
            os.environ[name] = other.url
            self.addCleanup(os.environ.pop, name)
        with self.assertRaises(OSError):
            TokenSource(self.authority.url, "billing", "secret").token()
        self.assertEqual((len(self.authority.asked), other.asked), (1, []))


class TokenEndpoint(Fake):
    """Issues t1, t2, ... as long as `answer` says 200."""

    def __init__(self):
        self.answer, self.location = (200, {}), ""
        super().__init__()
        outer = self

        def do_POST(handler):
            form = handler.rfile.read(int(handler.headers["Content-Length"])).decode()
            outer.asked.append((handler.headers["Authorization"], form))
            status, body = outer.answer
            body = body or {"access_token": f"t{len(outer.asked)}", "expires_in": 300}
            handler.send_response(status)
            if outer.location:
                handler.send_header("Location", outer.location)
            handler.end_headers()
            handler.wfile.write(json.dumps(body).encode())

        self.server.RequestHandlerClass.do_POST = do_POST


unittest.main(verbosity=2)
