import { serveOrders } from './desk.ts'

serveOrders(globalThis as unknown as MessagePort)
