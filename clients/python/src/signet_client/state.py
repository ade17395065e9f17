"""What a verifier holds of the authority: public keys and revocations."""
import json

import jwt

ALGORITHMS = ("EdDSA", "ES256", "RS256")


class Keys:
    """The authority's public keys, by `kid`. As PyJWT's client for key sets, but an unknown `kid` asks for nothing."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.held, self.etag, self.algorithms = {}, None, {}

    def get_signing_key_from_jwt(self, token):
        # Before the signature is verified: nothing but the choice of a key hangs on it.
        try:
            kid = jwt.get_unverified_header(token).get("kid")
        except jwt.InvalidTokenError as error:
            raise jwt.PyJWKClientError("no token") from error
        if not isinstance(kid, str) or kid not in self.held:
            raise jwt.PyJWKClientError("unknown key")
        return self.held[kid]

    def take(self, document, etag):
        # One of a kind that is not known here is another service's.
        known = [jwk for jwk in json.loads(document)["keys"] if jwk.get("alg") in ALGORITHMS and "kid" in jwk]
        self.held, self.etag = {jwk["kid"]: jwt.PyJWK(jwk, jwk["alg"]) for jwk in known}, etag
        self.algorithms = {jwk["kid"]: jwk["alg"] for jwk in known}


class Revocations:
    """The revocations of one history (`epoch`), up to a number. Requests read it while it grows."""

    def __init__(self, epoch=0):
        self.epoch, self.seq = epoch, 0
        # By id: until when it is needed; of subjects and clients also the issue time up to which tokens are revoked.
        self.sessions, self.tokens, self.subjects, self.clients = {}, {}, {}, {}

    def add(self, entries, seq):
        # Whole or not at all.
        entries = [(entry["kind"], entry["id"], int(entry["exp"]), entry.get("not_before")) for entry in entries]
        for kind, id, exp, not_before in entries:
            if kind in ("session", "token"):
                of_kind = self.sessions if kind == "session" else self.tokens
                of_kind[id] = max(exp, of_kind.get(id, 0))
            elif kind in ("subject", "client"):
                of_kind = self.subjects if kind == "subject" else self.clients
                until, before = of_kind.get(id, (0, -1))
                of_kind[id] = (max(exp, until), max(int(not_before), before))
            # Another kind is of a later authority.
        self.seq = seq

    def sweep(self, now):
        """Lets go of what no living token can need."""
        self.sessions = {id: exp for id, exp in self.sessions.items() if exp > now}
        self.tokens = {id: exp for id, exp in self.tokens.items() if exp > now}
        self.subjects = {id: entry for id, entry in self.subjects.items() if entry[0] > now}
        self.clients = {id: entry for id, entry in self.clients.items() if entry[0] > now}

    def matches(self, token):
        iat = token.get("iat", 0)
        return (
            token.get("sid") in self.sessions
            or token.get("jti") in self.tokens
            or iat <= self.subjects.get(token.get("sub"), (0, -1))[1]
            or any(iat <= self.clients.get(id, (0, -1))[1] for id in clients_of(token))
        )


def clients_of(token):
    """The IDs of the clients that have a part in a token: its own, and those whose tokens it was exchanged from (RFC 8693)."""
    via = token.get("via")
    return [token.get("client_id"), *(id for id in via if isinstance(id, str))] if isinstance(via, list) else [token.get("client_id")]
