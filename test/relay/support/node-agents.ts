import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod'
import { createAgent, defineMeter } from '../../../src/node.ts'
import { createGrant } from '../../../src/relay.ts'
import { GRANT_SECRET } from '../../support/addresses.ts'
import type { MortalRelay } from './kill-again.ts'

const calls = defineMeter('calls', z.object({ quantity: z.int().nonnegative() }))

/** Runs agents of metertap/node, each of an account of its own, until all is delivered; the ids of what they recorded. */
export async function runNodeAgents(
  relay: MortalRelay,
  { agents, events }: { agents: number; events: number },
): Promise<string[]> {
  const { url } = await relay.addresses()
  const lists = await Promise.all(
    Array.from({ length: agents }, async (_, i) => {
      const folder = mkdtempSync(join(tmpdir(), 'metertap-agent-'))
      const usage = createAgent({
        folder,
        relay: url,
        token: () => tokenFor(url, `agent-${i}`),
        meters: [calls],
        signals: [],
      })
      const receipts = Array.from({ length: events }, (_, quantity) => usage.record(calls, { quantity }))
      for (;;) {
        await usage.flush()
        if (usage.stats().waiting === 0) break
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      await usage.close()
      rmSync(folder, { recursive: true })
      return receipts.map(({ id }) => String(id))
    }),
  )
  return lists.flat()
}

async function tokenFor(url: string, account: string): Promise<string> {
  const grant = await createGrant({ keyId: 'app', secret: GRANT_SECRET, account, device: 'd', meters: ['calls'] })
  const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ grant }) }
  return ((await (await fetch(`${url}/v1/token`, init)).json()) as { token: string }).token
}
