"""What Signet took back is refused by a Django service within a second, though nobody is asked on the way.

Put one of these two into DEFAULT_AUTHENTICATION_CLASSES, in the place of simplejwt's class of the same kind:

    signet_authentication.SignetAuthentication            for JWTAuthentication
    signet_authentication.SignetStatelessAuthentication   for JWTStatelessUserAuthentication

A thread of each process holds the signed document of `GET /revocations`, which the authority holds back until there is
something new. In the settings, beside SIMPLE_JWT with its JWK_URL and ISSUER:

    SIGNET = {
        "URL": "https://auth.example",    # where the authority is
        "STALE_AFTER": 5,                 # seconds without news until its knowledge counts as old
        "WHEN_STALE": "continue",         # or "refuse": 401 while it is old
    }

Needs nothing but djangorestframework-simplejwt and its PyJWT[crypto].
"""
import logging
import os
import threading
import time
import urllib.error
import urllib.request

import jwt
from django.conf import settings
from rest_framework_simplejwt.authentication import JWTAuthentication, JWTStatelessUserAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.settings import api_settings

log = logging.getLogger(__name__)

# The authority answers after this many seconds also when there is nothing new: by that it is known to be alive.
WAIT = 2
MAX_DOCUMENT = 4 * 1024 * 1024
FIRST_ANSWER = 2


class Revocations:
    """What was taken back, as of the last document."""

    def __init__(self, claims):
        self.epoch, self.seq, self.issued_at = claims["epoch"], claims["seq"], claims["iat"]
        self.sessions, self.tokens, self.subjects, self.clients = set(), set(), {}, {}
        for entry in claims["revocations"]:
            kind, id = entry["kind"], entry["id"]
            if kind == "session":
                self.sessions.add(id)
            elif kind == "token":
                self.tokens.add(id)
            elif kind == "subject":
                self.subjects[id] = max(entry["not_before"], self.subjects.get(id, 0))
            elif kind == "client":
                self.clients[id] = max(entry["not_before"], self.clients.get(id, 0))
            # Another kind is of a later authority.

    def hit(self, token):
        return (
            token.get("sid") in self.sessions
            or token.get("jti") in self.tokens
            or token.get("iat", 0) <= self.subjects.get(token.get("sub"), -1)
            or token.get("iat", 0) <= self.clients.get(token.get("client_id"), -1)
        )

    def supersedes(self, held):
        """A replica that is a moment behind must not let a revoked token through again."""
        further = (self.epoch, self.seq) >= (held.epoch, held.seq)
        return further or (self.epoch == held.epoch and self.issued_at > held.issued_at + 10)


class Feed:
    """Follows the authority, in a thread of this process."""

    def __init__(self):
        self.url = settings.SIGNET["URL"].rstrip("/")
        self.stale_after = settings.SIGNET.get("STALE_AFTER", 5)
        self.refuses = settings.SIGNET.get("WHEN_STALE", "continue") == "refuse"
        self.keys = jwt.PyJWKClient(api_settings.JWK_URL, timeout=2)
        self.held, self.heard_at, self.etag = None, None, None
        self.first_answer = threading.Event()
        threading.Thread(target=self.follow, name="signet-revocations", daemon=True).start()

    def check(self, token):
        if self.held is None:
            self.first_answer.wait(FIRST_ANSWER)
        if self.refuses and self.is_stale():
            raise InvalidToken("What was taken back is not known at this moment")
        if self.held is not None and self.held.hit(token):
            raise InvalidToken("Token is blacklisted")

    def is_stale(self):
        return self.heard_at is None or time.monotonic() - self.heard_at > self.stale_after

    def follow(self):
        failing = False
        while True:
            try:
                self.ask()
                failing = False
            except Exception as error:  # Whatever it is, what is held stays, and the next answer may be a good one.
                if not failing:
                    log.warning("signet: the revocations cannot be had: %s", error)
                failing = True
                time.sleep(0.5)

    def ask(self):
        request = urllib.request.Request(f"{self.url}/revocations?wait={WAIT}")
        if self.etag:
            request.add_header("If-None-Match", self.etag)
        try:
            with urllib.request.urlopen(request, timeout=WAIT + 3) as answer:
                document = answer.read(MAX_DOCUMENT + 1)
                if len(document) > MAX_DOCUMENT:
                    raise ValueError("the document is too large")
                self.take(document.decode("ascii"), answer.headers["ETag"])
        except urllib.error.HTTPError as error:
            if error.code != 304:
                raise
        self.heard_at = time.monotonic()
        self.first_answer.set()

    def take(self, document, etag):
        if jwt.get_unverified_header(document).get("typ") != "revocations+jwt":
            raise ValueError("this is no document of revocations")
        key = self.keys.get_signing_key_from_jwt(document)
        # Whose signature it is, and of whom; it has no audience, and no end.
        claims = jwt.decode(
            document, key.key, algorithms=["EdDSA", "ES256", "RS256"], issuer=api_settings.ISSUER,
            options={"require": ["iss", "iat"], "verify_aud": False, "verify_iat": False},
        )
        new = Revocations(claims)
        if self.held is None or new.supersedes(self.held):
            self.held, self.etag = new, etag


_feeds, _lock = {}, threading.Lock()


def feed():
    # A thread does not survive the fork of a worker: each process has its own.
    process = os.getpid()
    with _lock:
        if process not in _feeds:
            _feeds.clear()
            _feeds[process] = Feed()
        return _feeds[process]


class _WithRevocations:
    def get_validated_token(self, raw_token):
        token = super().get_validated_token(raw_token)
        feed().check(token)
        return token


class SignetAuthentication(_WithRevocations, JWTAuthentication):
    pass


class SignetStatelessAuthentication(_WithRevocations, JWTStatelessUserAuthentication):
    pass
