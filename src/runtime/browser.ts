import { createGzip, type Gzip } from '../wire/gzip.ts'
import type { FetchLater, PeerChannel, PeerMessage, Runtime } from './contract.ts'
import { pageRuntime } from './page.ts'

/** gzip by the browser's own compressor, where it has one. */
function browserGzip(): Gzip | undefined {
  return typeof CompressionStream === 'undefined' ? undefined : createGzip(CompressionStream, Response)
}

function openChannel(name: string, onMessage: (message: PeerMessage) => void): PeerChannel | undefined {
  if (typeof BroadcastChannel === 'undefined') return undefined
  try {
    const channel = new BroadcastChannel(name)
    channel.onmessage = ({ data }) => onMessage(data as PeerMessage)
    return { post: (message) => channel.postMessage(message), close: () => channel.close() }
  } catch {
    // Denied where storage is: the agent then does without peers.
    return undefined
  }
}

/** What only sending needs of the globals. */
export function sendingRuntime(): Pick<Runtime, 'gzip' | 'fetchLater' | 'openChannel'> {
  const { fetchLater } = globalThis as { fetchLater?: FetchLater }
  return { gzip: browserGzip(), fetchLater: fetchLater?.bind(globalThis), openChannel }
}

/** The globals of a page or a page's worker, as the agent uses them. Reads them when called, never at import. */
export function browserRuntime(): Runtime {
  return { ...pageRuntime(), ...sendingRuntime() }
}
