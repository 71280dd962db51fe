import type { AppendGroup, PutAside } from '../contract.ts'
import { bytesIn } from '../core/sums.ts'
import { eventKey } from '../memory/tables.ts'
import type { Held } from './held.ts'

/** Other code of the site needs localStorage too: browsers give 5 Mi characters to all of it. */
const MAX_BYTES = 2 * 1024 * 1024

/**
 * What is held of a stream, together with what is under way into the outbox: for a page that goes. Too much of it is left
 * alone, and what is under way is all.
 */
export function putAside(held: Held, underWay: AppendGroup | undefined): PutAside | undefined {
  const stream = underWay?.head.stream ?? [...held.streams.keys()][0]
  if (stream === undefined || !held.streams.has(stream)) return underWay
  const { group } = held.snapshot(stream)
  const { segments = [], rollups = [], closed = [], strict = false } = underWay ?? {}
  // What waits for its turn to be stored is held already.
  const others = segments.filter((segment) => held.knows(segment) === undefined)
  const all = [...group.segments, ...others]
  if (bytesIn(all) > MAX_BYTES) return underWay
  const windows = new Map([...rollups, ...(group.rollups ?? [])].map((rollup) => [rollup.seq, rollup]))
  const settlement = held.replay(stream)
  return {
    head: group.head,
    segments: all,
    strict: group.strict || strict,
    rollups: [...windows.values()],
    closed: [...new Set([...(group.closed ?? []), ...closed])],
    // Of what the page was just sending the next one knows no better than to send it.
    hidden: (group.hidden ?? []).filter(({ first }) => held.rows.dead.has(eventKey({ stream, seq: first }))),
    ...(settlement && { settlement }),
  }
}
