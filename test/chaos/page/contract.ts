/** What the harness asks of a recording page. */
export interface ChaosPage {
  /** The device's clock is set forward, or back when negative. */
  shiftClock(ms: number): void
  /** Records no more. */
  rest(): void
  /** Sends what it can; what is still waiting after that, of all tabs. */
  waiting(): Promise<{ waiting: number; trouble: string | undefined }>
}
