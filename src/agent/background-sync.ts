import type { Runtime } from '../runtime/contract.ts'
import type { Agent } from './agent.ts'

/** The name under which pages and service worker speak of one outbox. */
export function syncTag(outbox: string): string {
  return `metertap:${outbox}`
}

export interface BackgroundSyncOptions {
  readonly agent: Pick<Agent, 'on' | 'stats'>
  readonly runtime: Pick<Runtime, 'online' | 'onLifecycle'>
  /** Asks for a sync event of the service worker; false when it could not. */
  readonly request: () => Promise<boolean>
}

/**
 * Asks for a sync when events wait and cannot leave: offline, after a failed request, when the page is left. While the page
 * lives once until something was delivered again, since the browser repeats a sync only so often. Ends when the agent is
 * closed.
 */
export function syncWhenStuck({ agent, runtime, request }: BackgroundSyncOptions): void {
  let isAsked = false

  const ask = async (isFinal = false): Promise<void> => {
    const { waiting, storing } = agent.stats()
    if ((isAsked && !isFinal) || waiting + storing === 0) return
    isAsked = true
    isAsked = await request()
  }

  const ends = [
    agent.on('stored', () => {
      if (!runtime.online()) void ask()
    }),
    agent.on('trouble', () => void ask()),
    agent.on('settled', () => {
      isAsked = false
    }),
    agent.on('paused', ({ reasons }) => {
      if (reasons.includes('offline')) void ask()
      if (reasons.includes('closed')) for (const end of ends) end()
    }),
    runtime.onLifecycle((event) => {
      if (event === 'hidden' || event === 'pagehide' || event === 'freeze') void ask(true)
    }),
  ]
  // It may have come later than the first events.
  if (!runtime.online()) void ask()
}
