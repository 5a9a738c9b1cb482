// @n1ru4l/in-memory-live-query-store: `@live` on a GraphQL query, executed for each client, again when its field is invalidated.

import { GraphQLLiveDirective } from "@n1ru4l/graphql-live-query";
import { InMemoryLiveQueryStore } from "@n1ru4l/in-memory-live-query-store";
import {
  GraphQLInt,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
  execute as plainExecute,
  parse,
  specifiedDirectives,
} from "graphql";
import pg from "pg";

import { encode, serve } from "./wire.mjs";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 8 });

const clave = new GraphQLObjectType({
  name: "Clave",
  fields: { n: { type: GraphQLInt }, clave: { type: GraphQLString } },
});
const schema = new GraphQLSchema({
  directives: [...specifiedDirectives, GraphQLLiveDirective],
  query: new GraphQLObjectType({
    name: "Query",
    fields: {
      clave: {
        type: clave,
        args: { clave: { type: new GraphQLNonNull(GraphQLString) } },
        async resolve(_root, { clave }) {
          const text = "SELECT n, clave FROM claves WHERE clave = $1";
          const { rows } = await pool.query({ name: "clave", text, values: [clave] });
          return rows[0];
        },
      },
    },
  }),
});
const document = parse("query ($clave: String!) @live { clave(clave: $clave) { n clave } }");

const store = new InMemoryLiveQueryStore({ indexBy: [{ field: "Query.clave", args: ["clave"] }] });
const execute = store.makeExecute(plainExecute);

serve({
  onWatch(key, send) {
    let results;
    (async () => {
      results = await execute({ schema, document, variableValues: { clave: key } });
      for await (const { data } of results) send(encode(key, data.clave));
    })();
    return () => results?.return?.();
  },
  onHint: (key) => store.invalidate(`Query.clave(clave:"${key}")`),
});
