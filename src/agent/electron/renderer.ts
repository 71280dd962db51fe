import { BRIDGE_KEY, BRIDGE_VERSION, type BridgePort, type Welcome } from '../../bridge/contract.ts'
import { createRemoteOutbox } from '../../bridge/remote-outbox.ts'
import { wrongVersion } from '../../bridge/version.ts'
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
  /** What the preload script exposed. Default: what it left at globalThis.metertapBridge. */
  readonly bridge?: BridgePort
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
  const port = options?.bridge ?? (globalThis as { [BRIDGE_KEY]?: BridgePort })[BRIDGE_KEY]
  return startElectronPage(options, { port, runtime: browserRuntime() })
}

/** The same on given parts. */
export function startElectronPage(
  options: ElectronPageOptions,
  { port, runtime: given }: { readonly port: BridgePort | undefined; readonly runtime: Runtime },
): Agent {
  if (typeof port?.call !== 'function') throw bridgeMissing()
  if (port.version !== BRIDGE_VERSION) throw wrongVersion(port.version)
  const { meters, durability, maxEventBytes } = options
  const settings = readRecordingOptions({
    meters,
    ...(durability === undefined ? {} : { durability }),
    ...(maxEventBytes === undefined ? {} : { maxEventBytes }),
    // The main process has a limit of its own, and says when it is reached.
    maxOutboxBytes: 2_147_483_647,
  })
  // Groups are on their way at once, so nothing needs to be put aside; who lives is the main process's to know.
  const runtime = { ...given, storage: undefined, locks: undefined, maxGroupBytes: MAX_GROUP_BYTES }
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
    "createAgent: this page has no way to the main process. Give its window the preload script: webPreferences: { preload: require.resolve('metertap/electron-preload.cjs') }, or call exposeBridge() of metertap/electron-preload in your own. A page without a main process's agent uses createAgent() of 'metertap'."
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
