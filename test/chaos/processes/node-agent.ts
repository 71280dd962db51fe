/**
 * A Node process that records on and on, and will be killed. Prints one line of JSON when it is ready; then
 * `promise <durability> <ids>`, `bury <id> <code>`, and in answer to `waiting`: `waiting <events> <trouble>`.
 * Reads `clock <ms>` (shift by), `rest` (record no more) and `waiting`.
 * Usage: node node-agent.ts <JSON of NodeAgentProcessOptions>
 */
import { createInterface } from 'node:readline'
import { createAgent } from '../../../src/node.ts'
import { chaosEvents } from '../meter.ts'
import { recordOn } from '../record-on.ts'
import type { NodeAgentProcessOptions } from './contract.ts'

const { folder, relay, account, tokenUrl, clockMs } = JSON.parse(process.argv[2] ?? '{}') as NodeAgentProcessOptions
const BURSTS = [1, 1, 2, 5, 20, 100]
const MEAN_PAUSE_MS = 100

let offsetMs = clockMs
const realNow = Date.now
Date.now = () => realNow() + offsetMs

const usage = createAgent({
  ...{ folder, relay, account, meters: [chaosEvents], flushIntervalMs: 500, requestTimeoutMs: 5_000 },
  token: async () => {
    const answer = await fetch(tokenUrl)
    if (!answer.ok) throw new Error(`Status ${answer.status}`)
    return answer.text()
  },
})
const say = (line: string) => void process.stdout.write(`${line}\n`)
usage.on('deadletter', ({ id, code }) => say(`bury ${id} ${code}`))

async function tellWaiting(): Promise<void> {
  await usage.flush()
  const { waiting, storing, lastTrouble } = usage.stats()
  say(`waiting ${waiting + storing} ${lastTrouble?.code}`)
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const [command, value] = line.split(' ')
  if (command === 'clock') offsetMs += Number(value)
  else if (command === 'rest') rest()
  else if (command === 'waiting') void tellWaiting()
})
say('{}')
const rest = recordOn({
  ...{ usage, bursts: BURSTS, meanPauseMs: MEAN_PAUSE_MS },
  onPromise: (ids, durability) => say(`promise ${durability} ${ids.join(',')}`),
})
