// Owns a line to the server, whichever feed it carries: opening, noticing that it is dead, trying again, and what must
// be asked for after a gap. Knows nothing of the page nor of a feed's words: those are a speech's (plain.js, rooms.js).

const PING_EVERY_MS = 20_000;
const ANSWER_WITHIN_MS = 10_000;
const OFFLINE_ANSWER_WITHIN_MS = 3_000;
const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_MOST_MS = 30_000;
const BACKOFF_LEAST_MS = 200;
const ASK_REFUSED_AGAIN_MS = 60_000;
const STEADY_AFTER_MS = 5_000;
const ATTEMPTS_AFTER_REBUKE = 4;
export const CLOSED_TOO_MANY_MESSAGES = 1008;
const CLOSED_UNAUTHENTICATED = 4001;
const CLOSED_FORBIDDEN = 4003;

/** Full jitter: a thousand screens that lost one server don't return as one. */
export function backoff(attempt, random = Math.random) {
  const ceiling = Math.min(BACKOFF_MOST_MS, BACKOFF_FIRST_MS * 2 ** attempt);
  return Math.max(BACKOFF_LEAST_MS, random() * ceiling);
}

export class Connection {
  #speech;
  #report;
  #running = false;
  #socket = null;
  #cursor;
  #attempt = 0;
  #everAnswered = false;
  #hadError = false;
  #settledAt = null;
  #lostAt = null;
  #heardAt = 0;
  #silence = null;
  #retryTimer = 0;
  #pingTimer = 0;
  #deadlineTimer = 0;

  /**
   * A speech is `{ url(since): string, greet(send), read(text, line), ping?: string, ask?(send), pace?: number, persists?: true }`:
   * `ping` is said now and then and `ask` when the line is doubted; both are always answered. Where the server sets the
   * pace instead, `pace` says how often it speaks. `persists` = nobody is there to sign in again, so a refusal is not final.
   *
   * @param {import('./cursor.js').Cursor} cursor where to go on
   * @param {{ onState(state: string, nextTryAt?: number|null, failures?: number): void,
   *           onEvent(name: string, data: object): void, onError(message: string): void,
   *           onMissed(since: number|null): void,
   *           onRefused(refusal: { code: number, reason: string, final: boolean }): void }} report
   */
  constructor(speech, cursor, report) {
    this.#speech = speech;
    this.#cursor = cursor;
    this.#report = report;
  }

  start() {
    this.#running = true;
    this.#open();
  }

  stop() {
    this.#running = false;
    this.#drop();
  }

