"""A resource service: `python verifier.py https://auth.example.com orders 127.0.0.1:8090`.

Needs the package of clients/python. A revoked token is refused within a second.
"""
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from signet_client import Authority, Refused, Verifier


class Orders(BaseHTTPRequestHandler):
    verifier = None

    def do_GET(self):
        try:
            claims = self.verifier.claims(self.headers["Authorization"], scope="orders:read")
            self.answer(200, {"caller": claims["sub"], "orders": []})
        except Refused as refused:
            self.answer(refused.status, {"error": refused.error}, refused.challenge)

    def answer(self, status, body, challenge=None):
        content = json.dumps(body).encode()
        self.send_response(status)
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    issuer, audience, address = sys.argv[1:]
    host, port = address.rsplit(":", 1)
    Orders.verifier = Verifier(Authority(issuer), audience)
    ThreadingHTTPServer((host, int(port)), Orders).serve_forever()
