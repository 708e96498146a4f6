import { chmod, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { MeshError, messageOf, type Random } from '../../mesh/base/index.ts'
import { lockDir } from './lock.ts'
import { readPrivate, writePrivate } from './private-files.ts'

const PORTS_FILE = 'ports.json'
const TOKEN_FILE = 'token'
const CREDENTIAL_FILE = 'cli.json'
const SWITCHES_FILE = 'switches.json'
const DRAFT_PREFIXES = ['.draft-', 'open-']

const portsSchema = z.object({
  pid: z.int().positive(),
  http: z.int().min(1).max(65_535),
  ws: z.int().min(1).max(65_535),
  tcp: z.int().min(1).max(65_535),
  webrtcDirect: z.string(),
  peerId: z.string().min(1),
  startedAt: z.number(),
})

/** What `ports.json` says once a question would be answered. */
export type Readiness = z.infer<typeof portsSchema>

const credentialSchema = z.object({ url: z.url(), credential: z.string().min(32), pid: z.int().positive() })

/** What the command line needs to talk to the running helper. */
export type CliCredential = z.infer<typeof credentialSchema>

const switchesSchema = z.object({
  lan: z.boolean().optional(),
  /** False: the authority was deleted, and is not made again unasked. */
  authority: z.boolean().optional(),
})

/** Switches a person flipped while the helper ran; they hold at the next start. */
export type Switches = z.infer<typeof switchesSchema>

/** A data directory held by this process. */
export interface DataDir {
  readonly path: string
  /** True when the process that had it last died without cleaning up. */
  readonly wasLeftBehind: boolean
  /** Path of something inside. */
  at(...parts: string[]): string
  writeReadiness(readiness: Readiness): Promise<void>
  removeReadiness(): Promise<void>
  /** The token kept here; made at the first call. */
  token(): Promise<string>
  writeCredential(credential: CliCredential): Promise<void>
  switches(): Promise<Switches>
  writeSwitches(switches: Switches): Promise<void>
  /** Removes what only a running helper has, and gives the directory back. */
  release(): Promise<void>
}

/**
 * Makes the directory (mode 0700) where needed, takes it for this process, and
 * clears what a dead one left.
 * @throws MeshError `data-dir-unusable`, `data-dir-in-use`.
 */
export async function openDataDir(path: string, ports: { nowMs: number; random: Random }): Promise<DataDir> {
  await ensureDirectory(path)
  const lock = await lockDir(path, ports.nowMs)
  const at = (...parts: string[]): string => join(path, ...parts)
  const clear = async (): Promise<void> => {
    await Promise.all([
      rm(at(PORTS_FILE), { force: true }),
      rm(at(CREDENTIAL_FILE), { force: true }),
      removeDrafts(path),
    ])
  }
  await clear()
  return {
    path,
    wasLeftBehind: lock.replacedStale,
    at,
    writeReadiness: (readiness) => writePrivate(at(PORTS_FILE), JSON.stringify(portsSchema.parse(readiness))),
    removeReadiness: () => rm(at(PORTS_FILE), { force: true }),
    token: () => keptToken(at(TOKEN_FILE), ports.random),
    writeCredential: (credential) => writePrivate(at(CREDENTIAL_FILE), JSON.stringify(credential)),
    switches: () => readSwitches(path),
    writeSwitches: (switches) => writePrivate(at(SWITCHES_FILE), JSON.stringify(switches)),
    async release() {
      await clear()
      await lock.release()
    },
  }
}

/** What the running helper of a directory wrote when it was ready; undefined when there is none. */
export async function readReadiness(path: string): Promise<Readiness | undefined> {
  return parsedOr(portsSchema, await readPrivate(join(path, PORTS_FILE)))
}

/** How to reach the helper of a directory, as its last start left it. */
export async function readCredential(path: string): Promise<CliCredential | undefined> {
  return parsedOr(credentialSchema, await readPrivate(join(path, CREDENTIAL_FILE)))
}

/** The switches of a directory, whether a helper runs there or not. */
export async function readSwitches(path: string): Promise<Switches> {
  return parsedOr(switchesSchema, await readPrivate(join(path, SWITCHES_FILE))) ?? {}
}

/** 256 random bits in text. */
export function makeSecret(random: Random): string {
  return Buffer.from(random.bytes(32)).toString('base64url')
}

async function ensureDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    if (process.platform !== 'win32') await chmod(path, 0o700)
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'EEXIST' ? 'a file is in its place' : messageOf(error)
    throw new MeshError(
      'data-dir-unusable',
      `The data directory ${path} cannot be used: ${reason}. Choose another with --data-dir.`,
      {
        cause: error,
      },
    )
  }
}

async function keptToken(file: string, random: Random): Promise<string> {
  const kept = (await readPrivate(file))?.trim()
  // one that no header can carry would lock every program out without a word
  if (kept !== undefined && /^[\x21-\x7e]{16,}$/.test(kept)) return kept
  const made = makeSecret(random)
  await writePrivate(file, `${made}\n`)
  return made
}

async function removeDrafts(path: string): Promise<void> {
  const names = await readdir(path)
  const left = names.filter((name) => DRAFT_PREFIXES.some((prefix) => name.startsWith(prefix)))
  await Promise.all(left.map((name) => rm(join(path, name), { force: true })))
}

function parsedOr<Value>(schema: z.ZodType<Value>, text: string | undefined): Value | undefined {
  if (text === undefined) return undefined
  try {
    return schema.parse(JSON.parse(text))
  } catch {
    // files of this directory are written whole; one that reads badly is treated as absent
    return undefined
  }
}
