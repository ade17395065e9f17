// node-oidc-provider with everything in memory: server.mjs PORT CLIENT_SECRET
import { generateKeyPairSync, randomBytes } from "node:crypto";
import Provider from "oidc-provider";

const [port, client_secret] = process.argv.slice(2);
const redirect_uris = ["https://app.test/callback"];
const jwk = (type, options) => generateKeyPairSync(type, options).privateKey.export({ format: "jwk" });
const client = (client_id, id_token_signed_response_alg) => ({
  client_id,
  client_secret,
  redirect_uris,
  response_types: ["code"],
  grant_types: ["authorization_code"],
  token_endpoint_auth_method: "client_secret_post",
  id_token_signed_response_alg,
});
// Its own memory forgets all but a thousand values.
const held = new Map();
class Memory {
  constructor(model) {
    this.key = (id) => `${model}:${id}`;
  }
  async upsert(id, payload) {
    held.set(this.key(id), payload);
    if (payload.uid) held.set(`uid:${payload.uid}`, payload);
  }
  async find(id) {
    return held.get(this.key(id));
  }
  async findByUid(uid) {
    return held.get(`uid:${uid}`);
  }
  async consume(id) {
    held.get(this.key(id)).consumed = Math.floor(Date.now() / 1000);
  }
  async destroy(id) {
    held.delete(this.key(id));
  }
  // Nothing is used twice here.
  async revokeByGrantId() {}
}
const provider = new Provider(`http://127.0.0.1:${port}`, {
  adapter: Memory,
  clients: [client("login-eddsa", "EdDSA"), client("login-rs256", "RS256")],
  cookies: { keys: [randomBytes(32).toString("hex")] },
  enabledJWA: { idTokenSigningAlgValues: ["EdDSA", "RS256"] },
  findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId, name: "Bench" }) }),
  claims: { profile: ["name"] },
  jwks: { keys: [jwk("rsa", { modulusLength: 2048 }), jwk("ed25519")] },
});
// It warns of all of the above.
console.warn = () => {};
provider.listen(port, "127.0.0.1");
