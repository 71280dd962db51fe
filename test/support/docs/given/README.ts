/** What the snippets of README.md presume. */
import type { app as electronApp, ipcMain as electronIpc, net as electronNet, powerMonitor as monitor } from 'electron'
import type * as z from 'zod'
import type { Agent, Meter } from '../../../../src/index.ts'
import type { RelayOptions } from '../../../../src/relay.ts'

export declare const apiCalls: Meter<'api_calls', z.ZodType<{ feature: string; quantity: number }>>
export declare const usage: Agent
export declare const createUsage: () => Agent
export declare const hostname: () => string
export declare const relay: string
export declare const keyId: string
export declare const secret: string
export declare const account: string
export declare const publicUrl: string
export declare const restBase: string
export declare const origins: readonly string[]
export declare const meters: RelayOptions['meters']
export declare const app: typeof electronApp
export declare const ipcMain: typeof electronIpc
export declare const net: typeof electronNet
export declare const powerMonitor: typeof monitor
export declare const accountOf: (request: Request) => string
export declare const usageTokenOf: (account: string) => Promise<string>
export declare const currentAccountTag: () => string
export type Env = object
export interface ExecutionContext {
  waitUntil(promise: Promise<unknown>): void
}
