import type { AppendGroup } from '../outbox/contract.ts'
import { bad } from './plain-data.ts'

/** What a group came to be in the guard's books, to be taken back if it is not stored. */
export interface Entry {
  /** The group with this process's own count of bytes. */
  readonly group: AppendGroup
  readonly bytes: number
  /** By how much its open windows grow; negative when some are closed. */
  readonly windowBytes: number
  /** The group is not stored: its plain events are lost, its roll-ups may come again. */
  undo(): void
}

/** How many numbers may be missing before a group: those of one that was too long to be sent, and is declared later. */
const MAX_GAP = 1_000_000

/**
 * The numbers of one page's stream, as its main process saw them. A page that is not itself any more can then neither
 * write over what it stored, nor give numbers out that hold nothing, nor hide how much it stores.
 */
export class StreamGuard {
  readonly #utf8Length: (text: string) => number
  /** Every number below was in a group. */
  #seen = 0
  #bytes = 0
  /** Numbers of plain events whose groups were refused or never sent: the page declares them as dropped. */
  #lost = 0
  /** Bytes of the roll-ups whose windows are not closed, by number; 0 for one that was never stored. */
  #open = new Map<number, number>()

  constructor(utf8Length: (text: string) => number) {
    this.#utf8Length = utf8Length
  }

  /** @throws MetertapError `bad_message` */
  enter(group: AppendGroup): Entry {
    const { head, segments, rollups = [], closed = [] } = group
    if ([...segments, ...rollups].some(({ stream }) => stream !== head.stream)) throw bad('It mixes streams.')
    const { plain, missing } = this.#checkNumbers(group)
    const dropped = Object.values(head.dropped ?? {}).reduce((sum, count) => sum + count, 0)
    if (dropped > this.#lost + missing) throw bad('It gives up events that were stored.')
    const sized = segments.map((segment) => ({ ...segment, bytes: this.#utf8Length(segment.body) }))
    const bytes = sized.reduce((sum, segment) => sum + segment.bytes, 0)
    this.#seen = head.recorded
    this.#lost += missing
    this.#bytes += bytes
    const before = new Map([...rollups.map(({ seq }) => seq), ...closed].map((seq) => [seq, this.#open.get(seq) ?? 0]))
    for (const { seq, event } of rollups) this.#open.set(seq, this.#utf8Length(event))
    for (const seq of closed) this.#open.delete(seq)
    let windowBytes = 0
    for (const [seq, old] of before) windowBytes += (this.#open.get(seq) ?? 0) - old
    return {
      group: { ...group, head: { ...head, bytes: this.#bytes }, segments: sized },
      bytes,
      windowBytes,
      undo: () => {
        this.#bytes -= bytes
        this.#lost += plain
        for (const [seq, old] of before) this.#open.set(seq, old)
      },
    }
  }

  /** The windows are closed, or erased, by somebody else; gives the bytes that they had. */
  forgetWindows(): number {
    let bytes = 0
    for (const [seq, size] of this.#open) {
      bytes += size
      this.#open.set(seq, 0)
    }
    return bytes
  }

  /** How many of the events are plain ones, and how many numbers have none. */
  #checkNumbers({ head, segments, rollups = [], closed = [] }: AppendGroup): { plain: number; missing: number } {
    const closing = new Set(closed)
    const fresh: { first: number; count: number }[] = []
    let plain = 0
    for (const { first, count } of segments) {
      if (first >= this.#seen) fresh.push({ first, count })
      else if (count !== 1 || !closing.has(first) || !this.#open.has(first)) throw bad('It writes over events.')
      if (!closing.delete(first)) plain += count
    }
    if (closing.size > 0) throw bad('It closes a window without its event.')
    for (const { seq } of rollups) {
      if (seq >= this.#seen) fresh.push({ first: seq, count: 1 })
      else if (!this.#open.has(seq)) throw bad('It writes over a window.')
    }
    fresh.sort((a, b) => a.first - b.first)
    let next = this.#seen
    let missing = 0
    for (const { first, count } of fresh) {
      if (first < next) throw bad('A number of it has two events.')
      missing += first - next
      next = first + count
    }
    missing += head.recorded - next
    if (head.recorded < next || missing > MAX_GAP) throw bad('It counts other events than it holds.')
    return { plain, missing }
  }
}
