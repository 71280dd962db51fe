import type { BridgeRefusal, BridgeSender } from '../../bridge/contract.ts'
import { BridgeHost } from '../../bridge/host.ts'
import { serveIpc } from '../../bridge/ipc.ts'
import { createSenderCheck } from '../../bridge/origins.ts'
import type { Outbox } from '../../outbox/contract.ts'
import { sealed } from '../../outbox/core/seal.ts'
import type { Runtime } from '../../runtime/contract.ts'
import { electronRuntime } from '../../runtime/electron.ts'
import { MetertapError } from '../../wire/errors.ts'
import { type AgentOptions, readOptions } from '../options.ts'
import { closeWindowsOfDead } from '../orphans.ts'
import type { OutboxWatch } from '../running-agent.ts'
import { StreamLock } from '../stream-lock.ts'
import { Accounts } from './accounts.ts'
import { createElectronAgent, type ElectronMainAgent } from './main-agent.ts'
import { type ElectronMainOptions, readElectronOptions } from './options.ts'
import { createReadyOutbox, createSharedOutbox } from './outbox.ts'
import { closeAtQuit } from './quit.ts'

export interface ElectronMainParts {
  /** Node's. */
  readonly runtime: Runtime
  /** Called once: one outbox for all accounts. */
  readonly openOutbox: (watch: OutboxWatch) => Outbox | Promise<Outbox>
}

/**
 * Starts the main process's agent: it owns the outbox and the network, for itself and for all pages.
 * @throws MetertapError `bad_option` when an option cannot be used.
 */
export function startElectronMain(options: ElectronMainOptions, parts: ElectronMainParts): ElectronMainAgent {
  const { app, ipcMain, token, account = '', allowedOrigins, allowSubframes = false } = options
  const { limits, rights, quitWaitMs } = readElectronOptions(options)
  const sending = sendingOptions(options)
  const settings = readOptions({ ...sending, account, token: () => token(account) })
  const mayUse = createSenderCheck({ allowedOrigins, allowSubframes })
  const runtime = electronRuntime({ ...options, base: parts.runtime })
  const refused = countRefused(options.onPageRefused, runtime.reportError)

  const shared = createSharedOutbox(parts.openOutbox)
  const accounts = new Accounts({
    options: sending,
    token,
    runtime,
    openOutbox: (_name, watch) => shared.open(watch),
    onNews: (tag, news) => host.tell(tag, news),
  })
  const outbox = createReadyOutbox(shared, async (outbox) => {
    host.attach((await outbox.streams()).map(({ stream }) => stream))
    // Of pages whose main process died with them.
    await closeWindowsOfDead(outbox, runtime.locks).catch(runtime.reportError)
  })
  const host = new BridgeHost({
    ...{ ...settings, ...runtime, limits, rights, outbox, sending: accounts },
    meters: new Set(settings.meters.keys()),
    seal: sealed,
    accountOf: (sender) => {
      const tag = askAccount(options.accountOf ?? (() => account), sender)
      // What waits of it from earlier runs goes on now.
      accounts.agent(tag)
      return tag
    },
    holdStream: (stream) => holdStream(runtime, stream),
    onRefused: refused.count,
    onError: runtime.reportError,
  })
  const stopServing = serveIpc({ ipcMain, host, mayUse, onRefused: refused.count })
  const own = accounts.agent(account)
  outbox().catch(runtime.reportError)

  const end = async () => {
    await host.close()
    await accounts.close()
    stopServing()
    await (await shared.opened()).close()
  }
  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= end()
    return closed
  }
  const letGo = closeAtQuit({ app, close, setTimer: runtime.setTimer, waitMs: quitWaitMs })
  return createElectronAgent(own, {
    pages: () => ({ agents: host.sessions, refused: { ...refused.counts } }),
    account: (tag) => accounts.agent(tag),
    close: () => {
      letGo()
      return close()
    },
  })
}

/** The options of a sending agent; the rest is for the bridge. */
function sendingOptions(options: ElectronMainOptions): Omit<AgentOptions, 'account' | 'token'> {
  const { app, ipcMain, powerMonitor, net, token, account, folder, allowedOrigins, allowSubframes, ...rest } = options
  const { accountOf, pagesMay, limits, onPageRefused, quitWaitMs, ...sending } = rest
  return sending
}

function holdStream(runtime: Runtime, stream: string): () => void {
  const lock = new StreamLock(runtime.locks)
  lock.hold(stream)
  return () => lock.release()
}

function askAccount(accountOf: (sender: BridgeSender) => string, sender: BridgeSender): string {
  try {
    return String(accountOf(sender))
  } catch (cause) {
    throw new MetertapError(
      'not_allowed',
      'The main process has no account for this page (accountOf threw).',
      {},
      cause,
    )
  }
}

function countRefused(
  tell: ElectronMainOptions['onPageRefused'],
  reportError: (error: unknown) => void,
): { readonly counts: Readonly<Record<string, number>>; count(refusal: BridgeRefusal): void } {
  const counts: Record<string, number> = {}
  return {
    counts,
    count(refusal) {
      counts[refusal.code] = (counts[refusal.code] ?? 0) + 1
      try {
        tell?.(refusal)
      } catch (error) {
        reportError(error)
      }
    },
  }
}
