// Owns what can go wrong, as an application sees it: one error with a code.

import type { ErrorCode } from './wire.js';

/** The server's codes, and the client's own. */
export type PulsoErrorCode =
  | ErrorCode
  | 'network'
  | 'timeout'
  | 'protocol'
  | 'origin'
  | 'token_unavailable'
  | 'too_old_server'
  | 'aborted';

/** What may be known of an error beside its code. */
export interface PulsoErrorDetails {
  closeCode?: number | undefined;
  status?: number | undefined;
  channel?: string | undefined;
  retry?: boolean | undefined;
  cause?: unknown;
}

export class PulsoError extends Error {
  readonly code: PulsoErrorCode;
  /** Whether it is tried again without anybody's doing. */
  readonly retry: boolean;
  readonly closeCode?: number;
  readonly status?: number;
  readonly channel?: string;
  declare readonly cause?: unknown;

  constructor(code: PulsoErrorCode, message: string, details: PulsoErrorDetails = {}) {
    super(message);
    this.name = 'PulsoError';
    this.code = code;
    this.retry = false;
    for (const [name, value] of Object.entries(details)) if (value !== undefined) (this as Record<string, unknown>)[name] = value;
  }
}
