/** One process's own metrics, as prom-client's getMetricsAsJSON() tells them. */
export type Snapshot = readonly object[]

export type FromWorker =
  /** It can be asked from now on. */
  | { readonly metertap: 'here'; readonly snapshot: Snapshot }
  | { readonly metertap: 'told'; readonly round: number; readonly snapshot: Snapshot }
  /** Somebody asks it for the metrics of all. */
  | { readonly metertap: 'wanted'; readonly request: number }

export type ToWorker =
  | { readonly metertap: 'tell'; readonly round: number }
  | { readonly metertap: 'all'; readonly request: number; readonly text: string }
