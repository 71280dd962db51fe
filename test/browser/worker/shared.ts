import { serveOrders } from './desk.ts'

globalThis.addEventListener('connect', (event) => {
  const [port] = (event as MessageEvent).ports
  if (port) serveOrders(port)
})
