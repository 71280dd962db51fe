import { spawnSync } from 'node:child_process'

export interface ProcessRow {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly args: string
}

function allProcesses(): ProcessRow[] {
  const { stdout } = spawnSync('ps', ['-A', '-ww', '-o', 'pid=,ppid=,pgid=,args='], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  return stdout.split('\n').flatMap((line) => {
    const [, pid, parent, group, args = ''] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []
    return pid === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), group: Number(group), args }]
  })
}

/** The process, which leads a group, and everything it has started, parents first; orphans by their group. */
export function processTree(root: number): ProcessRow[] {
  const all = allProcesses()
  const byParent = Map.groupBy(all, ({ parent }) => parent)
  const tree = all.filter(({ pid }) => pid === root)
  for (const { pid } of tree) tree.push(...(byParent.get(pid) ?? []))
  const orphans = all.filter((row) => row.group === root && !tree.includes(row))
  return [...tree, ...orphans]
}

/** SIGKILL to each; those that are gone already do not matter. */
export function killAll(rows: readonly ProcessRow[]): void {
  for (const { pid } of rows) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It died with its parent.
    }
  }
}
