// A web application that logs users in, with openid-client 6:
//     node login.mjs ISSUER CLIENT_ID CLIENT_SECRET HOST:PORT       a secret @FILE is read from there
// Register it: auth-service client create web --redirect-uri http://HOST:PORT/callback --post-logout-redirect-uri http://HOST:PORT/
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import * as client from "openid-client";

const [issuer, id, given, address] = process.argv.slice(2);
const secret = given.startsWith("@") ? readFileSync(given.slice(1), "utf8").trim() : given;
const base = `http://${address}`;
// Only where the issuer is this machine; leave it out elsewhere.
const execute = issuer.startsWith("http://") ? [client.allowInsecureRequests] : [];
const config = await client.discovery(new URL(issuer), id, secret, undefined, { execute });
// By a random cookie. A real application keeps sessions where all of its processes find them.
const sessions = new Map();

async function login(session) {
  session.verifier = client.randomPKCECodeVerifier();
  session.state = client.randomState();
  return client.buildAuthorizationUrl(config, {
    redirect_uri: `${base}/callback`,
    scope: "openid profile",
    code_challenge: await client.calculatePKCECodeChallenge(session.verifier),
    code_challenge_method: "S256",
    state: session.state,
  });
}

async function callback(session, url) {
  const tokens = await client.authorizationCodeGrant(config, url, {
    pkceCodeVerifier: session.verifier,
    expectedState: session.state,
    idTokenExpected: true,
  });
  session.idToken = tokens.id_token;
  session.user = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  return new URL(base);
}

function logout(key, session) {
  sessions.delete(key);
  return client.buildEndSessionUrl(config, { id_token_hint: session.idToken, post_logout_redirect_uri: `${base}/` });
}

const server = http.createServer(async (request, response) => {
  const known = /(?:^|; )app=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1];
  const key = sessions.has(known) ? known : randomBytes(24).toString("base64url");
  if (key !== known) sessions.set(key, {});
  const session = sessions.get(key);
  const url = new URL(request.url, base);
  try {
    const steps = { "/login": () => login(session), "/callback": () => callback(session, url), "/logout": () => logout(key, session) };
    const next = await steps[url.pathname]?.();
    response.setHeader("Set-Cookie", `app=${key}; HttpOnly; SameSite=Lax; Path=/`);
    if (next) response.writeHead(303, { Location: next.href }).end();
    else response.end(session.user ? `signed in as ${session.user.name ?? session.user.sub}\n` : "nobody is signed in: /login\n");
  } catch (error) {
    response.writeHead(400).end(`${error.message}\n`);
  }
});
const [host, port] = address.split(":");
// In a container it listens to more than the browser's name for it.
server.listen(Number(port), process.env.LISTEN ?? host);
