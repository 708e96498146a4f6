import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isMeshError, MeshError, silentLogger, type ErrorCode } from '../../../mesh/base/index.ts'
import {
  createModelLibrary,
  createModelSources,
  type Disk,
  type ModelLibrary,
  type ModelLibraryOptions,
} from '../../../helper/models/index.ts'
import { createVirtualClock } from '../../kit/clock.ts'
import { tinyGguf, writeTinyGguf } from '../../kit/gguf.ts'
import { packageOffer, plannedSources, sha256, type SourcePlan } from '../../kit/model-source.ts'
import { until } from '../../kit/wait.ts'

const MODEL = tinyGguf({ width: 16, layers: 1, name: 'Sound Model' })
const OTHER = tinyGguf({ width: 16, layers: 1, name: 'Other', seed: 2 })

let folder: string
const opened: ModelLibrary[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plexus-models-'))
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((library) => library.close()))
  await rm(folder, { recursive: true, force: true })
})

const clock = createVirtualClock()

async function open(options: Partial<ModelLibraryOptions> = {}): Promise<ModelLibrary> {
  const library = await createModelLibrary({ dataDir: folder, clock, log: silentLogger, offline: false, ...options })
  opened.push(library)
  clock.advance(1_000)
  return library
}

function planned(
  bytes: Uint8Array,
  change: Partial<SourcePlan> = {},
): { plan: SourcePlan; options: Partial<ModelLibraryOptions> } {
  const plan: SourcePlan = { bytes, resumedAt: [], ...change }
  const broken = (): Error => new MeshError('offline', 'The line broke.')
  return { plan, options: { sources: plannedSources(createModelSources(), plan, broken) } }
}

async function failureOf(work: Promise<unknown>, code: ErrorCode): Promise<MeshError> {
  try {
    await work
  } catch (error) {
    if (isMeshError(error, code)) return error
    throw error
  }
  return expect.fail(`It succeeded, and ${code} was expected.`)
}

const blobs = (): Promise<string[]> => readdir(join(folder, 'models', 'blobs'))
const parts = (): Promise<string[]> => readdir(join(folder, 'models', 'parts'))

