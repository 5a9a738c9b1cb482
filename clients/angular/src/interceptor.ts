// Owns how a renewal by the application's own interceptor reaches the line. Never gives a token to where it did not come from.

import type { HttpInterceptorFn } from '@angular/common/http';
import { inject } from '@angular/core';
import { tap } from 'rxjs';
import { PULSO } from './provide';

const HERE = 'http://here.invalid';
const originOf = (url: string) => new URL(url, HERE).origin;

/** Stands behind the application's interceptor: after a 401 the first other token that the same API takes is the line's too. */
export function pulsoTokenInterceptor(): HttpInterceptorFn {
  /** By API, which token it has refused. */
  const refused = new Map<string, string>();
  return (request, next) => {
    const pulso = inject(PULSO);
    const token = /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1];
    if (token === undefined) return next(request);
    const origin = originOf(request.url);
    return next(request).pipe(
      tap({
        next: (event) => {
          const old = refused.get(origin);
          // 4: the response itself, not word of its progress.
          if (event.type !== 4 || old === undefined || old === token) return;
          refused.delete(origin);
          pulso.setToken(token);
        },
        error: (error: { status?: number } | null) => {
          if (error?.status === 401) refused.set(origin, token);
        },
      }),
    );
  };
}
