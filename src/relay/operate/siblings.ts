/** The relay processes that share one port: whichever is asked for metrics, it answers for all. */
export interface Siblings {
  /** From now on this process tells its own (as prom-client's getMetricsAsJSON() does) when one of them is asked. */
  join(tell: () => Promise<readonly object[]>): void
  /** The metrics of all, in the Prometheus text format. Rejects when they cannot be had: half of them would mislead. */
  text(): Promise<string>
}
