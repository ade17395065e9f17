"""The classes for Django REST framework."""
import datetime
import unittest
import uuid
from unittest import mock

import django
from django.conf import settings
from fake import ISSUER, Fake, Signer

settings.configure(
    SECRET_KEY="only for this test", USE_TZ=True, SIGNET={"URL": "http://127.0.0.1:9"}, ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    SIMPLE_JWT={"ALGORITHM": "EdDSA", "ISSUER": ISSUER, "AUDIENCE": "notes", "USER_ID_CLAIM": "user_id",
                "JWK_URL": "http://127.0.0.1:9/.well-known/jwks.json"},
)
django.setup()

import jwt
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.test import Client
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken

import signet_client.django.settings as signet
from signet_client.django import authentication, permissions

call_command("migrate", verbosity=0)


def view(*permission_classes):
    class View(APIView):
        authentication_classes = [
            authentication.SignetClientAuthentication, authentication.SignetStatelessAuthentication]

        def get(self, request):
            return Response({"user": str(request.user)})

    View.permission_classes = permission_classes
    return View.as_view()


urlpatterns = [
    path("read", view(permissions.HasScope("a:read"))),
    path("both", view(permissions.HasScope("a:read", "b:read"))),
    path("any", view(permissions.HasAnyScope("c", "b:read"))),
    path("role", view(permissions.HasRole("editor", "chief"))),
    path("client", view(permissions.IsClient)),
    path("either", view(permissions.IsClient | permissions.HasRole("chief"))),
]


