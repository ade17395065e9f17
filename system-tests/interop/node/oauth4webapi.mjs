// Logs a public client in with oauth4webapi. A user drives it over its standard input and output:
//     oauth4webapi.mjs ISSUER CLIENT_ID REDIRECT_URI
import readline from "node:readline";
import * as oauth from "oauth4webapi";

const [issuer, client_id, redirect_uri] = process.argv.slice(2);
const insecure = { [oauth.allowInsecureRequests]: true };
const url = new URL(issuer);
const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, insecure));
const client = { client_id };
const verifier = oauth.generateRandomCodeVerifier();
const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
const asked = new URL(server.authorization_endpoint);
asked.search = new URLSearchParams({
  client_id,
  redirect_uri,
  response_type: "code",
  scope: "openid profile",
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  state,
  nonce,
});
console.log(JSON.stringify({ open: asked.href }));
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const callback = oauth.validateAuthResponse(server, client, new URL((await lines.next()).value), state);
const answer = await oauth.authorizationCodeGrantRequest(server, client, oauth.None(), callback, redirect_uri, verifier, insecure);
const tokens = await oauth.processAuthorizationCodeResponse(server, client, answer, { expectedNonce: nonce, requireIdToken: true });
await oauth.validateApplicationLevelSignature(server, answer, insecure);
const claims = oauth.getValidatedIdTokenClaims(tokens);
const told = await oauth.userInfoRequest(server, client, tokens.access_token, insecure);
const userinfo = await oauth.processUserInfoResponse(server, client, claims.sub, told);
console.log(JSON.stringify({ claims, userinfo }));
process.exit(0);
