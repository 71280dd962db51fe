import { MetertapError } from '../wire/errors.ts'
import type { TokenSource } from './contract.ts'

export interface TokenSourceOptions {
  /** The application's own way to a token: asks its back end, which knows the user. */
  readonly provide: () => string | Promise<string>
  readonly now: () => number
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
  /** How long before its end a token counts as old, ms. Default 60,000. */
  readonly earlyMs?: number
  /** How long the application may take, ms. Default 30,000. */
  readonly timeoutMs?: number
  /** Where the token is kept; plain data, which several sources may share. Default: a place of its own. */
  readonly kept?: KeptToken
}

export interface KeptToken {
  current?: { readonly token: string; readonly goodUntilMs: number } | undefined
}

/** How long a new token is used at least, whatever this device's clock says. */
const UNTRUSTED_CLOCK_MS = 30_000

/** The `exp` claim of a JWT in ms, unverified: only the relay judges tokens, this only saves a refused request. */
export function jwtExpiryMs(token: string): number {
  try {
    const part = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')
    const { exp } = JSON.parse(atob(part)) as { exp?: unknown }
    return typeof exp === 'number' ? exp * 1_000 : Number.POSITIVE_INFINITY
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

function checked(token: unknown): string {
  // Visible ASCII only: it becomes a header value. The token itself never appears in a message.
  if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)) return token
  throw new MetertapError('token_unavailable', 'The token option must give a non-empty string without spaces.')
}

/** Keeps one token in memory, never on disk; renews it before its end, one call at a time. */
export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { provide, now, setTimer, earlyMs = 60_000, timeoutMs = 30_000, kept = {} } = options
  let pending: Promise<string> | undefined

  const peek = () => (kept.current && now() < kept.current.goodUntilMs ? kept.current.token : undefined)

  const asked = () =>
    new Promise<string>((resolve, reject) => {
      const stop = setTimer(() => reject(new DOMException('Too slow', 'TimeoutError')), timeoutMs)
      Promise.resolve().then(provide).then(resolve, reject).finally(stop)
    })

  const renew = async () => {
    try {
      const token = checked(await asked())
      const expiresInMs = jwtExpiryMs(token) - now()
      // A new token that seems to have ended already: it lives shortly, or the clock is ahead. The relay will say.
      kept.current = { token, goodUntilMs: now() + Math.max(expiresInMs - earlyMs, UNTRUSTED_CLOCK_MS) }
      return token
    } catch (error) {
      if (error instanceof MetertapError) throw error
      const text = `The token option failed (${(error as Error)?.name ?? typeof error}). Events wait in the outbox; the next try follows by itself.`
      throw new MetertapError('token_unavailable', text, {}, error)
    } finally {
      pending = undefined
    }
  }

  return {
    peek,
    async get() {
      const good = peek()
      if (good !== undefined) return good
      pending ??= renew()
      return pending
    },
    invalidate(token) {
      if (kept.current?.token === token) kept.current = undefined
    },
  }
}
