import type * as z from 'zod/mini'
import { WIRE_VERSION, type WireBatch, wireBatch } from '../../wire/contract.ts'
import { HttpProblem } from '../problem.ts'

/**
 * Checks a batch's envelope and its counts. What is inside the segments is judged event by event, later.
 *
 * Errors: HttpProblem unsupported_version, invalid_batch, too_many_events.
 */
export function parseBatch(body: unknown, maxEventsPerBatch: number): WireBatch {
  const version = (body as { v?: unknown } | null)?.v
  if (version !== undefined && version !== WIRE_VERSION) {
    throw new HttpProblem(
      'unsupported_version',
      `This relay speaks wire version ${WIRE_VERSION}: send "v": ${WIRE_VERSION}, or update the relay before its agents.`,
    )
  }
  const parsed = wireBatch.safeParse(body)
  if (!parsed.success) throw new HttpProblem('invalid_batch', describe(parsed.error.issues))
  checkCounts(parsed.data, maxEventsPerBatch)
  return parsed.data
}

function checkCounts(batch: WireBatch, maxEventsPerBatch: number): void {
  let events = 0
  for (const segment of batch.segments) events += segment.events.length
  if (Math.max(events, batch.segments.length, batch.streams.length) > maxEventsPerBatch) {
    throw new HttpProblem(
      'too_many_events',
      `A batch may have ${maxEventsPerBatch} events, as many segments and as many streams: send smaller batches.`,
    )
  }
}

/** Where the batch does not fit, by path. Paths of the envelope hold no event data but a tally's keys, which are left out. */
function describe(issues: readonly z.core.$ZodIssue[]): string {
  const places = issues.slice(0, 3).map(({ path, code }) => {
    const place = path.slice(0, 3).join('.') || 'the body'
    return `${place} (${code.replaceAll('_', ' ')})`
  })
  return `The batch does not fit wire version ${WIRE_VERSION} at ${places.join(', ')}.`
}
