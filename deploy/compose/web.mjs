// Starts the web application of docker-compose.yml where `localhost:8443` is nginx, as it is for the browser: the issuer has one
// name. What is sent there goes on as it is, TLS included.
import net from "node:net";

net
  .createServer((near) => {
    const far = net.connect(8443, "nginx");
    near.pipe(far).pipe(near);
    for (const [one, other] of [[near, far], [far, near]]) one.on("error", () => other.destroy());
  })
  .listen(8443, "127.0.0.1", () => import("/app/login.mjs"));
