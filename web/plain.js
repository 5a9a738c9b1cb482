// Owns the words of the feeds that speak JSON over a plain WebSocket: /ws (figures and sales), the clinic's staff and
// its kiosks. Knows nothing of reconnecting or of the page.

import { parse } from '/json.js';

const PING = JSON.stringify({ type: 'ping' });
/** What the server says to somebody whom it does not know; it keeps the line for a while, in case a good token follows. */
const NOT_LET_IN = /^(Invalid JWT token|authenticate first|token is )/;
const EVENTS_OF_A_BUSINESS = new Set(['newSale', 'updateProduct', 'updatePromotion', 'updateTable']);

function address(path, query) {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  return `${scheme}//${location.host}${path}?${new URLSearchParams(query)}`;
}

const isRecord = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The figures of `negocio` (empty: none) and the events of whatever businesses the token names. */
export function business(token, negocio) {
  let newestSeq = -Infinity;
  const subscribe = JSON.stringify({ type: 'subscribe', data: { channel: `estadisticas:${negocio}` } });
  return {
    ping: PING,
    url: (since) => address('/ws', { since }),
    // The token goes in a message: an address ends up in logs.
    greet(send) {
      newestSeq = -Infinity; // a restarted server may count from the beginning
      send(JSON.stringify({ type: 'auth', token }));
      if (negocio) send(subscribe);
      // Its pong says that the token is good, also where the figures are refused or late.
      send(PING);
    },
    ask: (send) => send(negocio ? subscribe : PING),
    read(text, line) {
      const frame = parse(text);
      if (!isRecord(frame)) return;
      if (frame.type === 'error') {
        const message = String(frame.message ?? '');
        if (NOT_LET_IN.test(message)) line.refuse(message);
        else line.error(message);
        return;
      }
      line.signedIn();
      if (frame.type === 'stats' && isRecord(frame.data)) {
        if (typeof frame.seq === 'number') {
          if (frame.seq < newestSeq) return;
          newestSeq = frame.seq;
        }
        line.event('stats', frame.data);
      } else if (EVENTS_OF_A_BUSINESS.has(frame.type) && isRecord(frame.data)) {
        line.event(frame.type, { ...frame.data, sentAt: frame.timestamp }, frame.id);
      } else if (frame.type === 'resync') {
        line.missed(frame.id);
      }
    },
  };
}

/** The new orders of a clinic. This feed reads its token from the address only. */
export const staff = (token) => orders('/ws/staff/orders/', { token }, 'new_order');

/** The states of one device's orders. A kiosk has nobody who could sign in again, so it keeps asking. */
export const kiosk = (device) => ({
  ...orders('/ws/kiosk/orders/', { device_uid: device }, 'order_status_changed'),
  persists: true,
});

function orders(path, query, wanted) {
  return {
    ping: PING,
    url: (since) => address(path, { ...query, since }),
    greet: (send) => send(PING),
    ask: (send) => send(PING),
    read(text, line) {
      const frame = parse(text);
      if (!isRecord(frame) || frame.type === 'error') return;
      line.signedIn();
      if (frame.type === wanted) line.event(wanted, frame, frame.id);
      else if (frame.type === 'resync') line.missed(frame.id);
    },
  };
}
