import { v7 } from 'uuid'
import { createGrant } from '../../../src/relay.ts'
import type { WireAnswer } from '../../../src/wire/contract.ts'
import { GRANT_SECRET } from '../../support/addresses.ts'
import type { MortalRelay } from './kill-again.ts'

/** One account's requests, in order. */
interface Conversation {
  readonly account: string
  readonly bodies: readonly string[]
}

const EVENTS_PER_BATCH = 30
/** The upstream refuses events of this quantity. */
const CURSED = 666
/** Each costs a dozen calls to be found. */
const CURSED_ACCOUNTS = 2

/**
 * Traffic that can be sent to several relays: streams with gaps and drops, events that do not fit, numbers sent twice,
 * idempotency keys used twice, and events that the upstream will refuse.
 */
export function makeTraffic({ accounts, batches }: { accounts: number; batches: number }): Conversation[] {
  return Array.from({ length: accounts }, (_, i) => {
    const streams = [v7(), v7()]
    const list = Array.from({ length: batches }, (_, n) =>
      batch(streams[n % 2] as string, n, i < CURSED_ACCOUNTS && n === 1),
    )
    // Each third one is sent a second time, as after an answer that was lost.
    return { account: `account-${i}`, bodies: list.flatMap((body, n) => (n % 3 === 0 ? [body, body] : [body])) }
  })
}

function batch(stream: string, n: number, isCursed: boolean): string {
  const sentAt = Date.now()
  // A hole of five numbers behind each batch of a stream; the report declares two of them.
  const first = Math.floor(n / 2) * (EVENTS_PER_BATCH + 5)
  const events = Array.from({ length: EVENTS_PER_BATCH }, (_, i) => {
    if (i === 7) return ['calls', sentAt, { quantity: -1 }]
    if (i === 9) return ['unknown', sentAt, {}]
    if (i === 11 && isCursed) return ['calls', sentAt, { quantity: CURSED }]
    return ['calls', sentAt, { quantity: i }, ...(i % 5 === 0 ? [`order ${n % 4} ${i}`] : [])]
  })
  const streams = [{ id: stream, recorded: first + EVENTS_PER_BATCH + 5, dropped: { full: 2 } }]
  return JSON.stringify({ v: 1, sentAt, device: 'd', streams, segments: [{ stream, first, events }] })
}

/** Sends it all, account beside account; the relay's answers, without its clock. */
export async function sendTraffic(relay: MortalRelay, traffic: readonly Conversation[]): Promise<unknown[]> {
  const { url } = await relay.addresses()
  return await Promise.all(traffic.map((conversation) => converse(url, conversation)))
}

async function converse(url: string, { account, bodies }: Conversation): Promise<unknown[]> {
  const grant = await createGrant({ keyId: 'app', secret: GRANT_SECRET, account, device: 'd', meters: ['calls'] })
  const headers = { 'Content-Type': 'application/json' }
  const response = await fetch(`${url}/v1/token`, { method: 'POST', headers, body: JSON.stringify({ grant }) })
  const { token } = (await response.json()) as { token: string }
  const answers: unknown[] = []
  for (const body of bodies) {
    const answer = await fetch(`${url}/v1/events`, {
      ...{ method: 'POST', headers: { ...headers, Authorization: `Bearer ${token}` }, body },
    })
    const { serverTime: _, ...rest } = (await answer.json()) as WireAnswer
    answers.push({ status: answer.status, ...rest })
  }
  return answers
}
