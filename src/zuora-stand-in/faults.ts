import type { ActiveFault, Fault, FaultKind, FaultSwitch } from './contract.ts'
import { parseFaults } from './fault-schema.ts'

/** Where a call arrives. */
export interface Place {
  readonly on: 'usage' | 'token'
  readonly meter?: string
}

type Kind = FaultKind['kind']
type Of<K extends Kind> = Extract<Fault, { readonly kind: K }>

/** A rule that fits a call and takes effect only if its own condition holds: then spend() counts the hit. */
export interface ArmedFault<K extends Kind> {
  readonly fault: Of<K>
  spend(): void
}

export interface FaultEngine extends FaultSwitch {
  /** The first rule of these kinds that hits the call; the hit is counted. */
  take<K extends Kind>(place: Place, kinds: readonly K[]): Of<K> | undefined
  /** All rules of a kind that fit the call; no hit is counted. */
  armed<K extends Kind>(place: Place, kind: K): ArmedFault<K>[]
}

interface Rule {
  readonly fault: Fault
  readonly random: () => number
  passed: number
  hits: number
}

/** Each rule draws from a generator of its own, so that rules do not disturb each other's luck. */
export function createFaultEngine(seed: number, faults: readonly Fault[] = []): FaultEngine {
  let rules: Rule[] = []
  let made = 0
  const add = (list: readonly Fault[]): void => {
    for (const fault of parseFaults(list)) {
      rules.push({ fault, random: createRandom(seed + 0x9e3779b9 * made++), passed: 0, hits: 0 })
    }
  }
  const engine: FaultEngine = {
    set(list) {
      const before = rules
      rules = []
      try {
        add(list)
      } catch (error) {
        rules = before
        throw error
      }
    },
    add: (...list) => add(list),
    clear() {
      rules = []
    },
    list: () => rules.map(describe),
    take<K extends Kind>(place: Place, kinds: readonly K[]) {
      for (const rule of rules) {
        if (!isOf(rule.fault, kinds) || !fits(rule, place)) continue
        rule.hits++
        return rule.fault
      }
      return undefined
    },
    armed<K extends Kind>(place: Place, kind: K) {
      const armed: ArmedFault<K>[] = []
      for (const rule of rules) {
        const { fault } = rule
        if (isOf(fault, [kind]) && fits(rule, place)) armed.push({ fault, spend: () => void rule.hits++ })
      }
      return armed
    },
  }
  engine.set(faults)
  return engine
}

function isOf<K extends Kind>(fault: Fault, kinds: readonly K[]): fault is Of<K> {
  return kinds.some((kind) => kind === fault.kind)
}

function fits(rule: Rule, place: Place): boolean {
  const { on = 'usage', meter, times = Number.POSITIVE_INFINITY, skip = 0, probability = 1 } = rule.fault
  if (on !== place.on || (meter !== undefined && meter !== place.meter) || rule.hits >= times) return false
  if (rule.passed < skip) {
    rule.passed++
    return false
  }
  return probability === 1 || rule.random() < probability
}

function describe({ fault, hits }: Rule): ActiveFault {
  return fault.times === undefined ? { fault, hits } : { fault, hits, left: fault.times - hits }
}

/** A small seeded generator of numbers from 0 up to 1: a Weyl sequence through an integer mixer. */
function createRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 0x1_0000_0000
  }
}
