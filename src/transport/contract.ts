import type { WireAnswer } from '../wire/contract.ts'

/** What came of one request. Only 'answered' may remove events; every other outcome keeps them all. */
export type Outcome =
  | { readonly kind: 'answered'; readonly answer: WireAnswer }
  /** 413: the same events again, in smaller requests. */
  | { readonly kind: 'too-large' }
  /** Not now: network error, timeout, 408, 425, 429, 5xx, an answer that is none. Again after delayMs (0: backoff decides). */
  | { readonly kind: 'later'; readonly delayMs: number; readonly code: string; readonly detail: string }
  /** The token was refused or none could be had. */
  | { readonly kind: 'unauthorized'; readonly detail: string }
  /** Another 4xx or a redirect: sending again unchanged is no use until someone mends it. */
  | { readonly kind: 'refused'; readonly status: number; readonly code: string; readonly detail: string }

/** Gives the bearer token that proves account and device to the relay. */
export interface TokenSource {
  /** A token that is still good for a while; asks the application for a new one when needed (one call at a time). */
  get(): Promise<string>
  /** The token in memory if it is still good, for moments when nothing can be awaited. */
  peek(): string | undefined
  /** Forgets the token after the relay refused it. */
  invalidate(token: string): void
}
