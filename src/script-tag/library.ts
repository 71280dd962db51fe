import { config } from 'zod/mini'
import * as metertap from '../index.ts'
import type { Meter } from '../meter/contract.ts'
import type { Library, QueueCall } from './contract.ts'

export * from '../index.ts'

// A page's Content-Security-Policy may forbid eval, and reports even who tries. This copy of zod is this file's own.
config({ jitless: true })

/** The queue knows meters by name: whoever makes the agent names them to createAgent(). */
function fromQueue(make: (library: Library) => metertap.Agent): (call: QueueCall) => void {
  let meters: readonly Meter[] = []
  const createAgent: Library['createAgent'] = (options) => {
    meters = options.meters
    return metertap.createAgent(options)
  }
  const agent = make({ ...metertap, createAgent })
  return ({ meter, data, options, taken }) => {
    // One that is not there is refused by record() as any other.
    const known = meters.find(({ name }) => name === meter) ?? ({ name: meter } as Meter)
    taken(agent.record(known, data as never, options))
  }
}

// After this script, so that window.metertap is there, whatever the application's own part throws.
queueMicrotask(() => globalThis.metertapQueue?.arrive({ fromQueue }))
