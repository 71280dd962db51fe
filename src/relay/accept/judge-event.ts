import type { StandardSchemaV1 } from '@standard-schema/spec'
import { METER_NAME, type Meter } from '../../meter/contract.ts'
import type { RelayLimits } from '../contract.ts'
import { describeIssues } from './describe-issues.ts'
import { inspect } from './inspect.ts'

export interface EventContext {
  readonly meters: ReadonlyMap<string, Meter>
  /** Names of the meters in the token. */
  readonly allowed: ReadonlySet<string>
  readonly limits: RelayLimits
  readonly nowMs: number
}

export type Verdict =
  | { readonly kind: 'accept'; readonly meter: string; readonly atMs: number; readonly data: string }
  | { readonly kind: 'reject'; readonly code: string; readonly detail: string }
  /** The schema threw, or its output is not JSON: that is the relay's fault, so the event must not pay for it. */
  | { readonly kind: 'defer'; readonly meter: string }

/** Judges one `[meter, at, data]`. A promise comes back only from an asynchronous schema. */
export function judgeEvent(event: unknown, context: EventContext): Verdict | Promise<Verdict> {
  if (!Array.isArray(event) || event.length !== 3) return reject('bad_event', 'An event is [meter, at, data].')
  const [name, at, data] = event as [unknown, unknown, unknown]
  if (typeof name !== 'string') return reject('bad_event', "An event's meter is a string.")
  const meter = context.meters.get(name)
  return (
    judgeMeter(name, meter, context.allowed) ??
    judgeTime(at, context) ??
    judgeShape(event, data, context.limits) ??
    judgeData(meter as Meter, at as number, data)
  )
}

function judgeMeter(name: string, meter: Meter | undefined, allowed: ReadonlySet<string>): Verdict | undefined {
  if (meter === undefined) {
    const named = METER_NAME.test(name) ? `"${name}"` : 'of that name'
    return reject('unknown_meter', `The relay has no meter ${named}: add it to the relay's meters.`)
  }
  if (allowed.has(name)) return undefined
  return reject('meter_not_allowed', `The token does not allow the meter "${name}": name it in the grant.`)
}

function judgeTime(at: unknown, { limits, nowMs }: EventContext): Verdict | undefined {
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

function judgeShape(event: unknown, data: unknown, limits: RelayLimits): Verdict | undefined {
  const finding = inspect(data, limits.maxDepth)
  if (finding === 'too_deep') return reject('too_deep', `Data may be nested ${limits.maxDepth} levels deep.`)
  if (finding === 'forbidden_key') {
    return reject('forbidden_key', 'Data may not have a key __proto__, constructor or prototype: rename it.')
  }
  if (Buffer.byteLength(JSON.stringify(event)) <= limits.maxEventBytes) return undefined
  return reject('event_too_large', `An event may have ${limits.maxEventBytes} bytes of JSON.`)
}

function judgeData(meter: Meter, atMs: number, data: unknown): Verdict | Promise<Verdict> {
  const settle = (result: StandardSchemaV1.Result<unknown>): Verdict =>
    result.issues === undefined
      ? accept(meter.name, atMs, result.value)
      : reject('invalid_data', describeIssues(result.issues, data))
  const fail = (): Verdict => ({ kind: 'defer', meter: meter.name })
  try {
    const result = meter.schema['~standard'].validate(data)
    return result instanceof Promise ? result.then(settle).catch(fail) : settle(result)
  } catch {
    return fail()
  }
}

/** What is stored is the schema's output, as JSON. */
function accept(meter: string, atMs: number, output: unknown): Verdict {
  const data = JSON.stringify(output) as string | undefined
  if (data === undefined) throw new TypeError(`the schema of the meter ${meter} has an output that is not JSON`)
  return { kind: 'accept', meter, atMs, data }
}

function reject(code: string, detail: string): Verdict {
  return { kind: 'reject', code, detail }
}
