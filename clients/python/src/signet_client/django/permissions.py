"""Permissions of Django REST framework: `permission_classes = [HasScope("orders:read")]`, also combined with `|` and `&`."""
from rest_framework.permissions import BasePermission

from .. import verifier


class _OfToken(BasePermission):
    """`request.auth` is a validated token; without one nothing is permitted."""

    message = "The token does not have the scope that this needs"
    code = "insufficient_scope"

    def has_permission(self, request, view):
        return request.auth is not None and hasattr(request.auth, "get") and self.permits(request.auth)

    def permits(self, claims):
        raise NotImplementedError


def HasScope(*scopes):
    """A token with each of these scopes."""
    if not scopes:
        raise ValueError("HasScope needs a scope")
    return _class("HasScope", lambda claims: verifier.has_scope(claims, *scopes))


def HasAnyScope(*scopes):
    """A token with one of these scopes."""
    return _class("HasAnyScope", lambda claims: any(verifier.has_scope(claims, scope) for scope in scopes))


def HasRole(*roles):
    """A user with one of these roles of Signet. They are not Django's groups."""
    return _class("HasRole", lambda claims: verifier.has_role(claims, *roles), "The user has none of the roles that this needs")


class IsClient(_OfToken):
    """A client that acts for itself; see SignetClientAuthentication."""

    message = "This is for services"

    def permits(self, claims):
        return verifier.is_client(claims)


def _class(name, permits, message=_OfToken.message):
    return type(name, (_OfToken,), {"permits": lambda self, claims: permits(claims), "message": message})
