import { outboxContract } from '../contract/outbox.ts'
import { outboxInObject } from './support/storeroom.ts'

outboxContract('outbox in a Durable Object', async () => outboxInObject(), { propertyRuns: 30 })
