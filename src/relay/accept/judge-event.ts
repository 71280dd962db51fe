import { METER_NAME, type Meter } from '../../meter/contract.ts'
import { isCleanText } from '../clean-text.ts'
import type { RelayLimits } from '../contract.ts'
import type { AcceptableEvent } from '../store/contract.ts'
import { type DataLimits, type DataVerdict, judgeData, type Rejected, reject } from './judge-data.ts'
import type { StreamSeq } from './judge-place.ts'

export type EventLimits = DataLimits & Pick<RelayLimits, 'maxEventAgeMs' | 'maxEventAheadMs'>

export interface EventContext {
  readonly meters: ReadonlyMap<string, Meter>
  /** Names of the meters in the token. */
  readonly allowed: ReadonlySet<string>
  readonly limits: EventLimits
  readonly nowMs: number
}

/** An event that cannot be judged now. */
export interface Deferred extends StreamSeq {
  readonly meter: string
}

export type Verdict = AcceptableEvent | Rejected | Deferred

/**
 * Judges one `[meter, at, data]` or `[meter, at, data, idempotencyKey]`, the stream's number `seq`. A promise comes back
 * only from an asynchronous schema.
 */
export function judgeEvent(
  event: unknown,
  stream: string,
  seq: number,
  context: EventContext,
): Verdict | Promise<Verdict> {
  if (!Array.isArray(event) || event.length < 3 || event.length > 4) {
    return reject('bad_event', 'An event is [meter, at, data] or [meter, at, data, idempotencyKey].')
  }
  const name: unknown = event[0]
  if (typeof name !== 'string') return reject('bad_event', "An event's meter is a string.")
  const meter = context.meters.get(name)
  if (meter === undefined || !context.allowed.has(name)) return refuseMeter(name, meter)
  const refused = judgeTime(event[1], context) ?? judgeKey(event)
  if (refused !== undefined) return refused
  const verdict = judgeData(meter, event[2], context.limits, event)
  return verdict instanceof Promise
    ? verdict.then((settled) => toVerdict(settled, event, stream, seq, meter))
    : toVerdict(verdict, event, stream, seq, meter)
}

function toVerdict(
  data: DataVerdict,
  event: readonly unknown[],
  stream: string,
  seq: number,
  { name: meter }: Meter,
): Verdict {
  if (data === undefined) return { stream, seq, meter }
  if (typeof data !== 'string') return data
  const atMs = event[1] as number
  if (event.length === 3) return { stream, seq, meter, atMs, data }
  return { stream, seq, meter, atMs, data, idempotencyKey: event[3] as string }
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
