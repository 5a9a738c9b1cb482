// Owns the line: when it is opened, with what token, when it is tried again, when it stops. Pure: inputs in, what is to be done
// to its `Io`. Must not know sockets, clocks, platforms.

import { type Channels, channels, type Frame, isOwnMessage } from './channels.js';
import { claims, whose } from './claims.js';
import { type Closed, codeOf, ending } from './endings.js';
import { PulsoError } from './errors.js';
import type { Io, MachineOptions, Timer } from './io.js';
import { turns } from './turns.js';
import type { Session, State, Status, TokenContext, Transport } from './types.js';

const SLEPT_MS = 15_000;
const STEADY_MS = 5_000;
/** No server pings more often. */
const LEAST_MS = 100;
const MOST_REFUSALS = 3;
/** Attempts that failed before a line was open; then the other way is taken. */
const MOST_UNOPENED = 2;

export function machine(options: MachineOptions, io: Io) {
  const { asks, device } = options;
  let status: Status = Object.freeze({ state: 'idle', transport: null, retryAt: null, attempt: 0, since: io.now(), error: null, online: true });
  /** How far the line is: none, waiting for a token, opening, open, known to the server. */
  let phase: 0 | 1 | 2 | 3 | 4 = 0;
  let session: Session | null = null;
  /** Whose all is that was heard, as a token or the server has said; the server's word alone. */
  let owner: string | undefined;
  let user: string | undefined;
  let transport: Transport | null = null;
  let isClosed = false;
  let isPinned = false;
  let failures = 0;
  let openedOnce = false;
  let unopened = 0;
  let triedAt = -Infinity;
  let heardAt = 0;
  let askedAt: number | null = null;
  let closing: Frame | null = null;
  // The token: whether it is to be tried yet, which one was refused last, how many in a row.
  let token = options.token ?? null;
  let isFresh = token !== null;
  let refused: string | null = null;
  let refusals = 0;
  let reason: TokenContext['reason'] = 'first';
  let isAsking = false;
  let expires = 0;

  const { tell, whole } = turns();
  const emit: Io['emit'] = (event, value) => tell(() => io.emit(event, value));
  const subscriptions: Channels = channels({ ...io, tell, send: (frame) => phase > 2 && io.send(frame), settleIn: (ms) => io.timer('settle', ms) });

  /** No other token can be had, or too many have been refused. */
  const isOver = () => !asks || refusals >= MOST_REFUSALS;
  const isWanted = () => isPinned || subscriptions.size > 0;
  /** As `hello` has it, where one can keep to that. */
  const pace = () => {
    const { ping, silence } = session ?? {};
    return typeof ping === 'number' && typeof silence === 'number' && ping >= LEAST_MS && silence > ping ? [ping, silence - ping] : [20_000, 10_000];
  };
  const pingEvery = () => options.pingEvery ?? pace()[0]!;
  const answerWithin = () => options.answerWithin ?? pace()[1]!;
  const backoff = (n: number) => Math.min(options.max, options.min * 2 ** n) * (1 + io.random()) / 2;

  function turn(state: State, why: PulsoError | null = null, retryAt: number | null = null, online = status.online) {
    const attempt = state === 'connected' || state === 'idle' ? 0 : failures;
    const since = state === status.state ? status.since : io.now();
    const next = { state, transport, retryAt, attempt, since, error: why, online };
    if (Object.entries(next).every(([name, value]) => status[name as keyof Status] === value)) return;
    status = Object.freeze(next);
    emit('status', status);
  }

  function drop() {
    for (const timer of ['retry', 'answer', 'beat', 'renew'] as const) io.timer(timer, null);
    const was = phase;
    phase = 0;
    askedAt = null;
    closing = null;
    transport = null;
    if (was > 1) io.drop();
    subscriptions.lost();
  }

  function rest(state: 'idle' | 'stopped', why: PulsoError | null = null) {
    drop();
    if (isAsking) unask();
    io.timer('linger', null);
    failures = 0;
    turn(state, why);
    if (why) emit('error', why);
  }

  function unask() {
    isAsking = false;
    io.timer('token', null);
    io.unask();
  }

  /** Tries to open the line, whatever there is of one. */
  function begin() {
    drop();
    triedAt = io.now();
    if (device || (token !== null && (isFresh || (!asks && token !== refused)))) return knock();
    if (!asks) return rest('stopped', new PulsoError(token === null ? 'token_unavailable' : 'expired_token'));
    phase = 1;
    turn('connecting', status.error);
    if (!isAsking) ask(reason);
  }

  function ask(why: TokenContext['reason']) {
    isAsking = true;
    io.timer('token', answerWithin());
    io.ask(why, token);
  }

  function knock() {
    const [first, second] = options.transports;
    phase = 2;
    transport = second && unopened >= MOST_UNOPENED ? second : first!;
    io.open(transport, subscriptions.since());
    // All else is done while the line opens.
    owner ??= whose(token);
    turn('connecting', status.error);
    io.timer('answer', answerWithin());
  }

  /** The line or an attempt has failed; tries again after a while. */
  function fail(why: PulsoError, wait?: number) {
    const now = io.now();
    if (transport === options.transports[0]) unopened += Number(phase === 2);
    // The other way is no better, or the first was good once: most likely the server was away.
    else if (transport && (phase < 4 || openedOnce)) unopened = 0;
    if (phase > 3 && now - status.since >= STEADY_MS) failures = 0;
    const after = closing?.after;
    drop();
    emit('error', why);
    if (!isWanted()) return rest('idle');
    // What the server says wins, except where lines are ended as soon as they have begun.
    let ms = wait ?? (typeof after !== 'number' ? backoff(failures) : failures ? Math.max(after, backoff(failures)) : after);
    failures++;
    if (!status.online) ms = Math.max(ms, triedAt + 30_000 - now);
    turn('waiting', why, now + ms);
    io.timer('retry', ms);
  }

  /** A token that the server does not take. */
  function refuse(why: PulsoError) {
    refusals++;
    refused = token;
    isFresh = false;
    reason = 'rejected';
    if (phase < 4) isOver() ? rest('stopped', why) : fail(why);
    else {
      // The one before is still good.
      emit('error', why);
      io.timer('renew', isOver() ? null : backoff(refusals - 1));
    }
  }

  /** The token is one that the server takes. */
  function taken() {
    refusals = 0;
    refused = null;
    isFresh = false;
    reason = 'reconnect';
  }

  function ready() {
    phase = 4;
    taken();
    if (transport === options.transports[0]) {
      unopened = 0;
      openedOnce = true;
    }
    io.timer('answer', null);
    turn('connected');
    io.timer('beat', pingEvery());
    linger();
  }

  /** When a token is to be renewed, by how long it lives from now on. */
  function lives(seconds: number, early: number) {
    if (seconds > 0) io.timer('renew', 1_000 * (seconds - Math.min(60, seconds / 10) * early));
  }
  /** An older server says nothing of it, and the device's clock is not to be trusted. */
  function livesByItself() {
    const { exp, iat } = claims(token);
    lives(Number(exp) - Number(iat), 1);
  }

  function renew() {
    if (device || isAsking || phase < 4 || isOver()) return;
    ask(reason === 'rejected' ? reason : 'expiring');
  }

  function present() {
    io.send({ type: 'auth', token });
    if (session || phase < 4) return;
    isFresh = false;
    reason = 'reconnect';
    livesByItself();
  }

  function linger() {
    io.timer('linger', isWanted() || status.state === 'idle' || status.state === 'stopped' ? null : options.linger);
  }

  /** Another user: nothing of the one before is shown or sent. */
  function forget() {
    owner = user = undefined;
    session = null;
    subscriptions.forget();
  }

  function take(next: string) {
    // Where that cannot be seen the server will say.
    const of = owner && whose(next);
    const isOther = !!of && of !== owner;
    token = next;
    isFresh = true;
    if (isOther) forget();
    if (phase === 4 && !isOther) present();
    else if (phase > 1) begin();
    else if (phase) knock();
  }

  const ping = () => {
    io.send({ type: 'ping' });
    askedAt = io.now();
    io.timer('beat', answerWithin());
  };

  /** Proves the line, or opens one at once. */
  function check() {
    if (phase === 4) askedAt ?? ping();
    else if (status.state === 'waiting') begin();
  }

  function beat() {
    if (askedAt === null) return ping();
    if (heardAt < askedAt) return fail(new PulsoError('timeout', undefined, { retry: true }));
    const since = io.now() - askedAt;
    askedAt = null;
    io.timer('beat', Math.max(0, pingEvery() - since));
  }

  function onError(frame: Frame) {
    const { code, message, channel } = frame;
    const after: number | undefined = typeof frame.after === 'number' ? frame.after : undefined;
    const said = String(message ?? '');
    const isOfToken = channel === undefined
      && (/^(bad|expired)_token$/.test(code) || (code === undefined && /^(Invalid JWT|token is )/.test(said)));
    if (isOfToken) return refuse(new PulsoError(code ?? 'bad_token', said));
    const isUnchecked = channel === undefined && (code === 'unchecked' || (code === undefined && said.startsWith('cannot be checked')));
    if (phase < 4) {
      // What was asked for along with a token that is not known to be good.
      if (isUnchecked) fail(new PulsoError('unchecked', said, { retry: true }), after);
      else if (code === undefined && !said.startsWith('authenticate')) subscriptions.frame(frame);
    } else if (isUnchecked) {
      isFresh = true;
      io.timer('renew', after ?? backoff(0));
    } else subscriptions.frame(frame);
  }

  /** What the server says; whether it is what it should be is not known. */
  function hear(frame: Frame) {
    const { type } = frame;
    if (isOwnMessage(frame)) subscriptions.frame(frame);
    else if (type === 'error') onError(frame);
    else if (type === 'closing') closing = frame;
    else if (type === 'hello') {
      if (phase > 3) return;
      const { type: _, ...said } = frame;
      if (user !== undefined && user !== said.user) forget();
      session = Object.freeze(said) as unknown as Session;
      expires = session.expires ?? 0;
      user = session.user;
      owner ??= user;
      subscriptions.hello(session);
      ready();
      lives(expires - (session.now ?? expires), 0.5);
      emit('session', session);
    } else if (type === 'authenticated') {
      taken();
      expires = frame.expires;
      if (transport === 'sse') subscriptions.rejoin();
      lives(expires - frame.now, 0.5);
    } else if (type === 'expiring') {
      if (frame.expires >= expires) renew();
    } else if (type === 'pong') {
      if (phase === 3) {
        // It knows no `v=2`: it would have said `hello` before.
        subscriptions.hello(null);
        ready();
        livesByItself();
      }
      subscriptions.settle();
    } else subscriptions.frame(frame);
  }

  const inputs = {
    connect() {
      if (isClosed) return;
      isPinned = true;
      if (status.state === 'stopped') inputs.reconnect();
      else if (status.state === 'idle') begin();
    },
    reconnect() {
      if (isClosed) return;
      refusals = failures = 0;
      refused = null;
      begin();
    },
    setToken(next: string | null) {
      if (isClosed) return;
      if (isAsking) unask();
      refusals = 0;
      refused = null;
      if (next !== null) {
        // Whoever waited for an answer goes on with this.
        take(next);
        if (!phase && status.state !== 'idle') isWanted() ? begin() : rest('idle');
        return;
      }
      token = null;
      isFresh = false;
      isPinned = false;
      reason = 'first';
      owner = user = undefined;
      session = null;
      subscriptions.end();
      io.save();
      rest('idle');
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      subscriptions.end();
      rest('idle');
      io.timer('settle', null);
    },
    gotToken(next: unknown) {
      if (!isAsking) return;
      if (next !== null && (typeof next !== 'string' || !next)) return inputs.noToken(new TypeError(`getToken gave ${typeof next}, not a token`));
      isAsking = false;
      io.timer('token', null);
      if (next === null) rest('stopped', new PulsoError('token_unavailable'));
      else if (next === refused) refuse(new PulsoError('bad_token', 'getToken gave a refused token'));
      else take(next as string);
    },
    noToken(cause: unknown) {
      if (!isAsking) return;
      unask();
      const why = new PulsoError('token_unavailable', cause instanceof Error ? cause.message : 'getToken threw', { cause, retry: true });
      if (phase < 4) return phase ? fail(why) : undefined;
      emit('error', why);
      io.timer('renew', backoff(0));
    },
    opened() {
      if (phase !== 2) return;
      phase = 3;
      session = null;
      heardAt = io.now();
      io.timer('answer', answerWithin());
      if (!device) present();
      subscriptions.greet(transport === 'sse');
      io.send({ type: 'ping' });
    },
    frame(frame: Frame | undefined) {
      if (phase < 3) return;
      heardAt = io.now();
      if (typeof frame?.type !== 'string') {
        return emit('error', new PulsoError('protocol', 'a frame that is none'));
      }
      try {
        hear(frame);
      } catch (cause) {
        emit('error', new PulsoError('protocol', `a frame that is no ${frame.type}`, { cause }));
      }
    },
    /** The line is closed, or could not be opened. */
    closed(closed: number, said: string, { status, cause, after }: Closed = {}) {
      if (phase < 2) return;
      const code = codeOf(closed, status);
      const [then, name, wait] = ending(code, said, after, closing, !!device, io.random);
      const why = new PulsoError(name, said || `closed with ${code}`, { closeCode: code, retry: then !== 'stop', status, cause });
      if (code === 1008) failures = Math.max(failures, 4);
      if (then === 'stop') rest('stopped', why);
      else if (then === 'token' && phase < 4) refuse(why);
      else if (then === 'token') {
        if (!isFresh) refused = token;
        reason = 'rejected';
        isOver() ? rest('stopped', why) : fail(why);
      } else {
        if (then === 'user') forget();
        fail(why, wait);
      }
    },
    /** `late`: by how much the timer is. */
    timer(name: Timer, late: number) {
      if (name === 'settle') {
        if (isClosed) return subscriptions.end();
        subscriptions.settle();
        linger();
        if (status.state === 'idle' && isWanted()) begin();
      } else if (name === 'retry') {
        const left = status.online ? 0 : triedAt + 30_000 - io.now();
        left > 0 ? io.timer('retry', left) : begin();
        // After a sleep nothing has been heard, and nothing is proven by that.
      } else if (name === 'beat') late > SLEPT_MS ? ping() : beat();
      else if (name === 'answer' && late > SLEPT_MS) io.timer('answer', answerWithin());
      else if (name === 'renew') isFresh && phase === 4 ? present() : renew();
      else if (name === 'linger') rest('idle');
      else if (name === 'token') inputs.noToken(new Error('getToken took too long'));
      else fail(new PulsoError('timeout', undefined, { retry: true }));
    },
    online(is: boolean) {
      turn(status.state, status.error, status.retryAt, is);
      if (phase === 4 || is) check();
    },
    /** The page is put away, and a line with it is none when it is looked at again. */
    sleep() {
      if (phase < 2) return;
      drop();
      turn('waiting', status.error);
    },
    wake: check,
  };
  return {
    get status() { return status; },
    get session() { return session; },
    get token() { return token; },
    channels: subscriptions,
    ...whole(inputs),
  };
}
