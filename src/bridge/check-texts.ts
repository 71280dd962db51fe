import type { AppendGroup } from '../outbox/contract.ts'
import { MetertapError } from '../wire/errors.ts'
import { bad } from './plain-data.ts'

/** No agent cuts longer segments, but for one event that fills one alone. */
const MAX_SEGMENT_BYTES = 524_288

/**
 * Checks that the group's texts are what they should be, events of known meters: one bad text would spoil the request
 * that it travels in. What the events' data mean is for the relay to judge.
 * @throws MetertapError `bad_message` or `unknown_meter`.
 */
export function checkTexts({ segments, rollups = [] }: AppendGroup, meters: ReadonlySet<string>): void {
  for (const { body, count } of segments) {
    if (body.length > MAX_SEGMENT_BYTES) throw bad('It has too long a segment.')
    const events = parsed(`[${body}]`)
    if (events.length !== count) throw bad('A segment holds more or fewer events than it says.')
    for (const event of events) checkEvent(event, meters)
  }
  for (const { event } of rollups) {
    if (event.length > MAX_SEGMENT_BYTES) throw bad('It has too long an event.')
    const events = parsed(`[${event}]`)
    if (events.length !== 1) throw bad('A window holds more or fewer events than one.')
    checkEvent(events[0], meters)
  }
}

function parsed(text: string): unknown[] {
  try {
    return JSON.parse(text) as unknown[]
  } catch {
    throw bad('An event is no JSON.')
  }
}

/** `["meter", at, data]`, with an idempotency key or without. */
function checkEvent(event: unknown, meters: ReadonlySet<string>): void {
  if (!Array.isArray(event) || event.length < 3 || event.length > 4) throw bad('It holds what is no event.')
  const [meter, at, , key] = event as unknown[]
  if (typeof meter !== 'string' || typeof at !== 'number') throw bad('It holds what is no event.')
  if (event.length === 4 && (typeof key !== 'string' || key.length > 200)) throw bad('It holds what is no event.')
  if (!meters.has(meter)) throw unknownMeter(meter)
}

function unknownMeter(meter: string): MetertapError {
  const name = meter.slice(0, 64)
  const text = `The main process does not know the meter "${name}". Add it to the meters of createAgent() in the main process, too.`
  return new MetertapError('unknown_meter', text, { meter: name })
}
