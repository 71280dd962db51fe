import { setTimeout as pause } from 'node:timers/promises'

/** A Worker's object that was cut off goes on after a minute, and may have to back off for another. */
const LIMIT_MS = 240_000
const LOOK_EVERY_MS = 300

/**
 * Asks until nothing waits.
 * @throws Error that says what still waits, and the last trouble, when that takes longer than four minutes.
 */
export async function untilEmpty(
  name: string,
  look: () => Promise<{ waiting: number; trouble: string | undefined }>,
): Promise<void> {
  const endMs = performance.now() + LIMIT_MS
  for (;;) {
    const { waiting, trouble } = await look()
    if (waiting === 0) return
    if (performance.now() > endMs) throw new Error(`${name}: ${waiting} events still wait (last trouble: ${trouble}).`)
    await pause(LOOK_EVERY_MS)
  }
}
