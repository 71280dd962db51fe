import { eventId } from '../meter/contract.ts'
import type { DeadLetter, RecordingOutbox } from '../outbox/contract.ts'
import type { DeadLetterId, PurgeReceipt } from './agent.ts'

export interface DeadLettersOptions {
  readonly opened: Promise<RecordingOutbox>
  readonly accountTag: string
  /** Letters were sent again or forgotten. */
  readonly onChanged: () => void
}

/** The dead letters of one account: another's are none of its business. */
export class DeadLetters {
  readonly #options: DeadLettersOptions
  #begun = 0
  #ended = 0

  constructor(options: DeadLettersOptions) {
    this.#options = options
  }

  /** How many purges there were; NaN, which equals nothing, while one is under way. */
  get purges(): number {
    return this.#begun > this.#ended ? Number.NaN : this.#ended
  }

  async list(): Promise<DeadLetter[]> {
    const { opened, accountTag } = this.#options
    const letters = await (await opened).deadLetters()
    return letters.filter((letter) => letter.accountTag === accountTag)
  }

  /** Resolves with how many will be sent again; all of them by default. */
  async retry(letters?: readonly DeadLetterId[]): Promise<number> {
    const chosen = await this.#own(letters)
    const retried = await (await this.#options.opened).retryDeadLetters(chosen)
    this.#options.onChanged()
    return retried
  }

  /** Resolves with how many are forgotten; all of them by default. */
  async delete(letters?: readonly DeadLetterId[]): Promise<number> {
    const chosen = await this.#own(letters)
    await (await this.#options.opened).deleteDeadLetters(chosen)
    this.#options.onChanged()
    return chosen.length
  }

  /**
   * Erases what waits, and then all letters. Begins within the call: what is claimed before is not sent from then on.
   * `inFlight`: events in a request at this moment. `onErased`: what waited is gone.
   */
  async purge(outbox: RecordingOutbox, inFlight: number, onErased: () => void): Promise<Omit<PurgeReceipt, 'atMs'>> {
    const { accountTag } = this.#options
    this.#begun++
    const events = await outbox.purge({ reason: 'purged', accountTag }).finally(() => this.#ended++)
    onErased()
    return { events, inFlight, deadLetters: await this.delete(), accountTag }
  }

  /** As NDJSON. */
  async export(): Promise<string> {
    return toNdjson(await this.list())
  }

  async #own(letters: readonly DeadLetterId[] | undefined): Promise<DeadLetter[]> {
    const own = await this.list()
    const wanted = letters && new Set(letters.map(({ stream, seq }) => eventId(stream, seq)))
    return wanted ? own.filter(({ stream, seq }) => wanted.has(eventId(stream, seq))) : own
  }
}

/** One dead letter a line, for people and their tools. The event stands as it was recorded, its text if it is no JSON. */
export function toNdjson(letters: readonly DeadLetter[]): string {
  const line = ({ stream, seq, event, code, detail, diedAtMs }: DeadLetter) => {
    const diedAt = new Date(diedAtMs).toISOString()
    return `${JSON.stringify({ id: eventId(stream, seq), event: parsed(event), code, detail, diedAt })}\n`
  }
  return letters.map(line).join('')
}

function parsed(event: string): unknown {
  try {
    return JSON.parse(event)
  } catch {
    return event
  }
}
