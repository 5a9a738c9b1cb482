// A reader of a stream on @microsoft/fetch-event-source: prints every event as a JSON line, and comes back by itself as that
// library does, with the id that it was given last.
//
//   node words_stream.mjs 'http://127.0.0.1:8080/sse?v=2&channels=…' [TOKEN]
//
// Lines: {"event":"open"|"refused", "status":…}, {"event":"message"|"close", "id":…, "text":…}, {"event":"cut"}.

import { fetchEventSource } from '@microsoft/fetch-event-source';

// The library looks at a page that may be hidden.
globalThis.window = globalThis;
globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };

const [url, token] = process.argv.slice(2);
const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
class Refused extends Error {}

process.stdin.on('end', () => process.exit(0)).resume();
fetchEventSource(url, {
  headers: token ? { authorization: `Bearer ${token}` } : {},
  openWhenHidden: true,
  async onopen(answer) {
    if (answer.status !== 200) {
      print({ event: 'refused', status: answer.status });
      throw new Refused();
    }
    print({ event: 'open', status: answer.status });
  },
  onmessage({ id, event, data }) {
    if (data !== '') print({ event: event || 'message', id, text: data });
  },
  onclose() { throw new Error('the line was cut'); },
  onerror(error) {
    if (error instanceof Refused) throw error;
    print({ event: 'cut' });
    return 50;
  },
}).catch(() => process.exit(0));
