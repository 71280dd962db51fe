/** A relay in a process of its own, so that it can be killed. Its parent sends what it has to know, and hears its ports. */
import { createRelay } from '../../src/relay.ts'
import { type RelayParts, relayOptions } from './relay-parts.ts'

// Ctrl-C reaches every process of the terminal; this one is stopped by its parent.
process.on('SIGINT', () => {})
process.on('disconnect', () => process.exit(1))
process.once('message', async (parts: RelayParts) => {
  const relay = await createRelay(relayOptions(parts))
  process.on('SIGTERM', () => relay.stop().finally(() => process.exit(0)))
  process.send?.(await relay.start())
})
