import type { ZuoraStandIn } from '../../../src/zuora-stand-in/contract.ts'
import { ADMIN_KEY } from '../../support/addresses.ts'
import type { MortalRelay } from './kill-again.ts'

/** A relay and the upstream that only it has. */
export interface Side {
  readonly relay: MortalRelay
  readonly zuora: ZuoraStandIn
}

export interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

/** One question of the operator's. */
export async function askOperator(
  { relay }: Pick<Side, 'relay'>,
  path: string,
  init: RequestInit = {},
): Promise<Answer> {
  const { adminUrl } = await relay.addresses()
  const headers = { Authorization: `Bearer ${ADMIN_KEY}`, 'Content-Type': 'application/json', ...init.headers }
  const response = await fetch(`${adminUrl}${path}`, { ...init, headers })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json') === true && !text.includes('\n')
  return { status: response.status, body: isJson ? JSON.parse(text) : { text } }
}

export function post(body: unknown): RequestInit {
  return { method: 'POST', body: JSON.stringify(body) }
}

/**
 * What is the same wherever a relay runs: no moment, no number of a letter, not how many were refused together (that is
 * chance), and lists without an order of their own.
 */
export function timeless(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(timeless).toSorted((a, b) => (textOf(a) < textOf(b) ? -1 : 1))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(
    ([name]) => !/Ms$|^serverTime$|^id$|^day$|^detail$|^forwarding$/.test(name),
  )
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, of]) => [name, timeless(of)]))
}

function textOf(value: unknown): string {
  return JSON.stringify(value)
}

/** Waits until nothing is on its way. */
export async function settled(relay: MortalRelay): Promise<Record<string, number>> {
  for (;;) {
    const totals = await relay.totals()
    const { received = 0, forwarded = 0, deduplicated = 0, dead = 0, discarded = 0 } = totals
    if (received === forwarded + deduplicated + dead + discarded) return totals
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
