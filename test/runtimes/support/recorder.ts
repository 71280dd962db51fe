/**
 * An agent in a process of its own. What it does comes in lines on its standard input, what became of it leaves in lines
 * on its standard output; a line that a kill cut off has no end mark.
 * Usage: node recorder.ts <folder> <relay origin> [<options as JSON>]
 */
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import * as z from 'zod'
import { createAgent, defineMeter, type NodeAgentOptions } from '../../../src/node.ts'

const [folder = '', relay = '', given = '{}'] = process.argv.slice(2)
const calls = defineMeter('calls', z.object({ n: z.int(), pad: z.string().optional() }))
const bills = defineMeter('bills', z.object({ n: z.int() }), { durability: 'power' })
const sums = defineMeter('sums', z.object({ n: z.int() }), { aggregate: { windowMs: 60_000, sum: ['n'] } })
const options = JSON.parse(given) as Partial<NodeAgentOptions>

const usage = createAgent({ folder, relay, token: () => 'token', meters: [calls, bills, sums], ...options })

/** Written at once: a line in a buffer would die with the process. */
function say(...words: readonly unknown[]): void {
  writeSync(1, `${words.join(' ')} ok\n`)
}

for (const event of ['trouble', 'degraded', 'recovered', 'settled'] as const) {
  usage.on(event, (detail: object) => say(event, JSON.stringify(detail)))
}

let n = 0
const realNow = Date.now

/** Records one event and says its id once it is durable. */
function record(meter: typeof calls | typeof bills = calls, pad?: string): Promise<void> {
  const receipt = usage.record(meter, { n: n++, ...(pad && { pad }) })
  return receipt.durable
    .then((durability) => say('durable', receipt.id, durability))
    .catch((error) => say('lost', error))
}

const COMMANDS: Readonly<Record<string, (...words: string[]) => unknown>> = {
  async record(count = '1') {
    await Promise.all(Array.from({ length: Number(count) }, () => record()))
    say('recorded', count)
  },
  /** One after the other. */
  async pad(bytes = '1000', count = '1') {
    for (let i = 0; i < Number(count); i++) await record(calls, 'x'.repeat(Number(bytes)))
    say('recorded', count)
  },
  /** Ever on, a few in each turn, until something ends it. */
  async tireless() {
    for (let turn = 0; ; turn++) {
      for (let i = 0; i < 1 + (turn % 5); i++) void record(turn % 7 === 0 ? bills : calls)
      if (turn % 20 === 0) usage.record(sums, { n: 1 })
      await new Promise((resolve) => (turn % 3 === 0 ? setTimeout(resolve, 1) : setImmediate(resolve)))
    }
  },
  /** From now on the wall clock is so far ahead, in ms, or behind. */
  clock(aheadMs = '0') {
    Date.now = () => realNow() + Number(aheadMs)
    say('clock', aheadMs)
  },
  sum: (value = '1') => void usage.record(sums, { n: Number(value) }),
  /** The process ends in the very step that records. */
  exit() {
    say('recorded-last', usage.record(calls, { n: n++ }).id)
    process.exit(0)
  },
  /** Nothing more to do: the process ends by itself. */
  finish() {
    input.close()
    process.stdin.destroy()
  },
  async flush() {
    await usage.flush()
    say('flushed')
  },
  stats: () => say('stats', JSON.stringify(usage.stats())),
  async close() {
    await usage.close()
    say('closed')
  },
  /** A listener of the application's own. */
  listen: () => void process.once('SIGTERM', () => setTimeout(() => process.exit(7), 300)),
}

const input = createInterface({ input: process.stdin })
input.on('line', (line) => {
  const [command = '', ...words] = line.split(' ')
  void COMMANDS[command]?.(...words)
})
say('ready')
