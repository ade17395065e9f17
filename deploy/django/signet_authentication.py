"""What Signet took back is refused by a Django service within a second, though nobody is asked on the way.

`signet_settings.use_signet` puts one of these two in the place of simplejwt's class of the same kind:

    signet_authentication.SignetAuthentication            for JWTAuthentication
    signet_authentication.SignetStatelessAuthentication   for JWTStatelessUserAuthentication

A thread of each process holds the public keys, and the signed document of `GET /revocations`, which the authority holds
back until there is something new. No request of a client makes this service ask the authority for anything.

A process that starts while the authority is away has no keys, and refuses every token until it is back. Under uWSGI,
threads need `enable-threads`. Needs nothing but djangorestframework-simplejwt[crypto].
"""
import json
import logging
import os
import threading
import time
import urllib.error
import urllib.request

import jwt
from django.conf import settings
from rest_framework_simplejwt import state
from rest_framework_simplejwt.authentication import JWTAuthentication, JWTStatelessUserAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.settings import api_settings

log = logging.getLogger(__name__)

# The authority answers after this many seconds also when there is nothing new: by that it is known to be alive.
WAIT = 2
ALGORITHMS = ["EdDSA", "ES256", "RS256"]
MAX_DOCUMENT = 4 * 1024 * 1024
# How long the first request of a process waits for what the authority says.
FIRST_ANSWER = 2
# Seconds between two questions, whatever the answers are.
LEAST_INTERVAL = 0.1
LEAST_INTERVAL_OF_KEYS = 1
PAUSE_AFTER_FAILURE = 0.5


class Keys:
    """The authority's public keys, in the place of simplejwt's own client, which would ask for each unknown `kid`."""

    def __init__(self):
        self.held, self.etag = {}, None

    def get_signing_key_from_jwt(self, token):
        # Before the signature is verified: nothing but the choice of a key hangs on it.
        try:
            kid = jwt.get_unverified_header(token).get("kid")
        except jwt.InvalidTokenError as error:
            raise jwt.PyJWKClientError("no token") from error
        if kid not in self.held:
            raise jwt.PyJWKClientError("unknown key")
        return self.held[kid]

    def take(self, document, etag):
        # One of a kind that is not known here is another service's.
        known = [jwk for jwk in json.loads(document)["keys"] if jwk.get("alg") in ALGORITHMS and "kid" in jwk]
        self.held, self.etag = {jwk["kid"]: jwt.PyJWK(jwk) for jwk in known}, etag


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
        self.keys, self.announced_keys, self.asked_for_keys = Keys(), None, float("-inf")
        self.held, self.heard_at, self.etag = None, None, None
        self.first_answer = threading.Event()
        state.token_backend.jwks_client = self.keys
        threading.Thread(target=self.follow, name="signet-revocations", daemon=True).start()

    def wait_for_first_answer(self):
        # Once: while the authority is away, no request waits for it.
        if not self.first_answer.is_set():
            self.first_answer.wait(FIRST_ANSWER)
            self.first_answer.set()

    def check(self, token):
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
                time.sleep(LEAST_INTERVAL)
            except Exception as error:  # Whatever it is, what is held stays, and the next answer may be a good one.
                if not failing:
                    log.warning("signet: the authority cannot be followed: %s", error)
                failing = True
                time.sleep(PAUSE_AFTER_FAILURE)

    def ask(self):
        due = time.monotonic() - self.asked_for_keys >= LEAST_INTERVAL_OF_KEYS
        if due and not self.has_announced_keys():
            self.ask_for_keys()
        wait = WAIT if self.has_announced_keys() else LEAST_INTERVAL_OF_KEYS
        document, etag = self.get(f"/revocations?wait={wait if self.held else 0}", self.etag)
        if document is not None and not self.take(document, etag):
            # Of a replica that is behind: not the news that would count.
            return
        self.heard_at = time.monotonic()
        self.first_answer.set()

    def has_announced_keys(self):
        return bool(self.keys.held) and self.keys.etag == self.announced_keys

    def ask_for_keys(self):
        self.asked_for_keys = time.monotonic()
        document, etag = self.get("/.well-known/jwks.json", None)
        self.keys.take(document, etag)

    def get(self, path, etag):
        """A document and its ETag; no document when it is still the one that is held."""
        request = urllib.request.Request(self.url + path)
        if etag:
            request.add_header("If-None-Match", etag)
        try:
            with urllib.request.urlopen(request, timeout=WAIT + 3) as answer:
                document = answer.read(MAX_DOCUMENT + 1)
                if len(document) > MAX_DOCUMENT:
                    raise ValueError(f"{path} is too large")
                return document.decode("ascii"), answer.headers["ETag"]
        except urllib.error.HTTPError as error:
            if error.code != 304:
                raise
            return None, etag

    def take(self, document, etag):
        if jwt.get_unverified_header(document).get("typ") != "revocations+jwt":
            raise ValueError("this is no document of revocations")
        try:
            key = self.keys.get_signing_key_from_jwt(document)
        except jwt.PyJWKClientError:
            # Signed by a key that came since.
            self.ask_for_keys()
            key = self.keys.get_signing_key_from_jwt(document)
        # Whose signature it is, and of whom; it has no audience, and no end.
        claims = jwt.decode(
            document, key.key, algorithms=ALGORITHMS, issuer=api_settings.ISSUER,
            options={"require": ["iss", "iat"], "verify_aud": False, "verify_iat": False},
        )
        new = Revocations(claims)
        if self.held is not None and not new.supersedes(self.held):
            return False
        self.held, self.etag, self.announced_keys = new, etag, claims["key_set"]
        return True


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
        known = feed()
        known.wait_for_first_answer()
        token = super().get_validated_token(raw_token)
        known.check(token)
        return token


class SignetAuthentication(_WithRevocations, JWTAuthentication):
    pass


class SignetStatelessAuthentication(_WithRevocations, JWTStatelessUserAuthentication):
    pass
