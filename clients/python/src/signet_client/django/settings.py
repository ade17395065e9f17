"""All that a Django service on djangorestframework-simplejwt needs in its settings to accept Signet's tokens.

At the end of settings.py:

    from signet_client.django.settings import use_signet
    use_signet(globals(), issuer="https://auth.example")
"""
from importlib.metadata import version

from django.core.exceptions import ImproperlyConfigured

# The first djangorestframework-simplejwt that knows EdDSA.
KNOWS_EDDSA = (5, 4)
# Seconds for which a revocation outlives the token.
MOST_LEEWAY = 60

# simplejwt's classes, and ours that also refuse revoked tokens. Others in the list stay.
CLASSES = {
    "rest_framework_simplejwt.authentication.JWTAuthentication": "signet_client.django.authentication.SignetAuthentication",
    "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication":
        "signet_client.django.authentication.SignetStatelessAuthentication",
    "rest_framework_simplejwt.authentication.JWTTokenUserAuthentication":
        "signet_client.django.authentication.SignetStatelessAuthentication",
}

# What Django REST framework has where nothing is set, and ours.
UNSET = [
    "signet_client.django.authentication.SignetAuthentication",
    "rest_framework.authentication.SessionAuthentication",
    "rest_framework.authentication.BasicAuthentication",
]


def use_signet(
    settings, issuer, url=None, audience=None, algorithm="EdDSA", when_stale="continue", stale_after=5, ca_file=None,
    allow_http=False, accept_without_revocations=False,
):
    """Changes the settings of a project, which are its `globals()`.

    `issuer` is in every token and compared byte by byte; `url` is where the service reaches Signet, if that is
    another address. `audience` is Signet's `simplejwt.audience`; what SIMPLE_JWT says is kept. `algorithm`
    is Signet's `keys.algorithm`; EdDSA needs simplejwt 5.4, with an older one choose RS256 there and here.

    `when_stale`: what to do without contact with Signet for `stale_after` seconds: "continue", or "refuse"
    with a 503. A process that has not read all revocations once refuses every token with a 503, unless
    `accept_without_revocations` is set. `ca_file` is the certificate authority of `url`, in PEM, where it is not one that
    the machine trusts; `allow_http` lets `url` be http in a trusted network.

    A view that names simplejwt's class by itself has to name ours instead, and a class of the project's own has to derive
    from ours: only these refuse revoked tokens.
    """
    installed = version("djangorestframework-simplejwt")
    if algorithm == "EdDSA" and tuple(int(part) for part in installed.split(".")[:2]) < KNOWS_EDDSA:
        raise ImproperlyConfigured(
            f"djangorestframework-simplejwt {installed} knows no EdDSA: upgrade it to 5.4, or set keys.algorithm = "
            '"RS256" in Signet and algorithm="RS256" here')
    url = (url or issuer).rstrip("/")
    given = settings.get("SIMPLE_JWT", {})
    audience = audience or given.get("AUDIENCE")
    if not audience:
        raise ImproperlyConfigured("use_signet needs an audience: that of Signet's simplejwt.audience")
    leeway = given.get("LEEWAY") or 10
    if getattr(leeway, "total_seconds", lambda: leeway)() > MOST_LEEWAY:
        raise ImproperlyConfigured(
            f"SIMPLE_JWT LEEWAY is above {MOST_LEEWAY} seconds: a revoked token would be accepted again in the time between")
    settings["SIGNET"] = {
        "URL": url, "STALE_AFTER": stale_after, "WHEN_STALE": when_stale, "CA_FILE": ca_file, "ALLOW_HTTP": allow_http,
        "ACCEPT_WITHOUT_REVOCATIONS": accept_without_revocations,
    }
    settings["SIMPLE_JWT"] = {
        **given,
        "ALGORITHM": algorithm,
        "JWK_URL": url + "/.well-known/jwks.json",
        "ISSUER": issuer,
        "AUDIENCE": audience,
        # Clocks are never quite the same.
        "LEEWAY": leeway,
        # `user_id` is the primary key that the user has in this project: they are found as ever.
        "USER_ID_CLAIM": "user_id",
        # A changed password ends the sessions, and no hash of it is in any token.
        "CHECK_REVOKE_TOKEN": False,
    }
    rest = settings["REST_FRAMEWORK"] = dict(settings.get("REST_FRAMEWORK", {}))
    classes = rest.get("DEFAULT_AUTHENTICATION_CLASSES", UNSET)
    rest["DEFAULT_AUTHENTICATION_CLASSES"] = [CLASSES.get(name, name) for name in classes]
