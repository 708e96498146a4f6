import * as z from 'zod/mini'
import { asMeshError, isAbort, isMeshError, MeshError } from '../../mesh/base/index.ts'
import type { ArchiveContent, ImportResult, MeshArchives } from '../../mesh/archive-types.ts'
import { decode, encode, text } from '../../mesh/wire/index.ts'
import type { AppPeer } from '../peer/app-peer.ts'
import { CONTRASTS, THEMES } from '../theme/look.ts'
import type { Preferences } from './preferences.svelte.ts'

/** How this page looks, as it lies in an archive. */
const LOOK_KIND = 'page/look'
const LOOK_MAX_BYTES = 1_024
const look = z.object({ theme: text(20), contrast: text(20) })
/** Pieces become one blob, which the browser may keep on its disk, each so many bytes. */
const BLOB_BYTES = 8 * 1024 * 1024

/** What is done with an archive now. */
export type ArchivePhase =
  | { readonly kind: 'idle' }
  | { readonly kind: 'saving'; readonly bytes: number }
  | { readonly kind: 'saved'; readonly bytes: number }
  | { readonly kind: 'reading'; readonly fraction: number }
  | { readonly kind: 'offered'; readonly content: ArchiveContent }
  | { readonly kind: 'bringing'; readonly fraction: number }
  | { readonly kind: 'brought'; readonly result: ImportResult }
  | { readonly kind: 'failed'; readonly at: 'saving' | 'reading' | 'bringing'; readonly error: MeshError }

/** Everything of this person in one file, out of this device and into it. It goes on while one looks elsewhere. */
export class Archiving {
  readonly #peer: AppPeer
  readonly #preferences: Preferences
  #phase = $state.raw<ArchivePhase>({ kind: 'idle' })
  #own: AbortController | undefined

  constructor(peer: AppPeer, preferences: Preferences) {
    this.#peer = peer
    this.#preferences = preferences
  }

  get phase(): ArchivePhase {
    return this.#phase
  }
  get isBusy(): boolean {
    return ['saving', 'reading', 'bringing'].includes(this.#phase.kind)
  }

  /** Seals everything with a passphrase. Undefined: it failed, see `phase`, or was cancelled. */
  async save(passphrase: string): Promise<Blob | undefined> {
    return this.#run('saving', async (archives, signal) => {
      let blob = new Blob([])
      let parts: BlobPart[] = []
      let held = 0
      let bytes = 0
      this.#phase = { kind: 'saving', bytes }
      const { theme, contrast } = this.#preferences
      const more = [{ kind: LOOK_KIND, body: encode({ theme, contrast }) }]
      for await (const piece of archives.exportAll({ lock: { kind: 'passphrase', passphrase }, more, signal })) {
        parts.push(piece.slice())
        held += piece.byteLength
        bytes += piece.byteLength
        if (held >= BLOB_BYTES) {
          blob = new Blob([blob, ...parts])
          parts = []
          held = 0
        }
        this.#phase = { kind: 'saving', bytes }
      }
      blob = new Blob([blob, ...parts], { type: 'application/octet-stream' })
      this.#phase = { kind: 'saved', bytes }
      return blob
    })
  }

  /** Reads a file to its end and says what is in it; nothing of it is brought in. */
  async look(file: Blob, passphrase: string): Promise<void> {
    await this.#run('reading', async (archives, signal) => {
      const bytes = piecesOf(file, (fraction) => (this.#phase = { kind: 'reading', fraction }))
      const content = await archives.inspectArchive(bytes, { key: { kind: 'passphrase', passphrase }, signal })
      this.#phase = { kind: 'offered', content }
    })
  }

  /** Brings in what was looked at. */
  async bring(file: Blob, passphrase: string): Promise<void> {
    await this.#run('bringing', async (archives, signal) => {
      const bytes = piecesOf(file, (fraction) => (this.#phase = { kind: 'bringing', fraction }))
      const result = await archives.importAll(bytes, {
        key: { kind: 'passphrase', passphrase },
        signal,
        onRecord: ({ kind, body }) => {
          if (kind === LOOK_KIND) this.#wear(body)
        },
      })
      this.#phase = { kind: 'brought', result }
    })
  }

  cancel(): void {
    this.#own?.abort()
    this.#own = undefined
    this.#phase = { kind: 'idle' }
  }

  async #run<Value>(
    at: 'saving' | 'reading' | 'bringing',
    work: (archives: MeshArchives, signal: AbortSignal) => Promise<Value>,
  ): Promise<Value | undefined> {
    this.cancel()
    const own = new AbortController()
    this.#own = own
    try {
      const archives = this.#peer.archives()
      if (archives === undefined)
        throw new MeshError('offline', 'Another tab holds the connection. Hold it here, or do this there.')
      return await work(archives, own.signal)
    } catch (error) {
      if (this.#own === own && !isAbort(error)) this.#phase = { kind: 'failed', at, error: asMeshError(error) }
      return undefined
    }
  }

  #wear(body: Uint8Array): void {
    try {
      const said = decode(body, look, { maxBytes: LOOK_MAX_BYTES, what: 'The look of a page' })
      const theme = THEMES.find((one) => one === said.theme)
      const contrast = CONTRASTS.find((one) => one === said.contrast)
      if (theme !== undefined) this.#preferences.chooseTheme(theme)
      if (contrast !== undefined) this.#preferences.chooseContrast(contrast)
    } catch (error) {
      // a look that cannot be read is none; rooms and chats are here
      if (!isMeshError(error)) throw error
    }
  }
}

async function* piecesOf(file: Blob, onFraction: (fraction: number) => void): AsyncGenerator<Uint8Array> {
  onFraction(0)
  let read = 0
  // by slices, as not every browser iterates a stream
  for (let at = 0; at < file.size; at += BLOB_BYTES) {
    let piece: ArrayBuffer
    try {
      piece = await file.slice(at, at + BLOB_BYTES).arrayBuffer()
    } catch (error) {
      throw new MeshError('storage-failed', 'The file cannot be read any more.', { cause: error })
    }
    read += piece.byteLength
    yield new Uint8Array(piece)
    onFraction(read / file.size)
  }
}
