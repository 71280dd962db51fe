import { base64url } from 'jose'

/** Proofs that somebody has shown the admin key, for browsers: the key itself is kept nowhere. */
export interface Sessions {
  isKey(given: string): Promise<boolean>
  /** A new session: what its cookie holds, and for how long. */
  open(): Promise<{ readonly value: string; readonly maxAgeS: number }>
  isOpen(value: string): Promise<boolean>
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
  const encoder = new TextEncoder()

  async function digest(purpose: string, text: string): Promise<Uint8Array> {
    const secret = encoder.encode(`metertap console ${purpose} ${adminKey}`)
    const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
    return new Uint8Array(await crypto.subtle.sign('HMAC', key, encoder.encode(text)))
  }

  /** Digests have one length, so that the comparison takes the same time for every guess. */
  async function areSame(purpose: string, given: string, wanted: string): Promise<boolean> {
    const [a, b] = await Promise.all([digest(purpose, given), digest(purpose, wanted)])
    let difference = 0
    for (const [i, byte] of a.entries()) difference |= byte ^ (b[i] as number)
    return difference === 0
  }

  const seal = async (head: string): Promise<string> => base64url.encode(await digest('session', head))

  return {
    isKey: (given) => areSame('login', given, adminKey),
    async open() {
      const head = `${clock() + LIFE_MS}.${uuid()}`
      return { value: `${head}.${await seal(head)}`, maxAgeS: LIFE_MS / 1000 }
    },
    async isOpen(value) {
      const [, head = '', endMs = '', mark = ''] = /^((\d{1,15})\.[\w-]{1,64})\.([\w-]{43})$/.exec(value) ?? []
      const isSealed = await areSame('compare', mark, await seal(head))
      return isSealed && clock() < Number(endMs)
    },
  }
}
