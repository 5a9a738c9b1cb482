// PostGraphile 4 with subscriptions-lds: a GraphQL subscription is a live query, read again for each client when the database's
// log says that a row of it has changed.

import { createRequire } from "node:module";
import { createServer } from "node:http";

import pg from "pg";

const require = createRequire(import.meta.url);
const { postgraphile, makePluginHook, enhanceHttpServerWithWebSockets } = require("postgraphile");
const { default: PgPubsub } = require("@graphile/pg-pubsub");

const url = process.env.DATABASE_URL;

/** Why the database's log cannot be followed here, if it cannot. */
async function missing() {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query("SELECT pg_create_logical_replication_slot('probe', 'wal2json')");
    await client.query("SELECT pg_drop_replication_slot('probe')");
    return undefined;
  } catch (error) {
    return `wal2json is not installed: ${error.message}`;
  } finally {
    await client.end();
  }
}

const reason = await missing();
if (reason) {
  console.log(reason);
  process.exit(3);
}
const middleware = postgraphile(new pg.Pool({ connectionString: url, max: 8 }), "public", {
  appendPlugins: [require("@graphile/subscriptions-lds").default],
  pluginHook: makePluginHook([PgPubsub]),
  subscriptions: true,
  live: true,
  ownerConnectionString: url,
  websockets: ["v1"],
  disableQueryLog: true,
  graphiql: false,
  dynamicJson: true,
  retryOnInitFail: false,
});
const server = createServer(middleware);
enhanceHttpServerWithWebSockets(server, middleware);
await middleware.getGraphQLSchema();
server.listen({ host: "127.0.0.1", port: Number(process.env.PORT), backlog: 4096 }, () => console.log("ready"));
