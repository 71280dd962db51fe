import type * as z from 'zod/mini'
import { parseJson } from '../accept/parse-json.ts'
import type { RelayLimits } from '../contract.ts'
import { createShares } from '../limits/budget.ts'
import type { Log } from '../log.ts'
import { HttpProblem, unavailable } from '../problem.ts'
import type { Inflate } from './inflate.ts'
import { withBody } from './read-body.ts'
import { requireType } from './require-type.ts'

/** What every admin route needs: guarded reads and writes of the store, checked bodies and queries. */
export interface AdminDesk {
  /** Errors: HttpProblem unavailable when the store fails. */
  ask<T>(job: () => Promise<T>): Promise<T>
  /** Errors: HttpProblem of withBody and parseJson, invalid_request. */
  read<T>(request: Request, schema: z.ZodMiniType<T>, hint: string): Promise<T>
}

const DEFAULT_LIMIT = 1000
const MAX_LIMIT = 10_000
const MAX_BODY_BYTES = 2 ** 20
const MAX_OPEN_BYTES = 16 * 2 ** 20

export interface AdminDeskDeps {
  readonly log: Log
  readonly limits: RelayLimits
  readonly inflate: Inflate
}

export function createAdminDesk({ log, limits, inflate }: AdminDeskDeps): AdminDesk {
  const caps = {
    ...{ maxWireBytes: MAX_BODY_BYTES, maxBodyBytes: MAX_BODY_BYTES, maxInflateRatio: limits.maxInflateRatio },
    ...{ timeoutMs: limits.bodyTimeoutMs, open: createShares(MAX_OPEN_BYTES, MAX_OPEN_BYTES).of('operator') },
    inflate,
  }
  return {
    async ask(job) {
      try {
        return await job()
      } catch (error) {
        log('error', 'store_failed', { error })
        throw unavailable('The store cannot be used now: ask again.')
      }
    },
    async read(request, schema, hint) {
      requireType(request, 'application/json')
      return await withBody(request, caps, async ({ bytes }) => {
        const parsed = schema.safeParse(parseJson(bytes, limits.maxValues))
        if (parsed.success) return parsed.data
        throw new HttpProblem('invalid_request', hint)
      })
    },
  }
}

/** Errors: HttpProblem invalid_request. */
export function parseLimit(text: string | undefined): number {
  return parseWhole('limit', text, MAX_LIMIT) ?? DEFAULT_LIMIT
}

/** Errors: HttpProblem invalid_request. */
export function parseWhole(name: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d+$/.test(text) ? Number(text) : 0
  if (value >= 1 && value <= most) return value
  throw new HttpProblem('invalid_request', `"${name}" is a whole number from 1 to ${most}.`)
}
