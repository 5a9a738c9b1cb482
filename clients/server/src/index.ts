/** Tells Pulso what changed or happened, from a back end on Node.js. */

export { PulsoServerError, type PulsoServerErrorCode } from './error.js';
export type { PulsoServerOptions } from './options.js';
export { type CitaOptions, type ConsultaOptions, type EventOptions, PulsoServer, type TransactionId } from './server.js';
export type * from './wire.js';
