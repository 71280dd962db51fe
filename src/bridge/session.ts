import type { AppendGroup, Durability, Outbox, Segment } from '../outbox/contract.ts'
import { MetertapError } from '../wire/errors.ts'
import { checkTexts } from './check-texts.ts'
import type { AppendAnswer, AppendRequest, BridgeSender, Outcome } from './contract.ts'
import type { DiskRoom } from './disk-room.ts'
import { NewsDesk } from './news-desk.ts'
import { failed, ok } from './outcome.ts'
import { bad } from './plain-data.ts'
import { type Entry, StreamGuard } from './stream-guard.ts'

export interface SessionOptions {
  readonly id: string
  /** Decided by the main process. */
  readonly accountTag: string
  readonly sender: BridgeSender
  readonly meters: ReadonlySet<string>
  readonly room: DiskRoom
  readonly outbox: () => Promise<Outbox>
  readonly utf8Length: (text: string) => number
  /** Marks a segment whose text was checked. */
  readonly seal: (segment: Segment) => Segment
  /** False for a stream that is not this session's to write. */
  readonly mayOwn: (stream: string) => boolean
  /** Says to all processes that the owner of the stream's roll-ups lives; gives the function that ends it. */
  readonly holdStream: (stream: string) => () => void
  readonly onStored: (events: number, bytes: number) => void
}

/** A page has fewer requests without an answer. */
const MAX_ANSWERS = 256
/** An agent opens one. */
const MAX_STREAMS = 2

/** One agent in one page, as the main process sees it: its streams, and its requests in their order. */
export class Session {
  readonly #options: SessionOptions
  readonly #guards = new Map<string, StreamGuard>()
  readonly #locks = new Map<string, () => void>()
  /** Answers that the page may not have heard. */
  readonly #answers = new Map<number, Promise<AppendAnswer>>()
  readonly pauses = new Set<string>()
  readonly news = new NewsDesk()
  #next = 0
  #last: Promise<unknown> = Promise.resolve()
  /** Set when the page may be gone, unset by its next word. */
  suspectedAtMs: number | undefined

  constructor(options: SessionOptions) {
    this.#options = options
  }

  get id(): string {
    return this.#options.id
  }

  get accountTag(): string {
    return this.#options.accountTag
  }

  get sender(): BridgeSender {
    return this.#options.sender
  }

  /** Each serial once and in order; one that came before gets the answer that it had. `wait` paces the page. */
  append({ serial, done, groups }: AppendRequest, wait: () => Promise<void>): Promise<AppendAnswer> {
    for (const old of this.#answers.keys()) if (old < done || old < serial - MAX_ANSWERS) this.#answers.delete(old)
    const known = this.#answers.get(serial)
    if (known) return known
    // What was refused before it came here has had its answer, too.
    this.#next = Math.max(this.#next, done)
    // Answered and forgotten, so nobody waits for it.
    if (serial < this.#next) return Promise.reject(bad('Its serial was done with.'))
    if (serial > this.#next) return Promise.resolve({ kind: 'again' })
    this.#next++
    const answer = this.#last.then(wait).then(() => this.#store(groups))
    this.#last = answer.catch(() => {})
    this.#answers.set(serial, answer)
    return answer
  }

  /** The page is gone: its windows become events. Resolves when they have. */
  async end(): Promise<void> {
    this.news.release()
    await this.#last
    for (const release of this.#locks.values()) release()
    this.forgetWindows()
    const streams = [...this.#locks.keys()]
    this.#locks.clear()
    if (streams.length > 0) await (await this.#options.outbox()).closeRollups({ streams })
  }

  /** Its open windows are closed or erased. */
  forgetWindows(): void {
    for (const guard of this.#guards.values()) this.#options.room.release(guard.forgetWindows())
  }

  async #store(groups: readonly AppendGroup[]): Promise<AppendAnswer> {
    const outcomes: Outcome<Durability>[] = []
    for (const group of groups) outcomes.push(await this.#storeOne(group).then(ok, failed))
    return { kind: 'judged', outcomes }
  }

  async #storeOne(group: AppendGroup): Promise<Durability> {
    const { accountTag, meters, room, onStored } = this.#options
    // First: it knows which streams are taken.
    const outbox = await this.#options.outbox()
    const entry = this.#guardOf(group.head.stream).enter(group)
    let isAdmitted = false
    try {
      checkTexts(group, meters)
      await room.admit(outbox, accountTag, entry)
      isAdmitted = true
      if (group.rollups?.length) this.#hold(group.head.stream)
      const durability = await outbox.append(this.#own(entry))
      onStored(
        entry.group.segments.reduce((sum, { count }) => sum + count, 0),
        entry.bytes,
      )
      return durability
    } catch (error) {
      entry.undo()
      if (isAdmitted) room.release(entry.windowBytes)
      throw error
    }
  }

  #own({ group }: Entry): AppendGroup {
    const { accountTag } = this.#options
    return {
      ...group,
      segments: group.segments.map(this.#options.seal),
      head: { ...group.head, accountTag },
      rollups: (group.rollups ?? []).map((rollup) => ({ ...rollup, accountTag })),
    }
  }

  #guardOf(stream: string): StreamGuard {
    const known = this.#guards.get(stream)
    if (known) return known
    if (this.#guards.size >= MAX_STREAMS) throw bad('An agent has one stream.')
    if (!this.#options.mayOwn(stream)) {
      throw new MetertapError('not_allowed', 'The stream belongs to another page: an agent writes its own alone.')
    }
    const guard = new StreamGuard(this.#options.utf8Length)
    this.#guards.set(stream, guard)
    return guard
  }

  #hold(stream: string): void {
    if (!this.#locks.has(stream)) this.#locks.set(stream, this.#options.holdStream(stream))
  }
}
