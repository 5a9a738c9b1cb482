// Owns the one client of an application: made when it is first needed, worked outside of the zone, closed with the application.

import {
  DestroyRef, EnvironmentInjector, InjectionToken, NgZone, PLATFORM_ID, inject, makeEnvironmentProviders, runInInjectionContext,
  type EnvironmentProviders,
} from '@angular/core';
import { Pulso, type PulsoOptions } from '@pulso/client';

/** The application's client; `injectPulso()` gives it. */
export const PULSO = new InjectionToken<Pulso>('Pulso');

/** Whether lines may be opened: not where pages are rendered. */
export const PULSO_OPENS = new InjectionToken<boolean>('whether Pulso opens lines');

/** What a client does by its caller's leave: never in the zone, which would wait for its timers and be told of its frames. */
const WORK = ['stats', 'sales', 'orders', 'staff', 'query', 'channel', 'connect', 'reconnect', 'setToken', 'close', 'ready'] as const;

function optionsOf(options: PulsoOptions | (() => PulsoOptions)): PulsoOptions {
  return typeof options === 'function' ? options() : options;
}

function make(given: PulsoOptions, opens: boolean): Pulso {
  const injector = inject(EnvironmentInjector);
  const zone = inject(NgZone);
  const { getToken } = given;
  const options: PulsoOptions = { ...given };
  if (getToken) options.getToken = (context) => zone.run(() => runInInjectionContext(injector, () => getToken(context)));
  // There a socket never becomes one.
  if (!opens) options.WebSocket = class {} as unknown as typeof WebSocket;
  const outside = <T>(act: () => T): T => zone.runOutsideAngular(act);
  const pulso = outside(() => new Pulso(options));
  for (const name of WORK) {
    const work = pulso[name] as (...given: unknown[]) => unknown;
    Object.defineProperty(pulso, name, { value: (...given: unknown[]) => outside(() => work.apply(pulso, given)) });
  }
  inject(DestroyRef).onDestroy(() => pulso.close());
  return pulso;
}

/** Gives an application its client. A function runs in an injection context, and so does `getToken`. */
export function providePulso(options: PulsoOptions | (() => PulsoOptions)): EnvironmentProviders {
  const OPTIONS = new InjectionToken<PulsoOptions>('options of Pulso');
  return makeEnvironmentProviders([
    { provide: OPTIONS, useFactory: () => optionsOf(options) },
    {
      provide: PULSO_OPENS,
      useFactory: () => {
        const isRendering = typeof window === 'undefined' || inject(PLATFORM_ID) === ('server' as unknown);
        return !isRendering || inject(OPTIONS).ssr === false;
      },
    },
    { provide: PULSO, useFactory: () => make(inject(OPTIONS), inject(PULSO_OPENS)) },
  ]);
}

/** The client itself. */
export function injectPulso(): Pulso {
  return inject(PULSO);
}
