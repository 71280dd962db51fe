import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRelay } from '../../src/relay.ts'
import { GRANT_KEY_ID, GRANT_SECRET, PUBLIC_URL, UPSTREAM_CLIENT, UPSTREAM_METER } from '../relay/contract.ts'
import { fetchTokens } from '../relay/servers.ts'
import type { Format, SinkAnswer, SinkRequest } from '../sink/contract.ts'
import { metertapFormat } from '../sink/formats/metertap.ts'
import { benchRequests } from '../subjects/meter.ts'

/** The real relay behind the sink, without an upstream. */
export interface RealRelay {
  readonly format: Format
  token(): Promise<string>
  /** Events that it holds, and would bill. */
  received(): Promise<number>
  close(): Promise<void>
}

const fields = { UsageIdentifier: 'id', CustomerId: 'account', UsageDate: 'at', Quantity: 'data.bytes' } as const
const idle = { start() {}, wake() {}, stop: async () => {}, stats: () => [] }

export async function openRealRelay(): Promise<RealRelay> {
  const folder = await mkdtemp(join(tmpdir(), 'metertap-bench-fates-'))
  const relay = await createRelay(
    {
      publicUrl: PUBLIC_URL,
      listen: { port: 0 },
      store: { sqlite: join(folder, 'relay.db') },
      meters: [{ meter: benchRequests, upstream: { meterGlobalId: UPSTREAM_METER, fields } }],
      upstream: { restBase: 'http://127.0.0.1:9', ...UPSTREAM_CLIENT },
      grants: [{ keyId: GRANT_KEY_ID, secret: GRANT_SECRET }],
      origins: ['http://127.0.0.1'],
    },
    { createForwarder: () => idle, log: () => {} },
  )
  const { url } = await relay.start()
  /** The sink has inflated it; whatever faults there are, happen at the sink. */
  async function pass({ method, url: seen, headers, body }: SinkRequest): Promise<SinkAnswer> {
    const { authorization = '', 'content-type': type = '' } = headers
    const init = { method, headers: { authorization, 'content-type': type }, body: new Uint8Array(body) }
    const answer = await relay.fetch(new Request(`${PUBLIC_URL}${seen.pathname}`, init))
    return { status: answer.status, body: await answer.text() }
  }
  return {
    format: metertapFormat(pass),
    token: async () => (await fetchTokens(url, 1))[0] as string,
    received: async () => (await relay.store.totals()).received,
    async close() {
      await relay.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
