"""Client tokens (RFC 6749 section 4.4): one serves all calls, and is renewed before it expires."""
import base64
import json
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

TIMEOUT = 5
# A token is not used for this many seconds before it expires: it may take a while to arrive.
MARGIN = 5
PAUSE_AFTER_FAILURE = 1


class TokenRefused(Exception):
    """The authority refused: `error` (RFC 6749 section 5.2)."""

    def __init__(self, error, description):
        super().__init__(f"{error}: {description}")
        self.error = error


class TokenSource:
    """Tokens of one client, for the whole process: threads share one token.

    `audience` and `scope` narrow what is requested. `ca_file` holds certificate authorities (PEM) for the authority.
    """

    def __init__(self, url, client_id, client_secret, *, audience=None, scope=None, ca_file=None):
        self.url = url.rstrip("/") + "/oauth2/token"
        # Both halves are form-encoded (RFC 6749 section 2.3.1).
        credentials = ":".join(urllib.parse.quote(part, safe="") for part in (client_id, client_secret))
        self.basic = "Basic " + base64.b64encode(credentials.encode()).decode()
        form = {"grant_type": "client_credentials", "audience": audience, "scope": scope}
        self.form = urllib.parse.urlencode({name: value for name, value in form.items() if value}).encode()
        context = ssl.create_default_context(cafile=ca_file) if self.url.startswith("https:") else None
        handlers = [urllib.request.HTTPSHandler(context=context)] if context else []
        # The secret goes to the authority and nowhere else.
        self.opener = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler({}), *handlers)
        self.lock, self.held, self.renew_at, self.expires_at, self.failed_at = threading.Lock(), None, 0.0, 0.0, float("-inf")

    def token(self):
        """A token that is valid for a while. Raises TokenRefused, or OSError without an answer, where none is held."""
        now = time.monotonic()
        if now < self.renew_at:
            return self.held
        # While one caller renews a token that is still valid, the others go on with it.
        if not self.lock.acquire(blocking=now >= self.expires_at):
            return self.held
        try:
            now = time.monotonic()
            if now < self.renew_at or (now < self.expires_at and now < self.failed_at + PAUSE_AFTER_FAILURE):
                return self.held
            return self.renew(now)
        finally:
            self.lock.release()

    def header(self):
        """The value of `Authorization`, and of the gRPC metadata `authorization`."""
        return "Bearer " + self.token()

    def renew(self, now):
        try:
            self.fetch(now)
        except (OSError, TokenRefused):
            # A short outage of the authority is not noticed.
            if now >= self.expires_at:
                raise
            self.failed_at = now
        return self.held

    def fetch(self, now):
        request = urllib.request.Request(self.url, self.form, {"Authorization": self.basic})
        try:
            with self.opener.open(request, timeout=TIMEOUT) as answer:
                issued = json.load(answer)
        except urllib.error.HTTPError as error:
            raise refusal(error) from None
        life = issued["expires_in"]
        self.held, self.renew_at = issued["access_token"], now + life * 0.8
        self.expires_at = now + life - min(MARGIN, life / 5)


def refusal(answer):
    if answer.code >= 500:
        return OSError(f"the authority answered with status {answer.code}")
    try:
        problem = json.loads(answer.read(64 * 1024))
        return TokenRefused(problem["error"], problem.get("error_description", ""))
    except (ValueError, KeyError, TypeError):
        return OSError(f"the authority answered with status {answer.code}")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None
