import { errors, type JWTPayload, type JWTVerifyResult, jwtVerify, SignJWT } from 'jose'
import { LRUCache } from 'lru-cache'
import type { Claims, Owner } from '../claims.ts'
import { HttpProblem } from '../problem.ts'
import { type KeyRing, TOKEN_ALG } from './key-ring.ts'
import { claimsOf, parseOwner } from './owner.ts'
import type { Revocations } from './revocations.ts'

const TOKEN_TYPE = 'at+jwt'
/** Verified tokens that are remembered; a token of 100 meters takes a few KiB. */
const MAX_REMEMBERED = 10_000
/** Of all of them together. */
const MAX_REMEMBERED_CHARS = 16 * 2 ** 20
/** What the relay issues is shorter; nothing longer is looked up or parsed. */
const MAX_TOKEN_CHARS = 16_384

export interface AccessTokenDeps {
  readonly keys: KeyRing
  readonly revocations: Revocations
  /** Issuer and audience. */
  readonly publicUrl: string
  readonly tenant: string
  readonly lifeS: number
  readonly clock: () => number
  readonly uuid: () => string
}

export interface AccessTokens {
  issue(owner: Owner): Promise<{ token: string; expiresInS: number }>
  /** Errors: HttpProblem token_expired, token_revoked, wrong_audience, wrong_issuer, unauthorized, unavailable. */
  verify(token: string): Promise<Claims>
}

interface Verified {
  readonly claims: Claims
  readonly kid: string
  readonly issuedAtMs: number
  readonly expiresAtMs: number
}

/**
 * Makes and checks the relay's own access tokens: JWTs as RFC 9068 has them, signed with Ed25519.
 * A verified token is remembered, so that its signature is checked once; its end, its key and its revocation are looked
 * at each time.
 */
export function createAccessTokens(deps: AccessTokenDeps): AccessTokens {
  const { keys, revocations, publicUrl, tenant, lifeS, clock, uuid } = deps
  const remembered = new LRUCache<string, Verified>({
    max: MAX_REMEMBERED,
    maxSize: MAX_REMEMBERED_CHARS,
    sizeCalculation: (_, token) => token.length,
  })

  async function checkSignature(token: string): Promise<Verified> {
    const options = {
      algorithms: [TOKEN_ALG],
      typ: TOKEN_TYPE,
      issuer: publicUrl,
      audience: publicUrl,
      requiredClaims: ['exp', 'iat', 'jti'],
      currentDate: new Date(clock()),
    }
    const findKey = async ({ kid }: { kid?: string }) => {
      const key = await keys.find(kid ?? '')
      if (key === undefined) throw notOurs()
      return key.publicKey
    }
    const result = await jwtVerify(token, findKey, options).catch((error: unknown) => {
      throw refusal(error)
    })
    return toVerified(result)
  }

  function toVerified({ payload, protectedHeader }: JWTVerifyResult<JWTPayload>): Verified {
    const owner = parseOwner(payload)
    const { iat, exp } = payload
    if (owner === undefined || payload.tenant !== tenant || iat === undefined || exp === undefined) throw notOurs()
    const times = { issuedAtMs: iat * 1000, expiresAtMs: exp * 1000 }
    return { claims: { tenant, ...owner }, kid: protectedHeader.kid ?? '', ...times }
  }

  return {
    async issue(owner) {
      const nowS = Math.floor(clock() / 1000)
      const { kid, privateKey } = await keys.signer()
      const token = await new SignJWT({ ...claimsOf(owner), tenant })
        .setProtectedHeader({ alg: TOKEN_ALG, typ: TOKEN_TYPE, kid })
        .setIssuer(publicUrl)
        .setAudience(publicUrl)
        .setSubject(owner.account)
        .setJti(uuid())
        .setIssuedAt(nowS)
        .setExpirationTime(nowS + lifeS)
        .sign(privateKey)
      return { token, expiresInS: lifeS }
    },
    async verify(token) {
      if (token.length > MAX_TOKEN_CHARS) throw notOurs()
      let verified = remembered.get(token)
      if (verified !== undefined && clock() >= verified.expiresAtMs) throw expired()
      if (verified === undefined || (await keys.find(verified.kid)) === undefined) {
        verified = await checkSignature(token)
        remembered.set(token, verified)
      }
      const { claims, issuedAtMs } = verified
      if (await revocations.covers(claims, issuedAtMs)) throw revoked()
      return claims
    },
  }
}

function refusal(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error
  if (error instanceof errors.JWTExpired) return expired()
  const claim = error instanceof errors.JWTClaimValidationFailed ? error.claim : undefined
  if (claim === 'aud') return new HttpProblem('wrong_audience', 'Use a token that this relay issued for itself.')
  if (claim === 'iss') return new HttpProblem('wrong_issuer', 'Use a token that this relay issued.')
  return notOurs()
}

function expired(): HttpProblem {
  return new HttpProblem('token_expired', 'Fetch a new token from POST /v1/token and send the same batch again.')
}

function revoked(): HttpProblem {
  return new HttpProblem('token_revoked', 'Tokens issued so far were revoked: fetch a new one from POST /v1/token.')
}

function notOurs(): HttpProblem {
  return new HttpProblem('unauthorized', 'The token is not one of this relay: fetch a new one from POST /v1/token.')
}
