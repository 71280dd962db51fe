import type { DeadLetter, Outbox } from '../../outbox/contract.ts'
import type { Runtime } from '../../runtime/contract.ts'
import type { Turn } from '../../schedule/drainer.ts'
import { createTokenSource } from '../../transport/token-source.ts'
import { MetertapError } from '../../wire/errors.ts'
import { createTurn, type DeliverySettings } from '../delivery.ts'
import { waitingOf } from './account-reads.ts'
import type { RelayAccess } from './bindings.ts'
import type { Drained } from './plan.ts'

export interface LaneOptions {
  readonly account: string
  readonly meters: readonly string[]
  readonly device: string
  readonly outbox: Outbox
  readonly runtime: Runtime
  /** Throws a MetertapError that says what is missing. */
  readonly access: () => RelayAccess
  readonly settings: Omit<DeliverySettings, 'relay' | 'account'>
  readonly mayRun: () => boolean
  /** The end of the lane before this one. */
  readonly after: Promise<unknown> | undefined
  readonly onTrouble: (code: string, detail: string) => void
  readonly onDead: (letters: readonly DeadLetter[]) => void
}

/** How many requests one run of the object may make. */
export interface Allowance {
  requests: number
  readonly untilMs: number
}

/** One account's way from the object to the relay: its own token, its own pace, one request at a time. */
export class Lane {
  readonly #options: LaneOptions
  readonly #meters = new Set<string>()
  #turn: ReturnType<typeof createTurn> | undefined
  #running: Promise<Drained> | undefined
  #wakeAtMs: number | undefined
  #holdMs = 0
  #isEnded = false
  /** What the relay wishes. */
  flushIntervalMs: number | undefined
  /** Stored since the last drain. */
  fresh = { events: 0, bytes: 0 }

  constructor(options: LaneOptions) {
    this.#options = options
    for (const name of options.meters) this.#meters.add(name)
  }

  /** Whether its token allows these. */
  allows(meters: readonly string[]): boolean {
    return meters.every((name) => this.#meters.has(name))
  }

  get isBusy(): boolean {
    return this.#running !== undefined
  }

  /** Sends until nothing is left, or it has to wait, or the allowance is used up. Never rejects. */
  drain(allowance: Allowance): Promise<Drained> {
    this.#running ??= this.#guarded(allowance)
    return this.#running
  }

  /** Begins no request any more; resolves when the one under way is over. */
  end(): Promise<unknown> {
    this.#isEnded = true
    return this.#running ?? Promise.resolve()
  }

  async #guarded(allowance: Allowance): Promise<Drained> {
    try {
      await this.#options.after
      return await this.#drain(allowance)
    } catch (error) {
      this.#complain(error)
      return { kind: 'wait', atLeastMs: 0, byServer: false }
    } finally {
      this.#running = undefined
    }
  }

  async #drain(allowance: Allowance): Promise<Drained> {
    const { runtime, mayRun, outbox, account } = this.#options
    this.fresh = { events: 0, bytes: 0 }
    this.#wakeAtMs = undefined
    const goesOn = () => !this.#isEnded && mayRun() && allowance.requests > 0 && runtime.now() < allowance.untilMs
    for (let follows = false; goesOn(); follows = true) {
      allowance.requests--
      const result = await this.#safeTurn(follows)
      if (result.kind === 'wait') return { ...result, byServer: result.byServer ?? false }
      if (result.kind === 'empty')
        return { kind: 'empty', waiting: await waitingOf(outbox, account), wakeAtMs: this.#wakeAtMs }
      if (this.#holdMs > 0) {
        const atLeastMs = this.#holdMs
        this.#holdMs = 0
        return { kind: 'wait', atLeastMs, byServer: true }
      }
    }
    return { kind: 'more' }
  }

  async #safeTurn(follows: boolean): Promise<Turn> {
    try {
      this.#turn ??= this.#createTurn()
      return await this.#turn(follows)
    } catch (error) {
      this.#complain(error)
      return { kind: 'wait', atLeastMs: 0 }
    }
  }

  #complain(error: unknown): void {
    const code = error instanceof MetertapError ? error.code : 'internal'
    this.#options.onTrouble(code, String((error as Error)?.message ?? error))
  }

  #createTurn(): ReturnType<typeof createTurn> {
    const { account, meters, device, outbox, runtime, settings, access, onTrouble, onDead } = this.#options
    const { relay, token } = access()
    const { now, setTimer } = runtime
    return createTurn({
      ...{ outbox, runtime, device },
      settings: { ...settings, relay, account },
      tokens: createTokenSource({ provide: () => token(account, meters, device), now, setTimer }),
      isExclusive: () => true,
      signal: new AbortController().signal,
      hooks: {
        onSending: () => {},
        onSettled: ({ dead }) => {
          if (dead.length > 0) onDead(dead)
        },
        onFailed: (outcome) => {
          onTrouble(outcome.kind === 'unauthorized' ? 'unauthorized' : outcome.code, outcome.detail)
        },
        onDeferred: (delayMs) => {
          this.#wakeAtMs = Math.min(this.#wakeAtMs ?? Number.POSITIVE_INFINITY, now() + delayMs + 100)
        },
        onPolicy: ({ flushIntervalMs, holdMs }) => {
          if (flushIntervalMs) this.flushIntervalMs = Math.min(Math.max(flushIntervalMs, 1_000), 3_600_000)
          if (holdMs) this.#holdMs = Math.min(holdMs, 86_400_000)
        },
      },
    })
  }
}
