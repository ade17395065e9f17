"""Verification of access tokens (RFC 9068), without a framework."""
import jwt

from .authority import Unavailable

# A revocation is kept for this many seconds after the tokens that it matches have expired.
MOST_LEEWAY = 60
# Bytes. A token of the authority has about 1 KiB.
MAX_TOKEN = 8 * 1024
TYPES = ("at+jwt", "application/at+jwt")


class Refused(Exception):
    """A request that may not pass: `status`, `error` (RFC 6750 section 3.1) and the value of WWW-Authenticate, if there is one.

    The text says why, for the log of the operator; callers learn no more than the error.
    """

    def __init__(self, status, error, why, scope=None):
        super().__init__(why)
        self.status, self.error = status, error
        self.challenge = None
        if status in (401, 403):
            words = [f'error="{error}"'] if error else []
            words += [f'scope="{scope}"'] if scope else []
            self.challenge = ("Bearer " + ", ".join(words)).rstrip()


class Verifier:
    """Accepts the access tokens of one authority for one audience, and nothing else.

    `leeway`: clock difference that is allowed, in seconds, at most 60.
    """

    def __init__(self, authority, audience, leeway=30):
        self.authority, self.audience, self.leeway = authority, audience, min(leeway, MOST_LEEWAY)

    def claims(self, authorization, scope=None, any_role=None):
        """The claims of `Authorization: Bearer TOKEN`, whose token must have a scope, and a user with one of some roles.

        Raises Refused: 400, 401, 403 or 503."""
        claims = self.verify(bearer_token(authorization))
        if scope and not has_scope(claims, scope):
            raise Refused(403, "insufficient_scope", f"the scope {scope} is missing", scope)
        if any_role is not None and not has_role(claims, *any_role):
            raise Refused(403, "insufficient_scope", "the user has none of the roles that this needs")
        return claims

    def verify(self, token):
        """The claims of a token. Raises Refused: 401 `invalid_token`, or 503 where nothing can be said."""
        try:
            self.authority.check_ready()
        except Unavailable as error:
            raise Refused(503, "temporarily_unavailable", str(error)) from error
        if len(token) > MAX_TOKEN:
            raise Refused(401, "invalid_token", "the token is too long")
        try:
            claims = self.decode(token)
        except (jwt.PyJWTError, ValueError) as error:
            raise Refused(401, "invalid_token", str(error)) from error
        if self.authority.is_revoked(claims):
            raise Refused(401, "invalid_token", "the token was revoked")
        return claims

    def decode(self, token):
        # Not every JWT is an access token (RFC 9068 section 4).
        kind = jwt.get_unverified_header(token).get("typ")
        if not isinstance(kind, str) or kind.lower() not in TYPES:
            raise jwt.InvalidTokenError("another kind of token")
        key = self.authority.keys.get_signing_key_from_jwt(token)
        # The key names its one algorithm (RFC 8725 section 3.1).
        algorithm = self.authority.keys.algorithms[key.key_id]
        claims = jwt.decode(
            token, key.key, algorithms=[algorithm], issuer=self.authority.issuer, audience=self.audience, leeway=self.leeway,
            options={"require": ["exp", "iat", "iss", "aud", "sub", "jti", "client_id"]},
        )
        # simplejwt's kinds share one `typ`.
        if claims.get("token_type", "access") not in ("access", "sliding"):
            raise jwt.InvalidTokenError("another kind of token")
        if is_bound(claims):
            raise jwt.InvalidTokenError("bound to a key or certificate that the request does not show")
        return claims


def bearer_token(authorization):
    """The token of a header (RFC 6750 section 2.1)."""
    scheme, _, token = (authorization or "").partition(" ")
    token = token.lstrip(" ")
    if scheme.lower() != "bearer":
        raise Refused(401, "", "no bearer token")
    if not token or any(character.isspace() for character in token):
        raise Refused(400, "invalid_request", "the header does not hold one bearer token")
    return token


def is_bound(claims):
    """Whether a token may be used only with a proof of its key or with its certificate (RFC 9449 section 7.1, RFC 8705 section 3).

    Neither is looked at here, and who has only the token may be a thief."""
    return "cnf" in claims


def has_scope(claims, *scopes):
    """Whether a token has each of these scopes."""
    return set(scopes) <= set(str(claims.get("scope", "")).split(" "))


def has_role(claims, *roles):
    """Whether the user of a token has one of these roles. A client that acts for itself has none."""
    held = claims.get("roles", [])
    return isinstance(held, list) and any(role in held for role in roles)


def is_client(claims):
    """Whether a client acts for itself here, not for a user (RFC 9068 section 5)."""
    return str(claims.get("sub", "")).startswith("client:")
