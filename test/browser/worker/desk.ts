import { type Agent, createAgent } from '../../../src/index.ts'
import { accepted, calls, METERS } from '../../contract/agent-kit.ts'
import { fetchOverLine } from '../../support/relay-line.ts'

/** What a test asks of a worker; answered with the `id` that it came with. */
export type Order = { readonly id: number } & (
  | { readonly kind: 'start'; readonly line: string; readonly outbox: string }
  | { readonly kind: 'record'; readonly from: number; readonly count: number }
  | { readonly kind: 'flush' }
  | { readonly kind: 'close' }
)

let agent: Agent | undefined

/** The worker's own agent, from the package's entry as it is: only its network is the test's. */
async function obey(order: Order): Promise<unknown> {
  if (order.kind === 'start') {
    globalThis.fetch = fetchOverLine(order.line)
    agent ??= createAgent({
      ...{ relay: 'https://relay.test', token: () => 'token-1', meters: METERS },
      ...{ outbox: order.outbox, flushIntervalMs: 100 },
    })
    return undefined
  }
  if (!agent) throw new Error('Not started.')
  if (order.kind === 'flush') return agent.flush()
  if (order.kind === 'close') return agent.close()
  const { from, count } = order
  const receipts = Array.from({ length: count }, (_, nth) =>
    accepted((agent as Agent).record(calls, { n: from + nth })),
  )
  const durable = await Promise.all(receipts.map((receipt) => receipt.durable))
  return { ids: receipts.map(({ id }) => id), durable: [...new Set(durable)] }
}

export function serveOrders(port: Pick<MessagePort, 'postMessage'> & { onmessage: unknown }): void {
  port.onmessage = async ({ data }: MessageEvent<Order>) => {
    try {
      port.postMessage({ id: data.id, result: await obey(data) })
    } catch (error) {
      port.postMessage({ id: data.id, error: String(error) })
    }
  }
}
