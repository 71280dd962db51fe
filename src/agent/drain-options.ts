import { filledIn, refuse, relayOrigin, SENDING_DEFAULTS } from './options.ts'

/** A token and whose it is. */
export interface SignedIn {
  /** The relay's token, as a page's `token` option gives it. */
  readonly token: string
  /** The tag that the account's pages give to createAgent(). */
  readonly account: string
}

/** What an application says to drainUsage(). */
export interface DrainOptions {
  /** The relay's origin, as in createAgent(). */
  readonly relay: string
  /**
   * Asks the application's own back end, which knows from its cookie who is signed in. A plain token is of `account`;
   * undefined or null: nobody is signed in, so nothing is sent. Called only when events wait.
   */
  readonly token: () => MaybePromise<string | SignedIn | undefined | null>
  /** Tag of the account that plain tokens are of, as in createAgent(). Default ''. */
  readonly account?: string
  /** Name of the outbox, as in createAgent(). Default 'metertap'. */
  readonly outbox?: string
  /**
   * True to send also when a page is opened. For workers that handle `fetch` anyway: a handler for `fetch` makes the
   * browser start the worker before it loads a page. Default false.
   */
  readonly onFetch?: boolean
  /** Events in one request. Default 2,000. */
  readonly maxBatchEvents?: number
  /** Uncompressed bytes in one request. Default 524,288. */
  readonly maxBatchBytes?: number
  /** Longest wait for the relay's answer, ms. Default 30,000. */
  readonly requestTimeoutMs?: number
}

type MaybePromise<T> = T | Promise<T>

export type DrainSettings = Required<DrainOptions>

const WHO = 'drainUsage'
const { maxBatchEvents, maxBatchBytes, requestTimeoutMs } = SENDING_DEFAULTS
const DEFAULTS = { account: '', outbox: 'metertap', maxBatchEvents, maxBatchBytes, requestTimeoutMs }

/**
 * Options with defaults filled in.
 * @throws MetertapError `bad_option` naming the option and what it should be.
 */
export function readDrainOptions(options: DrainOptions): DrainSettings {
  const { token, onFetch = false } = options ?? {}
  if (typeof token !== 'function') refuse('token must be a function that gives a token or a promise of one.', WHO)
  if (typeof onFetch !== 'boolean') refuse('onFetch must be true or false.', WHO)
  return { ...filledIn(options, DEFAULTS, WHO), relay: relayOrigin(options.relay, WHO), token, onFetch }
}
