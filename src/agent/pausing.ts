import type { PauseReason } from '../schedule/contract.ts'
import { createOffline, type Offline } from '../schedule/offline.ts'
import { createPauses, type Pauses } from '../schedule/pauses.ts'
import type { FailedOutcome } from './deliver.ts'

export interface PausingOptions {
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
  /** Tries to send in spite of being offline. */
  readonly probe: () => Promise<void>
  readonly onChange: (reasons: readonly PauseReason[]) => void
}

/** Reasons that only tell: their waits are planned elsewhere, so they do not stop a planned try. */
const TELLING = new Set<PauseReason>(['auth', 'refused'])

/** Why nothing is sent: the application's reasons, which are this agent's alone, and those that hold for all. */
export class Pausing {
  readonly pauses: Pauses
  readonly offline: Offline
  readonly #own = new Set<PauseReason>()

  constructor({ setTimer, probe, onChange }: PausingOptions) {
    this.pauses = createPauses(onChange)
    this.offline = createOffline({ pauses: this.pauses, setTimer, probe })
  }

  /** True while the application wants this agent to send nothing: another one may, in its place. */
  get isOwn(): boolean {
    return this.#own.size > 0
  }

  /** False while something stands against sending. */
  get allows(): boolean {
    const { probing } = this.offline
    return this.pauses.reasons.every((reason) => TELLING.has(reason) || (reason === 'offline' && probing))
  }

  pause(reason: PauseReason): void {
    this.#own.add(reason)
    this.pauses.add(reason)
  }

  resume(reason: PauseReason): void {
    this.#own.delete(reason)
    this.pauses.remove(reason)
  }

  /** An answer came: it disproves navigator.onLine, too. */
  answered(): void {
    for (const reason of [...TELLING, 'offline']) this.pauses.remove(reason)
  }

  failed({ kind }: FailedOutcome): void {
    if (kind === 'unauthorized') this.pauses.add('auth')
    if (kind === 'refused') this.pauses.add('refused')
  }

  stop(): void {
    this.pauses.add('closed')
    this.offline.stop()
  }
}
