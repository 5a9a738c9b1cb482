// Owns the words of the feeds that speak JSON over a plain WebSocket: /ws (figures, live queries and sales), the clinic's staff and
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
const isOfQuery = (channel) => typeof channel === 'string' && channel.startsWith('consulta:');

/**
 * The figures of `negocio` (empty: none), the live queries `consultas` (`cocina:r-1`), and the events of whatever businesses
 * the token names.
 */
export function business(token, negocio, consultas) {
  const newest = new Map();
  const channels = [...(negocio ? [`estadisticas:${negocio}`] : []), ...consultas.map((name) => `consulta:${name}`)];
  const subscriptions = channels.map((channel) => JSON.stringify({ type: 'subscribe', data: { channel } }));
  /** Whether a state is no older than the last of its channel. */
  const isNews = ({ channel, seq }) => {
    if (typeof seq !== 'number') return true;
    if (seq < (newest.get(channel) ?? -Infinity)) return false;
    newest.set(channel, seq);
    return true;
  };
  return {
    ping: PING,
    url: (since) => address('/ws', { since }),
    // The token goes in a message: an address ends up in logs.
    greet(send) {
      newest.clear(); // a restarted server may count from the beginning
      send(JSON.stringify({ type: 'auth', token }));
      subscriptions.forEach(send);
      // Its pong says that the token is good, also where the figures are refused or late.
      send(PING);
    },
    ask: (send) => (subscriptions.length > 0 ? subscriptions.forEach(send) : send(PING)),
    read(text, line) {
      const frame = parse(text);
      if (!isRecord(frame)) return;
      if (frame.type === 'error') {
        const message = String(frame.message ?? '');
        if (NOT_LET_IN.test(message)) line.refuse(message);
        else if (isOfQuery(frame.channel)) line.event('consulta', { channel: frame.channel, error: message });
        else line.error(message);
        return;
      }
      line.signedIn();
      if (frame.type === 'stats' && isRecord(frame.data)) {
        if (isNews(frame)) line.event('stats', frame.data);
      } else if (frame.type === 'consulta' && isOfQuery(frame.channel)) {
        if (isNews(frame)) line.event('consulta', { channel: frame.channel, data: frame.data });
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
