import { createMemoryOutbox } from '../../src/outbox/memory/open.ts'
import { agentHomeInside } from '../support/agent-home-inside.ts'
import { agentContract } from './agent.ts'

agentContract(
  agentHomeInside({
    name: 'agent over memory',
    ...{ plain: 'memory', strict: 'memory', keeps: false, shares: false, hearsNetwork: true },
    openOutbox: async (_, { newStreamId: random }) => createMemoryOutbox({ random }),
  }),
)
