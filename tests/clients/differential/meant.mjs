// What counts as the same for a client, and the differences between npm's `socket.io` and Pulso that are meant:
// `docs/decisions.md` says why.

/** What came in each namespace; between namespaces there is no order. */
function byNamespace(packets) {
  const namespaces = {};
  for (const packet of packets) {
    const [, namespace] = /^4\d(?:\d+-)?(\/[^,]*),/.exec(packet) ?? [];
    (namespaces[namespace ?? '/'] ??= []).push(packet);
  }
  return namespaces;
}

const ANNOUNCED = /^42\/sync,\["(changes|orders):pending"/;

/**
 * What the database has to say comes when it has answered, and of two announcements right behind each other a back end needs one:
 * neither their number nor their order is promised.
 */
function settled(packets) {
  const runs = [];
  for (const packet of packets) {
    const isAnnounced = ANNOUNCED.test(packet);
    if (isAnnounced && runs.at(-1)?.isAnnounced) runs.at(-1).packets.add(packet);
    else runs.push({ isAnnounced, packets: new Set([packet]) });
  }
  return runs.flatMap(({ packets: run }) => [...run].sort());
}

const startsWith = (long, short) => short.every((packet, at) => packet === long[at]);

/** Who leaves behind a question to the database may have the answer or not, as quickly as that comes. */
function leavesBehindAQuestion({ say = [] }) {
  const asks = say.findIndex((packet) => /^42\/sync,\d*\["sync:orders"/.test(packet));
  return asks >= 0 && say.slice(asks + 1).some((packet) => /^41\/sync/.test(packet));
}

/** Whoever is sent away may have been given what waited for it, or a part of it. */
function sawTheSame(step, theirs, ours, isOver) {
  const isTold = (packet) => !leavesBehindAQuestion(step) || !ANNOUNCED.test(packet);
  const [their, our] = [theirs, ours].map((packets) => byNamespace(packets.filter(isTold)));
  return [...new Set([...Object.keys(their), ...Object.keys(our)])].every((namespace) => {
    const [one, other] = [their, our].map((packets) => settled(packets[namespace] ?? []));
    return one.length === other.length || isOver ? startsWith(one, other) || startsWith(other, one) : false;
  });
}

/**
 * By WebSocket Pulso says why, by a close code, and npm's says nothing. By polling a client hears of the end by the request that
 * waits, or by its next one if none does; whoever was answered 400 to what it posted knows already.
 */
function endsTheSame(theirs, ours) {
  if (theirs.ended === ours.ended || theirs.ended.startsWith('close')) return true;
  return ours.isRefused && ['1', 'GET 400'].includes(theirs.ended) && ours.ended === 'GET 400';
}

export function isSame(step, theirs, ours) {
  const isOver = theirs.ended !== undefined && ours.ended !== undefined;
  if (JSON.stringify([theirs.by, theirs.upgrade]) !== JSON.stringify([ours.by, ours.upgrade])) return false;
  if (!isOver && (theirs.ended ?? ours.ended) !== undefined) return false;
  if (isOver && !endsTheSame(theirs, ours)) return false;
  return sawTheSame(step, theirs.seen, ours.seen, isOver);
}

const NO_OBJECTS = ['list', 'number', 'text'];
const namespaceOf = (packet) => packet.connect ?? /^4\d(?:\d+-)?(\/[^,]*)?/.exec(packet)?.[1] ?? '/';

export const MEANT = [
  {
    name: 'auth that is no object is refused with a word, as auth that holds nothing; npm closes the session',
    is: ({ say }, theirs) => theirs.ended && say?.some((packet) => NO_OBJECTS.includes(packet.with)),
  },
  {
    name: 'packets in one breath are carried out one after the other; npm looks at all of them before it carries out the first',
    is: ({ say }) =>
      say?.some((packet, at) => {
        const changes = packet.connect !== undefined || /^41/.test(packet);
        return changes && say.slice(at + 1).some((behind) => namespaceOf(behind) === namespaceOf(packet));
      }),
  },
  {
    name: 'a close packet ends a session by WebSocket too; npm waits for the frame that says so',
    is: ({ say }, theirs, ours) => theirs.by === 'websocket' && !theirs.ended && ours.ended && say?.includes('1'),
  },
  {
    name: 'white space is no number; npm takes it for the one by which an acknowledgement is asked for',
    is: ({ raw }, theirs, ours) => ours.ended && !theirs.ended && raw === Buffer.from('40/x,\n').toString('base64'),
  },
  {
    name: 'two requests that bring packets at once are both carried out; npm closes the session',
    is: ({ meanwhile }, theirs, ours) => meanwhile && theirs.ended && !ours.ended,
  },
  {
    name: 'what a request brings is text whatever type it says; npm closes the session of who says that it is binary',
    is: ({ type }, theirs, ours) => type !== undefined && theirs.ended && !ours.ended,
  },
  {
    name: 'a session that is in no namespace any more is closed after a second; npm keeps it',
    is: (_, theirs, ours) => ours.nowhere >= 1_000 && ours.ended && !theirs.ended,
  },
];

/** The name of the difference that a step shows; nothing if it is none of them. */
export function meant(step, theirs, ours) {
  return MEANT.find(({ is }) => is(step, theirs, ours))?.name;
}
