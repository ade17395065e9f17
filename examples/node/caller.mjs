// A service that calls another: `node caller.mjs https://auth.example.com billing SECRET-FILE https://orders.example.com/orders`.
import { readFileSync } from "node:fs";

// Client tokens (RFC 6749 section 4.4). One serves all calls; it is renewed once four fifths of its life have passed.
class TokenSource {
  #held = null;
  #fetching = null;

  constructor(authority, clientId, clientSecret, parameters = {}) {
    this.url = `${authority}/oauth2/token`;
    const credentials = [clientId, clientSecret].map(encodeURIComponent).join(":");
    this.basic = `Basic ${Buffer.from(credentials).toString("base64")}`;
    this.form = new URLSearchParams({ grant_type: "client_credentials", ...parameters });
  }

  async token() {
    const now = Date.now();
    if (!this.#held || now >= this.#held.renewAt) {
      // However many ask at one moment, one request is sent.
      this.#fetching ??= this.#fetch().finally(() => { this.#fetching = null; });
      try {
        await this.#fetching;
      } catch (error) {
        // A short outage of the authority: the token that is held is still valid.
        if (!this.#held || now >= this.#held.expiresAt) throw error;
      }
    }
    return this.#held.token;
  }

  async #fetch() {
    const now = Date.now();
    const answer = await fetch(this.url, { method: "POST", headers: { Authorization: this.basic }, body: this.form });
    const issued = await answer.json();
    if (!answer.ok) throw new Error(`${issued.error}: ${issued.error_description}`);
    const life = issued.expires_in * 1000;
    this.#held = { token: issued.access_token, renewAt: now + life * 0.8, expiresAt: now + life };
  }
}

const [authority, clientId, secretFile, url] = process.argv.slice(2);
const tokens = new TokenSource(authority, clientId, readFileSync(secretFile, "utf8").trim());
for (let call = 0; call < 2; call += 1) {
  const answer = await fetch(url, { headers: { Authorization: `Bearer ${await tokens.token()}` } });
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  console.log(await answer.text());
}
