import { BRIDGE_KEY, BRIDGE_VERSION, type BridgePort, type Welcome } from '../../bridge/contract.ts'
import { createRemoteOutbox } from '../../bridge/remote-outbox.ts'
import { wrongVersion } from '../../bridge/version.ts'
import { bridgeThrough, serveWorker } from '../../bridge/worker-port.ts'
import type { Meter } from '../../meter/contract.ts'
import type { RemoteOutbox } from '../../outbox/contract.ts'
import { browserRuntime } from '../../runtime/browser.ts'
import type { Runtime } from '../../runtime/contract.ts'
import { MetertapError } from '../../wire/errors.ts'
import type { Agent } from '../agent.ts'
import * as extras from '../extras.ts'
import { present } from '../later.ts'
import { type RecordingOptions, type RecordingSettings, readRecordingOptions } from '../options.ts'
import { RemoteSender } from '../remote-sender.ts'
import { type OutboxWatch, RunningAgent } from '../running-agent.ts'

/** What a page of an Electron application says to createAgent(). Account, relay and limits are the main process's. */
export interface ElectronPageOptions extends Pick<RecordingOptions, 'meters' | 'durability' | 'maxEventBytes'> {
  /**
   * What the preload script exposed; in a worker, the port that its page has from lendBridge(). Default: what the preload
   * script left at globalThis.metertapBridge.
   */
  readonly bridge?: BridgePort | MessagePort
}

/** A message to the main process is seldom longer. */
const MAX_GROUP_BYTES = 1_048_576

/**
 * Starts the agent of this page; its events go to the main process's outbox, and a receipt is durable when they are
 * there. Same interface as in a browser; what a page may not do rejects with `not_allowed`.
 *
 * @throws MetertapError `bridge_missing` when the window has no preload script of metertap's, `wrong_version` when it is
 * another one's, `bad_option` when an option cannot be used.
 * @example const usage = createAgent({ meters: [apiCalls] })
 */
export function createAgent(options: ElectronPageOptions): Agent {
  return startElectronPage(options, { port: bridgeOf(options?.bridge), runtime: browserRuntime() })
}

/**
 * A way to the main process for a dedicated worker of this page, which has no preload script: a port to be transferred to
 * it. What the worker records goes through the page, under the same checks and bounds as the page's own. When the worker
 * ends, what it recorded durably is sent, and its open windows are closed. A shared worker outlives the page that lent it
 * a port, so it is no place for one.
 *
 * @throws MetertapError `bridge_missing` when this window has no preload script of metertap's, `wrong_version` when it is
 * another one's.
 * @example
 * // In the page:
 * const port = lendBridge()
 * worker.postMessage({ usage: port }, [port])
 * // In the worker:
 * self.onmessage = ({ data }) => start(createAgent({ meters: [apiCalls], bridge: data.usage }))
 */
export function lendBridge(bridge?: BridgePort): MessagePort {
  const own = checkedBridge(bridgeOf(bridge))
  const { port1, port2 } = new MessageChannel()
  serveWorker(own, port1, browserRuntime().locks)
  return port2
}

function bridgeOf(given: BridgePort | MessagePort | undefined): BridgePort | undefined {
  if (given && 'postMessage' in given) {
    const { locks, newStreamId } = browserRuntime()
    return bridgeThrough(given, locks, newStreamId())
  }
  return given ?? (globalThis as { [BRIDGE_KEY]?: BridgePort })[BRIDGE_KEY]
}

/** @throws MetertapError `bridge_missing` or `wrong_version`. */
function checkedBridge(port: BridgePort | undefined): BridgePort {
  if (typeof port?.call !== 'function') throw bridgeMissing()
  if (port.version !== BRIDGE_VERSION) throw wrongVersion(port.version)
  return port
}

/** The same on given parts. */
export function startElectronPage(
  options: ElectronPageOptions,
  { port: given, runtime: all }: { readonly port: BridgePort | undefined; readonly runtime: Runtime },
): Agent {
  const port = checkedBridge(given)
  const { meters, durability, maxEventBytes } = options
  const settings = readRecordingOptions({
    meters,
    ...(durability === undefined ? {} : { durability }),
    ...(maxEventBytes === undefined ? {} : { maxEventBytes }),
    // The main process has a limit of its own, and says when it is reached.
    maxOutboxBytes: 2_147_483_647,
  })
  // Groups are on their way at once, so nothing needs to be put aside; who lives is the main process's to know.
  const runtime = { ...all, storage: undefined, locks: undefined, maxGroupBytes: MAX_GROUP_BYTES }
  const openOutbox = (_name: string, watch: OutboxWatch): RemoteOutbox =>
    createRemoteOutbox({
      port,
      random: runtime.newStreamId,
      setTimer: runtime.setTimer,
      onWelcome: (welcome) => heed(welcome, settings, watch),
      onSilence: watch.onTrouble,
    })
  const parts = { runtime, openOutbox }
  return new RunningAgent(
    settings,
    parts,
    (sending) => new RemoteSender({ ...sending, accountTag: '', isBrief: false }),
    present(extras),
    present(extras),
  )
}

/** What the main process would refuse is refused here, in record(), where it costs its neighbours nothing. */
function heed(welcome: Welcome, settings: RecordingSettings, watch: OutboxWatch): void {
  const { maxOutboxBytes, overflow } = welcome
  Object.assign(settings, { maxOutboxBytes, overflow })
  const meters = settings.meters as Map<string, Meter>
  const known = new Set(welcome.meters)
  for (const name of [...meters.keys()]) {
    if (known.has(name)) continue
    meters.delete(name)
    watch.onTrouble(unknownMeter(name))
  }
  if (welcome.durability === 'memory') watch.onDegraded(inMemory())
}

function bridgeMissing(): MetertapError {
  const text =
    "createAgent: this page has no way to the main process. Give its window the preload script: webPreferences: { preload: require.resolve('metertap/electron-preload.cjs') }, or call exposeBridge() of metertap/electron-preload in your own. A worker gets its page's: createAgent({ bridge: port }), with the port that lendBridge() gives to the page. A page without a main process's agent uses createAgent() of 'metertap'."
  return new MetertapError('bridge_missing', text)
}

function unknownMeter(meter: string): MetertapError {
  const text = `The main process does not know the meter "${meter}": add it to the meters of its createAgent(), too. Until then record() refuses it.`
  return new MetertapError('unknown_meter', text, { meter })
}

function inMemory(): MetertapError {
  return new MetertapError(
    'outbox_unavailable',
    'The main process keeps events in memory: they end with the application.',
  )
}
