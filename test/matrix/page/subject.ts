import { type Agent, createAgent, type Receipt } from '../../../src/index.ts'
import type { Blow, ReceiptReport, RecordOrder, StartOptions } from '../contract.ts'
import { matrixEvents } from '../meter.ts'
import { upgrade } from './outbox.ts'

const PAD_CHARS = 40
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** Text that does not compress well, so that size caps mean what they say. */
function noise(length: number): string {
  let text = ''
  while (text.length < length) text += ALPHABET[Math.floor(Math.random() * ALPHABET.length)]
  return text
}

function online(is: () => boolean): void {
  Object.defineProperty(navigator, 'onLine', { configurable: true, get: is })
}

async function outcomeOf(receipt: Receipt): Promise<{ level?: string; code?: string }> {
  try {
    return { level: await receipt.durable }
  } catch (error) {
    return { code: (error as { code?: string }).code ?? String(error) }
  }
}

/** The agent under test and what its page knows of it. */
export class Subject {
  #agent: Agent | undefined
  #outbox = ''
  #count = 0
  #online = true
  #trouble: string | undefined
  #receipts: Receipt[] = []
  #outcomes: Promise<{ level?: string; code?: string }>[] = []

  start(options: StartOptions): string[] {
    const { account, outbox, relay, flushIntervalMs, requestTimeoutMs, offline, record } = options
    if (offline) this.#online = false
    if (offline !== undefined) online(() => this.#online)
    this.#outbox = outbox
    this.#agent = createAgent({
      relay,
      account,
      outbox,
      meters: [matrixEvents],
      token: async () => {
        const answer = await fetch(`/token/${account}`)
        if (!answer.ok) throw new Error(`Status ${answer.status}`)
        return answer.text()
      },
      ...(flushIntervalMs === undefined ? {} : { flushIntervalMs }),
      ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
    })
    this.#agent.on('trouble', ({ code }) => {
      this.#trouble = code
    })
    return record ? this.record(record) : []
  }

  get agent(): Agent {
    if (!this.#agent) throw new Error('No agent was started.')
    return this.#agent
  }

  record({ count, padChars = PAD_CHARS }: RecordOrder): string[] {
    const made: Receipt[] = []
    for (let i = 0; i < count; i++) {
      made.push(this.agent.record(matrixEvents, { n: this.#count++, pad: noise(padChars) }))
    }
    this.#receipts.push(...made)
    this.#outcomes.push(...made.map(outcomeOf))
    return made.flatMap(({ id }) => id ?? [])
  }

  async receipts(): Promise<ReceiptReport> {
    const durable: Record<string, string[]> = {}
    const failed: Record<string, string[]> = {}
    const refused: Record<string, number> = {}
    const outcomes = await Promise.all(this.#outcomes)
    outcomes.forEach(({ level, code = '' }, i) => {
      const id = this.#receipts[i]?.id
      if (id === undefined) refused[code] = (refused[code] ?? 0) + 1
      else if (level === undefined) failed[code] = [...(failed[code] ?? []), id]
      else durable[level] = [...(durable[level] ?? []), id]
    })
    return { durable, failed, refused }
  }

  /** One task: record, tell the ids, take the blow. */
  async recordAndStrike(order: RecordOrder & { blow: Blow }, strike: (ids: string[]) => void): Promise<void> {
    const { blow, count } = order
    const early = Math.floor(count / 2)
    const ids = this.record({ ...order, count: early })
    // A microtask is not a new task: the agent has issued its append by now, and nothing has come of it yet.
    await null
    ids.push(...this.record({ ...order, count: count - early }))
    strike(ids)
    if (blow.kind === 'upgrade') void upgrade(this.#outbox)
    else if (blow.kind === 'flush') void this.agent.flush()
    else if (blow.kind !== 'killed') this.leave(blow)
  }

  leave(blow: Blow & { kind: 'close' | 'navigate' }): void {
    if (blow.kind === 'close') window.close()
    else location.assign(blow.url)
  }

  flush(): void {
    void this.agent.flush()
  }

  goOnline(): void {
    this.#online = true
    dispatchEvent(new Event('online'))
  }

  unsent(): number {
    const { waiting, storing } = this.#agent?.stats() ?? { waiting: 0, storing: 0 }
    return waiting + storing
  }

  get outbox(): string {
    return this.#outbox
  }

  get trouble(): string | undefined {
    return this.#trouble
  }
}
