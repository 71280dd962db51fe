/** A page whose usage is inspected, from the sources. */
import * as z from 'zod'
import { type Agent, createAgent, defineMeter } from '../../../src/index.ts'
import { type Inspection, inspect } from '../../../src/inspector.ts'

z.config({ jitless: true })
const calls = defineMeter('calls', z.object({ n: z.number() }))

export interface InspectedApp {
  readonly usage: Agent
  readonly inspection: Inspection
  readonly violations: string[]
  /** Records so many; resolves with the first one's id when all are stored. */
  record(count: number): Promise<string>
  /** Inspects another agent, in the same panel. */
  addAgent(name: string): Inspection
}

declare global {
  interface Window {
    inspected?: InspectedApp
  }
}

const violations: string[] = []
document.addEventListener('securitypolicyviolation', ({ violatedDirective }) => violations.push(violatedDirective))

function start(outbox: string, account: string): Agent {
  const token = async () => (await fetch('/usage-token')).text()
  return createAgent({ relay: location.origin, token, meters: [calls], outbox, account, flushIntervalMs: 300 })
}

const usage = start('inspected', '')
const inspection = inspect(usage)

window.inspected = {
  usage,
  inspection,
  violations,
  async record(count) {
    const receipts = Array.from({ length: count }, (_, n) => usage.record(calls, { n }))
    await Promise.all(receipts.map(({ durable }) => durable))
    return receipts[0]?.id ?? ''
  },
  addAgent: (name) => inspect(start(`inspected-${name}`, name), { name }),
}
