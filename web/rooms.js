// Owns the words of Socket.IO 5 on Engine.IO 4, as far as a board needs them: the main namespace over a WebSocket, text
// packets, events without acknowledgement. Knows nothing of reconnecting or of the page.

import { readClaims } from '/claims.js';
import { parse } from '/json.js';

const PACE_SLACK_MS = 2_000;

const isRecord = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The events of the one room that the token names. */
export function room(token) {
  const { expiresAt } = readClaims(token);
  let since = '';
  const speech = {
    pace: 0,
    url() {
      const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
      return `${scheme}//${location.host}/socket.io/?EIO=4&transport=websocket`;
    },
    // The server opens; what it is told then is where to go on.
    greet(_send, last) {
      since = last;
    },
    read(packet, line) {
      switch (packet[0]) {
        case '0': {
          const opening = parse(packet.slice(1));
          const { pingInterval = 25_000, pingTimeout = 20_000 } = isRecord(opening) ? opening : {};
          speech.pace = pingInterval + PACE_SLACK_MS;
          line.allowSilence(pingInterval + pingTimeout);
          line.send(`40${JSON.stringify({ token, since })}`);
          break;
        }
        case '1':
          line.lose();
          break;
        case '2':
          line.send(`3${packet.slice(1)}`);
          break;
        case '4':
          readMessage(packet.slice(1), line, expiresAt);
          break;
        default:
      }
    },
  };
  return speech;
}

function readMessage(message, line, expiresAt) {
  const kind = message[0];
  const body = message.slice(1);
  if (body.startsWith('/')) return; // another namespace's
  if (kind === '0') {
    line.signedIn();
  } else if (kind === '1') {
    // Put out without a word. If it was the token's end, it must not be shown at the door again: clocks are forgiven
    // there for a while. Otherwise the next sign-in says why.
    if (Date.now() >= expiresAt) line.refuse('token expired');
    else line.lose();
  } else if (kind === '4') {
    const refusal = parse(body);
    const reason = isRecord(refusal) ? String(refusal.message ?? '') : '';
    if (/token|restaurantId/i.test(reason)) line.refuse(reason);
    else line.lose();
  } else if (kind === '2') {
    const event = parse(body.replace(/^\d+/, ''));
    if (!Array.isArray(event) || typeof event[0] !== 'string') return;
    const [name, data, mark] = event;
    if (name === 'resync') line.missed(data?.id ?? mark?.id);
    else if (isRecord(data)) line.event(name, data, mark?.id);
  }
}
