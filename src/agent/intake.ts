import type { Meter } from '../meter/contract.ts'
import type { AppendGroup, Durability, RecordingOutbox, Segment, StreamHead } from '../outbox/contract.ts'
import type { Runtime } from '../runtime/contract.ts'
import type { MetertapError } from '../wire/errors.ts'
import type { RecordOptions } from './agent.ts'
import { type Admit, createBudget } from './budget.ts'
import type * as Extras from './extras.ts'
import type { Later } from './later.ts'
import type { RecordingSettings } from './options.ts'
import type { Receipt } from './receipt.ts'
import { Recorder, type RecorderOptions } from './recorder.ts'
import type { Rollups, RollupWrite } from './rollups.ts'
import type { StreamBook } from './stream-book.ts'
import type { StreamLock } from './stream-lock.ts'
import { Tail } from './tail.ts'

export interface IntakeOptions {
  readonly settings: RecordingSettings
  readonly runtime: Runtime
  /** Bytes in the outbox, as of the last look. */
  readonly storedBytes: () => number
  /** A group is stored; the outbox holds `moreEvents` more than before. */
  readonly onStored: (segments: readonly Segment[], durability: Durability, moreEvents: number) => void
  readonly onFailed: (error: MetertapError) => void
  readonly onRefused: RecorderOptions['onRefused']
  readonly extras: Later<Summing>
  /** See AgentParts. */
  readonly book?: StreamBook | undefined
  readonly keepsWindows?: boolean | undefined
}

/** What adds events up. */
type Summing = Pick<typeof Extras, 'Rollups' | 'StreamLock'>

/** A segment fits one exit request; a burst becomes several segments in one transaction. */
const MAX_SEGMENT_BYTES = 49_152
const MAX_SEGMENT_EVENTS = 1_000

const NO_ROLLUPS: RollupWrite = { open: [], closed: [], strict: false, stored: () => {}, failed: () => {} }

/** The way into the outbox: record(), roll-ups, the tail that writes both, and the limit on how much may wait. */
export class Intake {
  readonly #admit: Admit
  readonly #tail: Tail
  /** Undefined until its code is there: each event of a meter that adds up then is a window of its own. */
  #rollups: Rollups | undefined
  readonly #recorder: Recorder
  /** There with the roll-ups. */
  #streamLock: StreamLock | undefined

  constructor(options: IntakeOptions) {
    const { settings, runtime, storedBytes, onStored, onFailed, onRefused, extras, book, keepsWindows = true } = options
    const comingBytes = () => this.#tail.waitingBytes + (this.#rollups?.bytes ?? 0)
    this.#admit = createBudget({ settings, storedBytes, comingBytes })
    this.#tail = new Tail({
      ...runtime,
      book,
      accountTag: settings.account,
      maxSegmentBytes: MAX_SEGMENT_BYTES,
      maxSegmentEvents: MAX_SEGMENT_EVENTS,
      onStored,
      onFailed,
      rollups: () => {
        if (!keepsWindows) this.#rollups?.close(true)
        return this.#rollups?.take() ?? NO_ROLLUPS
      },
    })
    const addUp = (code: Summing) => {
      this.#rollups = this.#createRollups(code, options)
    }
    if (extras.loaded) addUp(extras.loaded)
    else if ([...settings.meters.values()].some((meter) => meter.options.aggregate)) void extras.get().then(addUp)
    const parts = { tail: this.#tail, rollups: () => this.#rollups, admit: this.#admit }
    this.#recorder = new Recorder({ settings, runtime, ...parts, onRefused })
  }

  /** This agent's own stream. */
  head(): StreamHead {
    return this.#tail.head()
  }

  get counts(): {
    recorded: number
    refused: Record<string, number>
    storing: number
    stream: string | undefined
    openWindows: number
  } {
    const { recorded, refused, waiting: storing } = this.#tail
    const stream = recorded > 0 ? this.#tail.stream : undefined
    return { recorded, refused: { ...refused }, storing, stream, openWindows: this.#rollups?.size ?? 0 }
  }

  record(meter: Meter, data: unknown, options?: RecordOptions): Receipt {
    return this.#recorder.record(meter, data, options)
  }

  /** The outbox is open: what was recorded until now goes into it. */
  attach(outbox: RecordingOutbox): void {
    this.#tail.attach(outbox)
  }

  /** See Tail.unstored. */
  unstored(): AppendGroup | undefined {
    return this.#tail.unstored()
  }

  /** Stores what is in memory. Resolves when it is stored, or has failed and said so. */
  store(): Promise<void> {
    return this.#tail.settled()
  }

  /** Stores all there is, for a page that may never come back: open windows become events now. */
  storeAll(): Promise<void> {
    this.#rollups?.close(true)
    const stored = this.#tail.settled()
    this.#streamLock?.release()
    return stored
  }

  /** The page is used again: its timers may have slept. */
  wake(): void {
    this.#rollups?.close(false)
  }

  /** Before a purge, in one task with it: what was recorded so far is stored first and goes with it, open windows too. */
  forget(): void {
    this.#tail.commit()
    this.#rollups?.forget()
  }

  /** record() is refused from now on. Resolves when all is stored, or has failed and said so. */
  async close(opened: Promise<unknown>): Promise<void> {
    this.#recorder.close()
    this.#rollups?.close(true)
    await opened
    await this.#tail.settled()
    this.#rollups?.stop()
    this.#streamLock?.release()
  }

  #createRollups({ Rollups, StreamLock }: Summing, { runtime, settings }: IntakeOptions): Rollups {
    const lock = new StreamLock(runtime.locks)
    this.#streamLock = lock
    return new Rollups({
      ...runtime,
      maxEventBytes: settings.maxEventBytes,
      admit: this.#admit,
      reserve: () => {
        lock.hold(this.#tail.stream)
        return this.#tail.reserve()
      },
      onDue: () => this.#tail.touch(),
    })
  }
}
