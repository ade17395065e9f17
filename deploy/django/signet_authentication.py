"""A revoked token is refused by a Django service within a second, without asking the authority for each request.

`signet_settings.use_signet` puts one of these two in the place of simplejwt's class of the same kind:

    signet_authentication.SignetAuthentication            for JWTAuthentication
    signet_authentication.SignetStatelessAuthentication   for JWTStatelessUserAuthentication

A thread of each process holds the public keys and the revocations. It reads them from `GET /revocations?after=`, whose
pages the authority signs and holds back until there is something new. No request of a client makes this service ask the
authority for anything.

Until one complete state has arrived, every token is answered with 503: nothing is accepted on a guess. Under uWSGI,
threads need `enable-threads`. Needs nothing but djangorestframework-simplejwt[crypto] 5.4 or later.
"""
import http.client
import ipaddress
import json
import logging
import os
import socket
import ssl
import threading
import time
from urllib.parse import urlsplit

import jwt
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import DataError
from rest_framework.exceptions import APIException
from rest_framework_simplejwt import state
from rest_framework_simplejwt.authentication import JWTAuthentication, JWTStatelessUserAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken
from rest_framework_simplejwt.settings import api_settings

log = logging.getLogger(__name__)

# The authority answers after this many seconds also when there is nothing new: by that it is known to be alive.
WAIT = 2
# Seconds for a whole answer, beside the time for which it is held back.
ANSWER_WITHIN = 3
ALGORITHMS = ["EdDSA", "ES256", "RS256"]
# Bytes. A page has 5,000 revocations, about 600 KiB.
MAX_PAGE = 4 * 1024 * 1024
MAX_KEY_SET = 64 * 1024
# How long the first request of a process waits for what the authority says.
FIRST_ANSWER = 2
# Seconds between two questions, whatever the answers are.
LEAST_INTERVAL = 0.1
LEAST_INTERVAL_OF_KEYS = 1
PAUSE_AFTER_FAILURE = 0.5
# A time signed further than this from our clock proves nothing about the present: it may be a replay.
CURRENT = 30
# A replica of the authority may be this many seconds behind another. After that a backup was restored.
REPLICA_LAG = 10
SWEEP_INTERVAL = 60
# A clock that goes back by less was set right by its daemon.
CLOCK_STEP = 30


class Unavailable(APIException):
    status_code, default_code = 503, "temporarily_unavailable"
    default_detail = "The keys and revocations to verify tokens are not known at this moment"
    # For `Retry-After`.
    wait = 1


class _HTTPConnection(http.client.HTTPConnection):
    # `sock` is gone as soon as the length of the answer is its end.
    open_socket = None

    def connect(self):
        super().connect()
        self.open_socket = self.sock


class _HTTPSConnection(http.client.HTTPSConnection):
    open_socket = None

    def connect(self):
        http.client.HTTPConnection.connect(self)
        # In two steps, so that a handshake that never ends can be cut, too.
        self.sock = self.open_socket = self._context.wrap_socket(
            self.sock, server_hostname=self.host, do_handshake_on_connect=False)
        self.sock.do_handshake()


class Server:
    """Requests to the authority only: no redirects, no proxies, answers limited in time and size."""

    def __init__(self, url, ca_file=None, allow_http=False):
        self.url = urlsplit(url)
        if not self.url.hostname or self.url.scheme not in ("https", "http"):
            raise ImproperlyConfigured(f"SIGNET URL {url}: not a URL of a server")
        self.tls = ssl.create_default_context(cafile=ca_file) if self.url.scheme == "https" else None
        if self.tls is None and not allow_http and not is_loopback(self.url.hostname):
            raise ImproperlyConfigured(f"SIGNET URL {url}: not https; in a trusted network set ALLOW_HTTP")

    def get(self, path, wait, limit, etag=None):
        """The text and the ETag of what stands at `path`; the answer may be held back while `etag` names the newest."""
        within, address = ANSWER_WITHIN + wait, (self.url.hostname, self.url.port)
        if self.tls is None:
            connection = _HTTPConnection(*address, timeout=within)
        else:
            connection = _HTTPSConnection(*address, timeout=within, context=self.tls)
        # The timeout of a socket starts again with every byte.
        deadline = threading.Timer(within, cut, [connection])
        deadline.daemon = True
        deadline.start()
        try:
            headers = {"If-None-Match": etag} if etag else {}
            connection.request("GET", self.url.path.rstrip("/") + path, headers=headers)
            answer = connection.getresponse()
            if answer.status != 200:
                raise ValueError(f"answered with status {answer.status}")
            text = answer.read(limit + 1)
            if len(text) > limit:
                raise ValueError(f"the answer is larger than {limit} bytes")
            return text.decode("utf-8"), answer.getheader("ETag")
        finally:
            deadline.cancel()
            connection.close()


def is_loopback(host):
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def cut(connection):
    try:
        # Of the operating system's socket: a reader, or a handshake, ends with it.
        socket.socket.shutdown(connection.open_socket, socket.SHUT_RDWR)
    except (TypeError, OSError):
        # Not connected yet, or not any more.
        pass


