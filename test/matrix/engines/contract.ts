import type { ChildProcess } from 'node:child_process'

export interface LaunchOptions {
  /** The profile's folder; the same one means the same storage. */
  readonly profile: string
  readonly url: string
  /** Asks for a storage so small that a page can fill it. */
  readonly smallStorage: boolean
}

/** How to start one engine, and how to tell its processes. */
export interface EngineDriver {
  launch(options: LaunchOptions): Promise<ChildProcess>
  /** Whether a process of the browser's tree runs pages. */
  isRenderer(args: string): boolean
  /** Told when the first page has called. */
  started?(browser: LaunchOptions): Promise<void>
  /** Ends what was started besides browsers. */
  dispose?(): Promise<void>
  /** Bounds the storage where that is not a matter of launching. Throws SkipCell where it cannot be done. */
  prepareSmallStorage?(profile: string): Promise<() => Promise<void>>
}

/** Thrown by a cell that this engine cannot do, with the reason. */
export class SkipCell extends Error {}
