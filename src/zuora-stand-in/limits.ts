import type { Environment, Limits } from './contract.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const TOKENS = { tokensPerMinutePerIp: 100, tokensPerMinute: 2_000 }
const NO_LONG_LIMIT = { callsPerHour: Number.POSITIVE_INFINITY, callsPerDay: Number.POSITIVE_INFINITY }

const PER_ENVIRONMENT: Record<Environment, Limits> = {
  'api-sandbox': { payloadBytes: 1_000_000, rows: 1_000, callsPerMinute: 600, ...NO_LONG_LIMIT, ...TOKENS },
  'developer-sandbox': { payloadBytes: 2_000_000, rows: 5_000, callsPerMinute: 5_000, ...NO_LONG_LIMIT, ...TOKENS },
  'central-sandbox': { payloadBytes: 4_000_000, rows: 10_000, callsPerMinute: 50_000, ...NO_LONG_LIMIT, ...TOKENS },
  production: {
    payloadBytes: 4_000_000,
    rows: 10_000,
    callsPerMinute: 50_000,
    callsPerHour: 2_250_000,
    callsPerDay: 27_000_000,
    ...TOKENS,
  },
}

export function limitsOf(environment: Environment, overrides: Partial<Limits> = {}): Limits {
  return { ...PER_ENVIRONMENT[environment], ...overrides }
}

/** The state of the window that is nearest to its end of allowance. */
export interface Allowance {
  readonly allowed: boolean
  readonly limit: number
  readonly remaining: number
  /** Whole seconds until the window starts anew, at least 1. */
  readonly resetS: number
}

export interface Meterer {
  /** Counts one call, unless it is over a limit. */
  take(): Allowance
}

interface Window {
  readonly limit: number
  readonly spanMs: number
  startMs: number
  used: number
}

/** Fixed windows, each starting with its first call. */
export function createMeterer(
  now: () => number,
  spans: readonly (readonly [limit: number, spanMs: number])[],
): Meterer {
  const windows: Window[] = spans
    .filter(([limit]) => Number.isFinite(limit))
    .map(([limit, spanMs]) => ({ limit, spanMs, startMs: Number.NEGATIVE_INFINITY, used: 0 }))
  return {
    take() {
      const nowMs = now()
      for (const window of windows) renew(window, nowMs)
      const full = windows.find((window) => window.used >= window.limit)
      if (full) return { allowed: false, limit: full.limit, remaining: 0, resetS: resetS(full, nowMs) }
      for (const window of windows) window.used++
      const tightest = windows.reduce<Window | undefined>((a, b) => (a && left(a) <= left(b) ? a : b), undefined)
      if (!tightest)
        return { allowed: true, limit: Number.MAX_SAFE_INTEGER, remaining: Number.MAX_SAFE_INTEGER, resetS: 1 }
      return { allowed: true, limit: tightest.limit, remaining: left(tightest), resetS: resetS(tightest, nowMs) }
    },
  }
}

function renew(window: Window, nowMs: number): void {
  if (nowMs - window.startMs < window.spanMs) return
  window.startMs = nowMs
  window.used = 0
}

function left(window: Window): number {
  return window.limit - window.used
}

function resetS(window: Window, nowMs: number): number {
  return Math.max(1, Math.ceil((window.startMs + window.spanMs - nowMs) / 1_000))
}

/** The tenant's allowance for usage calls. */
export function createCallMeterer(now: () => number, limits: Limits): Meterer {
  return createMeterer(now, [
    [limits.callsPerMinute, MINUTE_MS],
    [limits.callsPerHour, HOUR_MS],
    [limits.callsPerDay, DAY_MS],
  ])
}

/** The allowance for token requests: per address, then for the tenant. */
export function createTokenMeterer(now: () => number, limits: Limits): { take(ip: string): Allowance } {
  const tenant = createMeterer(now, [[limits.tokensPerMinute, MINUTE_MS]])
  const perIp = new Map<string, Meterer>()
  return {
    take(ip) {
      const own = perIp.get(ip) ?? createMeterer(now, [[limits.tokensPerMinutePerIp, MINUTE_MS]])
      perIp.set(ip, own)
      const allowance = own.take()
      return allowance.allowed ? tenant.take() : allowance
    },
  }
}
