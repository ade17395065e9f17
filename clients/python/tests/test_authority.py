"""What the verifier does when the authority lies, sends nonsense, or never ends."""
import json
import os
import time
import unittest
from unittest import mock

import jwt
from fake import ISSUER, Fake, Signer

from signet_client import Authority, Refused, Verifier, authority, server


class Following(unittest.TestCase):
    def setUp(self):
        self.signer, self.fake = Signer("k1"), Fake()
        self.fake.keys(self.signer)
        self.addCleanup(self.fake.end)

    def feed(self, **given):
        """One that does what it is told, step by step."""
        feed = Authority(ISSUER, given.pop("url", self.fake.url), **given)
        # No thread: a test takes each step itself.
        feed.process = os.getpid()
        feed.first_answer.set()
        return feed

    def ask(self, feed):
        feed.asked_for_keys = float("-inf")
        feed.ask()

    def refused(self, feed, why):
        with self.assertRaisesRegex(Exception, why):
            self.ask(feed)

    def evaluate(self, feed, token):
        return Verifier(feed, "notes").verify(token)

    def unavailable(self, feed, token):
        with self.assertRaises(Refused) as refused:
            self.evaluate(feed, token)
        self.assertEqual((refused.exception.status, refused.exception.error), (503, "temporarily_unavailable"))

    def revoked(self, feed, token):
        with self.assertRaisesRegex(Refused, "revoked") as refused:
            self.evaluate(feed, token)
        self.assertEqual((refused.exception.status, refused.exception.error), (401, "invalid_token"))

    def test_nothing_is_accepted_before_one_state_is_complete(self):
        feed, token = self.feed(), self.signer.token(sid="s1")
        self.unavailable(feed, token)
        self.fake.answers["/revocations"] = (500, {}, b"")
        self.refused(feed, "status 500")
        self.unavailable(feed, token)
        # The first of two pages is not all.
        with self.assertRaises(Exception):
            self.fake.say(self.signer.page(1, more=True))
            self.ask(feed)
        self.unavailable(feed, token)
        open_feed = self.feed(accept_without_revocations=True)
        open_feed.ask_for_keys()
        self.assertEqual(self.evaluate(open_feed, token)["sid"], "s1", "where the operator wants it")
        feed.snapshot = None
        self.fake.say(self.signer.page(1, sessions=["s2"]))
        self.ask(feed)
        self.assertEqual(self.evaluate(feed, token)["sid"], "s1")
        self.revoked(feed, self.signer.token(sid="s2"))

    def test_pages_are_read_to_the_last_and_then_followed(self):
        feed, pages = self.feed(), {
            "0.0": self.signer.page(2, 0, True, ["a", "b"]),
            "7.2": self.signer.page(3, 2, False, ["c"]),
            "7.3": self.signer.page(4, 3, False, ["d"]),
        }
        self.fake.say(lambda path: pages[path.split("after=")[1].split("&")[0]])
        self.ask(feed)
        self.assertEqual((set(feed.held.sessions), feed.held.seq, feed.is_complete), ({"a", "b", "c"}, 3, True))
        self.ask(feed)
        self.assertEqual(set(feed.held.sessions), {"a", "b", "c", "d"})
        waits = [path.split("wait=")[1] for path in self.fake.asked if "wait=" in path]
        self.assertEqual(waits, ["0", "0", "2"], "what is on its way is not held back")

    def test_a_change_of_the_keys_is_not_held_back_either(self):
        feed = self.feed()
        self.fake.answers["/revocations"] = (200, {"ETag": 'W/"7-1-k"'}, self.signer.page(1))
        self.ask(feed)
        self.fake.answers["/revocations"] = (200, {"ETag": 'W/"7-1-k"'}, self.signer.page(1, 1))
        self.ask(feed)
        self.assertEqual(self.fake.tags[-1], 'W/"7-1-k"')

    def test_every_kind_of_revocation_is_refused_and_let_go_of_when_no_token_needs_it(self):
        feed, now = self.feed(), int(time.time())
        entries = [
            {"kind": "session", "id": "s", "exp": now + 60},
            {"kind": "token", "id": "t", "exp": now + 60},
            {"kind": "subject", "id": "p", "exp": now + 60, "not_before": now - 5},
            {"kind": "client", "id": "c", "exp": now + 60, "not_before": now - 5},
            {"kind": "of a later authority", "id": "x", "exp": now + 60},
        ]
        self.fake.say(self.signer.page(4, revocations=entries))
        self.ask(feed)
        for claims in [{"sid": "s"}, {"jti": "t"}, {"sub": "p", "iat": now - 5}, {"client_id": "c", "iat": now - 9}]:
            self.revoked(feed, self.signer.token(**claims))
        # Of a client also what comes from its tokens (RFC 8693).
        self.revoked(feed, self.signer.token(iat=now - 9, via=["a", "c"]))
        for via in [[], ["cc"], "c", [["c"]], {"c": 1}, None]:
            self.evaluate(feed, self.signer.token(iat=now - 9, via=via))
        self.evaluate(feed, self.signer.token(sub="p", iat=now - 4))
        feed.held.sweep(now + 59)
        self.assertTrue(feed.held.matches({"sid": "s"}))
        feed.held.sweep(now + 60)
        for claims in [{"sid": "s"}, {"jti": "t"}, {"sub": "p", "iat": 0}, {"client_id": "c", "iat": 0}]:
            self.assertFalse(feed.held.matches(claims), claims)

    def test_no_redirect_is_followed_and_no_proxy_asked(self):
        evil, forger = Fake(), Signer("k1")
        self.addCleanup(evil.end)
        evil.keys(forger)
        evil.say(forger.page())
        for path in ["/.well-known/jwks.json", "/revocations"]:
            self.fake.answers[path] = (302, {"Location": evil.url + path}, b"")
        variables = {name: evil.url for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"]}
        with mock.patch.dict(os.environ, variables):
            feed = self.feed()
            self.refused(feed, "status 302")
        self.assertEqual((feed.keys.held, evil.asked), ({}, []))

    def test_only_https_or_this_machine_is_asked(self):
        for url in ["http://auth.example", "http://10.0.0.1", "ftp://auth.example", "auth.example", "http://"]:
            with self.assertRaises(ValueError, msg=url):
                self.feed(url=url)
        for url in ["https://auth.example", "http://localhost:1", "http://[::1]:1", "http://127.9.9.9"]:
            self.feed(url=url)
        self.feed(url="http://auth.example", allow_http=True)
        with self.assertRaises(OSError):
            self.feed(url="https://auth.example", ca_file="/nowhere/ca.pem")

    def test_an_answer_ends_in_time_and_is_bounded_in_size(self):
        def drip():
            for _ in range(200):
                yield b" "
                time.sleep(0.05)

        with mock.patch.object(server, "ANSWER_WITHIN", 0.5):
            self.fake.answers["/.well-known/jwks.json"] = (200, {}, drip())
            begun = time.monotonic()
            self.refused(self.feed(), "")
            self.assertLess(time.monotonic() - begun, 5)
        self.fake.answers["/.well-known/jwks.json"] = (200, {}, b"x" * (authority.MAX_KEY_SET + 1))
        self.refused(self.feed(), "larger")

    def test_a_repeated_page_says_nothing_about_now(self):
        feed = self.feed()
        for iat in [int(time.time()) - 60, int(time.time()) + 60]:
            self.fake.say(self.signer.page(iat=iat))
            self.refused(feed, "seconds ago")
            self.assertEqual((feed.contact_at, feed.is_complete), (None, False))
        self.fake.say(self.signer.page())
        self.ask(feed)
        self.assertFalse(feed.is_stale())

    def test_what_another_signed_or_of_another_type_is_refused(self):
        forger, feed = Signer("k1"), self.feed()
        for document, why in [
            (forger.page(), "Signature"),
            (Signer("k2").page(), "unknown key"),
            (self.signer.page(typ="at+jwt"), "no document"),
            (self.signer.page(iss="https://other.test"), "issuer"),
            (self.signer.page(revocations=[{"kind": "session"}]), "id"),
            ("x.y.z", ""),
            (b"\xff", ""),
        ]:
            self.fake.say(document)
            self.refused(feed, why)
            self.assertEqual((feed.held.sessions, feed.is_complete), ({}, False))
        # As a public key in the place of a secret: the algorithm is the key's.
        public = self.signer.jwk()["x"]
        self.fake.say(jwt.encode({"iss": ISSUER, "iat": 1}, public, "HS256", {"typ": "revocations+jwt", "kid": "k1"}))
        self.refused(feed, "")

    def test_a_replica_that_is_behind_brings_no_token_back_and_a_restored_backup_is_believed_after_a_while(self):
        feed = self.feed()
        self.fake.say(self.signer.page(5, sessions=["s1"], keys=3))
        self.ask(feed)
        late = [
            self.signer.page(4, 4), self.signer.page(4, 0), self.signer.page(5, 5, keys=2),
            self.signer.page(9, 0, epoch=6), self.signer.page(9, 9, epoch=6),
        ]
        for page in late:
            self.fake.say(page)
            self.refused(feed, "behind")
            self.assertEqual((feed.held.seq, set(feed.held.sessions)), (5, {"s1"}))
        feed.behind_since = time.monotonic() - authority.REPLICA_LAG - 1
        self.fake.say(self.signer.page(2, 0, epoch=6, sessions=["s0"]))
        self.refused(feed, "behind")
        self.ask(feed)
        self.assertEqual((feed.held.epoch, feed.held.seq, set(feed.held.sessions)), (6, 2, {"s0"}))

    def test_another_history_is_read_from_its_beginning(self):
        feed = self.feed()
        self.fake.say(self.signer.page(5, sessions=["s1"]))
        self.ask(feed)
        self.fake.say(self.signer.page(9, 8, epoch=8, sessions=["s9"]))
        self.refused(feed, "follow")
        self.assertTrue(feed.held.matches({"sid": "s1"}))
        self.fake.say(self.signer.page(9, 0, epoch=8, sessions=["s9"]))
        self.ask(feed)
        self.assertEqual((feed.held.epoch, set(feed.held.sessions)), (8, {"s9"}))

    def test_pages_that_lead_nowhere_end(self):
        feed = self.feed()
        self.fake.say(self.signer.page(3, 0, True, ["s1"]))
        self.refused(feed, "follow")
        self.assertLess(len(self.fake.asked), 5)
        self.fake.say(self.signer.page(9, 8))
        self.refused(feed, "follow")

    def test_a_key_set_that_was_not_announced_is_not_taken(self):
        revoked, feed = Signer("k0"), self.feed()
        self.fake.say(self.signer.page())
        self.ask(feed)
        self.fake.say(self.signer.page(1, 1, key_set='"new"', keys=2))
        self.ask(feed)
        self.fake.keys(self.signer, revoked, etag='"old"')
        self.refused(feed, "announced")
        self.assertEqual(set(feed.keys.held), {"k1"})
        new = Signer("k2")
        self.fake.keys(self.signer, new, etag='"new"')
        self.ask(feed)
        self.assertEqual(set(feed.keys.held), {"k1", "k2"})

    def test_a_clock_that_went_back_asks_for_everything_again(self):
        feed = self.feed()
        self.fake.say(self.signer.page(3, sessions=["s1"]))
        self.ask(feed)
        feed.held.sweep(time.time() + 3600)
        self.assertFalse(feed.held.matches({"sid": "s1"}))
        feed.latest = time.time() + 3600
        # Also if the first try fails.
        self.fake.answers["/revocations"] = (503, {}, b"")
        self.refused(feed, "status 503")
        feed.snapshot = None
        self.fake.say(self.signer.page(3, sessions=["s1"]))
        self.ask(feed)
        self.assertIn("after=0.0", self.fake.asked[-1])
        self.assertTrue(feed.held.matches({"sid": "s1"}))

    def test_stale_is_refused_only_where_that_is_wanted(self):
        for when_stale, refuses in [("continue", False), ("refuse", True)]:
            feed = self.feed(when_stale=when_stale)
            self.fake.say(self.signer.page(1))
            self.ask(feed)
            self.evaluate(feed, self.signer.token())
            feed.contact_at -= 6
            if refuses:
                self.unavailable(feed, self.signer.token())
            else:
                self.evaluate(feed, self.signer.token())

    def test_a_process_that_was_forked_follows_by_itself(self):
        feed = Authority(ISSUER, self.fake.url)
        self.fake.say(self.signer.page(1, sessions=["s1"]))
        feed.check_ready()
        self.assertTrue(feed.is_revoked({"sid": "s1"}))
        child = os.fork()
        if child == 0:
            # What the parent holds is not kept up to date here.
            first = feed.process != os.getpid()
            feed.check_ready()
            os._exit(0 if first and feed.process == os.getpid() and feed.is_revoked({"sid": "s1"}) else 1)
        self.assertEqual(os.waitpid(child, 0)[1], 0)


unittest.main(verbosity=2)
