import { readdirSync, readFileSync } from 'node:fs'

const TICKS_PER_S = 100

interface Stat {
  readonly parent: number
  readonly cpuS: number
}

function statOf(pid: number | string): Stat | undefined {
  try {
    // Behind the name, which may hold anything: state, parent, … user and system time as the 14th and 15th field.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return { parent: Number(fields[1]), cpuS: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S }
  } catch {
    return undefined
  }
}

/** CPU seconds of the processes and their children so far, as Linux counts them; 0 elsewhere. */
export function cpuSecondsOf(pids: readonly number[]): number {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return all.reduce((sum, pid) => {
    const stat = statOf(pid)
    const isMeant = stat !== undefined && (pids.includes(Number(pid)) || pids.includes(stat.parent))
    return isMeant ? sum + stat.cpuS : sum
  }, 0)
}
