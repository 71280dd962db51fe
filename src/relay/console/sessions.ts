import { createHmac, timingSafeEqual } from 'node:crypto'

/** Proofs that somebody has shown the admin key, for browsers: the key itself is kept nowhere. */
export interface Sessions {
  isKey(given: string): boolean
  /** A new session: what its cookie holds, and for how long. */
  open(): { readonly value: string; readonly maxAgeS: number }
  isOpen(value: string): boolean
}

const LIFE_MS = 8 * 3_600_000

/**
 * A session is `<end, ms>.<id>.<HMAC of both>`, under a key made from the admin key: it outlives a restart, is good at
 * every relay with that key, and a new admin key ends it.
 */
export function createSessions(deps: {
  readonly adminKey: string
  readonly clock: () => number
  readonly uuid: () => string
}): Sessions {
  const { adminKey, clock, uuid } = deps
  const digest = (purpose: string, text: string): Buffer =>
    createHmac('sha256', `metertap console ${purpose} ${adminKey}`).update(text).digest()
  const wanted = digest('login', adminKey)
  const seal = (head: string): string => digest('session', head).toString('base64url')

  return {
    // Digests have one length, so that the comparison takes the same time for every guess.
    isKey: (given) => timingSafeEqual(digest('login', given), wanted),
    open() {
      const head = `${clock() + LIFE_MS}.${uuid()}`
      return { value: `${head}.${seal(head)}`, maxAgeS: LIFE_MS / 1000 }
    },
    isOpen(value) {
      const [, head = '', endMs = '', mark = ''] = /^((\d{1,15})\.[\w-]{1,64})\.([\w-]{43})$/.exec(value) ?? []
      const isSealed = timingSafeEqual(digest('compare', mark), digest('compare', seal(head)))
      return isSealed && clock() < Number(endMs)
    },
  }
}
