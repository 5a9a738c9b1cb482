// Owns what is listened to: who holds a channel, how it stands, what was seen of it. Pure: what it wants done it says to its
// `Out`. Must not know the line's state, sockets, nor tokens.

import { PulsoError, type PulsoErrorCode } from './errors.js';
import type { PulsoEvents, Resync, Session, SubscriptionState } from './types.js';
import type { Estadisticas } from './wire.js';

/** An object that came from the server; nothing of it is known yet. */
export type Frame = { readonly type: string; readonly [key: string]: any };

export interface Entry {
  readonly name: string;
  readonly ref: string;
  channel: string;
  state: SubscriptionState;
  latest: unknown;
  at: number | null;
  error: PulsoError | null;
  seq: number;
  /** Asked for on this line, and how many of its names are unanswered. */
  asked: boolean;
  open: number;
  holders: Set<Holder>;
}
/** Who is told of it. */
export type Holder = (event: 'value' | 'state' | 'resync' | 'error', value: unknown) => void;

export interface Out {
  now(): number;
  send(frame: object): void;
  /** Does it once all that is under way is done. */
  tell(act: () => void): void;
  emit<E extends keyof PulsoEvents>(event: E, value: PulsoEvents[E]): void;
  /** `settle` is wanted: soon, or after so many milliseconds. */
  settleIn(ms: number): void;
  /** Positions have changed. */
  save(): void;
}

export const isOfStates = (name: string) => /^(estadisticas|consulta):/.test(name);
const isNewer = (a: string, b: string) => a.length - b.length || (a > b ? 1 : a < b ? -1 : 0);
/** Greater than every position. */
const UNKNOWN = '9'.repeat(30);
const UUID = /[\da-f]{8}-([\da-f]{4}-){3}/;
const FIGURES = ['citas_hoy', 'total_citas', 'citas_completadas', 'citas_canceladas', 'timestamp'] as const;

/** One text or several, without what is none. */
const texts = (said: unknown): string[] => [said].flat().filter((one): one is string => typeof one === 'string');
/** A message of an application's own, whatever its type. */
export const isOwnMessage = (frame: Frame) => typeof frame.channel === 'string' && frame.channel.startsWith('canal:') && 'data' in frame;
/** Of what an older server says: the channel that it does not name. */
const channelOf = ({ type, channel, data }: Frame): string | undefined =>
  typeof channel === 'string' ? channel
    : type === 'stats' ? `estadisticas:${data?.negocio_id}`
      : /^(newSale|update(Product|Promotion|Table))$/.test(type) ? 'negocio'
        : type === 'order_status_changed' ? 'device' : undefined;

export type Channels = ReturnType<typeof channels>;

