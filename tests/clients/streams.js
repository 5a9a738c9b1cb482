// What a customer's page listens with, for a test to call: the browser's own EventSource, the two libraries that are used
// in its place, and socket.io-client. Everything heard is in `seen`; `opened` counts streams that were.

import { fetchEventSource } from '@microsoft/fetch-event-source';
import { EventSourcePolyfill } from 'event-source-polyfill';
import { io } from 'socket.io-client';

window.seen = [];
window.opened = 0;

const see = (text) => {
  // One of the libraries shows blocks without data, too.
  if (text === '') return;
  const message = JSON.parse(text);
  seen.push(message.data?.tableId ?? message.type);
};

const by = (Source) => (url) => {
  const source = new Source(url);
  source.onopen = () => { opened += 1; };
  source.onmessage = ({ data }) => see(data);
  return true;
};

window.listen = {
  browser: by(EventSource),
  polyfill: by(EventSourcePolyfill),
  fetch(url, headers = {}) {
    fetchEventSource(url, {
      headers,
      openWhenHidden: true,
      onmessage({ id, data }) {
        if (id !== '' && data === '') opened += 1;
        see(data);
      },
      onclose() { throw new Error('the line was cut'); },
      onerror() {},
    });
    return true;
  },
};

/** How a request for a stream is answered; `null` if the page may not know. */
window.ask = async (url, headers = {}) => {
  const stop = new AbortController();
  try {
    const { status } = await fetch(url, { headers, signal: stop.signal });
    return status;
  } catch {
    return null;
  } finally {
    stop.abort();
  }
};

/** The transport by which Socket.IO connects, or why it does not. */
window.dial = (url, options) => new Promise((resolve) => {
  const socket = io(url, { reconnection: false, forceNew: true, withCredentials: true, ...options });
  socket.on('connect', () => { resolve(socket.io.engine.transport.name); socket.close(); });
  socket.on('connect_error', ({ message }) => resolve(message));
});
