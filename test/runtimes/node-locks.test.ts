import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { lockPath, nodeLocks } from '../../src/runtime/node-locks.ts'
import { isFileLockHeld, sweepFileLocks, takeFileLock } from '../../src/sqlite/file-lock.ts'
import { testFolder } from '../support/sqlite-home.ts'

const HOLDER = fileURLToPath(new URL('../support/lock-holder.ts', import.meta.url))

let folder: string
beforeEach(() => {
  folder = join(testFolder(), 'locks')
  mkdirSync(folder)
})

/** Another process that holds these locks; resolves when it does. */
async function holdElsewhere(...paths: string[]): Promise<{ said: string; kill(): Promise<void> }> {
  const child = spawn(process.execPath, [HOLDER, ...paths], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  const kill = () => {
    child.kill('SIGKILL')
    return ended
  }
  onTestFinished(kill)
  const said = await new Promise<string>((resolve) => child.stdout.once('data', (data) => resolve(String(data).trim())))
  return { said, kill }
}

describe('a file lock', () => {
  test('of another process is held until that process is killed', async () => {
    const path = join(folder, 'a.lock')
    const holder = await holdElsewhere(path)
    expect(holder.said).toBe('held')
    expect(isFileLockHeld(path)).toBe(true)
    expect(takeFileLock(path)).toBeUndefined()
    await holder.kill()
    const mine = takeFileLock(path)
    expect(mine).toBeDefined()
    expect((await holdElsewhere(path)).said).toBe('taken')
    mine?.release()
    expect(existsSync(path)).toBe(false)
    expect(isFileLockHeld(path)).toBe(false)
    expect(readdirSync(folder)).toEqual([])
  })

  test('of a worker thread ends with the thread', async () => {
    const path = join(folder, 'w.lock')
    const worker = new Worker(HOLDER, { workerData: [path] })
    expect(await new Promise((resolve) => worker.once('message', resolve))).toBe('held')
    expect(isFileLockHeld(path)).toBe(true)
    await worker.terminate()
    expect(isFileLockHeld(path)).toBe(false)
    expect(readdirSync(folder)).toEqual([])
  })

  test('a sweep removes the files of the dead, and no others', async () => {
    const [dead, living, mine] = ['dead', 'living', 'mine'].map((name) => join(folder, `${name}.lock`)) as [
      string,
      string,
      string,
    ]
    await (await holdElsewhere(dead)).kill()
    await holdElsewhere(living)
    const lock = takeFileLock(mine)
    writeFileSync(join(folder, 'rubbish.lock'), '')
    sweepFileLocks(folder)
    expect(readdirSync(folder).sort()).toEqual(['living.lock', 'mine.lock'])
    lock?.release()
  })

  test('many processes that look and sweep never make a living one seem dead', async () => {
    const path = join(folder, 'a.lock')
    await holdElsewhere(path)
    const looking = Array.from({ length: 200 }, () => {
      sweepFileLocks(folder)
      return isFileLockHeld(path)
    })
    expect(new Set(looking)).toEqual(new Set([true]))
  })
})

describe('locks by name, as Web Locks', () => {
  const setTimer = (callback: () => void, delayMs: number) => {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  }
  const open = () => nodeLocks({ folder, setTimer, pollMs: 20 })

  test('one holder at a time, the next when it is done', async () => {
    const locks = open()
    const order: string[] = []
    const first = Promise.withResolvers<void>()
    const holding = locks.request('a:b', async () => {
      order.push('first')
      await first.promise
      return 1
    })
    const waiting = locks.request('a:b', async (lock) => void order.push(`second ${lock?.name}`))
    expect(await locks.request('a:b', { ifAvailable: true }, (lock) => lock)).toBeNull()
    expect(order).toEqual(['first'])
    first.resolve()
    expect(await holding).toBe(1)
    await waiting
    expect(order).toEqual(['first', 'second a:b'])
    expect(readdirSync(folder)).toEqual([])
  })

  test('of a process that was killed come free', async () => {
    const locks = open()
    const holder = await holdElsewhere(lockPath(folder, 'a'))
    expect(await locks.request('a', { ifAvailable: true }, (lock) => lock)).toBeNull()
    const waiting = locks.request('a', async () => 'mine')
    await holder.kill()
    expect(await waiting).toBe('mine')
  })

  test('waiting can be given up; stealing is refused; what a holder throws is passed on, and the lock comes free', async () => {
    const locks = open()
    await holdElsewhere(lockPath(folder, 'a'))
    const gone = new AbortController()
    const waiting = locks.request('a', { signal: gone.signal }, () => 'mine')
    gone.abort(new Error('given up'))
    await expect(waiting).rejects.toThrow('given up')
    await expect(locks.request('a', { steal: true }, () => 1)).rejects.toMatchObject({ name: 'NotSupportedError' })
    const failing = locks.request('b', () => {
      throw new Error('mine')
    })
    await expect(failing).rejects.toThrow('mine')
    expect(await locks.request('b', { ifAvailable: true }, (lock) => lock?.name)).toBe('b')
  })
})
