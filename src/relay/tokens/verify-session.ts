import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose'
import type { Owner } from '../claims.ts'
import { isCleanText } from '../clean-text.ts'
import type { SessionIssuer } from '../contract.ts'
import type { Log } from '../log.ts'
import { HttpProblem, unavailable } from '../problem.ts'
import type { Revocations } from './revocations.ts'

export interface SessionVerifierDeps {
  readonly issuers: readonly SessionIssuer[]
  readonly revocations: Revocations
  readonly fetch: typeof fetch
  readonly clock: () => number
  readonly log: Log
}

/** Checks a session JWT of the application. `device` is what the client names: it counts where no claim does. */
export type VerifySession = (session: string, device: string | undefined) => Promise<Owner>

/** Signatures with a public key only: an HMAC secret has no place in a JWKS. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
const CLOCK_TOLERANCE_S = 30
const JWKS_TIMEOUT_MS = 5_000
const JWKS_FRESH_MS = 600_000
/** An unknown key id makes the keys be fetched again, but not more often than this. */
const JWKS_PAUSE_MS = 30_000

/**
 * Makes the function that checks the session JWTs of the application's own users against its issuers' keys.
 *
 * Errors: HttpProblem invalid_session, session_expired, token_revoked, unavailable.
 */
export function createSessionVerifier({ issuers, revocations, fetch, clock, log }: SessionVerifierDeps): VerifySession {
  const known = new Map(issuers.map((issuer) => [issuer.issuer, { issuer, keys: createKeys(issuer, fetch, log) }]))
  return async (session, device) => {
    const found = known.get(issuerOf(session))
    if (found === undefined) throw invalid('its issuer is none of the "sessions" of the relay')
    const { issuer, keys } = found
    const { payload } = await jwtVerify(session, keys, {
      algorithms: [...(issuer.algorithms ?? ALGORITHMS)],
      issuer: issuer.issuer,
      audience: issuer.audience,
      requiredClaims: ['exp', 'iat'],
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(clock()),
    }).catch((error: unknown) => {
      throw refusal(error)
    })
    const owner = ownerOf(payload, issuer, device)
    if (await revocations.covers(owner, (payload.iat ?? 0) * 1000)) {
      throw new HttpProblem('token_revoked', 'Sessions issued so far were revoked: log in again.')
    }
    return owner
  }
}

function issuerOf(session: string): string {
  try {
    return decodeJwt(session).iss ?? ''
  } catch {
    throw invalid('it is no JWT')
  }
}

function ownerOf(payload: JWTPayload, issuer: SessionIssuer, named: string | undefined): Owner {
  const { accountClaim = 'sub', deviceClaim, metersClaim, meters, ratePerMinute } = issuer
  const account = own(payload, accountClaim)
  const device = deviceClaim === undefined ? named : own(payload, deviceClaim)
  if (!isCleanText(account)) throw invalid(`its claim ${accountClaim} names no account`)
  if (!isCleanText(device)) {
    throw invalid(deviceClaim === undefined ? 'send "device" with it' : `its claim ${deviceClaim} names no device`)
  }
  const rate = ratePerMinute === undefined ? {} : { ratePerMinute }
  return {
    account,
    device,
    meters: metersClaim === undefined ? meters : allowedBy(own(payload, metersClaim), meters),
    ...rate,
  }
}

/** The issuer narrows what the configuration allows, and never widens it. */
function allowedBy(claim: unknown, meters: readonly string[]): string[] {
  return Array.isArray(claim) ? meters.filter((name) => claim.includes(name)) : []
}

function own(payload: JWTPayload, claim: string): unknown {
  return Object.hasOwn(payload, claim) ? payload[claim] : undefined
}

/** The issuer's keys, fetched when needed and kept; old ones go on while new ones cannot be fetched. */
function createKeys(
  { jwksUrl, issuer }: SessionIssuer,
  fetch: SessionVerifierDeps['fetch'],
  log: Log,
): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(new URL(jwksUrl), {
    timeoutDuration: JWKS_TIMEOUT_MS,
    cacheMaxAge: JWKS_FRESH_MS,
    cooldownDuration: JWKS_PAUSE_MS,
    [customFetch]: (url, init) => fetch(url, init),
  })
  return async (header, token) => {
    try {
      return await remote(header, token)
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error
      if (error instanceof errors.JOSENotSupported) throw error
      log('warn', 'session_keys_failed', { issuer, error })
      const kept = remote.jwks()
      if (kept !== undefined) return await createLocalJWKSet(kept)(header, token)
      throw unavailable("The keys of the session's issuer cannot be fetched now: send the same request again.")
    }
  }
}

function refusal(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error
  if (error instanceof errors.JWTExpired) {
    return new HttpProblem('session_expired', 'Renew the session of the application and send it again.')
  }
  return invalid("its signature, algorithm, audience or times do not fit the issuer's configuration")
}

function invalid(reason: string): HttpProblem {
  return new HttpProblem('invalid_session', `The session is refused: ${reason}.`)
}
