// `@pulso/client`: one line to Pulso for any number of subscriptions.

import type { CursorStore, Kiosk, KioskOptions, PulsoClient, PulsoOptions } from './types.js';

export { PulsoError, type PulsoErrorCode, type PulsoErrorDetails } from './errors.js';
export type * from './types.js';
export type * from './wire.js';

export declare class Pulso {
  constructor(options: PulsoOptions);
}
export interface Pulso extends PulsoClient {}
/** A kiosk's line. */
export declare function kiosk(options: KioskOptions): Kiosk;
/** Positions that outlive a reload of this tab. */
export declare function tab(key?: string): CursorStore;
/** Positions that outlive the tab. */
export declare function local(key?: string): CursorStore;
