import 'fake-indexeddb/auto'
import { createMemoryOutbox } from '../../src/outbox/memory/open.ts'
import { resilientOutbox } from '../../src/outbox/resilient/open.ts'
import { openIdbHome } from '../support/idb-home.ts'
import { outboxContract } from './outbox.ts'

const silent = { onDegraded: () => {}, onRecovered: () => {} }

outboxContract('resilient outbox over memory', async () => ({
  outbox: resilientOutbox({ primary: createMemoryOutbox({ random: () => crypto.randomUUID() }), ...silent }),
}))

outboxContract('resilient outbox over IndexedDB (fake)', async () => {
  const { outbox, reopen } = await openIdbHome()
  return {
    outbox: resilientOutbox({ primary: outbox, ...silent }),
    ...(reopen && { reopen: async () => resilientOutbox({ primary: await reopen(), ...silent }) }),
  }
})
