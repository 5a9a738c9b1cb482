// Owns the hooks: each says what it subscribes to, and `null` as an id means "not now".

import {
  kiosk, type Estadisticas, type KioskOptions, type NewOrder, type OrderEvent, type OrderStatusChanged, type OwnMessage,
  type SaleEvent, type Status,
} from '@pulso/client';
import { useCallback, useId, useSyncExternalStore } from 'react';
import { useHolder, useLatest } from './provider.js';
import { IDLE, PENDING, watch, type Listening, type Live, type LiveList, type Open, type Snapshot, type Watch } from './watch.js';

type Key = string | number | null | undefined;

const IDLE_LINE: Status = { state: 'idle', transport: null, retryAt: null, attempt: 0, since: 0, error: null, online: true };

/** As long as the ids stay, nothing is opened again. A state is shared; who listens to events keeps its own. */
function useOf<T>(kind: string, ids: Key[], listening?: Listening<T>, open?: Open<T>): Snapshot<T> {
  const holder = useHolder();
  const mine = useId();
  const latest = useLatest(listening);
  const key = ids.includes(null) ? null : [kind, ...ids, listening && mine].join();
  const none = key === null ? IDLE : PENDING;
  const { watches } = holder;
  // The client's methods are called as the kinds are.
  const ask: Open<T> = () => (holder.get() as any)[kind](...ids);
  const hold = useCallback((redraw: () => void) => {
    if (key === null) return none.clear;
    const found: Watch<T> =
      watches.get(key) ?? watch(open ?? ask, () => watches.delete(key), listening && latest);
    watches.set(key, found);
    return found.hold(redraw);
  }, [watches, key]);
  return useSyncExternalStore(hold, () => watches.get(key)?.shown ?? none, () => none);
}

/** How the line is. */
export function usePulsoStatus(): Status {
  const holder = useHolder();
  const hold = useCallback((redraw: () => void) => holder.get().on('status', redraw), [holder]);
  return useSyncExternalStore(hold, () => holder.made?.status ?? IDLE_LINE, () => IDLE_LINE);
}

/** The figures of a business. */
export const useStats = (negocio: string | null | undefined): Live<Estadisticas> => useOf('stats', [negocio ?? null]);

/** The result of a live query; one without keys takes none. */
export const useLiveQuery = <T = unknown>(name: string, key?: string | number | null): Live<T> => useOf('query', [name, key]);

/** Sales and changes of products, promotions and tables, of a business or of the only one. */
export const useSales = (negocio?: string | null, listening: Listening<SaleEvent> = {}): LiveList<SaleEvent> =>
  useOf('sales', [negocio], listening);

/** The orders of a restaurant, or of the one that the token names. */
export const useOrders = (restaurant?: string | null, listening: Listening<OrderEvent> = {}): LiveList<OrderEvent> =>
  useOf('orders', [restaurant], listening);

/** The new orders of a clinic. */
export const useStaff = (negocio?: string | null, listening: Listening<NewOrder> = {}): LiveList<NewOrder> =>
  useOf('staff', [negocio], listening);

/** The messages of a channel of the application's own. */
export const useChannel = <T = unknown>(
  name: string | null | undefined,
  onMessage?: (message: OwnMessage<T>) => void,
  listening?: Listening<OwnMessage<T>>,
): LiveList<OwnMessage<T>> => useOf('channel', [name ?? null], { onEvent: onMessage, ...listening });

/** The orders of a device, on one line for all who ask for it. A provider that was given a `client` does not know the `url`. */
export function useKiosk(
  device: string | null | undefined,
  options: Listening<OrderStatusChanged> & Partial<KioskOptions> = {},
): LiveList<OrderStatusChanged> {
  const holder = useHolder();
  return useOf('kiosk', [device ?? null], options, (ends) => {
    const line = kiosk({ ...holder.options.current, ...options, device } as KioskOptions);
    ends.push(() => line.close());
    return line.orders;
  });
}
