// A tus server made of @tus/server and its file store, on a free port of loopback: `node tus_server.mjs FOLDER PATH TOKEN`.
// It prints its port, and ends with its standard input. What Stream has beside tus is added by hooks, nothing is replaced:
// the token is asked for, and a creation is answered with `stream-media-id`.
import http from "node:http";
import { EVENTS, Server } from "@tus/server";
import { FileStore } from "@tus/file-store";

const [directory, path, token] = process.argv.slice(2);

const tus = new Server({
  path,
  datastore: new FileStore({ directory, expirationPeriodInMilliseconds: 24 * 3_600_000 }),
  lockDrainTimeout: 100,
  async onIncomingRequest(request) {
    if (request.headers.get("authorization") !== `Bearer ${token}`) {
      throw { status_code: 403, body: "no token\n" };
    }
  },
});
tus.on(EVENTS.POST_CREATE, (request, upload) => {
  request.node.res.setHeader("stream-media-id", upload.id);
});

const listener = http.createServer((request, response) => tus.handle(request, response));
listener.listen(0, "127.0.0.1", () => console.log(listener.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
