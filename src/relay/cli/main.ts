import { MetertapError } from '../../wire/errors.ts'
import { describeError } from '../describe-error.ts'
import { parseCommand } from './args.ts'
import { checkRelay } from './check-relay.ts'
import { copyStore } from './copy-store.ts'
import { runDevUpstream } from './dev-upstream.ts'
import { allCodes, explain } from './explain/explain.ts'
import { HELP } from './help.ts'
import type { CliHost } from './host.ts'
import { initProject } from './init/init-project.ts'
import { printMeters } from './print-meters.ts'
import { backUpStore, migrate, verify } from './store-files.ts'
import { runWorkers } from './workers/run-workers.ts'

/** Runs the command line. Exit codes: 0 done, 1 failed, 2 not understood. */
export async function main(host: CliHost): Promise<void> {
  const command = parseCommand(host.argv)
  if (command.kind === 'help') host.writeOut(HELP)
  else if (command.kind === 'version') host.writeOut(`${host.version}\n`)
  else if (command.kind === 'misuse') {
    host.writeErr(`${command.problem}\n\n${HELP}`)
    host.exit(2)
  } else {
    try {
      if (command.envFile !== undefined) loadVariables(command.envFile, host)
      if (command.kind === 'init') await initProject(command, host)
      else if (command.kind === 'dev-upstream') await runDevUpstream(command.config, host)
      else if (command.kind === 'relay') await runWorkers(command, host)
      else if (command.kind === 'explain') explainCode(command.code, host)
      else if (command.kind === 'check') host.exit((await checkRelay(command.config, host)) ? 0 : 1)
      else if (command.kind === 'backup') await backUpStore(command, host)
      else if (command.kind === 'verify') host.exit((await verify(command, host)) ? 0 : 1)
      else if (command.kind === 'copy') host.exit((await copyStore(command, host)) ? 0 : 1)
      else if (command.kind === 'migrate') await migrate(command.config, host)
      else await printMeters(command.config, host)
    } catch (error) {
      host.writeErr(`${error instanceof MetertapError ? readable(error) : describeError(error)}\n`)
      host.exit(1)
    }
  }
}

function loadVariables(file: string, host: CliHost): void {
  try {
    host.loadEnvironment(file)
  } catch (error) {
    const message = `--env: ${file} cannot be read. \`npx metertap init\` writes one, .env.relay.`
    throw new MetertapError('bad_option', message, {}, error)
  }
}

function explainCode(code: string | undefined, host: CliHost): void {
  const text = code === undefined ? allCodes() : explain(code)
  if (text !== undefined) {
    host.writeOut(text)
    return
  }
  host.writeErr(`There is no code "${code}". All there are:\n\n${allCodes()}`)
  host.exit(1)
}

/** An error for whoever wrote the configuration: what happened and what to do, and the system's own words. */
function readable({ message, cause, code }: MetertapError): string {
  const isTold = cause === undefined || message.includes((cause as Error).message)
  const words = isTold ? message : `${message}\n  ${describeError(cause)}`
  return `${words}\n  More: npx metertap explain ${code}`
}
