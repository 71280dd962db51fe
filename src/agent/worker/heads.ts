import type { StreamHead, StreamSummary } from '../../outbox/contract.ts'

/** What must only ever grow. */
type Known = Pick<StreamHead, 'recorded' | 'bytes' | 'refused'> & { readonly dropped?: StreamHead['dropped'] }

/** Streams that are remembered; a stream that is forgotten is looked up again. */
const MAX_STREAMS = 10_000

/**
 * The newest head of each stream. Requests of one isolate number one stream together, and their calls overtake each
 * other: an older head must not undo a newer one.
 */
export class Heads {
  readonly #known = new Map<string, Known>()

  constructor(streams: readonly StreamSummary[]) {
    // Drops of the owner and of the outbox are one figure there, so they are left out.
    for (const { stream, recorded, bytes, refused } of streams) this.#known.set(stream, { recorded, bytes, refused })
  }

  /** The head as it has to be stored. */
  newest(head: StreamHead): StreamHead {
    const known = this.#known.get(head.stream)
    const newest = known ? merged(known, head) : head
    if (this.#known.size >= MAX_STREAMS && !known) this.#known.clear()
    this.#known.set(head.stream, newest)
    return newest
  }
}

/** Every counter only grows, so the larger figure is the newer one. */
export function merged(known: Known, head: StreamHead): StreamHead {
  return {
    ...head,
    recorded: Math.max(known.recorded, head.recorded),
    bytes: known.recorded > head.recorded ? known.bytes : head.bytes,
    refused: largest(known.refused, head.refused),
    dropped: largest(known.dropped, head.dropped),
  }
}

function largest(
  a: Readonly<Record<string, number>> = {},
  b: Readonly<Record<string, number>> = {},
): Record<string, number> {
  const all: Record<string, number> = { ...a }
  for (const [key, count] of Object.entries(b))
    all[key] = Math.max(Object.hasOwn(all, key) ? (all[key] ?? 0) : 0, count)
  return all
}
