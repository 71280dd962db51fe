import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import type { RelayStore } from '../store/contract.ts'

export const TOKEN_ALG = 'EdDSA'

export interface SigningKey {
  readonly kid: string
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
  /** What /.well-known/jwks.json serves: the public half only. */
  readonly jwks: { readonly keys: readonly JWK[] }
}

/** The relay's Ed25519 key: made once, kept in the store, so that tokens outlive a restart and every process shares it. */
export async function loadSigningKey(store: Pick<RelayStore, 'secret'>): Promise<SigningKey> {
  const privateJwk = JSON.parse(await store.secret('signing-key', createKey)) as JWK
  const { kty, crv, x } = privateJwk
  const publicJwk = { kty, crv, x } as JWK
  const kid = await calculateJwkThumbprint(publicJwk)
  return {
    kid,
    privateKey: (await importJWK(privateJwk, TOKEN_ALG)) as CryptoKey,
    publicKey: (await importJWK(publicJwk, TOKEN_ALG)) as CryptoKey,
    jwks: { keys: [{ ...publicJwk, kid, alg: TOKEN_ALG, use: 'sig' }] },
  }
}

async function createKey(): Promise<string> {
  const { privateKey } = await generateKeyPair(TOKEN_ALG, { crv: 'Ed25519', extractable: true })
  return JSON.stringify(await exportJWK(privateKey))
}
