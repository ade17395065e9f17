"""Authentication of Django REST framework: simplejwt's classes, which also refuse revoked tokens.

`signet_client.django.settings.use_signet` puts one of these in the place of simplejwt's class of the same kind:

    SignetAuthentication            for JWTAuthentication
    SignetStatelessAuthentication   for JWTStatelessUserAuthentication

A view for services adds SignetClientAuthentication, which accepts client tokens alone. Until the state of the authority has
arrived, every token is answered with 503: nothing is accepted on a guess.
"""
import threading
from dataclasses import dataclass, field

import jwt
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import DataError
from rest_framework.authentication import get_authorization_header
from rest_framework.exceptions import APIException
from rest_framework_simplejwt import state
from rest_framework_simplejwt.authentication import JWTAuthentication, JWTStatelessUserAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken
from rest_framework_simplejwt.settings import api_settings

from .. import verifier
from ..authority import Authority
from ..authority import Unavailable as AuthorityUnavailable

_lock, _authority = threading.Lock(), None


class Unavailable(APIException):
    status_code, default_code = 503, "temporarily_unavailable"
    default_detail = "The keys and revocations to verify tokens are not known at this moment"
    # For `Retry-After`.
    wait = 1


def authority():
    """The authority of the settings, one for all views."""
    global _authority
    if _authority is None:
        with _lock:
            _authority = _authority or authority_of(settings.SIGNET)
            state.token_backend.jwks_client = _authority.keys
    return _authority


def authority_of(given):
    try:
        return Authority(
            api_settings.ISSUER, given["URL"], ca_file=given.get("CA_FILE"), allow_http=given.get("ALLOW_HTTP", False),
            stale_after=given.get("STALE_AFTER", 5), when_stale=given.get("WHEN_STALE", "continue"),
            accept_without_revocations=given.get("ACCEPT_WITHOUT_REVOCATIONS", False))
    except ValueError as error:
        raise ImproperlyConfigured(f"SIGNET: {error}") from error


class _WithRevocations:
    def get_validated_token(self, raw_token):
        known = authority()
        try:
            known.check_ready()
        except AuthorityUnavailable as error:
            raise Unavailable() from error
        token = super().get_validated_token(raw_token)
        if verifier.is_bound(token):
            raise InvalidToken("Token is bound to a key or certificate that the request does not show")
        if known.is_revoked(token):
            raise InvalidToken("Token is blacklisted")
        return token

    def get_user(self, validated_token):
        try:
            return super().get_user(validated_token)
        except (ValueError, TypeError, OverflowError, ValidationError, DataError) as error:
            # A valid token of a user who cannot exist in this service: the ID has another type.
            raise AuthenticationFailed("User not found", code="user_not_found") from error


class SignetAuthentication(_WithRevocations, JWTAuthentication):
    """For a service with users of its own: `user_id` is their primary key."""


class SignetStatelessAuthentication(_WithRevocations, JWTStatelessUserAuthentication):
    """For a service without users: `request.user` is made of the token."""


@dataclass(frozen=True)
class Client:
    """`request.user` of a client that acts for itself."""

    client_id: str
    pk: None = field(default=None, init=False)
    is_authenticated: bool = field(default=True, init=False)
    is_anonymous: bool = field(default=False, init=False)
    is_active: bool = field(default=True, init=False)
    is_staff: bool = field(default=False, init=False)
    is_superuser: bool = field(default=False, init=False)

    def __str__(self):
        return f"client:{self.client_id}"


class SignetClientAuthentication(_WithRevocations, JWTAuthentication):
    """Accepts client tokens and leaves every other request to the next class, so put it first. A view that names it should
    ask for a scope: HasScope("orders:read")."""

    def authenticate(self, request):
        if not self.is_of_a_client(request):
            return None
        return super().authenticate(request)

    def is_of_a_client(self, request):
        # Unverified: it only chooses who verifies.
        raw_token = self.get_raw_token(get_authorization_header(request))
        try:
            return raw_token is not None and verifier.is_client(
                jwt.decode(raw_token, options={"verify_signature": False}))
        except (jwt.InvalidTokenError, AuthenticationFailed):
            return False

    def get_user(self, validated_token):
        if not verifier.is_client(validated_token):
            raise AuthenticationFailed("User not found", code="user_not_found")
        return Client(validated_token["client_id"])