describe('a model comes', () => {
  test('its place is made from its hash, readable by its owner alone', async () => {
    const library = await open(planned(MODEL).options)
    const record = await library.get(packageOffer(MODEL))
    expect(record).toMatchObject({ id: 'test-model', state: 'available', sha256: sha256(MODEL), contextTokens: 512 })
    expect(await blobs()).toEqual([`${sha256(MODEL)}.gguf`])
    const { file } = await library.open('test-model')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await stat(join(folder, 'models'))).mode & 0o777).toBe(0o700)
    expect(await parts()).toEqual([])
  })

  test('one with another hash than promised is thrown away', async () => {
    const library = await open(planned(OTHER).options)
    await failureOf(library.get(packageOffer(MODEL)), 'integrity')
    expect(await blobs()).toEqual([])
    expect(await parts()).toEqual([expect.stringMatching(/\.work$/)])
    expect(library.list()).toMatchObject([{ id: 'test-model', state: 'failed' }])
  })

  test('one that is no sound model is thrown away although its hash is right', async () => {
    const lying = MODEL.slice(0, -100)
    const library = await open(planned(lying).options)
    await failureOf(library.get(packageOffer(lying)), 'model-invalid')
    expect(await blobs()).toEqual([])
  })

  test('a download that broke goes on where it was, in the next life', async () => {
    const { plan, options } = planned(MODEL, { breakAfter: 32_768, chunkBytes: 16_384 })
    await failureOf((await open(options)).get(packageOffer(MODEL)), 'no-source')
    plan.breakAfter = undefined
    await (await open(options)).get(packageOffer(MODEL))
    expect(plan.resumedAt).toEqual([0, 32_768])
  })

  test('what a kill left behind the last note is not trusted', async () => {
    const { plan, options } = planned(MODEL, { breakAfter: 32_768, chunkBytes: 16_384 })
    await failureOf((await open(options)).get(packageOffer(MODEL)), 'no-source')
    const [part] = (await parts()).filter((name) => name.endsWith('.part'))
    await appendFile(join(folder, 'models', 'parts', part ?? ''), 'half a write')
    plan.breakAfter = undefined
    await (await open(options)).get(packageOffer(MODEL))
    expect(plan.resumedAt).toEqual([0, 32_768])
  })

  test('a part that was changed meanwhile starts again', async () => {
    const { plan, options } = planned(MODEL, { breakAfter: 32_768, chunkBytes: 16_384 })
    await failureOf((await open(options)).get(packageOffer(MODEL)), 'no-source')
    const [part] = (await parts()).filter((name) => name.endsWith('.part'))
    await writeFile(join(folder, 'models', 'parts', part ?? ''), OTHER.subarray(0, 32_768))
    plan.breakAfter = undefined
    await (await open(options)).get(packageOffer(MODEL))
    expect(plan.resumedAt).toEqual([0, 0])
  })

  test('a link laid in the place of a part is not followed', async () => {
    const { options } = planned(MODEL, { breakAfter: 16_384, chunkBytes: 16_384 })
    await failureOf((await open(options)).get(packageOffer(MODEL)), 'no-source')
    const [part] = (await parts()).filter((name) => name.endsWith('.part'))
    const place = join(folder, 'models', 'parts', part ?? '')
    const victim = join(folder, 'victim')
    await writeFile(victim, 'precious')
    await rm(place)
    await symlink(victim, place)
    await failureOf((await open(options)).get(packageOffer(MODEL)), 'storage-failed')
    expect(await readFile(victim, 'utf8')).toBe('precious')
  })

  test('a disk that is too full is told before the download, with both numbers', async () => {
    const disk: Disk = { freeBytes: () => Promise.resolve(1_000), write: () => Promise.resolve() }
    const library = await open({ ...planned(MODEL).options, disk })
    const failure = await failureOf(library.get(packageOffer(MODEL)), 'storage-full')
    expect(failure.detail).toMatchObject({ freeBytes: 1_000 })
  })

  test('a disk that fills up in the middle keeps what was received', async () => {
    let room = 32_768
    const disk: Disk = {
      freeBytes: () => Promise.resolve(1e12),
      async write(handle, bytes, position) {
        if (position + bytes.byteLength > room) throw Object.assign(new TypeError('no space left'), { code: 'ENOSPC' })
        await handle.write(bytes, 0, bytes.byteLength, position)
      },
    }
    const { plan, options } = planned(MODEL, { chunkBytes: 16_384 })
    await failureOf((await open({ ...options, disk })).get(packageOffer(MODEL)), 'storage-full')
    room = Infinity
    await (await open({ ...options, disk })).get(packageOffer(MODEL))
    expect(plan.resumedAt).toEqual([0, 32_768])
  })

  test('offline, no network source is asked, and the sentence says which there were', async () => {
    const { plan, options } = planned(MODEL)
    const library = await open({ ...options, offline: true, firstOffers: [packageOffer(MODEL)] })
    const failure = await failureOf(library.ensureFirst(), 'no-source')
    expect(failure.message).toContain('a planned source')
    expect(plan.resumedAt).toEqual([])
  })

  test('offline, a model whose file is here already is used', async () => {
    await mkdir(join(folder, 'models', 'blobs'), { recursive: true })
    const library = await open({ offline: true })
    await writeFile(join(folder, 'models', 'blobs', `${sha256(MODEL)}.gguf`), MODEL)
    expect(await library.ensureFirst().catch((error: unknown) => isMeshError(error, 'no-source'))).toBe(true)
    expect(await library.get(packageOffer(MODEL))).toMatchObject({ state: 'available', sha256: sha256(MODEL) })
  })

  test('two who want it share one download, and one may leave', async () => {
    let reached = (): void => undefined
    const atFirst = new Promise<void>((resolve) => {
      reached = resolve
    })
    let goOn = (): void => undefined
    const gate = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const { plan, options } = planned(MODEL, {
      beforeChunk: () => {
        reached()
        return gate
      },
    })
    const library = await open(options)
    const leaving = new AbortController()
    const first = library.get(packageOffer(MODEL), { signal: leaving.signal })
    const second = library.get(packageOffer(MODEL))
    await atFirst
    leaving.abort()
    await failureOf(first, 'aborted')
    goOn()
    expect(await second).toMatchObject({ state: 'available' })
    expect(plan.resumedAt).toHaveLength(1)
  })

  test('it ends when the last one who wanted it leaves, and what came is kept', async () => {
    const leaving = new AbortController()
    const { plan, options } = planned(MODEL, {
      chunkBytes: 16_384,
      beforeChunk: (received) => {
        if (received >= 32_768) leaving.abort()
      },
    })
    const library = await open(options)
    await failureOf(library.get(packageOffer(MODEL), { signal: leaving.signal }), 'aborted')
    await until(() => library.list().length === 0, { what: 'the download to end' })
    plan.beforeChunk = undefined
    await library.get(packageOffer(MODEL))
    expect(plan.resumedAt).toEqual([0, 32_768])
  })

  test('progress names the source, the bytes and a rate', async () => {
    const { options } = planned(MODEL, {
      chunkBytes: 16_384,
      beforeChunk: () => {
        clock.advance(1_000)
      },
    })
    const library = await open(options)
    const rates: number[] = []
    library.changes.subscribe(() => {
      const progress = library.list()[0]?.progress
      if (progress?.source === 'a planned source') rates.push(progress.rateBytesPerSecond)
    })
    await library.get(packageOffer(MODEL))
    expect(rates).toContain(16_384)
  })
})

