// Owns which client the hooks below it use: the application's, or one of the provider's own that lives as long as it does.

import { Pulso, type PulsoOptions } from '@pulso/client';
import {
  createContext, createElement, useContext, useEffect, useMemo, useRef, type ReactElement, type ReactNode,
} from 'react';
import type { Watch } from './watch.js';

/** What was last rendered, for what happens outside of rendering. */
export interface Latest<T> {
  current: T;
}

/** A client, made when it is first needed: what is rendered and thrown away makes none. */
export interface Holder {
  made: Pulso | undefined;
  get(): Pulso;
  /** What a kiosk's line takes over. */
  readonly options: Latest<PulsoOptions | undefined>;
  /** Who watches what, by what is asked for. */
  readonly watches: Map<string | null, Watch<any>>;
  /** Until what it returns is called the client is kept. */
  keep(): () => void;
}

export type PulsoProviderProps = { children?: ReactNode } & (
  | { client: Pulso; options?: undefined }
  /** Read once, but for `getToken`, which may be new at each render. */
  | { client?: undefined; options: PulsoOptions }
);

const Context = createContext<Holder | null>(null);

export function useLatest<T>(value: T): Latest<T> {
  const latest = useRef<T>(value);
  useEffect(() => {
    latest.current = value;
  });
  return latest;
}

function holderOf(client: Pulso | undefined, latest: Latest<PulsoOptions | undefined>): Holder {
  let leaving: ReturnType<typeof setTimeout> | undefined;
  const holder: Holder = {
    made: client,
    options: latest,
    watches: new Map(),
    get() {
      if (holder.made) return holder.made;
      const options: PulsoOptions = { ...latest.current! };
      if (options.getToken) options.getToken = (context) => latest.current!.getToken!(context);
      // Where pages are rendered nothing is opened: there a socket never becomes one.
      if (typeof window === 'undefined' && options.ssr !== false) options.WebSocket = class {} as unknown as typeof WebSocket;
      return (holder.made = new Pulso(options));
    },
    keep() {
      clearTimeout(leaving);
      return () => {
        // A moment later: StrictMode and a Fast Refresh leave and come back at once.
        leaving = setTimeout(() => {
          if (client) return;
          holder.made?.close();
          holder.made = client;
        });
      };
    },
  };
  return holder;
}

export function PulsoProvider({ client, options, children }: PulsoProviderProps): ReactElement {
  const latest = useLatest(options);
  const holder = useMemo(() => holderOf(client, latest), [client]);
  useEffect(holder.keep, [holder]);
  return createElement(Context.Provider, { value: holder }, children);
}

export function useHolder(): Holder {
  const holder = useContext(Context);
  if (!holder) throw new Error('no <PulsoProvider>');
  return holder;
}

/** The client itself, for effects and handlers. */
export const usePulso = (): Pulso => useHolder().get();
