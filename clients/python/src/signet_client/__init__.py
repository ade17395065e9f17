"""Verifies the access tokens of Signet and refuses revoked ones within a second; gets client tokens and renews them.

    from signet_client import Authority, Verifier

    verifier = Verifier(Authority("https://auth.example.com"), "orders")
    claims = verifier.claims(request.headers.get("Authorization"), scope="orders:read")

Nothing here needs a framework; `signet_client.django` is for Django REST framework.
"""
from .authority import Authority, Unavailable
from .tokens import TokenRefused, TokenSource
from .verifier import Refused, Verifier

__all__ = ["Authority", "Refused", "TokenRefused", "TokenSource", "Unavailable", "Verifier"]
