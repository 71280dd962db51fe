import { spawnSync } from 'node:child_process'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A network of its own for a program, with one cable to this machine that can be pulled. Linux, root. */
export interface SeverableNetwork {
  /** This machine's address at the other end of the cable. */
  readonly host: string
  /** Writes a script that runs the program inside; gives its path. */
  wrap(program: string, folder: string): Promise<string>
  setPlugged(isPlugged: boolean): void
  close(): void
}

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
}

/** True where this process may make networks. */
export function canSever(): boolean {
  return process.getuid?.() === 0 && spawnSync('unshare', ['-n', 'ip', 'link'], { stdio: 'ignore' }).status === 0
}

export function openSeverableNetwork(): SeverableNetwork {
  const own = process.pid % 16_384
  const [name, near, far] = [`metertap${own}`, `mtn${own}`, `mtf${own}`]
  const subnet = `10.${200 + (own >> 12)}.${(own >> 4) & 255}.${(own & 15) * 4}`.split('.').map(Number)
  const address = (last: number): string => [...subnet.slice(0, 3), (subnet[3] as number) + last].join('.')
  const inside = (...args: string[]): void => ip('netns', 'exec', name, 'ip', ...args)
  ip('netns', 'add', name)
  ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far)
  ip('link', 'set', far, 'netns', name)
  ip('addr', 'add', `${address(1)}/30`, 'dev', near)
  ip('link', 'set', near, 'up')
  inside('link', 'set', 'lo', 'up')
  inside('addr', 'add', `${address(2)}/30`, 'dev', far)
  inside('link', 'set', far, 'up')
  return {
    host: address(1),
    async wrap(program, folder) {
      const script = join(folder, 'inside.sh')
      await writeFile(script, `#!/bin/sh\nexec ip netns exec ${name} "${program}" "$@"\n`)
      await chmod(script, 0o755)
      return script
    },
    setPlugged: (isPlugged) => inside('link', 'set', far, isPlugged ? 'up' : 'down'),
    close() {
      ip('netns', 'del', name)
    },
  }
}
