import { METER_NAME, type Meter } from '../../meter/contract.ts'
import { isCleanText } from '../clean-text.ts'
import type { RelayLimits } from '../contract.ts'
import { type DataLimits, type DataVerdict, judgeData, type Rejected, reject } from './judge-data.ts'

export type EventLimits = DataLimits & Pick<RelayLimits, 'maxEventAgeMs' | 'maxEventAheadMs'>

export interface EventContext {
  readonly meters: ReadonlyMap<string, Meter>
  /** Names of the meters in the token. */
  readonly allowed: ReadonlySet<string>
  readonly limits: EventLimits
  readonly nowMs: number
}

/** An event, once it is not rejected. */
export type GoodEvent = readonly [meter: string, atMs: number, data: unknown, idempotencyKey?: string]

/**
 * Judges one `[meter, at, data]` or `[meter, at, data, idempotencyKey]`; when it is not rejected it is a GoodEvent.
 * A promise comes back only from an asynchronous schema.
 */
export function judgeEvent(event: unknown, context: EventContext): DataVerdict | Promise<DataVerdict> {
  if (!Array.isArray(event) || event.length < 3 || event.length > 4) {
    return reject('bad_event', 'An event is [meter, at, data] or [meter, at, data, idempotencyKey].')
  }
  const name: unknown = event[0]
  if (typeof name !== 'string') return reject('bad_event', "An event's meter is a string.")
  const meter = context.meters.get(name)
  if (meter === undefined || !context.allowed.has(name)) return refuseMeter(name, meter)
  return judgeTime(event[1], context) ?? judgeKey(event) ?? judgeData(meter, event[2], context.limits, event)
}

function refuseMeter(name: string, meter: Meter | undefined): Rejected {
  if (meter === undefined) {
    const named = METER_NAME.test(name) ? `"${name}"` : 'of that name'
    return reject('unknown_meter', `The relay has no meter ${named}: add it to the relay's meters.`)
  }
  return reject('meter_not_allowed', `The token does not allow the meter "${name}": name it in the grant.`)
}

function judgeTime(at: unknown, { limits, nowMs }: EventContext): Rejected | undefined {
  if (typeof at !== 'number' || !Number.isSafeInteger(at) || at < 0) {
    return reject('bad_time', "An event's time is in whole milliseconds since 1970 (UTC).")
  }
  if (at < nowMs - limits.maxEventAgeMs) {
    return reject('too_old', `The relay takes events of the last ${limits.maxEventAgeMs} ms only.`)
  }
  if (at > nowMs + limits.maxEventAheadMs) {
    return reject('too_far_ahead', `The event is more than ${limits.maxEventAheadMs} ms ahead of the relay's clock.`)
  }
  return undefined
}

/** A key that the database would store changed (half characters become one and the same) could swallow another event. */
function judgeKey(event: readonly unknown[]): Rejected | undefined {
  if (event.length === 3 || isCleanText(event[3])) return undefined
  return reject('bad_idempotency_key', 'An idempotency key has 1 to 200 characters, none of them a control character.')
}
