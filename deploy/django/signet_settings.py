"""All that a Django service on djangorestframework-simplejwt needs in its settings to accept Signet's tokens.

At the end of settings.py:

    from signet_settings import use_signet
    use_signet(globals(), issuer="https://auth.example")
"""

# simplejwt's classes, and ours that also refuse what was taken back. Others in the list stay.
CLASSES = {
    "rest_framework_simplejwt.authentication.JWTAuthentication": "signet_authentication.SignetAuthentication",
    "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication":
        "signet_authentication.SignetStatelessAuthentication",
    "rest_framework_simplejwt.authentication.JWTTokenUserAuthentication":
        "signet_authentication.SignetStatelessAuthentication",
}

# What Django REST framework has where nothing is set, and ours.
UNSET = [
    "signet_authentication.SignetAuthentication",
    "rest_framework.authentication.SessionAuthentication",
    "rest_framework.authentication.BasicAuthentication",
]


def use_signet(settings, issuer, url=None, audience=None, algorithm="EdDSA", when_stale="continue", stale_after=5):
    """Changes the settings of a project, which are its `globals()`.

    `issuer` stands in every token and is compared to the letter; `url` is where the service reaches Signet, if that is
    another address. `audience` is Signet's `simplejwt.audience`; what SIMPLE_JWT says is kept. `algorithm`
    is Signet's `keys.algorithm`. `when_stale` says what is
    done when nothing was heard of Signet for `stale_after` seconds: "continue", or "refuse" with a 401.

    A view that names simplejwt's class by itself has to name ours instead, and a class of the project's own has to derive
    from ours: what was taken back is refused by these alone.
    """
    url = (url or issuer).rstrip("/")
    given = settings.get("SIMPLE_JWT", {})
    settings["SIGNET"] = {"URL": url, "STALE_AFTER": stale_after, "WHEN_STALE": when_stale}
    settings["SIMPLE_JWT"] = {
        **given,
        "ALGORITHM": algorithm,
        "JWK_URL": url + "/.well-known/jwks.json",
        "ISSUER": issuer,
        "AUDIENCE": audience or given.get("AUDIENCE") or "notes",
        # Clocks are never quite the same.
        "LEEWAY": given.get("LEEWAY") or 10,
        # `user_id` is the primary key that the user has in this project: they are found as ever.
        "USER_ID_CLAIM": "user_id",
        # A changed password ends the sessions, and no hash of it is in any token.
        "CHECK_REVOKE_TOKEN": False,
    }
    rest = settings["REST_FRAMEWORK"] = dict(settings.get("REST_FRAMEWORK", {}))
    classes = rest.get("DEFAULT_AUTHENTICATION_CLASSES", UNSET)
    rest["DEFAULT_AUTHENTICATION_CLASSES"] = [CLASSES.get(name, name) for name in classes]
