import type { Outbox } from '../../src/outbox/contract.ts'
import { events } from '../contract/outbox-kit.ts'
import { streamId } from './usage-owner.ts'

const SEGMENTS = 20_000
const SEGMENTS_PER_GROUP = 200
/** The backlog is of several page loads, as it would be. */
export const BACKLOG_STREAMS = 10
export const EVENTS_PER_SEGMENT = 50
export const BACKLOG_EVENTS: number = SEGMENTS * EVENTS_PER_SEGMENT

/** Appends a million events of the account 'acme' to an outbox. */
export async function fillBacklog(outbox: Outbox): Promise<void> {
  const texts = events(EVENTS_PER_SEGMENT)
  const body = texts.join(',')
  for (let nth = 0; nth < BACKLOG_STREAMS; nth++) {
    const stream = streamId(nth + 1)
    const mine = SEGMENTS / BACKLOG_STREAMS
    for (let at = 0; at < mine; at += SEGMENTS_PER_GROUP) {
      const segments = Array.from({ length: SEGMENTS_PER_GROUP }, (_, index) => ({
        ...{ stream, first: (at + index) * EVENTS_PER_SEGMENT, count: EVENTS_PER_SEGMENT },
        ...{ bytes: body.length, body },
      }))
      const written = at + SEGMENTS_PER_GROUP
      const head = {
        ...{ stream, accountTag: 'acme', openedAtMs: 0, refused: {} },
        ...{ recorded: written * EVENTS_PER_SEGMENT, bytes: written * body.length },
      }
      await outbox.append({ head, segments, strict: false })
    }
  }
}
