import { createMemoryOutbox } from '../../src/outbox/memory/open.ts'
import { outboxContract } from './outbox.ts'

outboxContract('outbox in memory', async () => ({ outbox: createMemoryOutbox({ random: () => crypto.randomUUID() }) }))
