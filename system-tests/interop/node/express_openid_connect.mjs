// A web application with express-openid-connect: express_openid_connect.mjs ISSUER CLIENT_ID CLIENT_SECRET PORT
import express from "express";
import { auth } from "express-openid-connect";

const [issuer, clientID, clientSecret, port] = process.argv.slice(2);
const app = express();
app.use(
  auth({
    issuerBaseURL: issuer,
    baseURL: `http://localhost:${port}`,
    clientID,
    clientSecret,
    secret: "a secret of this application alone",
    authRequired: false,
    idpLogout: true,
    authorizationParams: { response_type: "code", scope: "openid profile" },
  }),
);
app.get("/", async (request, response) => {
  const who = request.oidc.isAuthenticated() ? (await request.oidc.fetchUserInfo()).name : "nobody";
  response.send(`<!doctype html><title>express-openid-connect</title><p id="who">${who}</p>`);
});
app.listen(port, "localhost");
