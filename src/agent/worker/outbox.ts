import type {
  AppendGroup,
  DeadLetter,
  Durability,
  OutboxTotals,
  RemoteOutbox,
  Segment,
  StreamSummary,
} from '../../outbox/contract.ts'
import { bytesIn } from '../../outbox/core/sums.ts'
import type { Runtime } from '../../runtime/contract.ts'
import { MetertapError } from '../../wire/errors.ts'
import type { OutboxWatch } from '../running-agent.ts'
import type { WaitUntil } from './bindings.ts'
import type { Home } from './home.ts'
import type { Desk } from './isolate.ts'
import { portionsOf } from './leftovers.ts'
import { type OutboxObject, type Reply, unpacked } from './protocol.ts'
import { type StraightLine, segmentOfLetter } from './straight.ts'

export interface WorkerOutboxOptions {
  readonly ctx: WaitUntil
  readonly desk: Desk
  readonly account: string
  readonly meters: readonly string[]
  readonly runtime: Runtime
  /** Where this desk's stream is kept; undefined without Durable Objects. */
  readonly home: Home | undefined
  /** Every object that may keep events of this account. */
  readonly homes: readonly Home[]
  /** The way to the relay from memory; undefined where only the object knows it. */
  readonly line: StraightLine | undefined
  readonly watch: OutboxWatch
}

/** One call carries at most so many bytes of events; Cloudflare's own limit is 32 MiB. */
const MAX_CALL_BYTES = 4_194_304
/** A request that stores longer than this is taken for dead. */
const STORING_MS = 20_000
/** An isolate has 128 MB for everything. */
const MAX_HELD_BYTES = 8_388_608

/**
 * The outbox of one request: a Durable Object where there is one, and the isolate's memory, with a straight line to the
 * relay, where there is none or it cannot be reached.
 */
export class WorkerOutbox implements RemoteOutbox {
  readonly durability: Durability
  readonly #options: WorkerOutboxOptions

  constructor(options: WorkerOutboxOptions) {
    this.#options = options
    this.durability = options.home ? 'power' : 'memory'
  }

  append(group: AppendGroup): Promise<Durability> {
    return this.#goOnWith(this.#append(group))
  }

