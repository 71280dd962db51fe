import { errors, jwtVerify, SignJWT } from 'jose'
import * as z from 'zod'
import type { Claims, Owner } from '../claims.ts'
import { HttpProblem } from '../problem.ts'
import { MAX_GRANT_METERS } from './grant.ts'
import { type SigningKey, TOKEN_ALG } from './signing-key.ts'

const TOKEN_TYPE = 'at+jwt'

export interface AccessTokenDeps {
  readonly key: SigningKey
  /** Issuer and audience. */
  readonly publicUrl: string
  readonly tenant: string
  readonly lifeS: number
  readonly clock: () => number
  readonly uuid: () => string
}

export interface AccessTokens {
  issue(owner: Owner): Promise<{ token: string; expiresInS: number }>
  /** Errors: HttpProblem token_expired, wrong_audience, wrong_issuer, unauthorized. */
  verify(token: string): Promise<Claims>
}

const text = z.string().min(1).max(200)

const ownerClaims = z.object({ sub: text, device: text, meters: z.array(z.string().max(64)).max(MAX_GRANT_METERS) })

/** Whom a grant or a token is for; undefined when a claim is missing or does not fit. */
export function parseOwner(payload: unknown): Owner | undefined {
  const { success, data } = ownerClaims.safeParse(payload)
  return success ? { account: data.sub, device: data.device, meters: data.meters } : undefined
}

/** Makes and checks the relay's own access tokens: JWTs as RFC 9068 has them, signed with Ed25519. */
export function createAccessTokens(deps: AccessTokenDeps): AccessTokens {
  const { key, publicUrl, tenant, lifeS, clock, uuid } = deps
  return {
    async issue({ account, device, meters }) {
      const nowS = Math.floor(clock() / 1000)
      const token = await new SignJWT({ device, meters: [...meters], tenant })
        .setProtectedHeader({ alg: TOKEN_ALG, typ: TOKEN_TYPE, kid: key.kid })
        .setIssuer(publicUrl)
        .setAudience(publicUrl)
        .setSubject(account)
        .setJti(uuid())
        .setIssuedAt(nowS)
        .setExpirationTime(nowS + lifeS)
        .sign(key.privateKey)
      return { token, expiresInS: lifeS }
    },
    async verify(token) {
      const { payload } = await jwtVerify(token, key.publicKey, {
        algorithms: [TOKEN_ALG],
        typ: TOKEN_TYPE,
        issuer: publicUrl,
        audience: publicUrl,
        requiredClaims: ['exp', 'iat', 'jti'],
        currentDate: new Date(clock()),
      }).catch((error: unknown) => {
        throw refusal(error)
      })
      const owner = parseOwner(payload)
      if (owner === undefined || payload.tenant !== tenant) throw notOurs()
      return { tenant, ...owner }
    },
  }
}

function refusal(error: unknown): HttpProblem {
  if (error instanceof errors.JWTExpired) {
    return new HttpProblem('token_expired', 'Fetch a new token from POST /v1/token and send the same batch again.')
  }
  const claim = error instanceof errors.JWTClaimValidationFailed ? error.claim : undefined
  if (claim === 'aud') return new HttpProblem('wrong_audience', 'Use a token that this relay issued for itself.')
  if (claim === 'iss') return new HttpProblem('wrong_issuer', 'Use a token that this relay issued.')
  return notOurs()
}

function notOurs(): HttpProblem {
  return new HttpProblem('unauthorized', 'The token is not one of this relay: fetch a new one from POST /v1/token.')
}
