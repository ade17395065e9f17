"""A resource service in Python: `python verifier.py https://auth.example.com orders 127.0.0.1:8090`.

PyJWT (`pip install "pyjwt[crypto]"`) verifies tokens with the key set of the authority. A revoked token is accepted until it expires:
a Django service refuses it within a second with deploy/django/signet_authentication.py, and docs/revocation-protocol.md says how any
service can.
"""
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt

ALGORITHMS = ["EdDSA", "ES256", "RS256"]


class Refused(Exception):
    def __init__(self, status, error):
        super().__init__(error)
        self.status, self.error = status, error


class Verifier:
    def __init__(self, issuer, audience):
        self.issuer, self.audience = issuer, audience
        self.keys = jwt.PyJWKClient(f"{issuer}/.well-known/jwks.json", lifespan=60)

    def claims(self, authorization, scope):
        """The claims of `Authorization: Bearer TOKEN` (RFC 6750), whose token must allow `scope`."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused(401, "")
        try:
            # Not every JWT is an access token (RFC 9068 section 4).
            if jwt.get_unverified_header(token).get("typ", "").lower() not in ("at+jwt", "application/at+jwt"):
                raise Refused(401, "invalid_token")
            key = self.keys.get_signing_key_from_jwt(token)
            claims = jwt.decode(token, key, algorithms=ALGORITHMS, issuer=self.issuer, audience=self.audience,
                                options={"require": ["exp", "iss", "aud", "sub", "client_id"]})
        except jwt.PyJWKClientConnectionError:
            raise Refused(503, "temporarily_unavailable") from None
        except jwt.PyJWTError:
            raise Refused(401, "invalid_token") from None
        if scope not in claims.get("scope", "").split():
            raise Refused(403, "insufficient_scope")
        return claims


class Orders(BaseHTTPRequestHandler):
    verifier = None

    def do_GET(self):
        try:
            claims = self.verifier.claims(self.headers["Authorization"], "orders:read")
            self.answer(200, {"caller": claims["sub"], "orders": []})
        except Refused as refused:
            self.answer(refused.status, {"error": refused.error})

    def answer(self, status, body):
        content = json.dumps(body).encode()
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    issuer, audience, address = sys.argv[1:]
    host, port = address.rsplit(":", 1)
    Orders.verifier = Verifier(issuer, audience)
    ThreadingHTTPServer((host, int(port)), Orders).serve_forever()
