// Logs in a public client whose tokens are bound to a key, with openid-client 6, unmodified: code, userinfo, refresh, each with a proof, at
// an authority that asks for nonces. oauth4webapi 3 then does the same for a service.
import readline from "node:readline";
import * as oauth from "oauth4webapi";
import * as oidc from "openid-client";

const [issuer, id, redirectUri, service, secret] = process.argv.slice(2);
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const url = new URL(issuer);
const execute = [oidc.allowInsecureRequests];
const config = await oidc.discovery(url, id, undefined, oidc.None(), { execute });
const keys = await oidc.randomDPoPKeyPair("ES256");
const DPoP = oidc.getDPoPHandle(config, keys);
const verifier = oidc.randomPKCECodeVerifier();
const wanted = oidc.buildAuthorizationUrl(config, {
  redirect_uri: redirectUri,
  scope: "openid profile offline_access",
  prompt: "consent",
  code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  state: "s",
  dpop_jkt: await DPoP.calculateThumbprint(),
});
console.log(JSON.stringify({ open: wanted.href }));
const callback = new URL((await lines.next()).value);
const tokens = await oidc.authorizationCodeGrant(config, callback, { pkceCodeVerifier: verifier, expectedState: "s" }, undefined, { DPoP });
const sub = tokens.claims().sub;
const userinfo = await oidc.fetchUserInfo(config, tokens.access_token, sub, { DPoP });
const next = await oidc.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
const stolen = await oidc.refreshTokenGrant(config, next.refresh_token).then(() => "accepted", (error) => error.error);
const thief = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair("EdDSA"));
const by_thief = await oidc.refreshTokenGrant(config, next.refresh_token, undefined, { DPoP: thief }).then(() => "accepted", (error) => error.error);
const borne = await fetch(new URL("/oauth2/userinfo", url), { headers: { authorization: `Bearer ${next.access_token}` } });

const insecure = { [oauth.allowInsecureRequests]: true };
const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, insecure));
const client = { client_id: service };
const handle = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));
const ask = async () => {
  const options = { ...insecure, DPoP: handle };
  const answer = await oauth.clientCredentialsGrantRequest(server, client, oauth.ClientSecretBasic(secret), new URLSearchParams(), options);
  return oauth.processClientCredentialsResponse(server, client, answer);
};
const issued = await ask().catch((error) => (oauth.isDPoPNonceError(error) ? ask() : Promise.reject(error)));
const jkt = await handle.calculateThumbprint();
console.log(JSON.stringify({
  claims: tokens.claims(),
  userinfo,
  types: [tokens.token_type, next.token_type, issued.token_type],
  tokens: [tokens.access_token, next.access_token, next.refresh_token],
  jkt: await DPoP.calculateThumbprint(),
  service: { token: issued.access_token, jkt },
  stolen,
  by_thief,
  borne: borne.status,
}));
process.exit(0);
