"""Logs in with Authlib, unmodified. A user drives it over its standard input and output."""
import json
import os
import sys

from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
issuer, client_id, secret, redirect_uri = sys.argv[1:5]


def ask(url):
    print(json.dumps({"open": url}), flush=True)
    return sys.stdin.readline().strip()


session = OAuth2Session(
    client_id, secret, scope="openid profile", redirect_uri=redirect_uri, code_challenge_method="S256"
)
metadata = session.get(f"{issuer}/.well-known/openid-configuration", withhold_token=True).json()
verifier, nonce = generate_token(48), generate_token(20)
url, state = session.create_authorization_url(
    metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
)
callback = ask(url)
token = session.fetch_token(
    metadata["token_endpoint"], authorization_response=callback, state=state, code_verifier=verifier
)
keys = KeySet.import_key_set(session.get(metadata["jwks_uri"], withhold_token=True).json())
decoded = jwt.decode(token["id_token"], keys, algorithms=["RS256", "ES256", "EdDSA"])
claims = CodeIDToken(
    decoded.claims,
    decoded.header,
    options={"iss": {"value": issuer}, "aud": {"value": client_id}},
    params={"nonce": nonce, "client_id": client_id, "access_token": token["access_token"]},
)
claims.validate(leeway=5)
userinfo = session.get(metadata["userinfo_endpoint"]).json()
print(json.dumps({"claims": dict(claims), "userinfo": userinfo}), flush=True)
