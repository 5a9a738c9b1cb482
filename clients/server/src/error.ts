/**
 * What a call failed of, in words that hold neither the key nor anything of the payload.
 *
 * Must not know how calls are repeated.
 */

/**
 * - `queue_full`: too many calls wait; this one was never sent.
 * - `bad_payload`: it cannot be sent as it is; `field` names what is wrong.
 * - `refused`: Pulso, or what stands before it, said no; repeating it as it is will not help.
 * - `unavailable`: nothing accepted it for as long as it was tried.
 */
export type PulsoServerErrorCode = 'queue_full' | 'bad_payload' | 'refused' | 'unavailable';

export interface Failure {
  code: PulsoServerErrorCode;
  call: string;
  says: string;
  status?: number | undefined;
  word?: string | undefined;
  field?: string;
  attempts?: number;
}

/** Why a call was not carried out. */
export class PulsoServerError extends Error {
  override readonly name = 'PulsoServerError';
  readonly code: PulsoServerErrorCode;
  /** The method that was called: `venta`, `cita`, … */
  readonly call: string;
  /** The last answer's status. */
  readonly status: number | undefined;
  /** The last answer's own word: `busy`, `not_configured`, … */
  readonly word: string | undefined;
  /** The field that is wrong, where something could not be sent. */
  readonly field: string | undefined;
  /** How often it was sent. */
  readonly attempts: number;

  constructor(failure: Failure) {
    super(`${failure.call}: ${failure.says}`);
    this.code = failure.code;
    this.call = failure.call;
    this.status = failure.status;
    this.word = failure.word;
    this.field = failure.field;
    this.attempts = failure.attempts ?? 0;
  }
}
