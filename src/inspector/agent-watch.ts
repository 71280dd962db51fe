import type { AgentEvents, AgentStats } from '../agent/stats.ts'
import type { DeadLetter } from '../outbox/contract.ts'
import type { Inspected, Progress, Run } from './contract.ts'
import { newFlushes } from './flushes.ts'
import { History } from './history.ts'
import { type RunState, RunStates, Runs } from './runs.ts'

/** Reading the outbox must not become the work that is looked at. */
const READ_EVERY_MS = 400

export interface AgentWatchOptions {
  readonly agent: Inspected
  readonly name: string
  readonly now: () => number
  /** Something is new. */
  readonly onNews: () => void
}

/** Everything that is known of one agent: what it says, and what is read from its outbox when that has changed. */
export class AgentWatch {
  readonly agent: Inspected
  readonly name: string
  readonly #options: AgentWatchOptions
  readonly #history = new History()
  readonly #runs = new Runs()
  readonly #states = new RunStates()
  readonly #ends: (() => void)[]
  #stats: AgentStats
  #letters: readonly DeadLetter[] = []
  #progress: Progress
  #isStale = true
  #reading = false
  #readAtMs = 0

  constructor(options: AgentWatchOptions) {
    this.#options = options
    this.agent = options.agent
    this.name = options.name
    this.#stats = options.agent.stats()
    this.#progress = { stats: this.#stats, summary: undefined, dead: new Map() }
    this.#runs.look(this.#stats, options.now())
    this.#ends = this.#listen()
  }

  get stats(): AgentStats {
    return this.#stats
  }

  get progress(): Progress {
    return { ...this.#progress, stats: this.#stats }
  }

  /** Where a run is, as of the last reading of the outbox. */
  stateOf(run: Run): RunState {
    return this.#states.look(run, this.progress)
  }

  get letters(): readonly DeadLetter[] {
    return this.#letters
  }

  get entries(): History['entries'] {
    return this.#history.entries
  }

  get runs(): Runs['runs'] {
    return this.#runs.runs
  }

  /** Takes note of what changed since the last look. */
  look(): void {
    const before = this.#stats
    const stats = this.agent.stats()
    const nowMs = this.#options.now()
    this.#stats = stats
    for (const [reason, times] of newFlushes(before.flushes, stats.flushes)) {
      this.#history.add('flush', reason, nowMs, 0, times)
    }
    this.#runs.look(stats, nowMs)
    if (stats.deadLetters !== before.deadLetters || stats.waiting !== before.waiting) this.#isStale = true
  }

  /** Reads the outbox if it may have changed and was not read just now; one read at a time. Cheap to call often. */
  async read(): Promise<void> {
    const nowMs = this.#options.now()
    if (!this.#isStale || this.#reading || Math.abs(nowMs - this.#readAtMs) < READ_EVERY_MS) return
    this.#readAtMs = nowMs
    this.#reading = true
    this.#isStale = false
    try {
      const [streams, letters] = await Promise.all([this.agent.streams(), this.agent.deadLetters()])
      const { stream } = this.#stats
      const own = letters.filter((letter) => letter.stream === stream)
      const summary = streams.find((each) => each.stream === stream)
      this.#letters = letters
      this.#progress = { stats: this.#stats, summary, dead: new Map(own.map(({ seq, code }) => [seq, code])) }
      // Before more is recorded: then it cannot be told any more.
      for (const run of this.#runs.runs) this.stateOf(run)
      this.#options.onNews()
    } catch {
      // The agent is closed or has no outbox: its own figures say so.
    } finally {
      this.#reading = false
    }
  }

  end(): void {
    for (const end of this.#ends) end()
  }

  #listen(): (() => void)[] {
    const { now, onNews } = this.#options
    const history = this.#history
    const on = <E extends keyof AgentEvents>(event: E, note: (detail: Parameters<AgentEvents[E]>[0]) => void) =>
      this.agent.on(event, ((detail: Parameters<AgentEvents[E]>[0]) => {
        // A flush comes before what it led to.
        this.look()
        note(detail)
        this.#isStale = true
        onNews()
      }) as AgentEvents[E])
    let paused: readonly string[] = this.#stats.pausedBy
    return [
      on('stored', ({ events, durability }) => history.add('stored', durability, now(), events)),
      on('settled', ({ received }) => history.add('accepted', '', now(), received)),
      on('counted', () => {}),
      on('deadletter', ({ id, code }) => history.add('dead', `${code}: ${id}`, now(), 1)),
      on('refused', ({ code, meter }) => history.add('refused', `${code}, meter ${meter}`, now())),
      on('trouble', ({ code }) => history.add('trouble', code, now())),
      on('dropped', ({ events, reason }) => history.add('dropped', reason, now(), events)),
      on('degraded', ({ code }) => history.add('degraded', code, now())),
      on('recovered', () => history.add('recovered', 'stored again', now())),
      on('paused', ({ reasons }) => {
        for (const reason of reasons) if (!paused.includes(reason)) history.add('paused', reason, now())
        for (const reason of paused) if (!reasons.includes(reason)) history.add('resumed', reason, now())
        paused = reasons
      }),
    ]
  }
}
