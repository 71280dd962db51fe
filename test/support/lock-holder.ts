/**
 * Holds file locks: `node lock-holder.ts <path>…`, or a worker thread with workerData [path…]. Says 'held', or 'taken'
 * when somebody else holds one, and stays.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { takeFileLock } from '../../src/sqlite/file-lock.ts'

const paths = (workerData as string[] | null) ?? process.argv.slice(2)
const locks = paths.map((path) => takeFileLock(path))
const said = locks.every(Boolean) ? 'held' : 'taken'
if (parentPort) parentPort.postMessage(said)
else console.log(said)
setInterval(() => locks.length, 1_000)
