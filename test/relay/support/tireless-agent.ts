import { v7 } from 'uuid'
import { eventId } from '../../../src/meter/contract.ts'
import { createGrant } from '../../../src/relay.ts'
import { GRANT_SECRET } from '../../support/relay-fixture.ts'
import type { MortalRelay } from './kill-again.ts'

export const EVENTS_PER_BATCH = 20

/** Sends batch after batch and each of them until it is acknowledged, as an agent does. */
export interface TirelessAgent {
  readonly stream: string
  /** Ids of acknowledged events without a key. */
  readonly plain: string[]
  /** Ids of acknowledged events by idempotency key. */
  readonly keyed: Map<string, string>
  /** Sends until stop() is called; resolves when its last batch is acknowledged. */
  run(): Promise<void>
  stop(): void
}

/** Of an account's devices every one uses the same keys: of their events with one key, one is to be billed. */
export function createTirelessAgent(
  relay: Pick<MortalRelay, 'addresses'>,
  account: string,
  device: string,
): TirelessAgent {
  const stream = v7()
  const plain: string[] = []
  const keyed = new Map<string, string>()
  let token: string | undefined
  let isStopped = false

  async function fetchToken(url: string): Promise<string> {
    const grant = await createGrant({ keyId: 'app', secret: GRANT_SECRET, account, device, meters: ['calls'] })
    const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ grant }) }
    const response = await fetch(`${url}/v1/token`, init)
    return ((await response.json()) as { token: string }).token
  }

  function batch(first: number, sentAt: number): string {
    const events = Array.from({ length: EVENTS_PER_BATCH }, (_, i) => {
      const quantity = first + i
      return ['calls', sentAt, { quantity }, ...(isKeyed(quantity) ? [keyOf(quantity)] : [])]
    })
    const streams = [{ id: stream, recorded: first + EVENTS_PER_BATCH, dropped: {} }]
    return JSON.stringify({ v: 1, sentAt, device, streams, segments: [{ stream, first, events }] })
  }

  /** True when the relay says that it holds all of it. */
  async function send(body: string, first: number): Promise<boolean> {
    try {
      const { url } = await relay.addresses()
      token ??= await fetchToken(url)
      const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` }
      const response = await fetch(`${url}/v1/events`, { method: 'POST', headers, body })
      if (response.status === 401) token = undefined
      if (response.status !== 200) return false
      const { received } = (await response.json()) as { received: Record<string, [number, number][]> }
      return (received[stream] ?? []).some(([from, to]) => from <= first && first + EVENTS_PER_BATCH - 1 <= to)
    } catch {
      // The relay was killed: the same again, to the next one.
      return false
    }
  }

  function note(first: number): void {
    for (let seq = first; seq < first + EVENTS_PER_BATCH; seq++) {
      if (isKeyed(seq)) keyed.set(keyOf(seq), eventId(stream, seq))
      else plain.push(eventId(stream, seq))
    }
  }

  return {
    ...{ stream, plain, keyed },
    async run() {
      for (let first = 0; !isStopped; first += EVENTS_PER_BATCH) {
        const body = batch(first, Date.now())
        while (!(await send(body, first))) await new Promise((resolve) => setTimeout(resolve, 20))
        note(first)
      }
    },
    stop() {
      isStopped = true
    },
  }
}

function isKeyed(seq: number): boolean {
  return seq % 7 === 3
}

function keyOf(seq: number): string {
  return `order ${seq}`
}
