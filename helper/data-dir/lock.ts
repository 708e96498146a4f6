import { randomBytes } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { MeshError, messageOf } from '../../mesh/base/index.ts'
import { isProcessAlive, processStartMark } from './process-identity.ts'

const LOCK_FILE = 'helper.lock'

const lockSchema = z.object({
  pid: z.int().positive(),
  startMark: z.string().max(200).optional(),
  startedAt: z.number(),
})

type LockContent = z.infer<typeof lockSchema>

/** A held lock of a data directory. */
export interface DirLock {
  /** True when a lock of a dead process was replaced. */
  readonly replacedStale: boolean
  release(): Promise<void>
}

/**
 * Takes the lock of a data directory for this process. A lock of a process that
 * is gone, also one whose id was given to another since, is replaced.
 * @throws MeshError `data-dir-in-use` (detail `pid`), `data-dir-unusable`.
 */
export async function lockDir(dir: string, nowMs: number): Promise<DirLock> {
  const file = join(dir, LOCK_FILE)
  const mark = processStartMark(process.pid)
  const content = JSON.stringify({
    pid: process.pid,
    ...(mark === undefined ? {} : { startMark: mark }),
    startedAt: nowMs,
  })
  let replacedStale = false
  for (let attempt = 0; attempt < 20; attempt++) {
    if (await createLock(dir, file, content)) {
      return { replacedStale, release: () => releaseLock(file, content) }
    }
    const found = await readIfThere(file)
    if (found === undefined) continue
    const owner = parseLock(found)
    if (owner !== undefined && isOwnerAlive(owner)) throw inUse(dir, owner.pid)
    await discardStale(file, found)
    replacedStale = true
  }
  throw new MeshError('data-dir-in-use', `${dir} is being started by several processes at once. Try again.`)
}

/** The living process that holds a data directory, or undefined. */
export async function findDirOwner(dir: string): Promise<number | undefined> {
  const text = await readIfThere(join(dir, LOCK_FILE))
  const owner = text === undefined ? undefined : parseLock(text)
  return owner !== undefined && isOwnerAlive(owner) ? owner.pid : undefined
}

/** Writes the whole lock first and links it into place: nobody ever reads half of one. */
async function createLock(dir: string, file: string, content: string): Promise<boolean> {
  const draft = join(dir, `.lock-${randomBytes(8).toString('hex')}`)
  try {
    await writeFile(draft, content, { mode: 0o600, flag: 'wx' })
    try {
      await link(draft, file)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (code === 'EEXIST') return false
      // file systems without hard links: exclusive creation is the next best
      if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS' && code !== 'EOPNOTSUPP') throw error
      await writeFile(file, content, { mode: 0o600, flag: 'wx' })
    }
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw new MeshError(
      'data-dir-unusable',
      `${dir} cannot be written: ${messageOf(error)}. Choose another with --data-dir.`,
      { cause: error },
    )
  } finally {
    await rm(draft, { force: true })
  }
}

/** Moves the stale lock aside and looks at what was moved: a rival may have put its own there meanwhile. */
async function discardStale(file: string, stale: string): Promise<void> {
  const aside = `${file}-stale-${randomBytes(8).toString('hex')}`
  try {
    await rename(file, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw new MeshError('data-dir-unusable', `The stale lock ${file} cannot be removed: ${messageOf(error)}.`, {
      cause: error,
    })
  }
  const moved = await readIfThere(aside)
  if (moved !== undefined && moved !== stale) {
    try {
      await link(aside, file)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
  await rm(aside, { force: true })
}

async function releaseLock(file: string, content: string): Promise<void> {
  if ((await readIfThere(file)) === content) await rm(file, { force: true })
}

function isOwnerAlive(owner: LockContent): boolean {
  if (!isProcessAlive(owner.pid)) return false
  const mark = processStartMark(owner.pid)
  if (owner.startMark === undefined || mark === undefined) return owner.pid !== process.pid
  return mark === owner.startMark
}

function inUse(dir: string, pid: number): MeshError {
  return new MeshError(
    'data-dir-in-use',
    `${dir} is in use by process ${String(pid)}. Stop it with "plexus stop", or choose another directory with --data-dir.`,
    { detail: { pid } },
  )
}

function parseLock(text: string): LockContent | undefined {
  try {
    return lockSchema.parse(JSON.parse(text))
  } catch {
    // a damaged lock has no living owner: a living one wrote it whole
    return undefined
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new MeshError('data-dir-unusable', `${file} cannot be read: ${messageOf(error)}.`, { cause: error })
  }
}
