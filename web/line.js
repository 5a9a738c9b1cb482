// Owns one line to the server, by way of the client package: what is listened to on it, how it stands, since when it was
// away. Knows nothing of the boards: each of its listeners says what becomes of what it hears.

/** The line's states as the page names them. */
const STATES = { idle: 'conectando', connecting: 'conectando', waiting: 'reconectando', connected: 'conectado', stopped: 'desconectado' };

export class Line {
  state = 'conectando';
  nextTryAt = null;
  #client;
  #report;
  #wanted = new Map();
  #heard = new Map();
  #wasOpen = false;
  #attempts = 0;
  #lostAt = null;
  #isClosed = false;

  /**
   * @param {(options: object) => object} open makes the client
   * @param {import('./recall.js').Recall} recall what this tab has heard for the same owner, and up to where
   * @param {{ onLine(line: Line): void, onTrouble(error: object): void }} report
   */
  constructor(open, recall, report) {
    this.recall = recall;
    this.#report = report;
    this.#client = open({ url: location.origin, store: recall.positions });
    this.#client.on('status', (status) => this.#onStatus(status));
    this.#client.on('error', (error) => {
      // What is about a channel, its listener is told.
      if (error.channel === undefined) report.onTrouble(error);
    });
  }

  get isRefused() {
    return this.state === 'desconectado';
  }

  /** Attempts in vain, while it has never stood. */
  get failures() {
    return this.#wasOpen ? 0 : this.#attempts;
  }

  /**
   * What is listened to from now on, each by an id: what it hears already goes on, what was refused is asked for again. A
   * listener is `{ open(client), isState?, take(value), stands(state, failures)?, missed(since)?, fail(error) }`.
   */
  listen(wanted) {
    this.#wanted = wanted;
    for (const [id, subscription] of this.#heard) {
      if (!wanted.has(id) || subscription.state === 'refused') this.#leave(id);
    }
    for (const [id, listener] of wanted) if (!this.#heard.has(id)) this.#hear(id, listener);
  }

  /** Whoever looks again wants states as they are now, not as they were told last. */
  lookAgain() {
    if (this.state !== 'conectado') return;
    for (const [id, { isState }] of this.#wanted) if (isState) this.#leave(id);
    // What is left and taken in one go stays as it is.
    setTimeout(() => this.#isClosed || this.listen(this.#wanted));
  }

  /** Goes on with another token of the same user. */
  renew(token) {
    this.#client.setToken(token);
  }

  /** Asks for what was refused once more. */
  askAgain() {
    this.listen(this.#wanted);
  }

  close() {
    this.#isClosed = true;
    this.#client.close();
    this.recall.forget();
  }

  #leave(id) {
    this.#heard.get(id)?.close();
    this.#heard.delete(id);
  }

  #hear(id, listener) {
    const subscription = listener.open(this.#client);
    this.#heard.set(id, subscription);
    subscription.on('value', (value) => listener.take(value));
    subscription.on('error', (error) => listener.fail(error));
    subscription.on('resync', () => listener.missed?.(this.#lostAt));
    subscription.on('state', () => this.#tell(id));
    this.#tell(id);
  }

  /** A listener of events is as well off as its channel, and no better than the line. */
  #tell(id) {
    const listener = this.#wanted.get(id);
    const { state } = this.#heard.get(id);
    if (this.#isClosed || state === 'refused' || state === 'closed') return;
    const isAsking = this.state === 'conectado' && !listener.isState && state !== 'live';
    listener.stands?.(isAsking ? 'conectando' : this.state, this.failures);
  }

  #onStatus({ state, retryAt, attempt, error }) {
    if (this.#isClosed) return;
    // A line that went silent was lost before anybody noticed.
    const silence = error?.code === 'timeout' ? this.#client.session?.silence ?? 0 : 0;
    if (this.state === 'conectado' && state !== 'connected') this.#lostAt = Date.now() - silence;
    this.#wasOpen ||= state === 'connected';
    this.#attempts = attempt;
    this.nextTryAt = retryAt;
    this.state = state === 'connecting' && (this.#wasOpen || attempt > 0) ? 'reconectando' : STATES[state];
    for (const id of this.#heard.keys()) this.#tell(id);
    this.#report.onLine(this);
  }
}
