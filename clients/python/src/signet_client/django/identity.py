"""Who calls, for a Django application behind the gateway of deploy/nginx.

Put `signet_client.django.identity.SignetIdentityMiddleware` into MIDDLEWARE, behind the session middleware if there is one.
A view then finds `request.signet`: subject, client, scopes, roles and session, or None on a public path.

Only for an application that nobody but the proxy can reach: whoever can speak to it directly can claim to be
anybody. No token is verified here; the gateway has done that.
"""
from dataclasses import dataclass
from urllib.parse import unquote


@dataclass(frozen=True)
class Identity:
    subject: str
    client: str
    scopes: frozenset
    roles: tuple
    session: str

    def has_scope(self, scope):
        return scope in self.scopes


class SignetIdentityMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.signet = identity_of(request.META)
        return self.get_response(request)


def identity_of(meta):
    def header(name):
        # The gateway percent-encodes what a header cannot hold.
        return meta.get(f"HTTP_X_SIGNET_{name}", "")

    if not header("SUBJECT"):
        return None
    return Identity(
        subject=unquote(header("SUBJECT")),
        client=unquote(header("CLIENT")),
        scopes=frozenset(header("SCOPE").split()),
        roles=tuple(unquote(role) for role in header("ROLES").split(",") if role),
        session=unquote(header("SESSION")),
    )