class Classes(unittest.TestCase):
    def setUp(self):
        self.signer, self.fake = Signer("k1"), Fake()
        self.fake.keys(self.signer)
        self.addCleanup(self.fake.end)

    def begins(self, page):
        """A new authority that says this."""
        self.fake.say(page)
        settings.SIGNET = {"URL": self.fake.url}
        authentication._authority = None

    def evaluate(self, token):
        return authentication.SignetAuthentication().get_validated_token(token)

    def status(self, path, token):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return Client(headers=headers).get(f"/{path}").status_code

    def test_a_good_token_of_nobody_here_is_401(self):
        self.begins(self.signer.page())
        strange = ["abc", "", str(uuid.uuid4()), "9" * 40, -1, 1.5, None, True, [], {}, "1\0", "\u0663", "77"]
        for user_id in strange:
            token = self.evaluate(self.signer.token(user_id=user_id))
            with self.assertRaises((AuthenticationFailed, InvalidToken), msg=repr(user_id)) as refused:
                authentication.SignetAuthentication().get_user(token)
            self.assertEqual(refused.exception.status_code, 401)
        # A client's own token names no user.
        claims = jwt.decode(self.signer.token(), options={"verify_signature": False})
        del claims["user_id"]
        token = self.evaluate(self.signer.sign("at+jwt", claims))
        for of_class in [authentication.SignetAuthentication, authentication.SignetStatelessAuthentication]:
            with self.assertRaises((AuthenticationFailed, InvalidToken)):
                of_class().get_user(token)

    def test_a_token_that_is_bound_to_its_holder_is_refused_from_who_has_it_alone(self):
        self.begins(self.signer.page())
        for cnf in ({"jkt": "A" * 43}, {"x5t#S256": "A" * 43}, {}, None):
            for of_class in [authentication.SignetAuthentication, authentication.SignetStatelessAuthentication]:
                with self.assertRaises(InvalidToken, msg=repr(cnf)):
                    of_class().get_validated_token(self.signer.token(cnf=cnf))

    def test_a_simplejwt_that_does_not_know_the_algorithm_is_named(self):
        for installed, algorithm, works in [
            ("5.3.1", "EdDSA", False), ("4.8.0", "EdDSA", False), ("5.3.1", "RS256", True), ("5.4.0", "EdDSA", True),
            ("5.10.0.dev1", "EdDSA", True), ("6.0", "EdDSA", True),
        ]:
            made = {}
            with mock.patch.object(signet, "version", lambda _: installed):
                if works:
                    signet.use_signet(made, ISSUER, audience="shop", algorithm=algorithm)
                    self.assertEqual(made["SIMPLE_JWT"]["ALGORITHM"], algorithm)
                else:
                    with self.assertRaisesRegex(ImproperlyConfigured, f"{installed} knows no EdDSA.*RS256"):
                        signet.use_signet(made, ISSUER, audience="shop", algorithm=algorithm)

    def test_a_leeway_beyond_the_memory_of_revocations_is_refused(self):
        for leeway, works in [(0, True), (60, True), (61, False), (datetime.timedelta(seconds=30), True),
                              (datetime.timedelta(minutes=5), False)]:
            made = {"SIMPLE_JWT": {"LEEWAY": leeway}}
            if works:
                signet.use_signet(made, ISSUER, audience="shop")
            else:
                with self.assertRaisesRegex(ImproperlyConfigured, "60 seconds"):
                    signet.use_signet(made, ISSUER, audience="shop")

    def test_a_request_waits_for_the_first_answer_once(self):
        self.begins(self.signer.page(1, sessions=["s1"]))
        self.assertEqual(self.evaluate(self.signer.token(sid="s2"))["sid"], "s2")
        with self.assertRaises(InvalidToken):
            self.evaluate(self.signer.token(sid="s1"))

    def test_only_an_authority_that_can_be_asked_is_taken_from_the_settings(self):
        self.begins(self.signer.page())
        for given in [{"URL": "http://auth.example"}, {"URL": "auth.example"}, {"URL": self.fake.url, "WHEN_STALE": "panic"}]:
            settings.SIGNET = given
            with self.assertRaises(ImproperlyConfigured, msg=given):
                self.evaluate(self.signer.token())

    def test_without_the_state_of_the_authority_every_request_is_503(self):
        self.begins("no page")
        with mock.patch.object(authentication.authority(), "first_answer", mock.Mock(is_set=lambda: True)):
            response = Client(headers={"Authorization": f"Bearer {self.signer.token()}"}).get("/read")
        self.assertEqual((response.status_code, response["Retry-After"]), (503, "1"))

    def test_an_audience_is_asked_for(self):
        with self.assertRaisesRegex(ImproperlyConfigured, "audience"):
            signet.use_signet({}, ISSUER)
        made = {"SIMPLE_JWT": {"AUDIENCE": "shop"}}
        signet.use_signet(made, ISSUER)
        self.assertEqual(made["SIMPLE_JWT"]["AUDIENCE"], "shop")

    def test_views_ask_for_scopes_roles_and_clients(self):
        self.begins(self.signer.page(1, sessions=["gone"]))
        user = {"user_id": "1", "scope": "a:read b:read", "roles": ["editor"]}
        client = {"sub": "client:billing", "client_id": "billing", "user_id": None, "scope": "a:read"}
        tokens = {"user": self.signer.token(**user), "client": self.signer.token(**client),
                  "bare": self.signer.token(scope="a:reader"), "revoked": self.signer.token(sid="gone", **user)}
        expected = {
            #          user client bare revoked none
            "read":   (200, 200, 403, 401, 401),
            "both":   (200, 403, 403, 401, 401),
            "any":    (200, 403, 403, 401, 401),
            "role":   (200, 403, 403, 401, 401),
            "client": (403, 200, 403, 401, 401),
            "either": (403, 200, 403, 401, 401),
        }
        for path, statuses in expected.items():
            found = tuple(self.status(path, tokens.get(name)) for name in ("user", "client", "bare", "revoked", "none"))
            self.assertEqual(found, statuses, path)
        answer = Client(headers={"Authorization": f"Bearer {tokens['client']}"}).get("/read").json()
        self.assertEqual(answer["user"], "client:billing")

    def test_a_token_that_only_says_it_is_a_clients_is_refused(self):
        self.begins(self.signer.page())
        forged = Signer("k1").token(sub="client:billing", client_id="billing", scope="a:read")
        self.assertEqual(self.status("read", forged), 401)


unittest.main(verbosity=2)
