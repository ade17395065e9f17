// A web application with Auth.js (@auth/core): auth_js.mjs ISSUER CLIENT_ID CLIENT_SECRET PORT
import { ExpressAuth, getSession } from "@auth/express";
import express from "express";

const [issuer, clientId, clientSecret, port] = process.argv.slice(2);
const config = {
  // The profile is at the userinfo endpoint; ID tokens hold it only where they are asked to.
  providers: [{ id: "signet", name: "Signet", type: "oidc", issuer, clientId, clientSecret, idToken: false }],
  secret: "a secret of this application alone",
  trustHost: true,
};
const app = express();
app.use(/\/auth\/(.*)/, ExpressAuth(config));
app.get("/", async (request, response) => {
  const session = await getSession(request, config);
  response.send(`<!doctype html><title>Auth.js</title><p id="who">${session?.user?.name ?? "nobody"}</p>`);
});
app.listen(port, "localhost");
