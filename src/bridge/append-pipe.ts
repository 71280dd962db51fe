import type { AppendGroup, Durability } from '../outbox/contract.ts'
import { MetertapError } from '../wire/errors.ts'
import { type AppendAnswer, type AppendRequest, BRIDGE_LIMITS, type BridgeError, type Outcome } from './contract.ts'
import { errorOf } from './outcome.ts'

export interface AppendPipeOptions {
  /** Says who is there; the first word of a session. Rejects with the main process's refusal, or when there is none. */
  readonly greet: () => Promise<void>
  readonly send: (request: Omit<AppendRequest, 'v' | 'session' | 'kind'>) => Promise<unknown>
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
  readonly onSilence: (error: MetertapError) => void
}

/** A group and who waits for it. */
interface Waiting {
  readonly group: AppendGroup
  readonly bytes: number
  readonly resolve: (durability: Durability) => void
  readonly reject: (error: MetertapError) => void
}

/** What is on its way under one serial. */
interface Sent {
  readonly serial: number
  readonly waiting: readonly Waiting[]
  readonly bytes: number
}

/** Requests on their way: far fewer than the main process bears. */
const MAX_SENT = 16
const MAX_SENT_BYTES = 8_388_608
/** Groups that had to wait go together, up to this. */
const MAX_JOINED_BYTES = 1_048_576
const MAX_JOINED = 200
/** No answer for so long: said again. Doubles up to the longest. */
const RESEND_MS = 10_000
const MAX_RESEND_MS = 60_000
/** The main process has no agent yet. */
const RETRY_MS = 250
const GROUP_BYTES = 1_000
const NO_ANSWER: BridgeError = {
  code: 'internal',
  message: 'The main process left the group out of its answer.',
  detail: {},
}

type Judged = AppendAnswer & { readonly kind: 'judged' }

/**
 * The way of groups to the main process: in order, several at a time, each until it has an answer. A group is given up
 * only when the main process says so; who does not answer may have stored it.
 */
export class AppendPipe {
  readonly #options: AppendPipeOptions
  readonly #sent: Sent[] = []
  #waiting: Waiting[] = []
  #serial = 0
  #tries = 0
  #cancelTimer: (() => void) | undefined
  /** What was sent before the last start from the front is no news any more, should it fail. */
  #round = 0
  #isStuck = false
  #refusal: MetertapError | undefined
  #onEmpty: (() => void)[] = []

  constructor(options: AppendPipeOptions) {
    this.#options = options
    this.#restart()
  }

  append(group: AppendGroup): Promise<Durability> {
    const bytes = sizeOf(group)
    const limit = BRIDGE_LIMITS.maxMessageBytes - MAX_JOINED_BYTES
    if (bytes > limit) {
      const text = `More than ${limit} bytes of events and windows were recorded in one task. Record them in several.`
      return Promise.reject(new MetertapError('event_too_large', text, { bytes }))
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ group, bytes, resolve, reject })
      this.#pump()
    })
  }

  /** Resolves when every group has its answer. */
  async close(): Promise<void> {
    if (this.#sent.length + this.#waiting.length > 0) await new Promise<void>((resolve) => this.#onEmpty.push(resolve))
    this.#stopTimer()
  }

  /** Sends what there is room for. */
  #pump(): void {
    while (this.#waiting.length > 0 && !this.#isStuck && this.#hasRoom()) {
      const sent = this.#join()
      this.#sent.push(sent)
      this.#send(sent)
    }
  }

  #hasRoom(): boolean {
    const bytes = this.#sent.reduce((sum, each) => sum + each.bytes, 0)
    return this.#sent.length === 0 || (this.#sent.length < MAX_SENT && bytes < MAX_SENT_BYTES)
  }

  #join(): Sent {
    const waiting: Waiting[] = []
    let bytes = 0
    for (const next of this.#waiting) {
      if (waiting.length > 0 && (bytes + next.bytes > MAX_JOINED_BYTES || waiting.length >= MAX_JOINED)) break
      waiting.push(next)
      bytes += next.bytes
    }
    this.#waiting = this.#waiting.slice(waiting.length)
    return { serial: this.#serial++, waiting, bytes }
  }

  #send({ serial, waiting }: Sent): void {
    const round = this.#round
    const done = this.#sent[0]?.serial ?? serial
    const groups = waiting.map(({ group }) => group)
    this.#options.send({ serial, done, groups }).then(
      (answer) => this.#heard(serial, answer as Outcome<AppendAnswer>),
      () => this.#failed(round),
    )
    this.#watch()
  }

  #heard(serial: number, answer: Outcome<AppendAnswer>): void {
    if (answer.ok && answer.value.kind === 'again') {
      this.#failed(this.#round)
      return
    }
    const index = this.#sent.findIndex((each) => each.serial === serial)
    const sent = this.#sent[index]
    // Answered before, to an earlier copy.
    if (!sent) return
    this.#sent.splice(index, 1)
    sent.waiting.forEach(({ resolve, reject }, at) => {
      const outcome = answer.ok ? (answer.value as Judged).outcomes[at] : answer
      if (outcome?.ok) resolve(outcome.value)
      else reject(this.#errorOf(outcome?.error ?? NO_ANSWER))
    })
    if (!this.#isStuck) {
      this.#tries = 0
      this.#stopTimer()
      if (this.#sent.length > 0) this.#watch()
      this.#pump()
    }
    if (this.#sent.length + this.#waiting.length === 0) for (const tell of this.#onEmpty.splice(0)) tell()
  }

  /** A session that was refused is unknown later: the reason is what counts. */
  #errorOf(error: BridgeError): MetertapError {
    return error.code === 'closed' && this.#refusal ? this.#refusal : errorOf(error)
  }

  /** Nobody took it: no main process yet, or one that has missed something. */
  #failed(round: number): void {
    if (round !== this.#round || this.#isStuck) return
    this.#isStuck = true
    this.#stopTimer()
    this.#cancelTimer = this.#options.setTimer(() => this.#restart(), RETRY_MS * 2 ** Math.min(this.#tries++, 8))
  }

  /** Greets, and says everything again that has no answer, in order. */
  #restart(): void {
    const round = ++this.#round
    this.#isStuck = false
    this.#stopTimer()
    this.#options.greet().catch((error: unknown) => {
      if (error instanceof MetertapError) {
        this.#refusal = error
        return
      }
      if (this.#tries === 1) this.#options.onSilence(silence())
      this.#failed(round)
    })
    for (const sent of this.#sent) this.#send(sent)
    this.#pump()
  }

  #watch(): void {
    if (this.#cancelTimer) return
    const delayMs = Math.min(MAX_RESEND_MS, RESEND_MS * 2 ** Math.min(this.#tries, 8))
    this.#cancelTimer = this.#options.setTimer(() => {
      this.#tries++
      this.#restart()
    }, delayMs)
  }

  #stopTimer(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }
}

function sizeOf({ segments, rollups = [] }: AppendGroup): number {
  let bytes = GROUP_BYTES
  for (const segment of segments) bytes += segment.bytes + 200
  for (const { event } of rollups) bytes += event.length + 200
  return bytes
}

function silence(): MetertapError {
  const text =
    'No agent answers in the main process. Call createAgent() of metertap/electron-main before windows are opened. Until it does, events wait in this page.'
  return new MetertapError('bridge_missing', text)
}
