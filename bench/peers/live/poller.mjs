// A poller of the SQL shape that Hasura publishes: all watched keys of a statement in one question, a hundred at a time, once a
// second; who watches a key is told when its result differs. It is no Hasura.

import pg from "pg";

import { encode, serve } from "./wire.mjs";

const BATCH = 100;
const INTERVAL_MS = 1_000;
const SQL = `
  SELECT _subs.result_id, _fld_resp.root AS result
    FROM UNNEST(($1)::int[], ($2)::json[]) AS _subs (result_id, result_vars)
    LEFT OUTER JOIN LATERAL (
      SELECT row_to_json(_0_e) AS root
        FROM (SELECT n, clave FROM claves WHERE clave = (_subs.result_vars #>> ARRAY['variables', 'clave'])) AS _0_e
    ) AS _fld_resp ON true`;

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 8 });
/** Of each key who watches it, and what they were sent last. */
const cohorts = new Map();

async function ask(keys) {
  const variables = keys.map((clave) => JSON.stringify({ variables: { clave } }));
  const { rows } = await pool.query({ name: "poll", text: SQL, values: [keys.map((_, at) => at), variables] });
  for (const { result_id: at, result } of rows) {
    const cohort = cohorts.get(keys[at]);
    if (!cohort) continue;
    const payload = encode(keys[at], result ?? { n: null, clave: null });
    const isNew = payload !== cohort.payload;
    cohort.payload = payload;
    for (const member of cohort.members) {
      if (isNew || !member.isServed) member.send(payload);
      member.isServed = true;
    }
  }
}

async function poll() {
  const begun = Date.now();
  const keys = [...cohorts.keys()];
  const batches = [];
  for (let at = 0; at < keys.length; at += BATCH) batches.push(ask(keys.slice(at, at + BATCH)));
  await Promise.all(batches);
  setTimeout(poll, Math.max(0, begun + INTERVAL_MS - Date.now()));
}

serve({
  onWatch(key, send) {
    const member = { send, isServed: false };
    if (!cohorts.has(key)) cohorts.set(key, { members: new Set(), payload: undefined });
    const cohort = cohorts.get(key);
    cohort.members.add(member);
    return () => {
      cohort.members.delete(member);
      if (cohort.members.size === 0) cohorts.delete(key);
    };
  },
});
poll();
