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
  declare readonly code: PulsoErrorCode;
  /** Whether it is tried again without anybody's doing. */
  declare readonly retry: boolean;
  declare readonly closeCode?: number;
  declare readonly status?: number;
  declare readonly channel?: string;
  declare readonly cause?: unknown;

  /** Without a message its code says it. */
  constructor(code: PulsoErrorCode, message: string = code.replace(/_/g, ' '), details: PulsoErrorDetails = {}) {
    super(message);
    Object.assign(this, { name: 'PulsoError', code, retry: false }, details);
  }
}
