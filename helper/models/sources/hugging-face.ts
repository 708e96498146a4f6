import type { IncomingMessage } from 'node:http'
import { abortReason, MeshError, messageOf, sleep, throwIfAborted } from '../../../mesh/base/index.ts'
import type { HuggingFaceSpec } from '../offer.ts'
import type { PartFile } from '../part-file.ts'
import { guardedRequest, type GuardOptions } from './guarded-request.ts'
import type { Expected, ModelSource, SourceContext } from './source.ts'

/** How the hub is reached. */
export interface HuggingFaceOptions {
  readonly baseUrl: string
  /** Of an account, for models behind an agreement; only ever sent to the hub itself. */
  readonly token?: string | undefined
  /** For tests: the stand-in hub may be on loopback and without TLS. */
  readonly allowLoopback: boolean
  /** Wait before a broken transfer is taken up again, twice as long each time. Default 500. */
  readonly retryMs?: number | undefined
}

/** The public hub. */
export const PUBLIC_HUB: HuggingFaceOptions = { baseUrl: 'https://huggingface.co', allowLoopback: false }

/** Largest file fetched: half a tebibyte is a lie. */
const SIZE_LIMIT_BYTES = 512 * 1024 ** 3

/** How often a broken transfer is taken up again before it counts as failed. */
const ATTEMPTS = 5
const RETRY_MS = 500

/** What the hub says of a file before it is fetched. */
interface HubFile extends Expected {
  readonly commit: string
}

/**
 * One file from the hub, resumed by range. Size and SHA-256 come from the hub's
 * metadata of the file (its large-file pointer) and are pinned to the commit
 * they were read at.
 */
export function createHuggingFaceSource(options: HuggingFaceOptions = PUBLIC_HUB): ModelSource<HuggingFaceSpec> {
  return {
    network: true,
    label: () => 'Hugging Face',
    async fetch(spec, context) {
      checkSpec(spec)
      const rules: Rules = { ...options, clock: context.clock, signal: context.signal }
      const file = await resolveFile(spec, rules)
      if (context.known !== undefined && context.known.sha256 !== file.sha256) {
        throw new MeshError(
          'integrity',
          'Hugging Face names another hash for this model than expected; it was not fetched.',
        )
      }
      const part = await context.openPart(`hugging-face ${file.sha256}`, file.sizeBytes)
      try {
        await receive(spec, file, part, rules, context)
      } catch (error) {
        await part.close()
        throw error
      }
      return { part, expected: { sizeBytes: file.sizeBytes, sha256: file.sha256 } }
    },
  }
}

type Rules = Omit<GuardOptions, 'method' | 'followRedirects' | 'headers'> & HuggingFaceOptions

