import type { JWK } from 'jose'

/** Keys by age, the oldest first. */
export interface Ring {
  readonly keys: readonly { readonly jwk: JWK; readonly signsFromMs: number }[]
}

/** A new key is published this long before it signs, so that whoever keeps the JWKS for its five minutes knows it. */
export const PUBLISH_AHEAD_MS = 600_000
/** Beyond a token's life, for clocks that differ. */
const KEEP_MARGIN_MS = 60_000

export function parseRing(text: string): Ring {
  return JSON.parse(text) as Ring
}

/** A ring of one key, which signs at once. */
export function replaceRing(jwk: JWK, nowMs: number): Ring {
  return { keys: [{ jwk, signsFromMs: nowMs }] }
}

/** The newest key whose time has come. */
export function signerOf({ keys }: Ring, nowMs: number): JWK {
  const key = keys.findLast(({ signsFromMs }) => signsFromMs <= nowMs) ?? keys[0]
  return (key as Ring['keys'][number]).jwk
}

/** Whether it is time to publish the next key. */
export function needsTurn({ keys }: Ring, nowMs: number, rotateAfterMs: number): boolean {
  const newest = keys.at(-1)
  return newest === undefined || nowMs + PUBLISH_AHEAD_MS >= newest.signsFromMs + rotateAfterMs
}

/** Adds the next key, and takes away those whose last token has ended. Pure. */
export function turnRing({ keys }: Ring, jwk: JWK, nowMs: number, tokenLifeMs: number): Ring {
  const kept = keys.filter((_, index) => {
    const next = keys[index + 1]
    return next === undefined || nowMs < next.signsFromMs + tokenLifeMs + KEEP_MARGIN_MS
  })
  return { keys: [...kept, { jwk, signsFromMs: nowMs + PUBLISH_AHEAD_MS }] }
}