class Keys:
    """The authority's public keys, in the place of simplejwt's own client, which would ask for each unknown `kid`."""

    def __init__(self):
        self.held, self.etag, self.algorithms = {}, None, {}

    def get_signing_key_from_jwt(self, token):
        # Before the signature is verified: nothing but the choice of a key hangs on it.
        try:
            kid = jwt.get_unverified_header(token).get("kid")
        except jwt.InvalidTokenError as error:
            raise jwt.PyJWKClientError("no token") from error
        if not isinstance(kid, str) or kid not in self.held:
            raise jwt.PyJWKClientError("unknown key")
        return self.held[kid]

    def take(self, document, etag):
        # One of a kind that is not known here is another service's.
        known = [jwk for jwk in json.loads(document)["keys"] if jwk.get("alg") in ALGORITHMS and "kid" in jwk]
        self.held, self.etag = {jwk["kid"]: jwt.PyJWK(jwk, jwk["alg"]) for jwk in known}, etag
        self.algorithms = {jwk["kid"]: jwk["alg"] for jwk in known}


class Revocations:
    """The revocations of one history (`epoch`), up to a number. Requests read it while it grows."""

    def __init__(self, epoch=0):
        self.epoch, self.seq = epoch, 0
        # By id: until when it is needed; of subjects and clients also the issue time up to which tokens are revoked.
        self.sessions, self.tokens, self.subjects, self.clients = {}, {}, {}, {}

    def add(self, entries, seq):
        # Whole or not at all.
        entries = [(entry["kind"], entry["id"], int(entry["exp"]), entry.get("not_before")) for entry in entries]
        for kind, id, exp, not_before in entries:
            if kind in ("session", "token"):
                of_kind = self.sessions if kind == "session" else self.tokens
                of_kind[id] = max(exp, of_kind.get(id, 0))
            elif kind in ("subject", "client"):
                of_kind = self.subjects if kind == "subject" else self.clients
                until, before = of_kind.get(id, (0, -1))
                of_kind[id] = (max(exp, until), max(int(not_before), before))
            # Another kind is of a later authority.
        self.seq = seq

    def sweep(self, now):
        """Lets go of what no living token can need."""
        self.sessions = {id: exp for id, exp in self.sessions.items() if exp > now}
        self.tokens = {id: exp for id, exp in self.tokens.items() if exp > now}
        self.subjects = {id: entry for id, entry in self.subjects.items() if entry[0] > now}
        self.clients = {id: entry for id, entry in self.clients.items() if entry[0] > now}

    def matches(self, token):
        iat = token.get("iat", 0)
        return (
            token.get("sid") in self.sessions
            or token.get("jti") in self.tokens
            or iat <= self.subjects.get(token.get("sub"), (0, -1))[1]
            or iat <= self.clients.get(token.get("client_id"), (0, -1))[1]
        )


