import type { ElectronApp } from '../../bridge/electron.ts'

export interface QuitOptions {
  readonly app: ElectronApp
  readonly close: () => Promise<void>
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
  readonly waitMs: number
}

/**
 * Holds the application's end back, once and for a moment: all windows are closed by then, and what they recorded last
 * can still be sent. What cannot is in the outbox. Gives the function that lets the application go at once.
 */
export function closeAtQuit({ app, close, setTimer, waitMs }: QuitOptions): () => void {
  let state: 'running' | 'closing' | 'over' = 'running'

  const leave = () => {
    if (state === 'over') return
    state = 'over'
    stopWaiting()
    app.quit()
  }
  let stopWaiting = () => {}

  const onQuit = (event: { preventDefault(): void }) => {
    if (state === 'over') return
    event.preventDefault()
    if (state === 'closing') return
    state = 'closing'
    stopWaiting = setTimer(leave, waitMs)
    close().then(leave, leave)
  }
  app.on('will-quit', onQuit)
  return () => {
    if (state !== 'running') return
    state = 'over'
    app.removeListener('will-quit', onQuit)
  }
}
