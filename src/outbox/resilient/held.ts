import type { Range } from '../../wire/contract.ts'
import { addRange, coversAll } from '../../wire/ranges.ts'
import type {
  AppendGroup,
  Claim,
  ClaimOptions,
  DeadLetter,
  DropOptions,
  Durability,
  Hidden,
  PurgeOptions,
  Segment,
  Settled,
  Settlement,
  StreamHead,
} from '../contract.ts'
import { removeFromRanges } from '../core/accounting.ts'
import { claimFrom } from '../core/claim.ts'
import { dropOldestIn } from '../core/drop-oldest.ts'
import { noProgress } from '../core/progress.ts'
import { purgeIn } from '../core/purge.ts'
import { putGroup } from '../core/put-group.ts'
import { closeRollupsIn } from '../core/rollups.ts'
import { settleIn } from '../core/settle.ts'
import { sliceSegment } from '../core/split-events.ts'
import type { Progress, Tables } from '../core/tables.ts'
import { byNumber, eventKey, type MemoryRows, memoryRows, memoryTables } from '../memory/tables.ts'
import { type HeldGroup, HeldStream } from './held-stream.ts'
import type { Owner, Owners } from './owner.ts'

/** How long a dead letter may take from the primary's store to its burial. Should the page end first, it is sent again. */
const BURIAL_MS = 3_600_000

export interface Snapshot {
  readonly group: AppendGroup
  readonly stored: (durability: Durability) => void
  readonly failed: () => void
}

/**
 * What could not be stored, as the rows of a small outbox in memory: of each stream in trouble the newest head and the
 * segments, roll-ups and dead letters that the primary does not have for certain.
 */
export class Held {
  readonly rows: MemoryRows = memoryRows()
  readonly tables: Tables = memoryTables(this.rows)
  readonly streams: Map<string, HeldStream> = new Map()
  readonly #owners: Owners
  /** Newest time that a caller has told; what is replayed happens at it. */
  nowMs = 0

  constructor(owners: Owners) {
    this.#owners = owners
  }

  hold(group: AppendGroup): HeldGroup {
    const owner = this.#owners.of(group.head)
    const { stream } = group.head
    const held = this.streams.get(stream) ?? new HeldStream()
    const token: HeldGroup = { strict: group.strict }
    this.streams.set(stream, held)
    held.groups.push(token)
    held.close(group.closed)
    putGroup(this.tables, { ...group, head: owner.head, rollups: owner.stream.current(group.rollups) })
    return token
  }

  /** What is known here of the segment's numbers: rows that can be settled, or only that they have left. */
  knows(segment: Segment): 'rows' | 'gone' | undefined {
    const { stream, first, count } = segment
    const last = first + count - 1
    for (const row of this.rows.segments.get(stream)?.values() ?? []) {
      if (row.first <= last && row.first + row.count > first) return 'rows'
    }
    return coversAll(this.progress(stream).gone, first, last) ? 'gone' : undefined
  }

  progress(stream: string): Progress {
    return this.rows.progress.get(stream) ?? noProgress(stream)
  }

  letters(stream?: string): DeadLetter[] {
    const letters = [...this.rows.dead.values()].filter((letter) => stream === undefined || letter.stream === stream)
    return letters.filter((letter) => !this.streams.get(letter.stream)?.deletedDead.has(letter.seq)).sort(byNumber)
  }

  async claim(options: ClaimOptions): Promise<Claim | undefined> {
    return (await claimFrom(this.tables, options)).claim
  }

