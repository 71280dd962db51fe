/** The Worker of the chaos runs: each request records some events and answers when they are durable. */
import { UsageOutbox as BaseOutbox, createAgent } from '../../../src/worker.ts'
import { chaosEvents } from '../meter.ts'

export class UsageOutbox extends BaseOutbox {
  static override settings = () => ({ flushIntervalMs: 200 })
}

interface Context {
  waitUntil(promise: Promise<unknown>): void
}

const OPTIONS = { account: 'worker', meters: [chaosEvents], shards: 2 } as const

export default {
  async fetch(request: Request, env: object, ctx: Context): Promise<Response> {
    const { searchParams } = new URL(request.url)
    const usage = createAgent(env, ctx, OPTIONS)
    const count = Number(searchParams.get('count') ?? 1)
    const receipts = Array.from({ length: count }, (_, n) => usage.record(chaosEvents, { n, pad: '' }))
    const told = await Promise.all(
      receipts.map(async ({ id, durable }) => ({ id, durability: await durable.catch(() => 'none') })),
    )
    return Response.json(told)
  },
}