class Feed:
    """Follows the authority, in a thread of this process."""

    def __init__(self):
        given = settings.SIGNET
        self.server = Server(given["URL"], given.get("CA_FILE"), given.get("ALLOW_HTTP", False))
        self.stale_after = given.get("STALE_AFTER", 5)
        self.refuses = given.get("WHEN_STALE", "continue") == "refuse"
        self.needs_revocations = not given.get("ACCEPT_WITHOUT_REVOCATIONS", False)
        self.keys, self.asked_for_keys, self.knows_signer = Keys(), float("-inf"), True
        # Of the last page; then as of it: the name of the key set, and how far the keys had come.
        self.etag, self.announced_keys, self.keys_seq = None, None, -1
        # The state that requests are evaluated by, and a snapshot that replaces it once it is complete.
        self.held, self.snapshot, self.is_complete = Revocations(), None, False
        # Everything is asked for again, until a whole state has come.
        self.begin_again = True
        self.contact_at, self.behind_since, self.may_go_back = None, None, False
        self.swept_at, self.latest = 0, 0
        self.first_answer = threading.Event()
        state.token_backend.jwks_client = self.keys
        threading.Thread(target=self.follow, name="signet-revocations", daemon=True).start()

    def check_ready(self):
        # Once: while the authority is away, no request waits for it.
        if not self.first_answer.is_set():
            self.first_answer.wait(FIRST_ANSWER)
            self.first_answer.set()
        if not self.keys.held or (self.needs_revocations and not self.is_complete):
            raise Unavailable()
        if self.refuses and self.is_stale():
            raise Unavailable()

    def is_stale(self):
        return self.contact_at is None or time.monotonic() - self.contact_at > self.stale_after

    def follow(self):
        failing = False
        while True:
            try:
                self.ask()
                if failing:
                    log.warning("signet: the authority answers again")
                failing = False
                time.sleep(LEAST_INTERVAL)
            except Exception as error:  # Whatever it is, what is held stays, and the next answer may be a good one.
                self.snapshot = None
                if not failing:
                    log.warning("signet: the authority cannot be followed: %s", error)
                failing = True
                time.sleep(PAUSE_AFTER_FAILURE)

    def ask(self):
        due = time.monotonic() - self.asked_for_keys >= LEAST_INTERVAL_OF_KEYS
        if due and not self.has_announced_keys():
            self.ask_for_keys()
        while self.ask_for_page():
            pass

    def has_announced_keys(self):
        return bool(self.keys.held) and self.knows_signer and self.keys.etag == self.announced_keys

    def ask_for_keys(self):
        self.asked_for_keys = time.monotonic()
        document, etag = self.server.get("/.well-known/jwks.json", 0, MAX_KEY_SET)
        if self.announced_keys not in (None, etag) and self.knows_signer:
            # Of a replica that is late, or out of a cache: a revoked key may be in it.
            raise ValueError("the key set is not the one that was announced")
        self.keys.take(document, etag)

    def ask_for_page(self):
        """Whether there are more behind it."""
        self.mind_the_clock()
        if self.snapshot is None and (self.begin_again or self.may_go_back):
            self.snapshot = Revocations()
        known = self.held if self.snapshot is None else self.snapshot
        wait = WAIT if self.snapshot is None and self.has_announced_keys() else 0
        path = f"/revocations?after={known.epoch}.{known.seq}&wait={wait}"
        # With it a change of the keys is news, too, also one that came since the last answer.
        document, etag = self.server.get(path, wait, MAX_PAGE, self.etag)
        more = self.take(self.verified(document))
        self.etag = None if more else etag
        return more

    def mind_the_clock(self):
        now = time.time()
        if now + CLOCK_STEP < self.latest:
            # Entries dropped while it was ahead are needed again.
            self.snapshot, self.begin_again, self.latest = None, True, now
        self.latest = max(self.latest, now)
        if now - self.swept_at >= SWEEP_INTERVAL:
            self.held.sweep(now)
            self.swept_at = now

    def verified(self, document):
        if jwt.get_unverified_header(document).get("typ") != "revocations+jwt":
            raise ValueError("this is no document of revocations")
        try:
            key = self.keys.get_signing_key_from_jwt(document)
        except jwt.PyJWKClientError:
            # Signed by a key that came since; asked for at most once a second.
            self.knows_signer = False
            raise
        # Whose signature it is, and of whom; it has no audience, and no end. The key names its one algorithm.
        return jwt.decode(
            document, key.key, algorithms=[self.keys.algorithms[key.key_id]], issuer=api_settings.ISSUER,
            options={"require": ["iss", "iat"], "verify_aud": False, "verify_iat": False},
        )

    def take(self, page):
        """Adds a page where it belongs; whether there are more behind it."""
        epoch, seq, after, more = page["epoch"], page["seq"], page["after"], page["more"]
        held, late = self.held, not self.may_go_back
        if late and (epoch < held.epoch or (epoch == held.epoch and page["keys"] < self.keys_seq)):
            self.is_behind()
        known = held if self.snapshot is None else self.snapshot
        if known.epoch != epoch:
            # Another history, which begins with everything in it.
            known = self.snapshot = Revocations(epoch)
        if after > known.seq or seq < after or (more and seq <= known.seq):
            self.begin_again = True
            raise ValueError("the page does not follow what is held")
        if late and not more and (epoch, seq) < (held.epoch, held.seq):
            # It would let a revoked token through again.
            self.is_behind()
        known.add(page["revocations"], max(seq, known.seq))
        if more:
            return True
        if known is self.snapshot:
            self.held, self.snapshot, self.begin_again = known, None, False
        self.announced_keys, self.keys_seq = page["key_set"], page["keys"]
        self.knows_signer, self.behind_since, self.may_go_back = True, None, False
        age = time.time() - page["iat"]
        if abs(age) > CURRENT:
            raise ValueError(f"the page was signed {age:.0f} seconds ago by this machine's clock")
        self.contact_at, self.is_complete = time.monotonic(), True
        self.first_answer.set()
        return False

    def is_behind(self):
        """Raises. After a while a backup was restored: then what it says is true."""
        now = time.monotonic()
        self.behind_since = self.behind_since or now
        self.may_go_back = now - self.behind_since > REPLICA_LAG
        raise ValueError("the page is of a replica that is behind")


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
        known.check_ready()
        token = super().get_validated_token(raw_token)
        if known.held.matches(token):
            raise InvalidToken("Token is blacklisted")
        return token

    def get_user(self, validated_token):
        try:
            return super().get_user(validated_token)
        except (ValueError, TypeError, OverflowError, ValidationError, DataError) as error:
            # A valid token of a user who cannot exist in this service: the ID has another type.
            raise AuthenticationFailed("User not found", code="user_not_found") from error


class SignetAuthentication(_WithRevocations, JWTAuthentication):
    pass


class SignetStatelessAuthentication(_WithRevocations, JWTStatelessUserAuthentication):
    pass