  /** The tab is looked at again, or the network is back (`renewed`): prove the line or replace it, now. */
  check(renewed = false) {
    if (!this.#running) return;
    if (!this.#socket) {
      this.#open();
    } else if (this.#socket.readyState === WebSocket.OPEN) {
      if (this.#speech.ask) {
        this.#speech.ask(this.#send);
        this.#expectAnswer(ANSWER_WITHIN_MS);
      } else if (renewed || Date.now() - this.#heardAt > (this.#speech.pace ?? 0)) {
        this.#open();
      }
    }
  }

  /** The browser says there is no network. A server on this very machine still answers, so ask before believing it. */
  doubt() {
    if (this.#speech.ping && this.#socket?.readyState === WebSocket.OPEN) {
      this.#send(this.#speech.ping);
      this.#expectAnswer(OFFLINE_ANSWER_WITHIN_MS);
    }
  }

  #open() {
    this.#drop();
    this.#report.onState(this.#everAnswered ? 'reconectando' : 'conectando', null, this.#attempt);
    this.#hadError = false;
    this.#silence = null;

    const socket = new WebSocket(this.#speech.url(this.#cursor.last));
    this.#socket = socket;
    const current = (handler) => (event) => {
      if (this.#socket === socket) handler(event);
    };
    socket.addEventListener('open', current(() => {
      this.#heardAt = Date.now();
      this.#speech.greet(this.#send, this.#cursor.last);
      this.#expectAnswer(ANSWER_WITHIN_MS);
      if (!this.#speech.ping) return;
      this.#pingTimer = setInterval(() => {
        this.#send(this.#speech.ping);
        this.#expectAnswer(ANSWER_WITHIN_MS);
      }, PING_EVERY_MS);
    }));
    socket.addEventListener('message', current(({ data }) => {
      this.#answered();
      if (typeof data === 'string') this.#speech.read(data, this.#line);
    }));
    socket.addEventListener('close', current(({ code, reason }) => this.#onClose(code, reason)));
    this.#expectAnswer(ANSWER_WITHIN_MS);
  }

  /** What a speech may say of its line. */
  #line = {
    send: (text) => this.#send(text),
    /** The server speaks to us as to somebody it knows. */
    signedIn: () => this.#onSignedIn(),
    /** The server goes silent for at most so long. */
    allowSilence: (ms) => {
      this.#silence = ms;
      this.#answered();
    },
    /** Passes an event on, unless it was seen already. */
    event: (name, data, id) => {
      if (this.#cursor.take(id)) this.#report.onEvent(name, data);
    },
    /** The server can't say all that happened meanwhile. */
    missed: (id) => {
      this.#cursor.take(id);
      this.#report.onMissed(this.#lostAt);
    },
    error: (message) => {
      this.#hadError = true;
      this.#report.onError(message);
    },
    refuse: (reason) => this.#refused(CLOSED_UNAUTHENTICATED, reason),
    lose: () => this.#retryLater(),
  };

  #onSignedIn() {
    if (this.#settledAt !== null) return;
    this.#settledAt = Date.now();
    const lostAt = this.#lostAt;
    this.#everAnswered = true;
    this.#report.onState('conectado', null, 0);
    // Without an id to begin at, nobody can say what the gap swallowed.
    if (lostAt !== null && this.#cursor.last === '') this.#report.onMissed(lostAt);
  }

  #onClose(code, reason) {
    // A sign-in that was too slow to arrive is bad luck; any other 4001 is a token that won't get better.
    const unlucky = /time-?\s?d?\s?out/i.test(reason) && !this.#hadError;
    if (code === CLOSED_FORBIDDEN || (code === CLOSED_UNAUTHENTICATED && !unlucky)) {
      this.#refused(code, reason);
      return;
    }
    this.#retryLater(code === CLOSED_TOO_MANY_MESSAGES ? ATTEMPTS_AFTER_REBUKE : 0);
    if (code === CLOSED_TOO_MANY_MESSAGES) this.#report.onRefused({ code, reason, final: false });
  }

  #refused(code, reason) {
    if (this.#speech.persists) {
      this.#retryLater(0, ASK_REFUSED_AGAIN_MS);
    } else {
      this.stop();
      this.#report.onState('desconectado', null, 0);
    }
    this.#report.onRefused({ code, reason, final: !this.#speech.persists });
  }

  #retryLater(atLeastAttempt = 0, atLeastMs = 0) {
    const now = Date.now();
    // A line that ended as soon as it began is no success: the next try waits longer.
    if (this.#settledAt !== null && now - this.#settledAt > STEADY_AFTER_MS) this.#attempt = 0;
    this.#attempt = Math.max(this.#attempt, atLeastAttempt);
    this.#drop();
    const delay = Math.max(backoff(this.#attempt), atLeastMs);
    this.#attempt += 1;
    this.#report.onState('reconectando', now + delay, this.#everAnswered ? 0 : this.#attempt);
    this.#retryTimer = setTimeout(() => this.#open(), delay);
  }

  #send = (text) => {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
  };

  /** Half-open lines never close by themselves: no frame in time means that there is no line. */
  #expectAnswer(within) {
    clearTimeout(this.#deadlineTimer);
    this.#deadlineTimer = setTimeout(() => this.#retryLater(), within);
  }

  #answered() {
    this.#heardAt = Date.now();
    clearTimeout(this.#deadlineTimer);
    if (this.#silence !== null) this.#expectAnswer(this.#silence);
  }

  #drop() {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#deadlineTimer);
    clearInterval(this.#pingTimer);
    if (this.#settledAt !== null) this.#lostAt = this.#heardAt;
    this.#settledAt = null;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }
}
