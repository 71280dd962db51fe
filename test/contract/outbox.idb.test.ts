import 'fake-indexeddb/auto'
import { openIdbHome } from '../support/idb-home.ts'
import { outboxContract } from './outbox.ts'

outboxContract('outbox in IndexedDB (fake)', openIdbHome)
