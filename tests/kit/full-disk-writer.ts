import '../../helper/shims.ts'
import { readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { openLevelStore } from '../../helper/ports/level-store.ts'
import { MeshError, type PlatformStore } from '../../mesh/base/index.ts'

// A program that writes while its disk runs full and after room was made again, and,
// started a second time, tells what of it is there. Its folder is a small disk of its own.

/** What the second start tells. */
export interface AfterFullDisk {
  readonly refusals: readonly string[]
  readonly readWhileFull: boolean
  readonly acknowledged: number
  readonly lost: readonly string[]
}

interface Notes {
  readonly refusals: readonly string[]
  readonly readWhileFull: boolean
  readonly records: readonly number[]
  readonly entries: readonly number[]
}

/** Left free, so that a part of the writes that fail gets through. */
const LEFT_BYTES = 6_000
const VALUE_BYTES = 900

const [, , folder = '', phase = ''] = process.argv
const storeFolder = join(folder, 'store')
const notesFile = join(folder, '..', 'notes.json')

const valueOf = (id: number): Uint8Array => new Uint8Array(VALUE_BYTES).fill(id % 251)

async function write(): Promise<void> {
  const store = await openLevelStore(storeFolder)
  const [records, entries]: [number[], number[]] = [[], []]
  const refusals = new Set<string>()
  let id = 0
  const writeBoth = async (): Promise<void> => {
    id += 1
    await store.put(`record/${String(id)}`, valueOf(id))
    records.push(id)
    await store.append('log', [valueOf(id)])
    entries.push(id)
  }
  const tryTo = async (): Promise<void> => {
    try {
      await writeBoth()
    } catch (error) {
      refusals.add(error instanceof MeshError ? error.code : String(error))
    }
  }
  for (let count = 0; count < 100; count++) await tryTo()
  const { bavail, bsize } = statfsSync(folder)
  const filler = join(folder, 'filler')
  writeFileSync(filler, new Uint8Array(bavail * bsize - LEFT_BYTES))
  for (let count = 0; count < 20; count++) await tryTo()
  const readWhileFull = (await store.get('record/1'))?.[0] === 1
  rmSync(filler)
  for (let count = 0; count < 50; count++) await tryTo()
  // many at once too
  await Promise.all(Array.from({ length: 50 }, tryTo))
  const notes: Notes = { refusals: [...refusals], readWhileFull, records, entries }
  writeFileSync(notesFile, JSON.stringify(notes))
  process.kill(process.pid, 'SIGKILL')
}

async function lostOf(store: PlatformStore, { records, entries }: Notes): Promise<string[]> {
  const lost: string[] = []
  for (const id of records) {
    if ((await store.get(`record/${String(id)}`))?.[0] !== id % 251) lost.push(`record ${String(id)}`)
  }
  const log = await store.readLog('log', 0)
  const kept = log.map(({ bytes }) => bytes[0])
  if (log.some(({ sequence }, index) => sequence !== index + 1)) lost.push('a number of the log')
  if (kept.join() !== entries.map((id) => id % 251).join()) lost.push('entries of the log')
  return lost
}

async function read(): Promise<void> {
  const notes = JSON.parse(readFileSync(notesFile, 'utf8')) as Notes
  const store = await openLevelStore(storeFolder)
  const told: AfterFullDisk = {
    refusals: notes.refusals,
    readWhileFull: notes.readWhileFull,
    acknowledged: notes.records.length + notes.entries.length,
    lost: await lostOf(store, notes),
  }
  await store.close()
  process.stdout.write(JSON.stringify(told))
}

await (phase === 'write' ? write() : read())
