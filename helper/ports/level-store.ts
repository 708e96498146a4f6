import { access, chmod, mkdir, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { ClassicLevel } from 'classic-level'
import {
  MeshError,
  messageOf,
  silentLogger,
  throwIfAborted,
  type Logger,
  type PlatformStore,
} from '../../mesh/base/index.ts'
import { createLengthNote } from './level-length.ts'
import { mendLevelLogs } from './level-log.ts'
import { createLevelWriter, type Level } from './level-writer.ts'

// `!` and `~` stand before and after everything a key may contain
const RECORD = 'r!'
const LOG = 'l!'
const AFTER = '~'
/** The first record of every store, and the file beside it that says there is one. */
const FIRST = 'm!first'
const WRITTEN_FILE = 'WRITTEN'
/** Stand before and after every key there is. */
const SCRUB_FROM = '!scrub'
const SCRUB_TO = '~scrub'
const SEQUENCE_DIGITS = 16

/**
 * The helper's Store: LevelDB, every write synced to the disk before it resolves.
 * The directory is made 0700 and its files 0600; for that, the umask of the process
 * becomes 0077, because LevelDB makes files later on by itself. Its logs are looked
 * through first, see {@link mendLevelLogs}.
 * @throws MeshError `data-dir-in-use` (another process has it open), `data-dir-unusable`, `storage-corrupt`.
 */
export async function openLevelStore(
  directory: string,
  { signal, log = silentLogger }: { readonly signal?: AbortSignal | undefined; readonly log?: Logger } = {},
): Promise<PlatformStore> {
  throwIfAborted(signal)
  await makePrivate(directory)
  // nothing else has it open: whoever has holds the lock of the data directory, and looks at the same
  await mendLevelLogs(directory, log)
  // what is sealed does not get smaller
  const encoding = { keyEncoding: 'utf8', valueEncoding: 'view', compression: false } as const
  const level = new ClassicLevel<string, Uint8Array>(directory, encoding)
  try {
    await level.open()
  } catch (error) {
    throw openFailure(error, directory)
  }
  try {
    await checkFirst(level, directory)
  } catch (error) {
    await level.close()
    throw error instanceof MeshError ? error : openFailure(error, directory)
  }
  for (const name of await readdir(directory)) await makeFilePrivate(join(directory, name))
  return createStore(level, directory, log)
}

/**
 * LevelDB drops what it cannot read of its log and opens as if it had never been
 * there: a damaged store would begin anew as another device, without a word. The
 * record that was written first, and a file that says so, make the loss seen.
 */
async function checkFirst(level: Level, directory: string): Promise<void> {
  const file = join(directory, WRITTEN_FILE)
  const wasWritten = await access(file).then(
    () => true,
    () => false,
  )
  if ((await level.get(FIRST)) === undefined) {
    if (wasWritten) throw damaged(directory, 'what was written to it is gone')
    await level.put(FIRST, new Uint8Array(), { sync: true })
  }
  if (wasWritten) return
  const handle = await open(file, 'w', 0o600)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function damaged(directory: string, reason: string, cause?: unknown): MeshError {
  return new MeshError(
    'storage-corrupt',
    `The data in ${directory} is damaged: ${reason}. Move that directory away to begin anew.`,
    { cause, detail: { path: directory } },
  )
}

function createStore(level: Level, directory: string, log: Logger): PlatformStore {
  let closing: Promise<void> | undefined
  /** Last numbers of the logs; this process is the only writer. */
  const lasts = new Map<string, number>()
  const writer = createLevelWriter(level, directory, {
    onFailed() {
      lasts.clear()
    },
    check: () => checkFirst(level, directory),
    length: createLengthNote(directory, log),
  })

  const guarded = async <Value>(signal: AbortSignal | undefined, work: () => Promise<Value>): Promise<Value> => {
    throwIfAborted(signal)
    if (closing !== undefined) throw new MeshError('storage-failed', 'The store is closed.')
    try {
      return await work()
    } catch (error) {
      throw workFailure(error)
    }
  }
  const reading = <Value>(signal: AbortSignal | undefined, work: () => Promise<Value>): Promise<Value> =>
    guarded(signal, () => writer.read(work))

  const lastOf = async (log: string): Promise<number> => {
    const known = lasts.get(log)
    if (known !== undefined) return known
    for await (const key of level.keys({ ...rangeOf(log), reverse: true })) {
      const sequence = sequenceOf(key)
      if (sequence !== undefined) return sequence
    }
    return 0
  }

  return {
    get: (key, { signal } = {}) => reading(signal, () => level.get(RECORD + key)),

    async put(key, value, { signal } = {}) {
      const change = { type: 'put', key: RECORD + key, value: new Uint8Array(value) } as const
      await guarded(signal, () => writer.write(() => Promise.resolve([change])))
    },

    delete: (key, { signal } = {}) =>
      guarded(signal, () => writer.write(() => Promise.resolve([{ type: 'del', key: RECORD + key }]))),

    list: (prefix, { signal } = {}) =>
      reading(signal, async () => {
        const entries = await level.iterator({ gte: RECORD + prefix, lt: RECORD + prefix + AFTER }).all()
        return entries.map(([key, value]) => ({ key: key.slice(RECORD.length), value }))
      }),

    append(log, entries, { signal } = {}) {
      const copies = entries.map((entry) => new Uint8Array(entry))
      return guarded(signal, async () => {
        let last = 0
        await writer.write(async () => {
          // each append needs the number of the one before, also of one that is written together with it
          const before = await lastOf(log)
          last = before + copies.length
          lasts.set(log, last)
          return copies.map((value, index) => ({ type: 'put', key: entryKey(log, before + index + 1), value }))
        })
        return last
      })
    },

    readLog: (log, after, { signal, through } = {}) =>
      reading(signal, async () => {
        const end = through === undefined ? { lt: LOG + log + '!' + AFTER } : { lte: entryKey(log, through) }
        const entries = await level.iterator({ gt: entryKey(log, after), ...end }).all()
        return entries.flatMap(([key, bytes]) => {
          const sequence = sequenceOf(key)
          return sequence === undefined ? [] : [{ sequence, bytes }]
        })
      }),

    dropLog: (log, { signal } = {}) =>
      // after the appends that wait, which are not in the database yet
      guarded(signal, () =>
        writer.alone(async () => {
          const keys = await level.keys(rangeOf(log)).all()
          await level.batch(
            keys.map((key) => ({ type: 'del' as const, key })),
            { sync: true },
          )
          lasts.delete(log)
        }),
      ),

    logs: ({ signal } = {}) =>
      reading(signal, async () => {
        const names: string[] = []
        let from = LOG
        for (;;) {
          const [key] = await level.keys({ gt: from, lt: LOG + AFTER, limit: 1 }).all()
          if (key === undefined) return names.sort()
          const name = key.slice(LOG.length, -SEQUENCE_DIGITS - 1)
          names.push(name)
          from = rangeOf(name).lt
        }
      }),

    scrub: ({ signal } = {}) => guarded(signal, () => writer.alone(() => rewriteAll(level))),

    async close() {
      closing ??= writer.close()
      await closing
    },
  }
}

/**
 * LevelDB keeps what was deleted until it merges the file it lies in with the one that
 * says so, and never merges the lowest level with nothing. So first everything goes into
 * files, with two marks that reach around all keys; then the marks are deleted, and
 * the file that says so overlaps every other and is merged with each.
 */
async function rewriteAll(level: Level): Promise<void> {
  const marks = [SCRUB_FROM, SCRUB_TO]
  await level.batch(marks.map((key) => ({ type: 'put' as const, key, value: new Uint8Array() })))
  await level.compactRange(SCRUB_FROM, SCRUB_TO)
  await level.batch(
    marks.map((key) => ({ type: 'del' as const, key })),
    { sync: true },
  )
  await level.compactRange(SCRUB_FROM, SCRUB_TO)
}

function entryKey(log: string, sequence: number): string {
  return `${LOG}${log}!${String(sequence).padStart(SEQUENCE_DIGITS, '0')}`
}

function rangeOf(log: string): { gt: string; lt: string } {
  return { gt: `${LOG}${log}!`, lt: `${LOG}${log}!${AFTER}` }
}

/** Undefined for what a wrong bit made of a number: nothing is numbered by it, nor from it on. */
function sequenceOf(key: string): number | undefined {
  const digits = key.slice(-SEQUENCE_DIGITS)
  return /^\d+$/.test(digits) ? Number(digits) : undefined
}

/** LevelDB tidies up behind its opening: a file that was listed may be gone. */
async function makeFilePrivate(file: string): Promise<void> {
  try {
    await chmod(file, 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    const sentence = `${file} cannot be kept from others: ${messageOf(error)}.`
    throw new MeshError('data-dir-unusable', sentence, { cause: error, detail: { path: file } })
  }
}

async function makePrivate(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await chmod(directory, 0o700)
  } catch (error) {
    const sentence = `The data directory ${directory} cannot be used: ${messageOf(error)}.`
    throw new MeshError('data-dir-unusable', sentence, { cause: error, detail: { path: directory } })
  }
  // worker threads may not change it; they inherit it
  if (isMainThread) process.umask(0o077)
}

function openFailure(error: unknown, directory: string): MeshError {
  const reason = causeOf(error)
  const detail = { path: directory }
  if (reason.code === 'LEVEL_LOCKED') {
    return new MeshError('data-dir-in-use', `The data in ${directory} is in use by another process.`, {
      cause: error,
      detail,
    })
  }
  if (/corrupt|not a directory entry|CURRENT|manifest/i.test(reason.message)) {
    return damaged(directory, reason.message, error)
  }
  return new MeshError('data-dir-unusable', `The data in ${directory} cannot be opened: ${reason.message}.`, {
    cause: error,
    detail,
  })
}

function workFailure(error: unknown): MeshError {
  if (error instanceof MeshError) return error
  const reason = causeOf(error)
  if (/no space left|quota/i.test(reason.message)) {
    return new MeshError('storage-full', 'The disk is full. Make room, then try again.', { cause: error })
  }
  if (/corrupt/i.test(`${reason.code} ${reason.message}`)) {
    return new MeshError('storage-corrupt', `Stored data could not be read: ${reason.message}.`, { cause: error })
  }
  return new MeshError('storage-failed', `The disk did not take or give the data: ${reason.message}.`, { cause: error })
}

/** Level wraps what went wrong below it. */
function causeOf(error: unknown): { code: string; message: string } {
  const inner = error instanceof Error && error.cause !== undefined ? error.cause : error
  const code = typeof inner === 'object' && inner !== null && 'code' in inner ? String(inner.code) : ''
  return { code, message: messageOf(inner) }
}
