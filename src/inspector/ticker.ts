const LOOK_EVERY_MS = 250

export interface Ticker {
  /** Paints with the next frame, or when the page is shown again. */
  ask(): void
  stop(): void
}

/**
 * Paints when asked, at most once a frame, and looks a few times a second for what agents do not tell. While the page is
 * hidden it does nothing at all.
 */
export function startTicker(paint: () => void): Ticker {
  let frame: number | undefined
  let interval: ReturnType<typeof setInterval> | undefined

  const ask = (): void => {
    if (document.hidden || frame !== undefined) return
    frame = requestAnimationFrame(() => {
      frame = undefined
      paint()
    })
  }
  const turn = (): void => {
    clearInterval(interval)
    interval = document.hidden ? undefined : setInterval(ask, LOOK_EVERY_MS)
    ask()
  }
  document.addEventListener('visibilitychange', turn)
  turn()
  return {
    ask,
    stop() {
      document.removeEventListener('visibilitychange', turn)
      clearInterval(interval)
      if (frame !== undefined) cancelAnimationFrame(frame)
      frame = undefined
    },
  }
}
