import type { Outbox, Settled, Settlement } from '../contract.ts'
import type { Held } from './held.ts'

const NOTHING: Settled = { received: 0, dead: [] }

/** Settles each segment where it is: in what is held, in the primary, or, after a group in doubt, in both. */
export async function settleBoth(held: Held, primary: Outbox, settlement: Settlement): Promise<Settled> {
  const { segments, reports } = settlement.claim
  const known = new Map(segments.map((segment) => [segment, held.knows(segment)]))
  const part = (ofReports: typeof reports, ...where: ('rows' | 'gone' | undefined)[]): Settlement => {
    const chosen = segments.filter((segment) => where.includes(known.get(segment)))
    const { received, rejected, deferred, nowMs } = settlement
    const claim = { segments: chosen, reports: ofReports, more: false }
    // Neither counted nor claimed: no place of the two knows of all that waits.
    return { claim, received, rejected, deferred, nowMs }
  }
  const gone = part([], 'gone')
  const stored = part(reports, undefined)
  // What has left counts no more, unless as a dead letter that the relay has taken by now.
  const here = await held.settle(part(reports, 'rows', 'gone'))
  // The primary may have rows of it: from a group in doubt, or of letters that it has not buried yet.
  if (gone.claim.segments.length > 0) await primary.settle(gone).catch(() => undefined)
  const isTold = segments.length > 0 && stored.claim.segments.length === 0
  if (isTold) return here
  const there = await primary.settle(stored).catch((error) => {
    // It is sent again, and settled then; but what was settled here must be told.
    const isHere = reports.every(({ id }) => held.streams.has(id))
    if (here.received + here.dead.length > 0 || (segments.length === 0 && isHere)) return NOTHING
    throw error
  })
  return { received: here.received + there.received, dead: [...here.dead, ...there.dead] }
}
