// Makes the board of Grafana: node board.mjs > pulso.json. What a metric means is said in the reference of the book.

import { DashboardBuilder, DatasourceVariableBuilder, QueryVariableBuilder, RowBuilder, VariableRefresh } from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as SeriesBuilder } from "@grafana/grafana-foundation-sdk/timeseries";

/** @typedef {import("@grafana/grafana-foundation-sdk/dashboard").DataSourceRef} DataSourceRef */
/** @typedef {[legend: string, expression: string]} Line */

/** @type {DataSourceRef} */
const PROMETHEUS = { type: "prometheus", uid: "${datasource}" };
const OF = 'job=~"$job", instance=~"$instance"';

/** @param {string} metric @param {string} [more] a selector's further part */
const of = (metric, more) => `${metric}{${OF}${more ? `, ${more}` : ""}}`;
/** @param {string} metric @param {string} [more] */
const rate = (metric, more) => `rate(${of(metric, more)}[$__rate_interval])`;
/** @param {string} by @param {string} inside */
const sum = (by, inside) => `sum by (${by}) (${inside})`;
/** The middle, the worst of a hundred and the worst of a thousand.
 * @param {string} metric @returns {Line[]} */
const quantiles = (metric) =>
  [0.5, 0.99, 0.999].map((q) => [`p${q * 100}`, `histogram_quantile(${q}, ${sum("le", rate(`${metric}_bucket`))})`]);
/** One of the quantiles, by a label.
 * @param {number} q @param {string} label @param {string} metric @returns {Line} */
const quantileBy = (q, label, metric) =>
  [`{{${label}}}`, `histogram_quantile(${q}, ${sum(`${label}, le`, rate(`${metric}_bucket`))})`];

/** @param {Line[]} lines */
const queries = (lines) =>
  lines.map(([legend, expression]) =>
    new DataqueryBuilder().expr(expression).legendFormat(legend).datasource(PROMETHEUS));

/** @param {string} title @param {string} unit @param {Line[]} lines */
const series = (title, unit, ...lines) => {
  const panel = new SeriesBuilder().title(title).unit(unit).min(0).datasource(PROMETHEUS).height(8).span(8);
  return panel.targets(queries(lines));
};

/** @param {string} title @param {string} unit @param {string} expression */
const stat = (title, unit, expression) =>
  new StatBuilder().title(title).unit(unit).datasource(PROMETHEUS).height(4).span(4).targets(queries([["", expression]]));

