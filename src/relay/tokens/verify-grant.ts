import { type CompactJWSHeaderParameters, errors, jwtVerify } from 'jose'
import * as z from 'zod'
import type { Owner } from '../claims.ts'
import type { Log } from '../log.ts'
import { HttpProblem, unavailable } from '../problem.ts'
import type { RelayStore } from '../store/contract.ts'
import { GRANT_ALG, GRANT_TYPE, MAX_GRANT_LIFE_S } from './grant.ts'
import { parseOwner } from './owner.ts'
import type { Revocations } from './revocations.ts'

export interface GrantVerifierDeps {
  readonly store: Pick<RelayStore, 'useNonce'>
  /** Secrets by key id. */
  readonly secrets: ReadonlyMap<string, Uint8Array>
  readonly revocations: Revocations
  readonly clock: () => number
  readonly log: Log
}

export type VerifyGrant = (grant: string) => Promise<Owner>

/** The back end's clock may differ this much from the relay's. */
const CLOCK_TOLERANCE_S = 30

const useClaims = z.object({ jti: z.string().min(1).max(200), iat: z.number(), exp: z.number() })

/**
 * Makes the function that checks a grant and uses it up.
 *
 * Errors: HttpProblem invalid_grant, grant_expired, grant_used, token_revoked, unavailable.
 */
export function createGrantVerifier({ store, secrets, revocations, clock, log }: GrantVerifierDeps): VerifyGrant {
  const findSecret = ({ kid }: CompactJWSHeaderParameters): Uint8Array => {
    const secret = secrets.get(kid ?? '')
    if (secret === undefined) throw invalid('its key id is not one of the "grants" of the relay')
    return secret
  }
  return async (grant) => {
    const nowMs = clock()
    const { payload, protectedHeader } = await jwtVerify(grant, findSecret, {
      algorithms: [GRANT_ALG],
      typ: GRANT_TYPE,
      requiredClaims: ['exp', 'iat', 'jti', 'sub'],
      maxTokenAge: MAX_GRANT_LIFE_S,
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(nowMs),
    }).catch((error: unknown) => {
      throw refusal(error)
    })
    const owner = parseOwner(payload)
    const use = useClaims.safeParse(payload)
    if (owner === undefined || !use.success) {
      throw invalid('it needs sub, device, meters, jti, iat and exp: make it with createGrant()')
    }
    const { jti, iat, exp } = use.data
    if (exp - iat > MAX_GRANT_LIFE_S) throw invalid(`it may live ${MAX_GRANT_LIFE_S} s at most`)
    if (await revocations.covers(owner, iat * 1000)) {
      throw new HttpProblem('token_revoked', 'Grants made so far were revoked: fetch a new one from your back end.')
    }
    const nonce = JSON.stringify([protectedHeader.kid, jti])
    const isFirstUse = await store.useNonce(nonce, (exp + CLOCK_TOLERANCE_S) * 1000, nowMs).catch((error: unknown) => {
      log('error', 'store_failed', { error })
      throw unavailable('The store cannot write now: send the same grant again.')
    })
    if (!isFirstUse) throw new HttpProblem('grant_used', 'A grant works once: fetch a new one from your back end.')
    return owner
  }
}

function refusal(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error
  if (error instanceof errors.JWTExpired) {
    return new HttpProblem('grant_expired', 'Fetch a new grant from your back end and send it at once.')
  }
  return invalid('its signature, type or claims do not fit: make it with createGrant() and the key that the relay has')
}

function invalid(reason: string): HttpProblem {
  return new HttpProblem('invalid_grant', `The grant is refused: ${reason}.`)
}
