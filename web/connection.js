// Owns the line to the server: opening, signing in, subscribing, noticing that it is dead, trying again.
// Knows nothing of the page; it reports states, figures, errors and its end through callbacks.

const PING_EVERY_MS = 20_000;
const ANSWER_WITHIN_MS = 10_000;
const OFFLINE_ANSWER_WITHIN_MS = 3_000;
const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_MOST_MS = 30_000;
const BACKOFF_LEAST_MS = 200;
const CLOSED_UNAUTHENTICATED = 4001;

/** Full jitter: a thousand screens that lost one server don't return as one. */
export function backoff(attempt, random = Math.random) {
  const ceiling = Math.min(BACKOFF_MOST_MS, BACKOFF_FIRST_MS * 2 ** attempt);
  return Math.max(BACKOFF_LEAST_MS, random() * ceiling);
}

export class Connection {
  #access = null;
  #socket = null;
  #attempt = 0;
  #newestSeq = -Infinity;
  #hadError = false;
  #everAnswered = false;
  #retryTimer = 0;
  #pingTimer = 0;
  #deadlineTimer = 0;

  /**
   * @param {string} url
   * @param {{ onState(state: string, nextTryAt?: number): void, onStats(data: object): void,
   *           onError(message: string): void, onRefused(reason: string): void }} report
   */
  constructor(url, report) {
    this.url = url;
    this.report = report;
  }

  start(access) {
    this.stop();
    this.#access = access;
    this.#attempt = 0;
    this.#everAnswered = false;
    this.#open();
  }

  stop() {
    this.#access = null;
    this.#drop();
  }

  /** The tab is looked at again, or the network is back: prove the line or replace it, now. */
  check() {
    if (!this.#access) return;
    if (!this.#socket) {
      this.#open();
    } else if (this.#socket.readyState === WebSocket.OPEN) {
      this.#subscribe();
      this.#expectAnswer(ANSWER_WITHIN_MS);
    }
  }

  /** The browser says there is no network. A server on this very machine still answers, so ask before believing it. */
  doubt() {
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#send({ type: 'ping' });
      this.#expectAnswer(OFFLINE_ANSWER_WITHIN_MS);
    }
  }

  #open() {
    this.#drop();
    this.report.onState(this.#everAnswered ? 'reconectando' : 'conectando');
    this.#newestSeq = -Infinity; // a restarted server may count from the beginning
    this.#hadError = false;

    const socket = new WebSocket(this.url);
    this.#socket = socket;
    const current = (handler) => (event) => {
      if (this.#socket === socket) handler(event);
    };
    socket.addEventListener('open', current(() => {
      this.#send({ type: 'auth', token: this.#access.token });
      this.#subscribe();
      this.#expectAnswer(ANSWER_WITHIN_MS);
      this.#pingTimer = setInterval(() => {
        this.#send({ type: 'ping' });
        this.#expectAnswer(ANSWER_WITHIN_MS);
      }, PING_EVERY_MS);
    }));
    socket.addEventListener('message', current((event) => this.#onFrame(event.data)));
    socket.addEventListener('close', current((event) => this.#onClose(event)));
    this.#expectAnswer(ANSWER_WITHIN_MS);
  }

  #onFrame(text) {
    this.#answered();
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return;
    }
    this.#everAnswered = true;
    this.report.onState('conectado');
    if (frame?.type === 'stats' && frame.data) {
      this.#attempt = 0;
      if (typeof frame.seq === 'number') {
        if (frame.seq < this.#newestSeq) return;
        this.#newestSeq = frame.seq;
      }
      this.report.onStats(frame.data);
    } else if (frame?.type === 'error') {
      this.#hadError = true;
      this.report.onError(String(frame.message ?? ''));
    }
  }

  #onClose({ code, reason }) {
    // A sign-in that was too slow to arrive is bad luck; any other 4001 is a token that won't get better.
    const unlucky = /time-?\s?d?\s?out/i.test(reason) && !this.#hadError;
    if (code === CLOSED_UNAUTHENTICATED && !unlucky) {
      this.stop();
      this.report.onState('desconectado');
      this.report.onRefused(reason);
    } else {
      this.#retryLater();
    }
  }

  #retryLater() {
    this.#drop();
    const delay = backoff(this.#attempt);
    this.#attempt += 1;
    this.report.onState('reconectando', Date.now() + delay);
    this.#retryTimer = setTimeout(() => this.#open(), delay);
  }

  #subscribe() {
    this.#send({ type: 'subscribe', data: { channel: `estadisticas:${this.#access.negocio}` } });
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Half-open lines never close by themselves: no frame in time means that there is no line. */
  #expectAnswer(within) {
    clearTimeout(this.#deadlineTimer);
    this.#deadlineTimer = setTimeout(() => this.#retryLater(), within);
  }

  #answered() {
    clearTimeout(this.#deadlineTimer);
  }

  #drop() {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#deadlineTimer);
    clearInterval(this.#pingTimer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }
}
