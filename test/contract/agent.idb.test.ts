import 'fake-indexeddb/auto'
import { openIdbOutbox } from '../../src/outbox/idb/open.ts'
import { agentHomeInside } from '../support/agent-home-inside.ts'
import { agentContract } from './agent.ts'

agentContract(
  agentHomeInside({
    name: 'agent over IndexedDB (fake)',
    ...{ plain: 'process', strict: 'power', keeps: true, shares: true, hearsNetwork: true },
    openOutbox: (name, { now: clock, newStreamId: random }) => openIdbOutbox({ name, indexedDB, random, clock }),
  }),
)
