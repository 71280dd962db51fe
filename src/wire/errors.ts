/** Every code that metertap's own errors carry, with what to do about it. */
export type ErrorCode =
  | 'unknown_meter'
  | 'invalid_data'
  | 'async_schema'
  | 'not_json'
  | 'event_too_large'
  | 'bad_time'
  | 'bad_idempotency_key'
  | 'outbox_full'
  | 'outbox_unavailable'
  | 'closed'
  | 'paused'
  | 'bad_option'
  | 'token_unavailable'
  | 'unauthorized'
  | 'refused_by_relay'
  | 'relay_unreachable'
  | 'bad_answer'
  /** The page has no way to the main process: its window lacks the preload script. */
  | 'bridge_missing'
  | 'wrong_version'
  | 'bad_message'
  | 'not_allowed'
  | 'not_loaded'
  | 'internal'

/**
 * The one error type that metertap raises. `message` says what happened and what to do; `code` is stable;
 * `detail` holds machine-readable facts (never event data, never a token).
 *
 * @example try { await receipt.durable } catch (error) { if (error.code === 'invalid_data') … }
 */
export class MetertapError extends Error {
  /** Always this: minifiers do not change it. */
  override readonly name = 'MetertapError'
  /** What went wrong, as a word that programs may rely on. */
  readonly code: ErrorCode
  /** Facts about it, such as which option; never event data, never a token. */
  readonly detail: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, detail: Record<string, unknown> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.detail = detail
  }
}
