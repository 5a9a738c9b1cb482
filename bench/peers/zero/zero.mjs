// zero-cache: a replica of the tables by the database's log, and for each client a query that is kept current over it. In this
// process there is what an application has beside it: the endpoint that says what a named query is.

import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { createBuilder, createSchema, number, string, table } from "@rocicorp/zero";
import { handleQueryRequest } from "@rocicorp/zero/server";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const schema = createSchema({
  tables: [table("claves").columns({ clave: string(), n: number() }).primaryKey("clave")],
});
const builder = createBuilder(schema);

const application = createServer(async (request, response) => {
  let body = "";
  for await (const part of request.setEncoding("utf8")) body += part;
  const handler = (_name, clave) => builder.claves.where("clave", clave);
  const answer = await handleQueryRequest({ handler, schema, query: {}, body: JSON.parse(body), userID: null });
  response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(answer));
});
await new Promise((listening) => application.listen(0, "127.0.0.1", listening));

const port = process.env.PORT;
const cache = spawn(here("node_modules/node/bin/node"), [here("node_modules/@rocicorp/zero/out/zero/src/cli.js")], {
  env: {
    ...process.env,
    ZERO_UPSTREAM_DB: process.env.DATABASE_URL,
    ZERO_PORT: port,
    ZERO_REPLICA_FILE: join(tmpdir(), "replica.db"),
    ZERO_QUERY_URL: `http://127.0.0.1:${application.address().port}/query`,
    ZERO_ADMIN_PASSWORD: "bench",
    ZERO_LOG_LEVEL: "error",
    ZERO_ENABLE_TELEMETRY: "false",
    DO_NOT_TRACK: "1",
  },
  stdio: ["ignore", "inherit", "inherit"],
});
cache.on("exit", (code) => process.exit(code ?? 1));
const isThere = () => fetch(`http://127.0.0.1:${port}/keepalive`).then((answer) => answer.ok, () => false);
while (!(await isThere())) await sleep(100);
console.log("ready");
