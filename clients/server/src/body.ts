/**
 * A payload as the text that is sent, with whatever JSON would change in silence refused and named.
 *
 * Must not know what the payload is for.
 */

/** What cannot be sent, and where it stands. */
export class BadField extends Error {
  constructor(
    readonly field: string,
    says: string,
  ) {
    super(`${field} ${says}`);
  }
}

/** The text of `value`; `name` is what its caller calls it. */
export function encode(value: unknown, name: string, maxBytes: number): string {
  const text = written(value, '', name, []);
  if (text === undefined) throw new BadField(name, 'is missing');
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return text;
  throw new BadField(largest(value) ?? name, `makes the call ${bytes} bytes long, of at most ${maxBytes}`);
}

/** The field that takes most of the room. */
function largest(value: unknown): string | undefined {
  if (value === null || typeof value !== 'object') return undefined;
  let found: string | undefined;
  let most = 0;
  for (const [name, member] of Object.entries(value)) {
    const length = Buffer.byteLength(JSON.stringify(member) ?? '');
    if (length > most) [found, most] = [Array.isArray(value) ? `[${name}]` : name, length];
  }
  return found;
}

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

function inside(path: string, name: string): string {
  if (!IDENTIFIER.test(name)) return `${path}[${JSON.stringify(name)}]`;
  return path === '' ? name : `${path}.${name}`;
}

/** As `JSON.stringify`, which says nothing of what it leaves out. `undefined`: to be left out. */
function written(given: unknown, path: string, name: string, around: readonly object[]): string | undefined {
  const at = path === '' ? name : path;
  const value = spelt(given, path);
  switch (typeof value) {
    case 'undefined':
      return undefined;
    case 'string':
    case 'boolean':
      return JSON.stringify(value);
    case 'number':
      if (!Number.isFinite(value)) throw new BadField(at, `is ${value}, which JSON cannot say`);
      return JSON.stringify(value);
    case 'bigint':
      throw new BadField(at, 'is a BigInt: pass its text');
    case 'object':
      break;
    default:
      throw new BadField(at, `is a ${typeof value}`);
  }
  if (value === null) return 'null';
  if (around.includes(value)) throw new BadField(at, 'holds itself');
  if (around.length >= MAX_DEPTH) throw new BadField(at, `is nested more than ${MAX_DEPTH} deep`);
  if (value instanceof Map || value instanceof Set) throw new BadField(at, 'is a Map or a Set: pass an object or an array');
  const within = [...around, value];
  if (Array.isArray(value)) {
    const items = Array.from(value, (item, place) => written(item, `${path}[${place}]`, name, within) ?? 'null');
    return `[${items.join(',')}]`;
  }
  const members = Object.entries(value).flatMap(([key, member]) => {
    const text = written(member, inside(path, key), name, within);
    return text === undefined ? [] : [`${JSON.stringify(key)}:${text}`];
  });
  return `{${members.join(',')}}`;
}

/** Pulso reads no deeper. */
const MAX_DEPTH = 64;

function spelt(value: unknown, path: string): unknown {
  if (value === null || typeof value !== 'object' || !('toJSON' in value) || typeof value.toJSON !== 'function') return value;
  return value.toJSON(path);
}

/** Whether something of `body` is quoted in `says`, so that it must not be told. */
export function quotes(says: string, body: string): boolean {
  let found = false;
  JSON.parse(body, (_name, value: unknown) => {
    if (typeof value === 'string' || typeof value === 'number') found ||= isQuoted(says, String(value));
    return value;
  });
  return found;
}

function isQuoted(says: string, value: string): boolean {
  return value.length >= SHORTEST_QUOTED && says.includes(value);
}

/** A shorter text stands in any sentence. */
const SHORTEST_QUOTED = 4;
