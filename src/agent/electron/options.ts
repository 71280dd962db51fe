import {
  BRIDGE_LIMITS,
  type BridgeLimits,
  type BridgeRefusal,
  type BridgeRights,
  type BridgeSender,
} from '../../bridge/contract.ts'
import type { ElectronApp, ElectronIpcMain, ElectronNet, ElectronPowerMonitor } from '../../bridge/electron.ts'
import { MetertapError } from '../../wire/errors.ts'
import type { AgentOptions } from '../options.ts'

/** What an application's main process says to createAgent(). */
export interface ElectronMainOptions extends Omit<AgentOptions, 'token'> {
  /** Electron's own objects of these names. */
  readonly app: ElectronApp
  /** Hears what the windows' pages record. */
  readonly ipcMain: ElectronIpcMain
  /** Sends when the machine wakes up or is unlocked, and before it sleeps. */
  readonly powerMonitor?: ElectronPowerMonitor
  /** Sends through Chromium's network, with the user's proxy and certificates. Default: Node's fetch. */
  readonly net?: ElectronNet
  /** Gives a token for the account with this tag. Called when one is needed, not before. */
  readonly token: (account: string) => string | Promise<string>
  /** Folder of the outbox. Default: 'metertap' in the application's userData folder. */
  readonly folder?: string
  /**
   * Origins whose pages may record: 'app://acme', 'http://localhost:5173', 'file://' for every file of the machine, or
   * 'file:///opt/acme/app/' for those below a folder. Exact, no wildcards.
   */
  readonly allowedOrigins: readonly string[]
  /** Whether frames inside of pages may record, each by its own origin. Default false. */
  readonly allowSubframes?: boolean
  /**
   * Whose events a page's are: asked once for each agent of a page; it throws to refuse the page. What the page says of
   * its account does not count. Default: everybody's are those of `account`.
   */
  readonly accountOf?: (sender: BridgeSender) => string
  /** What pages may do beyond recording, flushing and reading what is their account's. Default: { pause: true }. */
  readonly pagesMay?: Partial<BridgeRights>
  /** What bounds a page; see BridgeLimits. */
  readonly limits?: Partial<BridgeLimits>
  /** A page's message was refused: the code and the reason, never the data. */
  readonly onPageRefused?: (refusal: BridgeRefusal) => void
  /** How long the application's end waits for what is still to be sent, ms. Default 2,000. */
  readonly quitWaitMs?: number
}

export interface ElectronSettings {
  readonly limits: BridgeLimits
  readonly rights: BridgeRights
  readonly quitWaitMs: number
}

/** An honest page needs so much. */
const LEAST: Partial<Record<keyof BridgeLimits, number>> = {
  maxMessageBytes: 2_097_152,
  maxWaitingMessages: 32,
  maxWaitingBytes: 16_777_216,
  messagesPerSecond: 1,
  bytesPerSecond: 65_536,
}

/** @throws MetertapError `bad_option` naming the option and what it should be. */
export function readElectronOptions(options: ElectronMainOptions): ElectronSettings {
  if (typeof options?.app?.getPath !== 'function') refuse("app must be Electron's app: import { app } from 'electron'.")
  if (typeof options.ipcMain?.handle !== 'function')
    refuse("ipcMain must be Electron's: import { ipcMain } from 'electron'.")
  if (typeof options.token !== 'function') refuse('token must be a function that gives a token or a promise of one.')
  const limits = { ...BRIDGE_LIMITS, ...options.limits }
  const { quitWaitMs = 2_000, pagesMay } = options
  for (const [name, value] of Object.entries({ ...limits, quitWaitMs })) {
    const least = LEAST[name as keyof BridgeLimits] ?? 0
    if (!Number.isSafeInteger(value) || value < least) refuse(`${name} must be a whole number from ${least} on.`)
  }
  return { limits, quitWaitMs, rights: { pause: pagesMay?.pause ?? true, purge: pagesMay?.purge ?? false } }
}

function refuse(text: string): never {
  throw new MetertapError('bad_option', `createAgent: ${text}`)
}
