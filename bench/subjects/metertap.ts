import { type Agent, createAgent, type Receipt } from '../../src/index.ts'
import type { Subject } from '../page/contract.ts'
import { benchRequests } from './meter.ts'

let agent: Agent
let last: Receipt | undefined

/** As the README shows it: every option at its default. */
export const subject: Subject = {
  start({ sink }) {
    const token = () => fetch('/token').then((answer) => answer.text())
    agent = createAgent({ relay: sink, token, meters: [benchRequests] })
  },
  record({ atMs, data }) {
    last = agent.record(benchRequests, data, { at: atMs })
  },
  durable: () => last?.durable ?? Promise.resolve(),
}