/** @type {[row: string, panels: (ReturnType<typeof series> | ReturnType<typeof stat>)[]][]} */
const ROWS = [
  ["Overview", [
    stat("Nodes", "short", `count(${of("pulso_build_info")})`),
    stat("Clients", "short", `sum(${of("pulso_connections")})`),
    stat("Database", "bool_on_off", `min(${of("pulso_database_up")})`),
    stat("Notice to socket, p99", "s", `histogram_quantile(0.99, sum by (le) (${rate("pulso_notice_to_socket_seconds_bucket")}))`),
    stat("Hook calls answered 5xx", "percentunit",
      `sum(${rate("pulso_hook_answers_total", 'status=~"5.."')} or vector(0)) / sum(${rate("pulso_hook_answers_total")})`),
    stat("Outbox, oldest", "s", `max(${of("pulso_outbox_oldest_seconds")})`),
  ]],
  ["Latency", [
    series("From a notice to the first socket", "s", ...quantiles("pulso_notice_to_socket_seconds")),
    series("From a commit to the first socket (X-Committed-At)", "s", ...quantiles("pulso_commit_to_socket_seconds")),
    series("Messages that wait for a client", "short", ...quantiles("pulso_queued_messages")),
    series("Waiting for the fan-out", "short", ["{{instance}}", of("pulso_fanout_waiting")]),
    series("Bytes waiting for the fan-out", "bytes", ["{{instance}}", of("pulso_fanout_bytes")]),
    series("Clients closed because they do not read", "cps", ["{{instance}}", rate("pulso_slow_closes_total")]),
  ]],
  ["Database", [
    series("There", "short", ["{{instance}}: up", of("pulso_database_up")], ["{{instance}}: breaker open", of("pulso_breaker_open")]),
    series("Queries of figures", "ops", ["begun", sum("", rate("pulso_queries_total"))], ["failed", sum("", rate("pulso_query_failures_total"))],
      ["saved: shared reads", sum("", rate("pulso_coalesced_total"))], ["saved: shared snapshots", sum("", rate("pulso_snapshots_shared_total"))]),
    series("Time of a query of figures", "s", ...quantiles("pulso_query_seconds")),
    series("Ownership", "ops", ["queries", sum("", rate("pulso_ownership_queries_total"))], ["questions", sum("", rate("pulso_ownership_pairs_total"))],
      ["from memory", sum("", rate("pulso_ownership_cached_total"))]),
    series("Found, and announced by nobody", "short", ["figures", sum("", rate("pulso_drift_total"))], ["rollup", sum("", rate("pulso_rollup_drift_total"))],
      ["announced before the commit", sum("", rate("pulso_trailing_corrections_total"))]),
    series("Triggers", "ops", ["notices", sum("", rate("pulso_listen_notices_total"))], ["connected", sum("", rate("pulso_listen_gaps_total"))],
      ["not listening", sum("", rate("pulso_listen_failures_total"))]),
  ]],
  ["Hooks", [
    series("Calls by answer", "reqps", ["{{status}}", sum("status", rate("pulso_hook_answers_total"))]),
    series("Time of a call, p99 by hook", "s", quantileBy(0.99, "hook", "pulso_hook_seconds")),
    series("Calls by hook", "reqps", ["{{hook}}", sum("hook", rate("pulso_hook_seconds_count"))]),
    series("Refused", "ops", ["{{reason}}", sum("reason", rate("pulso_refusals_total"))]),
    series("Outbox: changes that wait", "short", ["{{instance}}", of("pulso_outbox_pending")]),
    series("Outbox: the oldest", "s", ["{{instance}}", of("pulso_outbox_oldest_seconds")]),
  ]],
  ["Connections", [
    series("Clients", "short", ["{{transport}}, {{feed}}", sum("transport, feed", of("pulso_clients"))]),
    series("Come", "cps", ["{{endpoint}} {{result}}", sum("endpoint, result", rate("pulso_handshakes_total"))]),
    series("Gone, by close code", "cps", ["{{code}}", sum("code", rate("pulso_closes_total"))]),
    series("Without a token yet", "short", ["{{instance}}", of("pulso_unauthenticated_connections")]),
    series("Tokens renewed", "ops", ["{{result}}", sum("result", rate("pulso_token_renewals_total"))]),
    series("Subscriptions", "short", ["{{instance}}", of("pulso_subscriptions")]),
  ]],
  ["Events", [
    series("Published", "ops", ["{{instance}}", rate("pulso_broadcasts_total")]),
    series("Delivered", "ops", ["{{instance}}", rate("pulso_deliveries_total")], ["{{instance}}: replaced by newer", rate("pulso_conflated_total")]),
    series("For who was away", "ops", ["replayed", sum("", rate("pulso_replayed_total"))], ["told that there is a gap", sum("", rate("pulso_resyncs_total"))]),
    series("Memory of events that can be replayed", "bytes", ["{{instance}}", of("pulso_history_bytes")]),
    series("Of other producers", "ops", ["{{bridge}} {{outcome}}", sum("bridge, outcome", rate("pulso_bridge_messages_total"))]),
    series("Notices", "ops", ["{{instance}}", rate("pulso_notices_total")]),
  ]],
  ["Live queries", [
    series("Reads", "ops", ["{{query}} {{reason}}", `${sum("query, reason", rate("pulso_live_reads_total"))} > 0`]),
    series("Time of a read, p99", "s", quantileBy(0.99, "query", "pulso_live_seconds")),
    series("Failed, refused or too large", "ops", ["{{query}}: failed", sum("query", rate("pulso_live_failures_total"))],
      ["{{query}}: too large", sum("query", rate("pulso_live_too_large_total"))], ["{{query}}: off", sum("query", of("pulso_live_off"))]),
    series("Bytes of results", "Bps", ["{{query}}", sum("query", rate("pulso_live_bytes_total"))]),
    series("Read for nothing", "ops", ["{{query}}", sum("query", rate("pulso_live_unchanged_total"))]),
    series("Found, and announced by nobody", "ops", ["{{query}}", sum("query", rate("pulso_live_drift_total"))]),
  ]],
  ["Nodes", [
    series("Nodes that each hears", "short", ["{{instance}}", of("pulso_broker_nodes")]),
    series("The log can be written to", "short", ["{{instance}}", of("pulso_broker_up")]),
    series("Behind the others", "s", ...quantiles("pulso_broker_lag_seconds")),
    series("Entries read", "ops", ["{{kind}}", sum("kind", rate("pulso_broker_entries_total"))]),
    series("Figures shown without a query", "ops", ["{{instance}}", rate("pulso_broker_adopted_total")]),
    series("Lost and put back", "ops", ["{{instance}}: gaps", rate("pulso_broker_gaps_total")], ["{{instance}}: put back", rate("pulso_broker_put_back_total")]),
  ]],
  ["Process", [
    series("Processors", "short", ["{{instance}}", rate("process_cpu_seconds_total")]),
    series("Memory", "bytes", ["{{instance}}", of("process_resident_memory_bytes")]),
    series("Descriptors", "percentunit", ["{{instance}}", `${of("process_open_fds")} / ${of("process_max_fds")}`]),
    series("Age", "s", ["{{instance}}", `time() - ${of("process_start_time_seconds")}`]),
    series("Version", "short", ["{{instance}}: {{version}} {{commit}}", of("pulso_build_info")]),
    series("Panics, lost lines of the log, failures to accept", "ops", ["panics", sum("", rate("pulso_runner_panics_total"))],
      ["lines", sum("", rate("pulso_log_lines_lost_total"))], ["accept", sum("", rate("pulso_accept_errors_total"))]),
  ]],
];

/** @param {string} name @param {string} query */
const variable = (name, query) =>
  new QueryVariableBuilder(name).query(query).datasource(PROMETHEUS).multi(true).includeAll(true)
    .refresh(VariableRefresh.OnTimeRangeChanged);

let board = new DashboardBuilder("Pulso")
  .uid("pulso")
  .tags(["pulso"])
  .refresh("30s")
  .time({ from: "now-3h", to: "now" })
  .timezone("browser")
  .withVariable(new DatasourceVariableBuilder("datasource").type("prometheus"))
  .withVariable(variable("job", "label_values(pulso_build_info, job)"))
  .withVariable(variable("instance", 'label_values(pulso_build_info{job=~"$job"}, instance)'));
for (const [row, panels] of ROWS) {
  board = board.withRow(new RowBuilder(row));
  for (const panel of panels) board = board.withPanel(panel);
}
console.log(JSON.stringify(board.build(), null, 2));