describe('a file of the person', () => {
  test('it is used where it lies, comes first, and its hash follows', async () => {
    const library = await open(planned(MODEL).options)
    await library.get(packageOffer(MODEL))
    const file = join(folder, 'My Model (v2).gguf')
    await writeFile(file, OTHER)
    const record = await library.addFile(file)
    expect(record.id).toBe('my-model-v2')
    expect(library.list().map(({ id }) => id)).toEqual(['my-model-v2', 'test-model'])
    expect((await library.open(record.id)).file).toBe(file)
    await until(() => library.list()[0]?.sha256 === sha256(OTHER), { what: 'the hash' })
    expect(await blobs()).toHaveLength(1)
  })

  test('it is forgotten with the start it was given to, and never deleted', async () => {
    const file = join(folder, 'own.gguf')
    await writeFile(file, OTHER)
    const library = await open()
    await library.addFile(file)
    await library.remove('own')
    expect(library.list()).toEqual([])
    expect((await stat(file)).size).toBe(OTHER.byteLength)
    await library.addFile(file)
    await library.close()
    expect((await open()).list()).toEqual([])
  })

  const unusable: [string, (file: string) => Promise<unknown>, ErrorCode][] = [
    ['one that is not there', () => Promise.resolve(), 'model-unavailable'],
    ['a folder', (file) => mkdir(file), 'model-unavailable'],
    ['a text', (file) => writeFile(file, 'a story about a model, longer than a header'), 'model-invalid'],
    ['an empty file', (file) => writeFile(file, ''), 'malformed'],
    ['a truncated model', (file) => writeFile(file, MODEL.slice(0, 50_000)), 'model-invalid'],
    ['a model cut in its header', (file) => writeFile(file, MODEL.slice(0, 500)), 'malformed'],
  ]
  test.each(unusable)('%s is refused with a sentence that names it', async (_, make, code) => {
    const file = join(folder, 'broken.gguf')
    await make(file)
    const failure = await failureOf((await open()).addFile(file), code)
    expect(failure.message).toContain(file)
  })

  test('one that may not be read is refused', async () => {
    // The superuser may read everything, so there is nothing to refuse.
    if (process.getuid?.() === 0 || process.platform === 'win32') return
    const file = join(folder, 'secret.gguf')
    await writeFile(file, MODEL)
    await chmod(file, 0)
    await failureOf((await open()).addFile(file), 'model-unavailable')
  })

  test('a file that is fetched is copied and outlives its original', async () => {
    const file = join(folder, 'Given.gguf')
    await writeTinyGguf(file, { width: 16, layers: 1 })
    const library = await open()
    const record = await library.get(file)
    await rm(file)
    expect(record.id).toBe('given')
    expect((await library.open('given')).header.architecture).toBe('llama')
  })
})

