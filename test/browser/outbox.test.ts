import { outboxContract } from '../contract/outbox.ts'
import { openIdbHome } from '../support/idb-home.ts'

outboxContract('outbox in IndexedDB', openIdbHome)
