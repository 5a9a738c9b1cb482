// Owns which of a client's subscriptions a channel's name stands for.

import type { Pulso, Subscription } from '@pulso/client';

/** Subscribes to the events of a channel by its name on the wire; any other is one of the application's own. */
export function open<T>(pulso: Pulso, name: string): Subscription<T> {
  const at = name.indexOf(':');
  const [kind, id] = at < 0 ? [name] : [name.slice(0, at), name.slice(at + 1)];
  const found =
    kind === 'negocio' ? pulso.sales(id)
    : kind === 'staff_orders' ? pulso.staff(id)
    : kind === 'restaurante' ? pulso.orders(id)
    : pulso.channel(name);
  return found as unknown as Subscription<T>;
}
