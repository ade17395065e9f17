// Logs in and out with openid-client 6, unmodified. A user drives it over its standard input and output.
import readline from "node:readline";
import * as client from "openid-client";

const [issuer, id, secret, redirectUri, postLogoutUri] = process.argv.slice(2);
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const ask = async (url) => {
  console.log(JSON.stringify({ open: url.href ?? url }));
  return new URL((await lines.next()).value);
};

const config = await client.discovery(new URL(issuer), id, secret, undefined, { execute: [client.allowInsecureRequests] });
const verifier = client.randomPKCECodeVerifier();
const [state, nonce] = [client.randomState(), client.randomNonce()];
const callback = await ask(
  client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: "openid profile email offline_access",
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
    nonce,
  }),
);
const tokens = await client.authorizationCodeGrant(config, callback, {
  pkceCodeVerifier: verifier,
  expectedState: state,
  expectedNonce: nonce,
  idTokenExpected: true,
});
const claims = tokens.claims();
const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
await client.tokenRevocation(config, refreshed.refresh_token);
const bye = await ask(
  client.buildEndSessionUrl(config, { post_logout_redirect_uri: postLogoutUri, id_token_hint: tokens.id_token, state: "out" }),
);
console.log(JSON.stringify({ claims, userinfo, refreshed: refreshed.claims().sub, bye: bye.href }));
process.exit(0);
