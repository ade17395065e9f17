"""A signer and an authority that says what a test tells it to."""
import http.server
import json
import threading
import time

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ISSUER = "https://auth.test"


class Signer:
    def __init__(self, kid):
        self.kid, self.key = kid, Ed25519PrivateKey.generate()

    def jwk(self):
        public = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(self.key.public_key()))
        return {**public, "kid": self.kid, "alg": "EdDSA", "use": "sig"}

    def sign(self, typ, claims):
        return jwt.encode(claims, self.key, "EdDSA", {"typ": typ, "kid": self.kid})

    def page(self, seq=1, after=0, more=False, sessions=(), typ="revocations+jwt", **claims):
        entries = [{"kind": "session", "id": id, "exp": int(time.time()) + 300} for id in sessions]
        claims = {"iss": ISSUER, "iat": int(time.time()), "epoch": 7, "seq": seq, "keys": 1, "key_set": '"k"',
                  "after": after, "more": more, "revocations": entries, **claims}
        return self.sign(typ, claims)

    def token(self, **claims):
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "notes", "iat": now, "exp": now + 300, "jti": "j1", "sub": "u1",
                  "token_type": "access", "user_id": "1", "client_id": "web", **claims}
        return self.sign("at+jwt", claims)


class Fake:
    """Says what it is told to: `answers` by the beginning of a path, as (status, headers, body)."""

    def __init__(self):
        self.answers, self.asked, self.tags = {}, [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                outer.tags.append(self.headers["If-None-Match"])
                found = [answer for path, answer in outer.answers.items() if self.path.startswith(path)]
                status, headers, body = found[0] if found else (404, {}, b"")
                body = body(self.path) if callable(body) else body
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    for part in [body] if isinstance(body, (bytes, str)) else body:
                        self.wfile.write(part.encode() if isinstance(part, str) else part)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def keys(self, *signers, etag='"k"'):
        document = json.dumps({"keys": [signer.jwk() for signer in signers]})
        self.answers["/.well-known/jwks.json"] = (200, {"ETag": etag}, document)

    def end(self):
        self.server.shutdown()
        self.server.server_close()

    def say(self, body):
        self.answers["/revocations"] = (200, {}, body)
