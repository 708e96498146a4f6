import { readdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClassicLevel } from 'classic-level'
import { MeshError } from '../../mesh/base/index.ts'
import type { LengthNote } from './level-length.ts'

// LevelDB goes on after a write that failed: half a record stays in its write-ahead log,
// it takes what comes after it, and at the next start drops all of that without a word.
// So nothing is written behind a failure: the database is opened anew first, which
// brings over what was acknowledged and begins another log.

/** The helper's database. */
export type Level = ClassicLevel<string, Uint8Array>

/** One change of a key. */
export type Change =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string }

/** Reads, and writes one after another, of which none is acknowledged that a restart would not find. */
export interface LevelWriter {
  /**
   * Writes the changes that `make` gives when its turn comes, all or none of them, synced to
   * the disk. Those that wait together are written together.
   * @throws what `make` threw, or what the disk did
   */
  write(make: () => Promise<readonly Change[]>): Promise<void>
  /** Runs work that writes by itself, between the writes. */
  alone(work: () => Promise<void>): Promise<void>
  read<Value>(work: () => Promise<Value>): Promise<Value>
  /** Waits for what was written before, then closes the database. */
  close(): Promise<void>
}

interface Waiting {
  readonly make?: () => Promise<readonly Change[]>
  readonly alone?: () => Promise<void>
  readonly done: PromiseWithResolvers<undefined>
}

/** How many writes go to the disk together at most. */
const GROUP_MAX = 256
/** What a database that is opened anew writes beside the content of its log, in bytes. */
const REOPEN_BYTES = 64 * 1024

/**
 * The one writer of an open database in `directory`.
 * @param onFailed a write failed: what is remembered of the database may be wrong
 * @param check throws when a database that was opened anew is not what it was
 * @param length is told of each write
 */
export function createLevelWriter(
  level: Level,
  directory: string,
  {
    onFailed,
    check,
    length,
  }: { readonly onFailed: () => void; readonly check: () => Promise<void>; readonly length: LengthNote },
): LevelWriter {
  const waiting: Waiting[] = []
  const reads = new Set<Promise<unknown>>()
  let isTorn = false
  let working: Promise<void> | undefined
  let reopening: Promise<void> | undefined

  const reopen = (): Promise<void> => {
    reopening ??= openAnew().finally(() => {
      reopening = undefined
    })
    return reopening
  }
  const openAnew = async (): Promise<void> => {
    if (level.status === 'open') {
      // without room it would not open again, and nothing could be read either
      await expectRoom(directory)
      while (reads.size > 0) await Promise.allSettled(reads)
      await level.close()
    }
    await level.open()
    await check()
    isTorn = false
  }

  const writeGroup = async (group: readonly Waiting[]): Promise<void> => {
    const changes: Change[] = []
    const made: Waiting[] = []
    for (const one of group) {
      try {
        changes.push(...((await one.make?.()) ?? []))
        made.push(one)
      } catch (error) {
        one.done.reject(error)
      }
    }
    try {
      await level.batch(changes, { sync: true })
    } catch (error) {
      tear()
      for (const one of made) one.done.reject(error)
      return
    }
    for (const one of made) one.done.resolve(undefined)
    await length.wrote()
  }

  const tear = (): void => {
    isTorn = true
    onFailed()
  }

  const workAlone = async ({ alone, done }: Waiting): Promise<void> => {
    try {
      await alone?.()
      done.resolve(undefined)
      await length.wrote()
    } catch (error) {
      tear()
      done.reject(error)
    }
  }

  const next = async (): Promise<void> => {
    const ends = waiting.findIndex(({ alone }) => alone !== undefined)
    const count = ends === 0 ? 1 : Math.min(ends === -1 ? waiting.length : ends, GROUP_MAX)
    const group = waiting.splice(0, count)
    try {
      if (isTorn || level.status !== 'open') await reopen()
    } catch (error) {
      for (const one of group) one.done.reject(error)
      return
    }
    const [first] = group
    if (first?.alone === undefined) await writeGroup(group)
    else await workAlone(first)
  }

  const work = async (): Promise<void> => {
    while (waiting.length > 0) await next()
    working = undefined
  }

  const enqueue = (one: Omit<Waiting, 'done'>): Promise<undefined> => {
    const done = Promise.withResolvers<undefined>()
    waiting.push({ ...one, done })
    working ??= work()
    return done.promise
  }

  return {
    write: (make) => enqueue({ make }),
    alone: (alone) => enqueue({ alone }),
    async read(read) {
      await reopening?.catch(() => undefined)
      if (level.status !== 'open') await reopen()
      const reading = read()
      reads.add(reading)
      try {
        return await reading
      } finally {
        reads.delete(reading)
      }
    },
    async close() {
      await working
      await reopening?.catch(() => undefined)
      // behind a write that failed there may be half of it, which nobody was told is there
      if (!isTorn) await length.now()
      await level.close()
    },
  }
}

/** @throws MeshError `storage-full` where the content of the log does not fit a second time. */
async function expectRoom(directory: string): Promise<void> {
  const logs = (await readdir(directory)).filter((name) => name.endsWith('.log'))
  const sizes = await Promise.all(logs.map(async (name) => (await stat(join(directory, name))).size))
  const neededBytes = sizes.reduce((sum, size) => sum + size, REOPEN_BYTES)
  const { bavail, bsize } = await statfs(directory)
  if (bavail * bsize < neededBytes)
    throw new MeshError('storage-full', 'The disk is full. Make room, then try again.', {
      detail: { path: directory, neededBytes },
    })
}
