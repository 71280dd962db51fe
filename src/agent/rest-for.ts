/** Resolves after this long, or at once when the signal aborts. */
export function restFor(
  delayMs: number,
  setTimer: (callback: () => void, delayMs: number) => () => void,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      cancel()
      signal.removeEventListener('abort', end)
      resolve()
    }
    const cancel = setTimer(end, Math.max(0, delayMs))
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
}
