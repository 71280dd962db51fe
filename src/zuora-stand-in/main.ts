/** `node src/zuora-stand-in/main.ts options.json`: starts the stand-in as a process of its own; its first line is its URL. */
import { readFile } from 'node:fs/promises'
import type { ZuoraStandInOptions } from './contract.ts'
import { startZuoraStandIn } from './server.ts'

const [file] = process.argv.slice(2)
if (file === undefined) throw new Error('Name a JSON file with the options of startZuoraStandIn.')
const options: ZuoraStandInOptions = JSON.parse(await readFile(file, 'utf8'))
const standIn = await startZuoraStandIn(options)
console.log(standIn.url)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void standIn.close())
