import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import type { RelayStore } from '../store/contract.ts'
import { needsTurn, parseRing, type Ring, replaceRing, signerOf, turnRing } from './ring.ts'

export const TOKEN_ALG = 'EdDSA'
const SECRET_NAME = 'signing-keys'
/** Other processes may turn the ring: it is read again after this. */
const READ_AGAIN_MS = 10_000
/** A token that names an unknown key makes the ring be read again, but not more often than this. */
const UNKNOWN_KEY_PAUSE_MS = 2_000

export interface SigningKey {
  readonly kid: string
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
  readonly publicJwk: JWK
}

/** The relay's Ed25519 keys. They are kept in the store, so that tokens outlive a restart and every process shares them. */
export interface KeyRing {
  /** The key that signs now. */
  signer(): Promise<SigningKey>
  /** The key of that id, while tokens that it signed may still live. */
  find(kid: string): Promise<SigningKey | undefined>
  /** What /.well-known/jwks.json serves: the public halves, the next key's too. */
  jwks(): Promise<{ readonly keys: readonly JWK[] }>
  /** Throws every key away and makes a new one: all tokens issued so far end at once. */
  replace(): Promise<void>
}

export interface KeyRingDeps {
  readonly store: Pick<RelayStore, 'secret' | 'swapSecret'>
  readonly clock: () => number
  /** A key signs this long. */
  readonly rotateAfterMs: number
  /** Longest life of a token. */
  readonly tokenLifeMs: number
}

interface Loaded {
  readonly text: string
  readonly ring: Ring
  readonly keys: ReadonlyMap<string, SigningKey>
  readonly readAtMs: number
}

/** Opens the ring, making the first key if there is none. */
export async function openKeyRing({ store, clock, rotateAfterMs, tokenLifeMs }: KeyRingDeps): Promise<KeyRing> {
  let loaded = await load(undefined)
  let reading: Promise<Loaded> | undefined

  async function load(before: Loaded | undefined): Promise<Loaded> {
    const text = await store.secret(SECRET_NAME, async () => JSON.stringify(replaceRing(await createKey(), clock())))
    const readAtMs = clock()
    if (text === before?.text) return { ...before, readAtMs }
    const ring = parseRing(text)
    const keys = await Promise.all(ring.keys.map(({ jwk }) => importKey(jwk)))
    return { text, ring, keys: new Map(keys.map((key) => [key.kid, key])), readAtMs }
  }

  /** Callers that come while the ring is read share the reading. */
  function readAgain(): Promise<Loaded> {
    reading ??= keepTurning().finally(() => {
      reading = undefined
    })
    return reading
  }

  async function keepTurning(): Promise<Loaded> {
    loaded = await load(loaded)
    if (needsTurn(loaded.ring, clock(), rotateAfterMs)) {
      const ring = turnRing(loaded.ring, await createKey(), clock(), tokenLifeMs)
      // Another process may have been first; then its ring is as good.
      await store.swapSecret(SECRET_NAME, loaded.text, JSON.stringify(ring))
      loaded = await load(loaded)
    }
    return loaded
  }

  async function current(): Promise<Loaded> {
    return clock() - loaded.readAtMs < READ_AGAIN_MS ? loaded : await readAgain()
  }

  return {
    async signer() {
      const { ring, keys } = await current()
      return keys.get(await calculateJwkThumbprint(signerOf(ring, clock()))) as SigningKey
    },
    async find(kid) {
      const key = (await current()).keys.get(kid)
      if (key !== undefined || clock() - loaded.readAtMs < UNKNOWN_KEY_PAUSE_MS) return key
      return (await readAgain()).keys.get(kid)
    },
    async jwks() {
      const { keys } = await current()
      return { keys: [...keys.values()].map(({ publicJwk }) => publicJwk) }
    },
    async replace() {
      for (let isDone = false; !isDone; ) {
        loaded = await load(loaded)
        isDone = await store.swapSecret(
          SECRET_NAME,
          loaded.text,
          JSON.stringify(replaceRing(await createKey(), clock())),
        )
      }
      loaded = await load(loaded)
    },
  }
}

async function importKey(privateJwk: JWK): Promise<SigningKey> {
  const { kty, crv, x } = privateJwk
  const bare = { kty, crv, x } as JWK
  const kid = await calculateJwkThumbprint(bare)
  return {
    kid,
    privateKey: (await importJWK(privateJwk, TOKEN_ALG)) as CryptoKey,
    publicKey: (await importJWK(bare, TOKEN_ALG)) as CryptoKey,
    publicJwk: { ...bare, kid, alg: TOKEN_ALG, use: 'sig' },
  }
}

async function createKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair(TOKEN_ALG, { crv: 'Ed25519', extractable: true })
  return await exportJWK(privateKey)
}
