import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants as zlib, gzip } from 'node:zlib'
import { GATEWAY_LIMITS } from './limits.ts'

/** A file of the built page. */
export interface PageFile {
  /** Its path in a URL, decoded: `/assets/main-1a2b.js`. */
  readonly path: string
  readonly type: string
  /** True when its name changes with its content. */
  readonly isHashed: boolean
}

/** How a file is sent. */
export type PageEncoding = 'br' | 'gzip' | 'identity'

/** A file's bytes in one encoding, with a tag that changes when they do. */
export interface PageContent {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly etag: string
}

/**
 * The built page as a closed list of files. A path from outside is only ever
 * looked up in the list and never made into a file name, so that no spelling of
 * it (CVE-2024-37032 and its family) leaves the folder.
 */
export interface PageFiles {
  /** The file of an exact decoded URL path. A new build is noticed by its `index.html`. */
  find(path: string): Promise<PageFile | undefined>
  /** @throws the file system's error when the file vanished since it was listed. */
  read(file: PageFile, encoding: PageEncoding): Promise<PageContent>
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
}

const COMPRESSIBLE = new Set(['.html', '.js', '.mjs', '.css', '.json', '.map', '.webmanifest', '.svg', '.txt', '.wasm'])
/** Below this, in bytes, a compressed copy saves nothing worth a header. */
const COMPRESS_FROM_BYTES = 1_024
/** More files than this are no build of ours. */
const FILES_MAX = 5_000
const BROTLI_QUALITY = 5

// Windows has no such flag, whatever the types say
const NO_FOLLOW = (constants.O_NOFOLLOW as number | undefined) ?? 0

const compressBrotli = promisify(brotliCompress)
const compressGzip = promisify(gzip)

/** Whether a file is worth compressing. */
export function isCompressible(file: PageFile): boolean {
  return COMPRESSIBLE.has(extname(file.path))
}

/** The files below `dir`; links are left out. A folder that is missing is an empty list. */
export function createPageFiles(dir: string): PageFiles {
  let files: ReadonlyMap<string, PageFile> = new Map()
  let buildMark = ''
  let contents = new Map<string, Promise<PageContent>>()
  let keptBytes = 0

  const refresh = async (): Promise<void> => {
    const mark = await markOf(join(dir, 'index.html'))
    if (mark === buildMark) return
    files = mark === '' ? new Map<string, PageFile>() : await listFiles(dir)
    contents = new Map()
    keptBytes = 0
    buildMark = mark
  }

  const keep = (key: string, content: Promise<PageContent>): void => {
    const kept = contents
    kept.set(key, content)
    content.then(
      ({ bytes }) => {
        if (kept !== contents) return
        keptBytes += bytes.byteLength
        for (const [oldest, old] of kept) {
          if (keptBytes <= GATEWAY_LIMITS.pageCacheBytes) break
          kept.delete(oldest)
          old.then(
            (dropped) => {
              keptBytes -= dropped.bytes.byteLength
            },
            () => {},
          )
        }
      },
      // the reader of the file hears of the failure; here it only must not be kept
      () => kept.delete(key),
    )
  }

  return {
    async find(path) {
      await refresh()
      return files.get(path)
    },
    async read(file, encoding) {
      // one copy for all who read it, however many they are
      const key = `${encoding}:${file.path}`
      const known = contents.get(key)
      if (known) return known
      const content = encode(join(dir, file.path), encoding)
      keep(key, content)
      return content
    },
  }
}

async function markOf(indexFile: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(indexFile)
    return [mtimeMs, size, ino].join(':')
  } catch {
    return ''
  }
}

async function listFiles(dir: string): Promise<Map<string, PageFile>> {
  const files = new Map<string, PageFile>()
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || files.size >= FILES_MAX) continue
    const path = `/${relative(dir, join(entry.parentPath, entry.name)).split(sep).join('/')}`
    const type = TYPES[extname(path)] ?? 'application/octet-stream'
    files.set(path, { path, type, isHashed: path.startsWith('/assets/') })
  }
  return files
}

async function readPlain(file: string): Promise<Uint8Array<ArrayBuffer>> {
  // a link put in the file's place after it was listed is not followed
  const handle = await open(file, constants.O_RDONLY | NO_FOLLOW)
  try {
    return new Uint8Array(await handle.readFile())
  } finally {
    await handle.close()
  }
}

async function encode(file: string, encoding: PageEncoding): Promise<PageContent> {
  const plain = await readPlain(file)
  if (encoding === 'identity' || plain.byteLength < COMPRESS_FROM_BYTES) return contentOf(plain, '')
  const bytes =
    encoding === 'gzip'
      ? await compressGzip(plain)
      : await compressBrotli(plain, { params: { [zlib.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } })
  return contentOf(new Uint8Array(bytes), `-${encoding}`)
}

function contentOf(bytes: Uint8Array<ArrayBuffer>, suffix: string): PageContent {
  const hash = createHash('sha256').update(bytes).digest('base64url').slice(0, 27)
  return { bytes, etag: `"${hash}${suffix}"` }
}