  async settle(settlement: Settlement): Promise<Settled> {
    const before = new Map([...this.streams.keys()].map((stream) => [stream, this.#left(stream)]))
    const { settled } = await settleIn(this.tables, settlement, Number.POSITIVE_INFINITY)
    for (const [stream, held] of this.streams) {
      const { ranges, bytes } = this.#left(stream)
      const known = before.get(stream)
      held.receive(newRanges(known?.ranges ?? [], ranges), Math.max(0, bytes - (known?.bytes ?? 0)))
    }
    return settled
  }

  release(claim: Claim): void {
    for (const { stream, first } of claim.segments) this.tables.deleteHidden(stream, first, first)
  }

  /** The stream's head that the primary had last, as far as is known. */
  storedHead(stream: string): StreamHead | undefined {
    return this.#owners.get(stream)?.storedHead
  }

  /** Drops what is held. Of roll-ups that the primary has, only the newer sums: they are the primary's to drop. */
  async purge(options: PurgeOptions): Promise<number> {
    for (const rollup of this.rows.rollups.values()) {
      const isStored = this.#owners.get(rollup.stream)?.storedRollups.has(rollup.seq)
      const isMeant = options.accountTag === undefined || options.accountTag === rollup.accountTag
      if (isStored && isMeant) this.tables.deleteRollup(rollup.stream, rollup.seq)
    }
    return this.#losing(() => purgeIn(this.tables, options))
  }

  dropOldest(options: DropOptions): Promise<number> {
    return this.#losing(() => dropOldestIn(this.tables, options))
  }

  async closeRollups(streams: readonly string[]): Promise<number> {
    for (const { stream, seq } of this.rows.rollups.values()) {
      if (streams.includes(stream)) this.streams.get(stream)?.close([seq])
    }
    return (await closeRollupsIn(this.tables, streams)).closed
  }

  deleteDeadLetter(letter: Pick<DeadLetter, 'stream' | 'seq'>): void {
    // The letter itself is still needed: the primary has to count it.
    if (this.rows.dead.has(eventKey(letter))) this.streams.get(letter.stream)?.deletedDead.add(letter.seq)
  }

  /** One group that brings the primary up to date, and what to forget here once that is stored. */
  snapshot(stream: string): Snapshot {
    const held = this.streams.get(stream) as HeldStream
    const owner = this.#owners.get(stream) as Owner
    const segments = [...(this.rows.segments.get(stream)?.values() ?? [])]
    const rollups = [...this.rows.rollups.values()].filter((rollup) => rollup.stream === stream)
    const closed = [...held.closed]
    const groups = [...held.groups]
    // The primary buries them itself, when the settlement is replayed; until then nobody may send them again.
    const dead = this.#allLetters(stream).map(({ seq, event }) => sliceSegment(stream, [event], seq, seq, seq))
    const group = {
      head: owner.head,
      segments: [...segments, ...dead],
      strict: held.strict,
      rollups,
      closed,
      hidden: [...(this.rows.hidden.get(stream)?.values() ?? []), ...dead.map((row) => this.#untilBuried(row))],
    }
    const stored = (durability: Durability) => {
      for (const each of groups) each.outcome = durability
      held.groups = held.groups.filter((each) => !groups.includes(each))
      for (const segment of segments) this.#forget(segment)
      for (const rollup of rollups) {
        if (this.rows.rollups.get(eventKey(rollup)) === rollup) this.tables.deleteRollup(stream, rollup.seq)
      }
      owner.storedHead = group.head
      for (const { seq } of rollups) owner.storedRollups.add(seq)
      for (const seq of closed) held.closed.delete(seq)
    }
    const failed = () => {
      for (const each of groups) each.outcome ??= 'memory'
    }
    return { group, stored, failed }
  }

  /** What became of held numbers, told as one settlement; undefined when nothing did. */
  replay(stream: string): Settlement | undefined {
    const { received, receivedBytes } = this.streams.get(stream) as HeldStream
    const letters = this.#allLetters(stream)
    if (received.length === 0 && letters.length === 0) return undefined
    const total = received.reduce((sum, [from, to]) => sum + to - from + 1, 0)
    const piece = (first: number, count: number, bytes: number) => ({ stream, first, count, bytes, body: '' })
    const segments = [
      ...received.map(([from, to]) => piece(from, to - from + 1, (receivedBytes * (to - from + 1)) / total)),
      ...letters.map(({ seq }) => piece(seq, 1, 0)),
    ]
    const rejected = letters.map(({ seq, code, detail }) => ({ stream, seq, code, detail }))
    const claim = { segments, reports: [], more: false }
    return { claim, received: { [stream]: received }, rejected, deferred: [], nowMs: this.nowMs }
  }

  /** The primary has been told everything: forgets what became of the stream, and the stream when nothing is left. */
  replayed(stream: string): void {
    const held = this.streams.get(stream) as HeldStream
    held.received = []
    held.receivedBytes = 0
    held.deletedDead.clear()
    for (const { seq } of this.#allLetters(stream)) this.tables.deleteDead(stream, seq)
    this.rows.progress.delete(stream)
    if (held.groups.length > 0 || held.closed.size > 0 || this.rows.segments.has(stream)) return
    if ([...this.rows.rollups.values()].some((rollup) => rollup.stream === stream)) return
    this.streams.delete(stream)
    this.rows.heads.delete(stream)
    this.rows.hidden.delete(stream)
  }

  /** The numbers that have left, and their bytes; dead letters apart. */
  #left(stream: string): { ranges: readonly Range[]; bytes: number } {
    const { gone, goneBytes } = this.progress(stream)
    const letters = this.#allLetters(stream)
    return {
      ranges: letters.reduce((ranges, { seq }) => removeFromRanges(ranges, seq), gone),
      bytes: letters.reduce((bytes, { event }) => bytes - event.length, goneBytes),
    }
  }

  #allLetters(stream: string): DeadLetter[] {
    return [...this.rows.dead.values()].filter((letter) => letter.stream === stream)
  }

  #untilBuried({ stream, first, count }: Segment): Hidden {
    return { stream, first, count, hiddenAtMs: this.nowMs, visibleAtMs: this.nowMs + BURIAL_MS }
  }

  #forget(segment: Segment): void {
    const { stream, first } = segment
    if (this.rows.segments.get(stream)?.get(first) !== segment) return
    this.tables.deleteSegments(stream, first, first)
    this.tables.deleteHidden(stream, first, first)
  }

  /** Moves the counts of what `work` drops to the owners: their heads tell of it from now on. */
  async #losing(work: () => Promise<number>): Promise<number> {
    const before = new Map([...this.streams.keys()].map((stream) => [stream, this.progress(stream).goneBytes]))
    const count = await work()
    for (const stream of this.streams.keys()) {
      const { dropped, ...progress } = this.progress(stream)
      if (Object.keys(dropped).length === 0) continue
      const owner = this.#owners.get(stream) as Owner
      owner.lose(dropped, progress.goneBytes - (before.get(stream) ?? 0))
      this.tables.putProgress({ ...progress, dropped: {} })
      this.tables.putHead(owner.head)
    }
    return count
  }
}

function newRanges(before: readonly Range[], after: readonly Range[]): Range[] {
  return after.flatMap(([from, to]) => addRange(before, from, to).added)
}