  async flush(account: string): Promise<void> {
    const straight = this.#options.line?.now()
    void this.#sendStraight()
    await Promise.all([this.#each((object) => object.flush(account)), straight])
  }

  pause(account: string, reason: string): Promise<void> {
    this.#options.desk.paused.add(reason)
    return this.#goOnWith(this.#each((object) => object.pause(account, reason)).then(() => {}))
  }

  resume(account: string, reason: string): Promise<void> {
    this.#options.desk.paused.delete(reason)
    void this.#sendStraight()
    return this.#goOnWith(this.#each((object) => object.resume(account, reason)).then(() => {}))
  }

  async purge({ reason }: { readonly reason: string }): Promise<number> {
    const { account, desk, runtime } = this.#options
    const events = desk.leftovers.purge(runtime.now())
    if (events > 0) desk.book.drop(reason, events)
    return sum(await this.#each((object) => object.purge(account, reason))) + events
  }

  async dropOldest({ reason, bytes }: { readonly reason: string; readonly bytes: number }): Promise<number> {
    return sum(await this.#each((object) => object.dropOldest(this.#options.account, reason, bytes)))
  }

  async totals(): Promise<OutboxTotals> {
    const { account, desk } = this.#options
    const { leftovers, dead } = desk
    const all = await this.#each((object) => object.totals(account))
    const held = { events: leftovers.events, bytes: leftovers.bytes, deadLetters: dead.length }
    return [held, ...all].reduce((a, b) => ({
      events: a.events + b.events,
      bytes: a.bytes + b.bytes,
      deadLetters: a.deadLetters + b.deadLetters,
    }))
  }

  async streams(): Promise<StreamSummary[]> {
    const { account, desk, homes } = this.#options
    if (homes.length > 0) return (await this.#each((object) => object.streams(account))).flat()
    const { dropped = {}, ...head } = desk.book.head(account)
    return head.recorded === 0 ? [] : [{ ...head, dropped, settled: desk.settled, dead: desk.buried }]
  }

  async deadLetters(): Promise<DeadLetter[]> {
    const all = await this.#each((object) => object.deadLetters(this.#options.account))
    return [...this.#options.desk.dead, ...all.flat()]
  }

  async deleteDeadLetters(letters: readonly Pick<DeadLetter, 'stream' | 'seq'>[]): Promise<void> {
    this.#takeDead(letters)
    await this.#each((object) => object.deleteDeadLetters(this.#options.account, letters))
  }

  async retryDeadLetters(letters: readonly Pick<DeadLetter, 'stream' | 'seq'>[]): Promise<number> {
    const { account, desk, runtime } = this.#options
    const own = this.#takeDead(letters)
    desk.buried -= own.length
    desk.leftovers.hold(own.map((letter) => segmentOfLetter(letter, runtime.utf8Length)))
    void this.#sendStraight()
    return sum(await this.#each((object) => object.retryDeadLetters(account, letters))) + own.length
  }

  async close(): Promise<void> {
    await this.#options.line?.isOver
  }

  async #append(group: AppendGroup): Promise<Durability> {
    const { home, watch, desk, runtime } = this.#options
    if (!home) return this.#hold(group)
    const { leftovers } = desk
    const untilMs = runtime.now() + STORING_MS
    const earlier = leftovers.takeForOutbox(runtime.now(), untilMs)
    // Held from now on: should this request be cut off, the isolate's next one takes care of them.
    if (this.#hasRoom(group)) leftovers.hold(group.segments, untilMs)
    const segments = [...group.segments, ...earlier]
    try {
      const durability = await this.#store(home, group, segments)
      leftovers.drop(segments)
      return durability
    } catch (cause) {
      leftovers.free(earlier)
      leftovers.drop(group.segments)
      if (cause instanceof MetertapError && FINAL.has(cause.code)) throw cause
      const durability = this.#hold(group)
      watch.onDegraded(new MetertapError('outbox_unavailable', `${KEPT} ${reasonOf(cause)}`, {}, cause))
      return durability
    }
  }

  /** Into the Durable Object, together with what earlier requests of this isolate could not store. */
  async #store(home: Home, group: AppendGroup, all: readonly Segment[]): Promise<Durability> {
    const { account, meters, desk, watch } = this.#options
    const elsewhere = [...desk.leftovers.elsewhere]
    let durability: Durability = 'power'
    for (const segments of portionsOf(all, MAX_CALL_BYTES)) {
      const request = { account, meters, group: { ...group, segments }, elsewhere }
      const reply = unpacked(await home.call((object) => object.append(request)))
      if (reply.trouble) watch.onTrouble(new MetertapError(reply.trouble.code, reply.trouble.message))
      durability = reply.durability
      // What another isolate paused, or went on with.
      desk.paused.clear()
      for (const reason of reply.pausedBy) desk.paused.add(reason)
    }
    desk.leftovers.told(elsewhere)
    return durability
  }

  #hasRoom({ segments }: AppendGroup): boolean {
    return this.#options.desk.leftovers.bytes + bytesIn(segments) <= MAX_HELD_BYTES
  }

  #hold(group: AppendGroup): Durability {
    const { leftovers } = this.#options.desk
    if (!this.#hasRoom(group)) {
      const text = `The isolate’s memory holds ${MAX_HELD_BYTES} bytes of usage that could not be sent: the events were not kept.`
      throw new MetertapError('outbox_full', text, { maxHeldBytes: MAX_HELD_BYTES })
    }
    leftovers.hold(group.segments)
    void this.#sendStraight()
    return 'memory'
  }

  async #sendStraight(): Promise<void> {
    const { line } = this.#options
    if (line) await this.#goOnWith(line.send())
  }

  /** The request lives on until this is over. */
  #goOnWith<T>(work: Promise<T>): Promise<T> {
    this.#options.ctx.waitUntil(work.catch(() => {}))
    return work
  }

  async #each<T>(work: (object: OutboxObject) => Promise<Reply<T>>): Promise<T[]> {
    return Promise.all(this.#options.homes.map(async (home) => unpacked(await home.call(work))))
  }

  #takeDead(letters: readonly Pick<DeadLetter, 'stream' | 'seq'>[]): DeadLetter[] {
    const { dead } = this.#options.desk
    const isMeant = (letter: DeadLetter) =>
      letters.some(({ stream, seq }) => stream === letter.stream && seq === letter.seq)
    const taken = dead.filter(isMeant)
    dead.splice(0, dead.length, ...dead.filter((letter) => !isMeant(letter)))
    return taken
  }
}

const KEPT = 'The Durable Object did not take the events. They are kept in memory, and sent to the relay from there.'
/** What another try, or another way, would not change. */
const FINAL: ReadonlySet<string> = new Set(['outbox_full', 'event_too_large'])
const MAX_REASON_LENGTH = 500
/** Of a class that has no such method, or takes no calls at all. */
const OTHER_CLASS = /does not (implement|support RPC)/
const BIND_OURS =
  'Bind USAGE_OUTBOX to the class UsageOutbox of metertap/worker, or to one that extends it, and export it from your Worker.'

/** The runtime's own words, which name what is wrong with a class, and what to do where they do not. */
function reasonOf(cause: unknown): string {
  if (cause instanceof MetertapError) return `${cause.code}: ${cause.message}`
  const { name = typeof cause, message = '' } = (cause ?? {}) as Partial<Error>
  const said = `${name}: ${message.slice(0, MAX_REASON_LENGTH)}`
  return OTHER_CLASS.test(message) ? `${said} ${BIND_OURS}` : said
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
