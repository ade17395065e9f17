"""A service that calls another: `python caller.py https://auth.example.com billing SECRET-FILE https://orders.example.com/orders`.

One token serves all calls; it is renewed once four fifths of its life have passed. Standard library only.
"""
import base64
import json
import sys
import threading
import time
import urllib.parse
import urllib.request


class TokenSource:
    """Client tokens (RFC 6749 section 4.4)."""

    def __init__(self, authority, client_id, client_secret, **parameters):
        self.url = f"{authority}/oauth2/token"
        credentials = ":".join(urllib.parse.quote(part, safe="") for part in (client_id, client_secret))
        self.basic = "Basic " + base64.b64encode(credentials.encode()).decode()
        self.form = urllib.parse.urlencode({"grant_type": "client_credentials", **parameters}).encode()
        self.lock, self.held, self.renew_at, self.expires_at = threading.Lock(), None, 0.0, 0.0

    def token(self):
        with self.lock:
            now = time.monotonic()
            if now >= self.renew_at:
                try:
                    self.fetch(now)
                except OSError:
                    # A short outage of the authority: the token that is held is still valid.
                    if now >= self.expires_at:
                        raise
            return self.held

    def fetch(self, now):
        request = urllib.request.Request(self.url, self.form, {"Authorization": self.basic})
        with urllib.request.urlopen(request, timeout=5) as answer:
            issued = json.load(answer)
        self.held = issued["access_token"]
        self.renew_at, self.expires_at = now + issued["expires_in"] * 0.8, now + issued["expires_in"]


if __name__ == "__main__":
    authority, client_id, secret_file, url = sys.argv[1:]
    with open(secret_file, encoding="utf-8") as file:
        tokens = TokenSource(authority, client_id, file.read().strip())
    for _ in range(2):
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {tokens.token()}"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            print(answer.read().decode())
