export type { Agent, DeadLetterId, PurgeReceipt, RecordOptions } from './agent/agent.ts'
export { createAgent, type ElectronPageOptions } from './agent/electron-renderer.ts'
