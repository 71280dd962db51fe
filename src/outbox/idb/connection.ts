import { MetertapError } from '../../wire/errors.ts'
import { asOutboxError, isConnectionLoss } from './errors.ts'
import { type OpenDatabaseOptions, openDatabase } from './open-database.ts'

export interface ConnectionDeps extends OpenDatabaseOptions {
  /** Called with the reason when a lost connection could not be opened again. */
  readonly onBroken?: ((error: unknown) => void) | undefined
}

/** A database connection that heals itself. */
export interface Connection {
  /**
   * Calls `use` with the open database: at once, synchronously, when it is open, and in call order always. When the
   * connection turns out to be lost, it is opened again and `use` is called again, so `use` must be repeatable.
   */
  run<T>(use: (database: IDBDatabase) => Promise<T>): Promise<T>
  /** Running transactions still end; later calls reject with code 'closed'. */
  close(): void
}

/** A storage process that went away may fail the first transactions of a new connection, too. */
const MAX_REOPENINGS = 3

export async function connect(deps: ConnectionDeps): Promise<Connection> {
  const open = () => openDatabase(deps, lose)
  let opening: Promise<IDBDatabase> | undefined
  let closed = false
  let current: IDBDatabase | undefined = await open()

  /** Closing lets running transactions end, and lets another tab upgrade; the next call opens again. */
  function lose(database: IDBDatabase): void {
    database.close()
    if (current === database) current = undefined
  }

  function reopen(): Promise<IDBDatabase> {
    if (opening) return opening
    opening = open()
    // The first listener: `current` is set right before the calls that wait here run, so none can overtake them.
    opening.then(
      (database) => {
        opening = undefined
        if (closed) database.close()
        else current = database
      },
      (error) => {
        opening = undefined
        deps.onBroken?.(error)
      },
    )
    return opening
  }

  function attempt<T>(use: (database: IDBDatabase) => Promise<T>, retries: number): Promise<T> {
    if (closed) return Promise.reject(new MetertapError('closed', 'The outbox is closed. Create a new agent.'))
    const tryOn = (database: IDBDatabase) =>
      started(use, database).catch((error) => {
        if (retries === 0 || !isConnectionLoss(error)) throw error
        lose(database)
        return attempt(use, retries - 1)
      })
    return current ? tryOn(current) : reopen().then(tryOn)
  }

  return {
    run: (use) =>
      attempt(use, MAX_REOPENINGS).catch((error) => {
        throw asOutboxError(error)
      }),
    close: () => {
      closed = true
      current?.close()
      current = undefined
    },
  }
}

/** A database that is closing throws where others reject. */
function started<T>(use: (database: IDBDatabase) => Promise<T>, database: IDBDatabase): Promise<T> {
  try {
    return use(database)
  } catch (error) {
    return Promise.reject(error)
  }
}
