// Owns the observables: each asks when it is subscribed to, leaves when it is unsubscribed from, and emits in the zone.

import { NgZone, assertInInjectionContext, inject } from '@angular/core';
import type { Estadisticas, Pulso, Status, Subscription } from '@pulso/client';
import { Observable } from 'rxjs';
import { open } from './channels';
import { PULSO_OPENS, injectPulso } from './provide';

function observe<T>(ask: (pulso: Pulso) => Subscription<T>): Observable<T> {
  const pulso = injectPulso();
  const zone = inject(NgZone);
  const opens = inject(PULSO_OPENS);
  return new Observable<T>((observer) => {
    if (!opens) return;
    const subscription = ask(pulso);
    const taken = subscription.subscribe({
      next: (value) => zone.run(() => observer.next(value)),
      error: (error) => zone.run(() => observer.error(error)),
      complete: () => zone.run(() => observer.complete()),
    });
    return () => {
      taken.unsubscribe();
      subscription.close();
    };
  });
}

/** The figures of a business; ends with a `PulsoError` when they are refused. */
export function stats$(negocio: string): Observable<Estadisticas> {
  assertInInjectionContext(stats$);
  return observe((pulso) => pulso.stats(negocio));
}

/** The events of a channel, named as for `injectEvents`. */
export function events$<T>(channel: string): Observable<T> {
  assertInInjectionContext(events$);
  return observe((pulso) => open<T>(pulso, channel));
}

/** How the line is, now and from now on. */
export function status$(): Observable<Status> {
  assertInInjectionContext(status$);
  const pulso = injectPulso();
  const zone = inject(NgZone);
  return new Observable<Status>((observer) => {
    observer.next(pulso.status);
    return pulso.on('status', (status) => zone.run(() => observer.next(status)));
  });
}