describe('a model stays', () => {
  const withTwo = async (): Promise<ModelLibrary> => {
    const library = await open(planned(MODEL).options)
    await library.get(packageOffer(MODEL))
    const file = join(folder, 'other.gguf')
    await writeFile(file, OTHER)
    clock.advance(1_000)
    await library.get(file)
    return library
  }

  test('the one chosen comes first, also in the next life', async () => {
    const library = await withTwo()
    expect(library.list().map(({ id }) => id)).toEqual(['test-model', 'other'])
    await library.use('other')
    expect(library.list().map(({ id }) => id)).toEqual(['other', 'test-model'])
    await library.close()
    expect((await open()).list().map(({ id }) => id)).toEqual(['other', 'test-model'])
  })

  test('choosing another outranks the file given at start', async () => {
    const library = await withTwo()
    const file = join(folder, 'own.gguf')
    await writeTinyGguf(file, { width: 16, layers: 1, seed: 5 })
    await library.addFile(file)
    expect(library.list()[0]?.id).toBe('own')
    await library.use('test-model')
    expect(library.list()[0]?.id).toBe('test-model')
  })

  test('one that is removed is gone, file and all', async () => {
    const library = await withTwo()
    await library.remove('test-model')
    expect(await blobs()).toEqual([`${sha256(OTHER)}.gguf`])
    await failureOf(library.open('test-model'), 'model-unknown')
    await failureOf(library.remove('test-model'), 'model-unknown')
    await failureOf(library.use('../../etc/passwd'), 'model-unknown')
  })

  test('a file that changed its size is not loaded', async () => {
    const library = await withTwo()
    await truncate(join(folder, 'models', 'blobs', `${sha256(MODEL)}.gguf`), MODEL.byteLength - 1)
    await failureOf(library.open('test-model'), 'integrity')
  })

  test('a file whose header was changed is not loaded', async () => {
    const library = await withTwo()
    const lying = MODEL.slice()
    lying[0] = 0
    await writeFile(join(folder, 'models', 'blobs', `${sha256(MODEL)}.gguf`), lying)
    await failureOf(library.open('test-model'), 'model-invalid')
  })

  test('a damaged list is set aside, and the models are found again and hashed before they are used', async () => {
    await (await withTwo()).close()
    await writeFile(join(folder, 'models', 'library.json'), '{ "version": 1, "models": [')
    const weights = MODEL.slice()
    weights[weights.byteLength - 1] = (weights.at(-1) ?? 0) ^ 1
    await writeFile(join(folder, 'models', 'blobs', `${sha256(MODEL)}.gguf`), weights)
    const library = await open()
    expect(
      library
        .list()
        .map(({ id }) => id)
        .sort(),
    ).toEqual(['other', 'sound-model'])
    await failureOf(library.open('sound-model'), 'integrity')
    expect((await library.open('other')).header.name).toBe('Other')
    expect(await readdir(join(folder, 'models'))).toContain('library.json.damaged')
  })

  test('a model whose file is gone is taken off the list', async () => {
    await (await withTwo()).close()
    await rm(join(folder, 'models', 'blobs', `${sha256(MODEL)}.gguf`))
    expect((await open()).list().map(({ id }) => id)).toEqual(['other'])
  })

  test('what an engine measured is kept', async () => {
    const library = await withTwo()
    library.noteSpeed('other', { prefillTokensPerSecond: 100, decodeTokensPerSecond: 20, measuredAt: 1 })
    await library.close()
    expect((await open()).list()[1]?.speed?.decodeTokensPerSecond).toBe(20)
  })

  test('names that mean nothing here are refused', async () => {
    await failureOf((await open()).get('no-such-model'), 'model-unknown')
    await failureOf((await open()).get('hf:a/../../b.gguf'), 'usage')
  })
})
