// Owns a kiosk's line: one for all who ask for the same device, open until the last of them closes. Asks on while the device is off.

import { type Connection, connection } from './connection.js';
import type { Kiosk, KioskOptions } from './types.js';
import type { OrderStatusChanged } from './wire.js';

/** By address and device. */
const lines = new Map<string, Connection & { held: number }>();

/** The line of a device. Whoever asks for one that is there gets it as it is, whatever else the options say. */
export function kiosk({ device, ...options }: KioskOptions): Kiosk {
  if (typeof device !== 'string' || !device) throw new TypeError('device is missing: what the kiosk calls itself');
  const key = `${options.url} ${device}`;
  const line = lines.get(key) ?? Object.assign(connection(options, device), { held: 0 });
  lines.set(key, line);
  line.held++;
  const orders = line.listen<OrderStatusChanged>('device');
  const ends = new Set([() => orders.close()]);
  let isClosed = false;
  const close = () => {
    if (isClosed) return;
    isClosed = true;
    for (const end of ends) end();
    if (--line.held) return;
    lines.delete(key);
    line.close();
  };
  const on: Kiosk['on'] = (event, listener) => {
    const off = line.on(event, listener);
    ends.add(off);
    return () => {
      ends.delete(off);
      off();
    };
  };
  // All else is as the line has it.
  return Object.assign(Object.create(line) as Kiosk, { orders, on, close, [Symbol.dispose]: close });
}