/** `owner/name` and a file name in it, as the hub writes them: nothing that changes a path. */
function checkSpec(spec: HuggingFaceSpec): void {
  const isName = (text: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/.test(text) && !text.includes('..')
  const repository = spec.repository.split('/')
  const isGood =
    repository.length === 2 &&
    repository.every(isName) &&
    spec.file.split('/').every(isName) &&
    isName(spec.revision ?? 'main')
  if (!isGood || !spec.file.endsWith('.gguf')) {
    throw new MeshError('usage', 'A model of the hub is named owner/name/file.gguf.')
  }
}

function fileUrl(spec: HuggingFaceSpec, revision: string, baseUrl: string): URL {
  return new URL(`/${spec.repository}/resolve/${revision}/${spec.file}`, baseUrl)
}

async function resolveFile(spec: HuggingFaceSpec, rules: Rules): Promise<HubFile> {
  // The redirect itself carries the metadata, so it is not followed.
  const response = await guardedRequest(fileUrl(spec, spec.revision ?? 'main', rules.baseUrl), {
    ...rules,
    method: 'HEAD',
    followRedirects: false,
  })
  response.destroy()
  checkStatus(response, spec)
  const sha256 = header(response, 'x-linked-etag').replace(/^W\//, '').replaceAll('"', '').toLowerCase()
  const sizeBytes = Number(header(response, 'x-linked-size'))
  const commit = header(response, 'x-repo-commit')
  if (
    !/^[0-9a-f]{64}$/.test(sha256) ||
    !/^[0-9a-f]{40,64}$/.test(commit) ||
    !Number.isSafeInteger(sizeBytes) ||
    sizeBytes <= 0
  ) {
    throw new MeshError(
      'integrity',
      'Hugging Face gave no hash for this file, so it could not be checked and was not fetched.',
    )
  }
  if (sizeBytes > SIZE_LIMIT_BYTES)
    throw new MeshError('too-large', 'Hugging Face names an impossible size for this file.')
  return { sha256, sizeBytes, commit }
}

function checkStatus(response: IncomingMessage, spec: HuggingFaceSpec): void {
  const status = response.statusCode ?? 0
  if (status >= 200 && status < 400) return
  const name = `${spec.repository}/${spec.file}`
  if (status === 404) throw new MeshError('no-source', `Hugging Face has no file ${name}.`)
  if (status === 401 || status === 403) {
    throw new MeshError('no-source', `Hugging Face gives ${name} only to accounts that agreed to its terms.`)
  }
  throw new MeshError('offline', `Hugging Face answered with status ${String(status)}; try again later.`, {
    retryable: true,
  })
}

function header(response: IncomingMessage, name: string): string {
  const value = response.headers[name]
  return typeof value === 'string' ? value : ''
}

async function receive(
  spec: HuggingFaceSpec,
  file: HubFile,
  part: PartFile,
  rules: Rules,
  context: SourceContext,
): Promise<void> {
  let failures = 0
  while (part.receivedBytes < file.sizeBytes) {
    const before = part.receivedBytes
    try {
      await receiveOnce(spec, file, part, rules, context)
    } catch (error) {
      throwIfAborted(context.signal)
      // Only a broken line is worth another try; a full disk or a refusal is not.
      if (!(error instanceof MeshError) || !error.retryable) throw error
      failures = part.receivedBytes > before ? 1 : failures + 1
      if (failures >= ATTEMPTS) throw error
      context.log.info('the download broke off and is taken up again', {
        receivedBytes: part.receivedBytes,
        reason: messageOf(error),
      })
      await sleep(context.clock, (rules.retryMs ?? RETRY_MS) * 2 ** failures, { signal: context.signal })
    }
  }
}

async function receiveOnce(
  spec: HuggingFaceSpec,
  file: HubFile,
  part: PartFile,
  rules: Rules,
  context: SourceContext,
): Promise<void> {
  const from = part.receivedBytes
  const response = await guardedRequest(fileUrl(spec, file.commit, rules.baseUrl), {
    ...rules,
    method: 'GET',
    followRedirects: true,
    ...(from > 0 ? { headers: { range: `bytes=${String(from)}-` } } : {}),
  })
  try {
    checkStatus(response, spec)
    // A server that does not know ranges sends everything again.
    if (from > 0 && response.statusCode !== 206) await part.restart()
    else if (from > 0 && !header(response, 'content-range').startsWith(`bytes ${String(from)}-`)) {
      throw new MeshError('integrity', 'Hugging Face sent another part of the file than asked for.')
    }
    await pump(response, file, part, context)
  } finally {
    response.destroy()
  }
}

async function pump(response: IncomingMessage, file: HubFile, part: PartFile, context: SourceContext): Promise<void> {
  const onAbort = (): void => {
    response.destroy()
  }
  context.signal.addEventListener('abort', onAbort, { once: true })
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      throwIfAborted(context.signal)
      if (part.receivedBytes + chunk.byteLength > file.sizeBytes) {
        throw new MeshError('integrity', 'Hugging Face sent more bytes than it said; they were not used.')
      }
      await part.append(chunk)
      context.onProgress(part.receivedBytes, file.sizeBytes)
    }
  } catch (error) {
    if (context.signal.aborted) throw abortReason(context.signal)
    if (error instanceof MeshError) throw error
    throw new MeshError('offline', `The download broke off: ${messageOf(error)}.`, { cause: error, retryable: true })
  } finally {
    context.signal.removeEventListener('abort', onAbort)
  }
  if (part.receivedBytes < file.sizeBytes) {
    throw new MeshError('offline', 'The download ended too early.', { retryable: true })
  }
}
