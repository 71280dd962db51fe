import { randomUUID } from 'node:crypto'
import { type WireAnswer, wireAnswer } from '../../../src/wire/contract.ts'
import type { Attacked } from './relay-under-attack.ts'

/** A well-behaved device that sends a batch every few milliseconds until it is stopped. */
export interface Neighbour {
  /** Stops and says how it went. */
  stop(): Promise<{ readonly batches: number; readonly refused: readonly string[]; readonly slowestMs: number }>
}

export async function startNeighbour(relay: Attacked, account = 'neighbour'): Promise<Neighbour> {
  const token = await relay.token(account, randomUUID())
  const stream = randomUUID()
  const refused: string[] = []
  let batches = 0
  let slowestMs = 0
  let isStopped = false

  async function sendOne(): Promise<void> {
    const begunMs = performance.now()
    const batch = batchFor(stream, batches, 1)
    const response = await relay.send(token, batch, { from: '10.9.9.9' })
    const body = await response.json()
    const answer = wireAnswer.safeParse(body)
    if (!answer.success || !holds(answer.data, stream, batches)) refused.push(JSON.stringify(body))
    batches++
    slowestMs = Math.max(slowestMs, performance.now() - begunMs)
    await new Promise((resolve) => setTimeout(resolve, 120))
  }

  async function run(): Promise<void> {
    while (!isStopped) await sendOne().catch((error: unknown) => refused.push(String(error)))
  }

  const running = run()
  return {
    async stop() {
      isStopped = true
      await running
      return { batches, refused, slowestMs }
    },
  }
}

function holds({ received }: WireAnswer, stream: string, seq: number): boolean {
  return (received[stream] ?? []).some(([from, to]) => from <= seq && seq <= to)
}

/** `count` good events of a stream, from number `first` on. */
export function batchFor(stream: string, first: number, count: number): Record<string, unknown> {
  const events = Array.from({ length: count }, () => ['calls', Date.now(), { quantity: 1 }])
  const streams = [{ id: stream, recorded: first + count, dropped: {} }]
  return { v: 1, sentAt: Date.now(), device: 'd', streams, segments: [{ stream, first, events }] }
}