export function channels(out: Out) {
  const entries = new Set<Entry>();
  /** What is heard on this line, and from which position on. */
  const joined = new Map<string, string>();
  /** Those of them that the token opened, unasked. */
  const unasked = new Set<string>();
  /** Up to where all is seen, by the server's spelling. */
  const seen = new Map<string, string>();
  let version = 0;
  let session: Session | null = null;
  let made = 0;
  /** How often the user has changed: nothing of the one before is told any more. */
  let user = 0;

  const later = (act: () => void) => {
    const of = user;
    out.tell(() => of === user && act());
  };
  const emit: Out['emit'] = (event, value) => later(() => out.emit(event, value));
  const tell = (entry: Entry, event: 'value' | 'state' | 'resync' | 'error', value: unknown) => {
    // How it stands is told in any case: nobody would say it again.
    for (const holder of entry.holders) (event === 'state' ? out.tell : later)(() => holder(event, value));
  };
  const turn = (entry: Entry, state: SubscriptionState) => {
    if (entry.state === state) return;
    entry.state = state;
    tell(entry, 'state', state);
  };
  const forgetValue = (entry: Entry) => {
    entry.latest = undefined;
    entry.at = null;
    entry.seq = 0;
  };
  const trouble = (error: PulsoError, about: Entry[], isRefusal = false) => {
    for (const entry of about) {
      if (isRefusal) forgetValue(entry);
      entry.error = error;
      tell(entry, 'error', error);
      if (isRefusal) turn(entry, 'refused');
    }
    emit('error', error);
  };
  const isIn = ({ name, channel }: Entry, of: string) =>
    channel === of || (!name.includes(':') && of.startsWith(`${name}:`)) || (version < 2 && of === 'negocio' && name.startsWith('negocio:'));
  /** All but the refused: who asks anew for what was refused is another. */
  const wanted = () => [...entries].filter(({ state }) => state !== 'refused');
  const all = (of: string) => wanted().filter((entry) => isIn(entry, of));
  const isHeard = (entry: Entry) => [...joined.keys()].some((channel) => isIn(entry, channel));
  /** A name that the server spells otherwise. */
  const respell = (of: string) => {
    const isKnown = all(of).length > 0;
    for (const entry of entries) {
      // Texts that differ by their case alone may both be somebody's; ids of hexadecimal digits are one.
      if (entry.channel === entry.name && entry.name.toLowerCase() === of.toLowerCase() && (!isKnown || UUID.test(of))) entry.channel = of;
    }
  };
  /** What the server calls what was asked for without its id. */
  const names = ({ name }: Entry): string[] => {
    const ids = texts(name === 'restaurante' ? session?.restaurant : name === 'negocio' || name === 'staff_orders' ? session?.negocios : null);
    return ids.length ? ids.map((id) => `${name}:${id}`) : [name];
  };
  const ask = (entry: Entry) => {
    const asked = names(entry);
    entry.asked = true;
    entry.open = asked.length;
    for (const channel of asked) {
      out.send({ type: 'subscribe', channel, ref: entry.ref, ...(isOfStates(channel) ? {} : { since: seen.get(channel) ?? '' }) });
    }
  };
  const see = (channel: string, id: string) => {
    seen.set(channel, id);
    out.save();
  };
  /** All that was joined before `id` is up to date when it comes. */
  const seeAll = (channel: string, id: string) => {
    for (const [other, before] of seen) {
      // Never back: what is replayed of one channel may be older than what another has heard.
      if (isNewer(id, before) > 0 && (version < 2 || isNewer(id, joined.get(other) ?? id) > 0)) seen.set(other, id);
    }
    see(channel, id);
  };

  function leave(entry: Entry) {
    entries.delete(entry);
    for (const channel of new Set([...seen.keys(), ...joined.keys(), entry.channel])) {
      if (!isIn(entry, channel) || all(channel).length || unasked.has(channel)) continue;
      seen.delete(channel);
      if (joined.delete(channel) || (entry.asked && channel === entry.channel && version && entry.state !== 'refused')) out.send({ type: 'unsubscribe', channel });
    }
    out.save();
  }

  function subscribed({ channel, id, ref }: Frame) {
    if (typeof channel !== 'string') return;
    const by = typeof ref === 'string' && [...entries].find((entry) => entry.ref === ref);
    if (ref === undefined) {
      respell(channel);
      if (!all(channel).some(({ asked }) => asked)) unasked.add(channel);
    } else if (!by) {
      // Nobody wants it any more.
      out.send({ type: 'unsubscribe', channel });
      return;
    } else if (by.name.includes(':')) by.channel = channel;
    joined.set(channel, String(id ?? ''));
    if (!isOfStates(channel) && !seen.has(channel)) see(channel, String(id ?? ''));
    for (const entry of all(channel)) {
      entry.asked = true;
      entry.error = null;
      if (!isOfStates(channel)) turn(entry, 'live');
    }
  }

  function failed({ message, channel, ref, retry, after, code = /not allowed/.test(message) ? 'forbidden' : 'protocol' }: Frame) {
    const about = wanted().filter((entry) => (ref === undefined ? entry.name === channel || entry.channel === channel : entry.ref === ref));
    const isLater = typeof after === 'number';
    const error = new PulsoError(code as PulsoErrorCode, String(message ?? ''), { channel, retry: !!retry || isLater });
    // An older server's word about a live query that follows by itself.
    if (retry || (version < 2 && /follow|again/.test(error.message))) trouble(error, about);
    else if (isLater) {
      for (const entry of about) entry.asked = false;
      trouble(error, about);
      out.settleIn(after);
    } else {
      // One of several names of an entry that hears others refuses nothing.
      trouble(error, about.filter((entry) => entry.name.includes(':') || (--entry.open < 1 && entry.state !== 'live')), true);
    }
  }

  function state(frame: Frame, channel: string) {
    const { seq, data } = frame;
    const about = all(channel);
    if (frame.type === 'stats') {
      const figures = data as Partial<Estadisticas> | undefined;
      if (`estadisticas:${figures?.negocio_id}` !== channel || FIGURES.some((figure) => typeof figures?.[figure] !== 'number')) {
        trouble(new PulsoError('protocol', 'figures that are none', { channel }), about);
        return;
      }
    }
    for (const entry of about) {
      if (seq < entry.seq) continue;
      entry.seq = seq ?? 0;
      entry.latest = data;
      entry.at = out.now();
      entry.error = null;
      turn(entry, 'live');
      tell(entry, 'value', data);
    }
    emit('event', frame as PulsoEvents['event']);
  }

  function resync(frame: Frame) {
    const ids = typeof frame.id === 'string' ? frame.id : null;
    const named = texts(frame.channels);
    const value: Resync = { channels: named, id: ids };
    const holed = new Set(named.length ? named.flatMap(all) : wanted().filter(({ name }) => !isOfStates(name)));
    if (ids) for (const channel of named) seeAll(channel, ids);
    for (const entry of holed) tell(entry, 'resync', value);
    emit('resync', value);
  }

  return {
    get size() {
      return wanted().filter(({ holders }) => holders.size).length;
    },
    seen,
    hold(name: string): Entry {
      let entry = wanted().find((one) => one.name === name);
      if (!entry) {
        entry = { name, ref: String(++made), channel: name, state: 'pending', latest: undefined, at: null, error: null, seq: 0, asked: false, open: 0, holders: new Set() };
        entries.add(entry);
        out.settleIn(0);
      }
      return entry;
    },
    /** Where to go on: from before all that is not up to date. */
    since: () => [...seen].filter(([channel]) => all(channel).length || channel.startsWith('negocio'))
      .reduce((least, [, id]) => (least && isNewer(id, least) > 0 ? least : id), ''),
    /** The line is open: asks for what can be asked for before it is known whom the server knows; `all` of it on a stream. */
    greet(all = false) {
      for (const entry of wanted()) {
        if (entry.holders.size && (all ? /:|^device$/ : /^(estadisticas|consulta|canal):/).test(entry.name)) ask(entry);
      }
    },
    /** Whom the server knows; null where it is too old to say so. */
    hello(said: Session | null) {
      session = said;
      version = typeof said?.v === 'number' ? said.v : 1;
      if (said || seen.size) return;
      // Without a position nobody can say what a gap has swallowed.
      for (const entry of entries) {
        if (entry.state === 'stale' && !isOfStates(entry.name)) tell(entry, 'resync', { channels: [entry.channel], id: null });
      }
    },
    /** Asks for what is wanted and leaves what nobody holds any more. */
    settle() {
      for (const entry of [...entries]) {
        if (!entry.holders.size) leave(entry);
        else if (version && entry.state !== 'refused') {
          const isThere = version < 2 ? !isOfStates(entry.name) : isHeard(entry);
          if (version < 2 && /^(staff_orders|restaurante)/.test(entry.name)) {
            if (entry.asked) out.send({ type: 'unsubscribe', channel: entry.channel });
            trouble(new PulsoError('too_old_server', undefined, { channel: entry.name }), [entry], true);
          } else {
            if (!entry.asked && (!isThere || (version < 2 && entry.name.startsWith('canal:')))) ask(entry);
            entry.asked = true;
            if (isThere && !isOfStates(entry.name)) turn(entry, 'live');
          }
        }
      }
      if (version > 1) for (const channel of seen.keys()) if (!joined.has(channel) && !all(channel).length) seen.delete(channel);
    },
    frame(frame: Frame) {
      const channel = channelOf(frame);
      const { type, id } = frame;
      const isOwn = isOwnMessage(frame);
      if (!isOwn) {
        if (type === 'subscribed') return subscribed(frame);
        if (type === 'error') return failed(frame);
        if (type === 'resync') return resync(frame);
        if (type === 'unsubscribed') {
          joined.delete(channel!);
          if (frame.reason === 'asked') return;
          const gone = all(channel!).filter((entry) => !isHeard(entry));
          if (gone.length) trouble(new PulsoError('withdrawn', undefined, { channel }), gone, true);
          return;
        }
      }
      if (channel) {
        if (version < 2) respell(channel);
        if (/^(stats|consulta)$/.test(type) && !isOwn) return state(frame, channel);
        if (typeof id === 'string') {
          if (isNewer(id, seen.get(channel) ?? '') <= 0) return;
          seeAll(channel, id);
        }
        for (const entry of all(channel)) tell(entry, 'value', frame);
      }
      emit('event', frame as PulsoEvents['event']);
    },
    /** Another stream takes over, and says anew from where on each channel is heard. */
    rejoin() {
      for (const channel of joined.keys()) joined.set(channel, UNKNOWN);
    },
    lost() {
      joined.clear();
      unasked.clear();
      version = 0;
      for (const entry of entries) {
        entry.asked = false;
        if (entry.state === 'live') turn(entry, 'stale');
      }
    },
    /** Another user: nothing of the one before is shown or sent. */
    forget() {
      user++;
      seen.clear();
      out.save();
      for (const entry of entries) {
        forgetValue(entry);
        entry.error = null;
        turn(entry, 'pending');
      }
    },
    end() {
      user++;
      seen.clear();
      for (const entry of [...entries]) {
        entries.delete(entry);
        forgetValue(entry);
        turn(entry, 'closed');
      }
    },
  };
}
