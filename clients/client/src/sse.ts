// Owns a stream of server-sent events as a line: what would be said on a WebSocket is said here by opening the next stream
// before the one before is ended. A chunk of its own, loaded where WebSockets do not come through. Must not know who listens.

import type { Line, Told } from './socket.js';
import type { Clock } from './types.js';

/** After so long without a byte a stream is taken for dead, unless `hello` says otherwise. */
const SILENCE_MS = 45_000;

interface Stream {
  /** On an older server, which knows one channel a stream. */
  channel: string | undefined;
  end(): void;
}

export function stream(address: string, since: () => string, fetch: typeof globalThis.fetch, clock: Clock, told: Told): Line {
  const channels = new Set<string>();
  const open = new Set<Stream>();
  let token: string | null = null;
  let silence = SILENCE_MS;
  let isOver = false;
  let isOld = false;
  /** What the server has said of itself first; nothing where it is an older one. */
  let hello: { user?: unknown } | undefined;
  /** A `ping` that waits for it. */
  let pings = 0;
  let soon: unknown;
  let latest = 0;

  const say = (frame: object) => isOver || told.frame(JSON.stringify(frame));
  const pong = () => {
    for (; pings; pings--) say({ type: 'pong' });
  };
  function end(code: number, reason: string, details?: Parameters<Told['closed']>[2]) {
    if (isOver) return;
    self.close();
    told.closed(code, reason, details);
  }

  /** Reads one stream to its end. `take` is told when the server has begun it, before its first event. */
  async function run(channel: string | undefined, take: () => void) {
    const aborter = new AbortController();
    let watch: unknown;
    let isEnded = false;
    const mine: Stream = {
      channel,
      end() {
        isEnded = true;
        clock.clearTimeout(watch);
        open.delete(mine);
        aborter.abort();
      },
    };
    const alive = () => {
      clock.clearTimeout(watch);
      watch = clock.setTimeout(() => lost(1006, 'the stream is silent'), silence);
    };
    const lost = (code: number, reason: string, details?: Parameters<Told['closed']>[2]) => {
      if (isEnded) return;
      mine.end();
      // An earlier one may end while the next is on its way.
      if (!open.size || code !== 1006 || details?.status) end(code, reason, details);
    };
    open.add(mine);
    alive();
    const query = channel === undefined ? `channels=${encodeURIComponent(JSON.stringify([...channels]))}` : `channel=${encodeURIComponent(channel)}`;
    try {
      const headers = { accept: 'text/event-stream', ...(token && { authorization: `Bearer ${token}` }) };
      const answer = await fetch(`${address}&${query}&since=${since()}`, { headers, signal: aborter.signal, cache: 'no-store' });
      if (isEnded) return;
      if (answer.status !== 200) return await refused(answer, channel, lost, mine);
      if (channel !== undefined) {
        hello = {};
        pong();
      }
      const reader = answer.body!.getReader();
      const decoder = new TextDecoder();
      let rest = '';
      for (;;) {
        const { done, value } = await reader.read();
        if (isEnded) return;
        if (done) return lost(1006, 'the stream has ended');
        alive();
        rest += decoder.decode(value, { stream: true });
        const events = rest.split(/\r?\n\r?\n/);
        rest = events.pop()!;
        for (const event of events) if (!isEnded) read(event, channel, take, lost);
      }
    } catch (cause) {
      // A page that may not connect is told nothing, but it can see that somebody is there.
      if (!hello && !isEnded && globalThis.document && await fetch(address, { mode: 'no-cors', cache: 'no-store' }).then(() => true, () => false)) {
        return lost(1006, 'origin', { status: 403 });
      }
      lost(1006, 'the stream cannot be had', { cause });
    }
  }

  function read(event: string, channel: string | undefined, take: () => void, lost: (code: number, reason: string) => void) {
    let name = '';
    let id = '';
    const data: string[] = [];
    for (const line of event.split(/\r?\n/)) {
      const [, field, value = ''] = /^(\w+): ?(.*)$/s.exec(line) ?? [];
      if (field === 'data') data.push(value);
      else if (field === 'event') name = value;
      else if (field === 'id') id = value;
    }
    if (!data.length) return;
    const text = data.join('\n');
    if (name === 'close') {
      const said = JSON.parse(text);
      told.frame(JSON.stringify({ ...said, type: 'closing' }));
      return lost(said.code, String(said.reason));
    }
    if (channel !== undefined) {
      // What an older server leaves out.
      const known = /^(estadisticas|consulta):/.test(channel) ? '' : `"channel":${JSON.stringify(channel)},`;
      told.frame(text.replace(/^\s*\{/, `{${id && !/^\{"id"/.test(text) ? `"id":"${id}",` : ''}${known}`));
      return;
    }
    if (/^\{"type":"hello"/.test(text)) {
      const said = JSON.parse(text);
      silence = said.silence ?? silence;
      // As the server ends a socket.
      if (hello && hello.user !== said.user) return end(4001, 'another user');
      take();
      if (hello) return void say({ ...said, type: 'authenticated' });
      hello = said;
      told.frame(text);
      return pong();
    }
    if (/^\{"type":"error"/.test(text)) {
      // The next stream does not ask for it again.
      const { channel: name, retry, after } = JSON.parse(text);
      if (!retry && after === undefined) channels.delete(name);
    }
    told.frame(text);
  }

  async function refused(answer: Response, channel: string | undefined, lost: (code: number, reason: string, details?: Parameters<Told['closed']>[2]) => void, mine: Stream) {
    const { status } = answer;
    const { error, message = '' } = await answer.json().catch(() => ({}));
    const after = Number(answer.headers.get('retry-after')) * 1_000 || undefined;
    if (status === 400 && channel === undefined && !hello) {
      // It knows no `channels`.
      isOld = true;
      mine.end();
      return renew();
    }
    if (status === 403 && channel !== undefined) {
      mine.end();
      channels.delete(channel);
      return say({ type: 'error', channel, code: 'forbidden', message });
    }
    if (status === 401 && hello && open.size > 1) {
      // The stream before goes on with its own.
      mine.end();
      return say({ type: 'error', code: 'bad_token', message });
    }
    lost(1006, status === 403 && /origin/i.test(`${error} ${message}`) ? 'origin' : message || `answered ${status}`, { status, after });
  }

  function renew() {
    if (isOver) return;
    if (isOld) {
      const held = new Map([...open].map((one) => [one.channel, one]));
      for (const [channel, one] of held) if (channel === undefined || !channels.has(channel)) one.end();
      for (const channel of channels) if (!held.has(channel)) void run(channel, () => {});
      if (!channels.size) {
        hello = {};
        pong();
      }
      return;
    }
    const before = [...open];
    const mine = ++latest;
    void run(undefined, () => {
      // Once the next has begun, what came before is ended; a later one ends this.
      if (mine === latest) for (const one of before) one.end();
    });
  }

  const self: Line = {
    send(frame) {
      const { type, channel, token: next } = frame as { type: string; channel?: string; token?: string };
      if (type === 'ping') {
        pings++;
        return hello ? void Promise.resolve().then(pong) : undefined;
      }
      if (type === 'auth') token = next!;
      else if (type === 'subscribe') channels.add(channel!);
      else channels.delete(channel!);
      // What is said in one go is one stream.
      soon ??= clock.setTimeout(() => {
        soon = undefined;
        renew();
      }, 0);
    },
    close() {
      isOver = true;
      clock.clearTimeout(soon);
      for (const one of [...open]) one.end();
    },
  };
  return self;
}
