"""All that a Django service on djangorestframework-simplejwt needs in its settings to accept Signet's tokens.

At the end of settings.py:

    from signet_settings import SIGNET, SIGNET_JWT
    SIMPLE_JWT = {**SIMPLE_JWT, **SIGNET_JWT}
    REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"] = ["signet_authentication.SignetAuthentication"]

and in the environment of the service SIGNET_ISSUER, the URL under which Signet is reached.
"""
import os

SIGNET_ISSUER = os.environ["SIGNET_ISSUER"]

# Where the authority is, and what is done when nothing was heard of it for so many seconds: "continue" or "refuse".
SIGNET = {"URL": os.environ.get("SIGNET_URL", SIGNET_ISSUER), "STALE_AFTER": 5, "WHEN_STALE": "continue"}

# In place of what SIMPLE_JWT says of keys and parties; everything else stays as it is. `user_id` is the primary key
# that the user has in this project's database: JWTAuthentication finds them as ever.
SIGNET_JWT = {
    "ALGORITHM": "EdDSA",
    "JWK_URL": SIGNET["URL"] + "/.well-known/jwks.json",
    "ISSUER": SIGNET_ISSUER,
    "AUDIENCE": os.environ.get("SIGNET_AUDIENCE", "notes"),
    # Clocks are never quite the same.
    "LEEWAY": 10,
}
