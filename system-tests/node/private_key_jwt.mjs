// Authenticates by private_key_jwt with openid-client 6 and oauth4webapi 3, unmodified: a key of each algorithm, whose JWKS is
// printed first. Goes on when it is told that the client is registered.
import readline from "node:readline";
import * as oauth from "oauth4webapi";
import * as oidc from "openid-client";

const [issuer, id] = process.argv.slice(2);
const url = new URL(issuer);
const rsa = { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" };
const algorithms = {
  EdDSA: "Ed25519",
  ES256: { name: "ECDSA", namedCurve: "P-256" },
  ES384: { name: "ECDSA", namedCurve: "P-384" },
  PS256: { name: "RSA-PSS", ...rsa },
  RS256: { name: "RSASSA-PKCS1-v1_5", ...rsa },
};
const keys = [];
for (const [alg, parameters] of Object.entries(algorithms)) {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(parameters, true, ["sign", "verify"]);
  keys.push({ alg, privateKey: { key: privateKey, kid: alg }, publicKey });
}
const jwk = async ({ alg, publicKey }) => {
  const { key_ops, ext, ...members } = await crypto.subtle.exportKey("jwk", publicKey);
  return { ...members, kid: alg, alg };
};
console.log(JSON.stringify({ keys: await Promise.all(keys.map(jwk)) }));
await readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]().next();

const insecure = { [oauth.allowInsecureRequests]: true };
const told = {};
for (const { alg, privateKey } of keys) {
  const config = await oidc.discovery(url, id, undefined, oidc.PrivateKeyJwt(privateKey), { execute: [oidc.allowInsecureRequests] });
  const first = await oidc.clientCredentialsGrant(config);
  await oidc.tokenRevocation(config, first.access_token);
  const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, insecure));
  const authentication = oauth.PrivateKeyJwt(privateKey);
  const answer = await oauth.clientCredentialsGrantRequest(server, { client_id: id }, authentication, new URLSearchParams(), insecure);
  const second = await oauth.processClientCredentialsResponse(server, { client_id: id }, answer);
  told[alg] = [first.access_token, second.access_token];
}
console.log(JSON.stringify(told));
process.exit(0);
