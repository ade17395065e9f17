// So many DPoP proofs (RFC 9449) of one key for a URL, a line each.
import { generateKeyPairSync, sign } from "node:crypto";

const [url, count] = process.argv.slice(2);
const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const header = encode({ typ: "dpop+jwt", alg: "ES256", jwk: publicKey.export({ format: "jwk" }) });
const iat = Math.floor(Date.now() / 1000);
const lines = [];
for (let n = 0; n < Number(count); n += 1) {
  const input = `${header}.${encode({ jti: `proof-${n}`, htm: "POST", htu: url, iat })}`;
  lines.push(`${input}.${sign("sha256", Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`);
}
process.stdout.write(lines.join("\n") + "\n");
