// A resource service in Node: `node verifier.mjs https://auth.example.com orders 127.0.0.1:8090`.
//
// jose verifies tokens with the key set of the authority. A revoked token is accepted until it expires;
// docs/revocation-protocol.md says how a service can refuse it within a second.
import { createServer } from "node:http";
import { createRemoteJWKSet, errors, jwtVerify } from "jose";

const [issuer, audience, address] = process.argv.slice(2);
const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`), { cacheMaxAge: 60_000 });
const options = {
  issuer,
  audience,
  typ: "at+jwt", // Not every JWT is an access token (RFC 9068 section 4).
  algorithms: ["EdDSA", "ES256", "RS256"],
  requiredClaims: ["exp", "sub", "client_id"],
};

// The claims of `Authorization: Bearer TOKEN` (RFC 6750), whose token must allow `scope`.
async function authorize(request, scope) {
  const [scheme, token] = (request.headers.authorization ?? "").split(" ");
  if (scheme.toLowerCase() !== "bearer" || !token) return { status: 401, error: "" };
  try {
    const { payload } = await jwtVerify(token, keys, options);
    // Bound to a key or certificate, which is not looked at here: who shows the token alone may be a thief (RFC 7800).
    if (payload.cnf !== undefined) return { status: 401, error: "invalid_token" };
    if (!(payload.scope ?? "").split(" ").includes(scope)) return { status: 403, error: "insufficient_scope" };
    return { status: 200, claims: payload };
  } catch (error) {
    // jose names what is wrong with a token; anything else is the way to the key set.
    const known = error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout);
    return known ? { status: 401, error: "invalid_token" } : { status: 503, error: "temporarily_unavailable" };
  }
}

createServer(async (request, response) => {
  const { status, error, claims } = await authorize(request, "orders:read");
  const headers = { "Content-Type": "application/json" };
  if (status === 401) headers["WWW-Authenticate"] = "Bearer";
  response.writeHead(status, headers);
  response.end(JSON.stringify(claims ? { caller: claims.sub, orders: [] } : { error }));
}).listen(Number(address.split(":").pop()), address.split(":")[0]);
