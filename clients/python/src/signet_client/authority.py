"""Keeps the authority's public keys and revocations at hand.

A thread of each process holds them. It reads revocations from `GET /revocations?after=`, whose pages the authority signs and holds
back until there is something new. No request of a client makes this service ask the authority for anything.

Until one complete state has arrived, nothing is accepted on a guess. Under uWSGI, threads need `enable-threads`.
"""
import logging
import os
import threading
import time

import jwt

from .server import Server
from .state import Keys, Revocations

log = logging.getLogger(__name__)

# The authority answers after this many seconds also when there is nothing new: by that it is known to be alive.
WAIT = 2
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


class Unavailable(Exception):
    """Whether a token is valid cannot be said at this moment: 503, and worth a retry."""


class Authority:
    """Follows one authority, in a thread of each process that asks for something.

    `issuer` is in every token and compared byte by byte; `url` is where this service reaches it, if that is another address.
    `when_stale`: what to do without contact for `stale_after` seconds, "continue" or "refuse". `ca_file` holds certificate
    authorities (PEM) for `url` where the machine does not trust them. Until the revocations have arrived once, nothing is
    accepted, unless `accept_without_revocations` is set.
    """

    def __init__(self, issuer, url=None, *, ca_file=None, allow_http=False, stale_after=5, when_stale="continue",
                 accept_without_revocations=False):
        if when_stale not in ("continue", "refuse"):
            raise ValueError(f'when_stale is "continue" or "refuse", not {when_stale!r}')
        self.issuer = issuer
        self.server = Server((url or issuer).rstrip("/"), ca_file, allow_http)
        self.stale_after, self.refuses = stale_after, when_stale == "refuse"
        self.needs_revocations = not accept_without_revocations
        self.keys = Keys()
        self.process, self.lock = None, threading.Lock()
        # Another thread of the parent may hold it at the fork.
        os.register_at_fork(after_in_child=self.forget_lock)
        self.begin()

    def forget_lock(self):
        self.lock = threading.Lock()

    def begin(self):
        """With nothing, in a new process."""
        self.keys.clear()
        self.asked_for_keys, self.knows_signer = float("-inf"), True
        # Of the last page; then as of it: the name of the key set, and how far the keys had come.
        self.etag, self.announced_keys, self.keys_seq = None, None, -1
        # The state that requests are evaluated by, and a snapshot that replaces it once it is complete.
        self.held, self.snapshot, self.is_complete = Revocations(), None, False
        # Everything is asked for again, until a whole state has come.
        self.begin_again = True
        self.contact_at, self.behind_since, self.may_go_back = None, None, False
        self.swept_at, self.latest = 0, 0
        self.first_answer = threading.Event()

    def start(self):
        """A thread does not survive the fork of a worker: each process has its own."""
        if self.process == os.getpid():
            return
        with self.lock:
            if self.process != os.getpid():
                self.begin()
                threading.Thread(target=self.follow, name="signet-authority", daemon=True).start()
                self.process = os.getpid()

    def check_ready(self):
        """Raises Unavailable where nothing may be accepted."""
        self.start()
        # Once: while the authority is away, no request waits for it.
        if not self.first_answer.is_set():
            self.first_answer.wait(FIRST_ANSWER)
            self.first_answer.set()
        if not self.keys.held or (self.needs_revocations and not self.is_complete):
            raise Unavailable("the keys and revocations have not arrived yet")
        if self.refuses and self.is_stale():
            raise Unavailable("no contact with the authority")

    def is_revoked(self, claims):
        """Whether a token with these verified claims was revoked."""
        return self.held.matches(claims)

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
            document, key.key, algorithms=[self.keys.algorithms[key.key_id]], issuer=self.issuer,
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
