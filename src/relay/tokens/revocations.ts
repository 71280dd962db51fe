import type { Owner } from '../claims.ts'
import type { Log } from '../log.ts'
import { unavailable } from '../problem.ts'
import type { RelayStore } from '../store/contract.ts'

/** Says whether what was issued at a time is still good. */
export interface Revocations {
  /** Whether everything issued to this owner at issuedAtMs was revoked since. Errors: HttpProblem unavailable. */
  covers(owner: Pick<Owner, 'account' | 'device'>, issuedAtMs: number): Promise<boolean>
}

/** Revocation is by "issued before", per account or per device of an account. It is asked for at each request. */
export function createRevocations(deps: {
  readonly store: Pick<RelayStore, 'revokedBefore'>
  readonly tenant: string
  readonly log: Log
}): Revocations {
  const { store, tenant, log } = deps
  return {
    async covers({ account, device }, issuedAtMs) {
      const beforeMs = await store.revokedBefore({ tenant, account, device }).catch((error: unknown) => {
        log('error', 'store_failed', { error })
        throw unavailable('The store cannot be read now: send the same request again.')
      })
      return issuedAtMs < beforeMs
    },
  }
}
